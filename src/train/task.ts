import type { Batch } from "../data/batch.js";
import type { Objective } from "./objective.js";
import type { TrainableModel } from "./prepare.js";

/** Samples to train on: each a batch of one row, with what the objective wants of it (labels, a teacher's outputs). */
export interface TrainingData {
  readonly count: number;
  /** In words, for reports. */
  readonly source: string;
  read(at: number): Promise<Batch>;
  /** What a user calls the sample. */
  nameOf(at: number): string;
}

export type OptimizerSettings =
  | { readonly kind: "sgd"; readonly momentum: number; readonly nesterov: boolean }
  | { readonly kind: "adamw"; readonly beta1: number; readonly beta2: number; readonly epsilon: number };

/** The learning rate over the steps: it rises linearly over `warmUp` steps, then falls. */
export interface ScheduleSettings {
  readonly kind: "constant" | "cosine" | "linear" | "step";
  readonly rate: number;
  /** Steps. */
  readonly warmUp: number;
  /** The last rate as a share of `rate` (cosine, linear); what `rate` is multiplied by at each of `at` (step). */
  readonly floor: number;
  /** Shares of all steps at which a step schedule falls. */
  readonly at: readonly number[];
}

export interface TrainingSettings {
  /** Optimizer steps in all. */
  readonly steps: number;
  /** Rows of a batch. */
  readonly batchSize: number;
  /** Batches whose gradients make one step. */
  readonly accumulate: number;
  readonly optimizer: OptimizerSettings;
  readonly schedule: ScheduleSettings;
  /** Decoupled, as a share of the rate; for weights alone. */
  readonly weightDecay: number;
  /** Gradients are scaled down to this global norm; 0 for no limit. */
  readonly clipNorm: number;
  /** Decay of the moving average of the weights; 0 for none. Where there is one, it is evaluated and kept. */
  readonly ema: number;
  readonly seed: number;
  readonly threads: number;
  /** Steps between evaluations on held-out data; the last step is always evaluated. */
  readonly evaluateEvery: number;
  /** Evaluations without a better one after which training stops; 0 for never. */
  readonly patience: number;
  /** Steps between checkpoints. */
  readonly checkpointEvery: number;
}

/** One result on held-out data. */
export interface Score {
  readonly value: number;
  /** Whether larger is better. */
  readonly higherIsBetter: boolean;
  /** What decides between equal values; the larger is better. */
  readonly tie?: number;
  /** Other figures worth logging. */
  readonly details: Readonly<Record<string, number>>;
}

/** A line of the log. */
export type TrainingRecord =
  | {
      readonly kind: "step";
      readonly step: number;
      readonly loss: number;
      readonly terms: Readonly<Record<string, number>>;
      readonly rate: number;
      readonly gradientNorm: number;
    }
  | { readonly kind: "evaluation"; readonly step: number; readonly score: Score; readonly best: boolean };

/** How training speaks with what is around it; all files are the caller's. */
export interface TrainingHooks {
  log(record: TrainingRecord): void;
  /** Keeps a checkpoint: the state to go on from, or the best weights so far. It must be whole or not there at all. */
  keep(kind: "last" | "best", bytes: Uint8Array): void;
  /** Asked between steps; true ends training after a last checkpoint. */
  stopRequested(): boolean;
  progress(done: number, total: number, loss: number): void;
}

export interface TrainingTask {
  readonly model: TrainableModel;
  /** Another form of the model, over the same parameters, for the first so many steps. */
  readonly early?: { readonly model: TrainableModel; readonly steps: number };
  readonly objective: Objective;
  readonly data: TrainingData;
  /** Scores the present parameters (of `model`, in place) on held-out data. */
  evaluate?(): Promise<Score>;
  /**
   * Called before a step's batch runs, with the number of steps done: where phases change (ranges freeze, statistics
   * freeze). It may change parameters, and what `rateScale` and the like of a parameter give.
   */
  beforeStep?(step: number): void;
  readonly settings: TrainingSettings;
  readonly hooks: TrainingHooks;
  /** A checkpoint to go on from. */
  readonly resume?: Uint8Array;
}

export interface TrainingOutcome {
  readonly steps: number;
  /** Why it ended: all steps done, no better score for long, or asked to stop. */
  readonly ended: "done" | "early" | "stopped";
  readonly best: { readonly step: number; readonly score: Score } | undefined;
  readonly finalLoss: number;
  /** What the user should know, one line each: weights that no gradient reaches. */
  readonly notes: readonly string[];
}
