import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Batch } from "../../../src/data/batch.js";
import { encodeNpz } from "../../../src/formats/npz.js";

/** Writes samples as a folder that `--data` takes, unless as many are there. */
export function writeSamples(folder: string, batches: readonly Batch[]): void {
  const done = join(folder, `.complete-${batches.length}`);
  if (existsSync(done)) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [at, batch] of batches.entries()) {
    writeFileSync(join(folder, `${String(at).padStart(3, "0")}.npz`), encodeNpz(batch));
  }
  writeFileSync(done, "");
}

/** Whether `writeSamples` has written that folder, and all of it. */
export function isComplete(folder: string): boolean {
  return existsSync(folder) && readdirSync(folder).some((name) => name.startsWith(".complete-"));
}
