import type { Options } from "../cli.js";
import type { EmptyPlaces } from "../evaluate/empty-places.js";
import type { DistillPlan, DistillResult, QatPlan, QatResult } from "../render/training-result.js";
import type { TrainingMode } from "./training-options.js";

/** What a thread is told to do: plain data. */
export interface Job {
  readonly mode: TrainingMode;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** The teacher, or the model to quantize. */
  readonly model: string;
  readonly options: Options;
  /** Whether only a plan is wanted. */
  readonly isPlan: boolean;
  /** Where outputs of what is trained have nothing but zeros: they are not held against the teacher's. */
  readonly empty?: readonly EmptyPlaces[];
  /** Where the result lies until it is published, and what is only tried. */
  readonly staging: { readonly label: string; readonly folder: string };
  /** Where checkpoints are. */
  readonly checkpoints: string;
  /** One number: not 0 once training is to end after its step. */
  readonly stop: SharedArrayBuffer;
}

/** What becomes of a job. */
export type Outcome =
  /** `files` lie in the staging folder; `told` are the warnings that were said before training. */
  | {
      readonly kind: "result";
      readonly result: DistillResult | QatResult;
      readonly files: readonly string[];
      readonly told: readonly string[];
    }
  | { readonly kind: "plan"; readonly result: DistillPlan | QatPlan }
  /** Stopped on request after so many steps, which a checkpoint holds. */
  | { readonly kind: "stopped"; readonly step: number; readonly steps: number };

/** How training is doing. */
export interface TrainingProgress {
  readonly done: number;
  readonly total: number;
  readonly loss: number;
  readonly rate: number;
}

/** What a job says while it runs. */
export interface Link {
  /** A line for stderr. */
  say(text: string): void;
  progress(progress: TrainingProgress): void;
  stopRequested(): boolean;
}

/** What a thread sends. */
export type Message =
  | { readonly say: string }
  | { readonly progress: TrainingProgress }
  | { readonly outcome: Outcome }
  | { readonly error: string /** Whether the user can mend it. */; readonly user: boolean };
