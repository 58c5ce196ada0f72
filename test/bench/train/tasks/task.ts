import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { work } from "../fetch.js";
import type { TaskResult } from "../result.js";
import { weightsOf } from "../weights.js";

/** How tasks are run. */
export interface TaskSettings {
  /** Few steps: shows that everything runs, not what it comes to. */
  readonly quick: boolean;
  /** Trains again what is there. */
  readonly fresh: boolean;
  readonly threads: number;
  readonly seeds: readonly number[];
}

/** A real task; undefined where its data cannot be had. */
export interface Task {
  readonly id: string;
  readonly title: string;
  run(settings: TaskSettings): Promise<TaskResult | undefined>;
}

/** What is known of a file that was trained. */
export interface Trained {
  readonly file: string;
  readonly seconds: number;
  readonly bytes: number;
  readonly weights: number;
}

/** Makes a file of a task with `make` (which says how many seconds training took), unless it was made before. */
export async function kept(
  task: string,
  name: string,
  { quick, fresh }: TaskSettings,
  make: (file: string) => Promise<number>,
): Promise<Trained> {
  const folder = join(work, "files", task);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}${quick ? "-quick" : ""}.onnx`);
  const record = file.replace(/\.onnx$/, ".json");
  if (quick || fresh || !existsSync(record)) {
    console.log(`  ${task}: ${name}`);
    writeFileSync(record, JSON.stringify({ seconds: await make(file) }));
  }
  const { seconds } = JSON.parse(readFileSync(record, "utf8")) as { readonly seconds: number };
  return { file, seconds, bytes: statSync(file).size, weights: weightsOf(file) };
}

/** Where a file lies that a task writes beside its models. */
export function beside(task: string, name: string): string {
  const folder = join(work, "files", task);
  mkdirSync(folder, { recursive: true });
  return join(folder, name);
}
