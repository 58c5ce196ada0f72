// What a run of a program costs, by GNU time.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Cost } from "./result.js";

/** A program that has ended. */
export interface Ended {
  readonly cost: Cost;
  readonly stdout: string;
  /** What it said last, where it failed. */
  readonly error?: string;
}

/** Runs a program in `folder`, where it may leave files; `made` says by its exit code whether it did what it was to do. */
export function costOf(argv: readonly string[], folder: string, made: (code: number) => boolean): Ended {
  mkdirSync(folder, { recursive: true });
  const record = join(folder, "time.txt");
  const done = spawnSync("/usr/bin/time", ["-o", record, "-f", "%e %U %S %M", ...argv], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (done.error) throw new Error(`${done.error.message}; this script needs GNU time as /usr/bin/time`);
  const line = readFileSync(record, "utf8").trim().split("\n").at(-1)!;
  const [wall, user, system, kilobytes] = line.split(" ").map(Number) as [number, number, number, number];
  const cost = { wallSeconds: wall, cpuSeconds: user + system, peakBytes: kilobytes * 1024 };
  const { stdout } = done;
  if (made(done.status ?? -1)) return { cost, stdout };
  const all = done.stderr.trim().split("\n");
  const said = all.find((line) => /^(error|\w*Error\b.*):/.test(line)) ?? all.at(-1) ?? "";
  return { cost, stdout, error: said.replaceAll(folder, "").slice(0, 300) || `exit code ${done.status}` };
}
