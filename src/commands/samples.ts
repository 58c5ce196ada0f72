import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../cli.js";
import type { Batch, Samples } from "../data/batch.js";
import { checkBatch } from "../data/npz-batch.js";
import { resolveShapes } from "../data/shapes.js";
import { syntheticBatches } from "../data/synthetic.js";
import { UserError } from "../errors.js";
import type { DType } from "../tensor/tensor.js";
import { absolute, readInput, statsOf } from "./files.js";

/** How samples are made up when the user has none. */
export interface SyntheticSettings {
  /** Shapes of `--shape`, by input; only for made-up samples. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly count: number;
  readonly seed: number;
}

/**
 * The samples of `--data`: an .npz file is one, a folder has one in each of its .npz files (in the order of their
 * names); without a path they are made up. All fit the model's inputs, or a UserError says what does not.
 */
export async function readSamples(
  host: Host,
  path: string | undefined,
  inputs: readonly {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: readonly (number | string | null)[];
  }[],
  synthetic: SyntheticSettings,
): Promise<Samples> {
  if (path === undefined) {
    const { shapes, count, seed } = synthetic;
    const batches = syntheticBatches(inputs, resolveShapes(inputs, shapes), count, seed);
    return { batches, source: `synthetic, seed ${seed}`, synthetic: true, notes: [] };
  }
  if (synthetic.shapes.size > 0)
    throw new UserError("--shape: leave it out with --data; the samples have their own shapes");
  const { decodeNpz } = await import("../formats/npz.js");
  const batches: Batch[] = [];
  const notes: string[] = [];
  for (const file of sampleFiles(host, path)) {
    const fitted = checkBatch(inputs, decodeNpz(readInput(host, file, "sample"), file), file);
    batches.push(fitted.batch);
    notes.push(...fitted.notes);
  }
  return { batches, source: path, synthetic: false, notes };
}

function sampleFiles(host: Host, path: string): readonly string[] {
  const stats = statsOf(host, path);
  if (!stats) throw new UserError(`--data ${path}: no such file or folder`);
  if (!stats.isDirectory()) {
    if (path.endsWith(".npz")) return [path];
    throw new UserError(`--data ${path}: samples are .npz files (numpy.savez with one array per model input)`);
  }
  const names = readdirSync(absolute(host, path)).filter((name) => name.endsWith(".npz") && !name.startsWith("."));
  if (names.length === 0) throw new UserError(`--data ${path}: the folder holds no .npz files`);
  // as people count: line-2 before line-10
  const collator = new Intl.Collator("en", { numeric: true });
  return names.sort(collator.compare).map((name) => join(path, name));
}
