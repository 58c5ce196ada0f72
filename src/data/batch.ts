import type { Tensor } from "../tensor/tensor.js";

/** One sample: what one inference is fed, input name -> tensor. */
export type Batch = ReadonlyMap<string, Tensor>;

/** Samples to run a model on, read one at a time and as often as wanted, and where they come from. */
export interface SampleSet {
  /** At least 1. */
  readonly count: number;
  /** In words, for reports: a path and how it was read, or "synthetic, seed 1". */
  readonly source: string;
  readonly synthetic: boolean;
  /** What was adapted to fit the model, one line each; known of the samples read so far. */
  readonly notes: readonly string[];
  /** Sample number `at`, from 0, made to fit the model. Throws a UserError where it does not fit. */
  read(at: number): Promise<Batch>;
  /** What a user calls this sample: its file, with the line or row where that holds several. */
  nameOf(at: number): string;
  /** The outputs that the data says a model gives for the sample; undefined where it says nothing. */
  expected?(at: number): Promise<Batch | undefined>;
}

/** An input as a model declares it; an engine's ValueInfo fits. */
export interface DeclaredInput {
  readonly name: string;
  readonly dtype: Tensor["dtype"];
  readonly shape: readonly (number | string | null)[];
}
