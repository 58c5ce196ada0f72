// The built program, as users run it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { costOf, type Ended } from "../quantize/cost.js";
import type { Cost } from "../quantize/result.js";

/** The parts of the result of `deepseek compress --prune --json` that are read here. */
interface Pruned {
  readonly model: { readonly bytes: number };
  readonly output: { readonly bytes: number } | null;
  readonly parameters: { readonly before: number; readonly after: number; readonly prunable: number };
  readonly flops: { readonly before: number; readonly after: number };
  readonly frozen: readonly Frozen[];
  readonly verification: { readonly exactness: Exactness | null } | null;
}

/** What could not be pruned, by the node at fault. */
export interface Frozen {
  readonly operator: string;
  readonly node: string;
  readonly why: string;
  readonly parameters: number;
}

/** How far outputs are from those of the original with the same channels at 0; relative to the largest of them. */
export interface Exactness {
  readonly maxAbs: number;
  readonly relative: number;
}

/** A file that was made, or why it was not. */
export interface Made {
  readonly file: string;
  readonly result?: Pruned;
  /** Where GNU time is there. */
  readonly cost?: Cost;
  readonly error?: string;
}

/**
 * Runs `deepseek compress model ... -o file`, unless its file is to be used as it is; what it said is kept beside it. Exit
 * code 1 is right as well: written, but worse than asked for.
 */
export function compress(model: string, file: string, args: readonly string[], asItIs = false): Made {
  const record = file.replace(/\.onnx$/, ".json");
  if (asItIs && existsSync(file) && existsSync(record)) return JSON.parse(readFileSync(record, "utf8")) as Made;
  mkdirSync(dirname(file), { recursive: true });
  rmSync(file, { force: true });
  const program = [process.execPath, resolve("bin", "deepseek.js")] as const;
  const argv = [...program, "compress", model, ...args, "--json", "-o", file] as const;
  const ended = run(argv, dirname(file), (code) => code <= 1 && existsSync(file));
  const made: Made = { file, ...(ended.cost && { cost: ended.cost }), ...said(ended) };
  writeFileSync(record, JSON.stringify(made));
  return made;
}

type Run = Pick<Ended, "stdout" | "error"> & Partial<Pick<Ended, "cost">>;

function run(argv: readonly [string, ...string[]], folder: string, made: (code: number) => boolean): Run {
  if (existsSync("/usr/bin/time")) return costOf(argv, folder, made);
  const [program, ...rest] = argv;
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: "utf8", maxBuffer: 2 ** 28 });
  return made(status ?? -1) ? { stdout } : { stdout, error: stderr.trim().split("\n").at(-1) || `exit code ${status}` };
}

function said({ stdout, error }: Run): { readonly result: Pruned } | { readonly error: string } {
  if (error !== undefined) return { error };
  try {
    return { result: JSON.parse(stdout) as Pruned };
  } catch {
    return { error: `no JSON: ${stdout.slice(0, 100)}` };
  }
}
