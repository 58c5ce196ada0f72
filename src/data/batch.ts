import type { Tensor } from "../tensor/tensor.js";

/** One sample: what one inference is fed, input name -> tensor. */
export type Batch = ReadonlyMap<string, Tensor>;

/** Samples to run a model on, and where they come from. */
export interface Samples {
  readonly batches: readonly Batch[];
  /** In words, for reports: a path, or "synthetic, seed 1". */
  readonly source: string;
  readonly synthetic: boolean;
  /** What was adapted to fit the model, one line each. */
  readonly notes: readonly string[];
}
