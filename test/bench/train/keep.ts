// The file in which results of training add up.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, resolve } from "node:path";
import { runtimeVersion } from "../../../src/engine/session.js";
import type { TrainResult } from "./result.js";

const file = resolve("bench-work", "train.json");

/** Puts new results beside those there are. */
export function keepResult(part: Partial<Pick<TrainResult, "tasks" | "speed">>, versions: Record<string, string> = {}) {
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as TrainResult) : undefined;
  const result: TrainResult = {
    ...before,
    schema: "deepseek/bench-train@1",
    machine: `${cpus().length} x ${cpus()[0]!.model}, Node ${process.version}`,
    date: new Date().toISOString().slice(0, 10),
    versions: { ...before?.versions, onnxruntime: runtimeVersion(), ...versions },
    tasks: { ...before?.tasks, ...part.tasks },
    ...(part.speed && { speed: part.speed }),
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
}

/** The comma-separated values of an option, or undefined without it. */
export function listed(name: string): readonly string[] | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1]!.split(",");
}
