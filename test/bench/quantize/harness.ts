import type { Batch } from "../../../src/data/batch.js";
import type { Run } from "../../../src/evaluate/agreement.js";

/** One number a model is judged by, in percent. */
export interface Measure {
  readonly name: string;
  readonly better: "lower" | "higher";
}

/** Sums over one sample that does not depend on the others (a page, a line, a photo), from which the measures follow. */
export type Counts = readonly number[];

/** Which samples a model is judged by, where other than those of the published figures. */
export interface Sampling {
  /** How many: of pages, lines, crops. */
  readonly count?: number;
  /** What they are drawn with. */
  readonly seed?: number;
}

/** Samples of a model, and how it is judged. */
export interface Prepared {
  /** What quantizers may see. */
  readonly calibration: readonly Batch[];
  /** What the calibration samples say, where the model has a `--metric` module in metrics/. */
  readonly labels?: readonly string[];
  /** For times and for `--data` of a check; never among those above. */
  readonly heldOut: readonly Batch[];
  /** What the fp32 model comes to, where that needs no run: those judged by agreement with it. */
  readonly baseline?: readonly Counts[];
  /** Runs the model on data that calibration has not; the counts of every sample, in the same order for every model. */
  judge(run: Run): Promise<readonly Counts[]>;
}

/** A real model with data to judge it by. */
export interface Harness {
  /** As in `--models`. */
  readonly id: string;
  readonly title: string;
  /** The first is the one a drop is stated in. */
  readonly measures: readonly Measure[];
  /** By the reference implementation of the harness on another machine, where there is one. */
  readonly expected?: readonly number[];
  /** Runs so long that they are repeated less. */
  readonly slow?: boolean;
  /** How many samples judge with `--quick`, where the usual number takes long. */
  readonly quickCount?: number;
  /** The fp32 file; undefined where it cannot be had (which has been said). */
  model(): string | undefined;
  /** `run` is the fp32 model's, for those judged by agreement with it. Undefined where data are missing. */
  prepare(run: Run, sampling: Sampling): Promise<Prepared | undefined>;
  /** The measures, in their order, from the sum of the samples' counts. */
  scoresOf(sums: Counts): readonly number[];
}

/** Element by element. */
export function sumOf(rows: readonly Counts[]): Counts {
  return rows[0]!.map((_, at) => rows.reduce((sum, row) => sum + row[at]!, 0));
}

/** By how many points a measure got worse; negative where it got better. */
export function drop(measure: Measure, before: number, after: number): number {
  return measure.better === "lower" ? after - before : before - after;
}

/** xorshift32 (Marsaglia 2003), in [0, 1). */
export function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A batch of one float32 input. */
export function floats(name: string, shape: readonly number[], data: Float32Array): Batch {
  return new Map([[name, { dtype: "float32", shape, data }]]);
}

/** The values of an output. */
export function valuesOf(outputs: Awaited<ReturnType<Run>>, name: string): Float32Array {
  const output = outputs.get(name);
  if (!output) throw new Error(`the model has no output ${name}`);
  return output.data as Float32Array;
}
