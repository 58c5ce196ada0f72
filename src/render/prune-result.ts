import type { RatioVerdict } from "../bench/compare/verdict.js";
import type { Agreement } from "../evaluate/agreement.js";
import type { Drop } from "../evaluate/drop.js";
import type { Freeze } from "../prune/labels.js";
import type { Criterion, Measure, Reduction, Spread } from "../prune/settings.js";
import type { TrainingSettings } from "../train/task.js";
import type { OutputFile } from "./compress-result.js";
import type { LossPart, ModelScore, SourceFile, TrainingCourse } from "./training-result.js";

/** A quantity of the model as it was and as it is pruned. */
export interface BeforeAfter {
  readonly before: number;
  readonly after: number;
}

/** What was asked for. */
export interface PruneSettings {
  /** The share of what `by` counts that is to go, below 1; 0 where only layers are dropped, or zeros are set. */
  readonly ratio: number;
  /** What the share is of; `latency`: of the time of a run on this machine. */
  readonly by: Measure | "latency";
  readonly criterion: Criterion;
  readonly reduction: Reduction;
  readonly spread: Spread;
  /** Widths are kept to multiples of this; 1 for any. */
  readonly round: number;
  /** Least width that is left. */
  readonly minChannels: number;
  /** Largest share of a group's channels that may go. */
  readonly limit: number;
  /** Other largest shares, by patterns over names. */
  readonly limits: readonly { readonly pattern: string; readonly share: number }[];
  /** Patterns over names of groups that stay whole. */
  readonly keep: readonly string[];
  /** Where there are some: patterns over names of the only groups that are pruned. */
  readonly only: readonly string[];
  /** Whether the hidden dimension of a transformer may go. */
  readonly hidden: boolean;
  /** Rounds of pruning (with recovery in between) that the share is reached in. */
  readonly steps: number;
  readonly seed: number;
}

/** Samples that pruning went by and was measured on. */
export interface PruneData {
  /** Where the samples come from, in words. */
  readonly source: string;
  readonly samples: number;
  /** Of them: for measuring alone. */
  readonly heldOut: number;
  readonly labelled: boolean;
  /** What was adapted to make samples fit the model, one line each. */
  readonly notes: readonly string[];
}

/** Channels that are alike, and how many of them are left. */
export interface PrunedGroup {
  /** After the tensor that makes the channels. */
  readonly name: string;
  /** Stored tensors with an axis of these channels. */
  readonly tensors: readonly string[];
  /** Names of the nodes that read those tensors, in the order of the graph. */
  readonly operators: readonly string[];
  readonly channels: BeforeAfter;
  /** Indices that a channel has on its widest axis: 64 for an attention head of 64. */
  readonly width: number;
  /** Normalisations whose statistics run over the channels. */
  readonly normalisations: number;
  /** Why no more of them went, or none. */
  readonly why: string;
  /** Elements of `tensors`. */
  readonly parameters: BeforeAfter;
  /** Damage that was measured when a share of these channels alone goes; null where nothing was. */
  readonly curve: readonly { readonly removed: number; readonly damage: number }[] | null;
}

/** What keeps weights as long as they are. */
export interface FrozenCause extends Freeze {
  /** Stored tensors with an axis that it keeps. */
  readonly tensors: readonly string[];
  /** Their elements that no removal reaches. */
  readonly parameters: number;
}

/** A block of the model, where whole ones may go. */
export interface PrunedLayer {
  readonly name: string;
  readonly parameters: number;
  readonly kept: boolean;
  readonly why: string;
}

/** Weights set to zero, which changes neither size nor speed on onnxruntime. */
export interface Sparsity {
  /** `2:4`, or `unstructured`. */
  readonly pattern: string;
  /** Zeros among the elements of the weights it was done to, 0 to 1. */
  readonly zeros: number;
  readonly tensors: number;
}

/** What plan and result share. */
interface Pruned {
  readonly versions: { readonly "deepseek-compat": string; readonly onnxruntime: string; readonly node: string };
  readonly model: SourceFile;
  readonly settings: PruneSettings;
  /** Shapes of the inputs that FLOPs were counted for. */
  readonly shapes: readonly { readonly input: string; readonly shape: readonly number[] }[];
  /** Null where only weights decided. */
  readonly data: PruneData | null;
  /** Elements of float tensors; `prunable`: with at least one index that could go, before pruning. */
  readonly parameters: BeforeAfter & { readonly prunable: number };
  /** Of one run on `shapes`. */
  readonly flops: BeforeAfter;
  /** Of all groups. */
  readonly channels: BeforeAfter;
  /** Of model files with their external data; in a plan, `after` is an estimate. Both before they are quantized. */
  readonly bytes: BeforeAfter;
  /** In the order of the graph. */
  readonly groups: readonly PrunedGroup[];
  /** What `curve` of groups measures, in words; null where nothing was measured. */
  readonly damage: string | null;
  /** The most parameters first. */
  readonly frozen: readonly FrozenCause[];
  /** In the order of the graph; empty where no whole layers may go. */
  readonly layers: readonly PrunedLayer[];
  readonly sparsity: Sparsity | null;
  /** What brought the file into the form that pruning works on, one line each. */
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

/** The result of `deepseek compress --prune --dry-run`, schema deepseek/prune-plan@1. */
export interface PrunePlanResult extends Pruned {
  readonly schema: "deepseek/prune-plan@1";
}

/** How the wanted time was come by. */
export interface LatencySearch {
  /** The share of the original's time that was to go. */
  readonly wanted: number;
  /**
   * Time over the original's of the file as it was brought into form, before a channel went. Where that is enough, or the
   * nearest that there is, no channel goes.
   */
  readonly prepared: number;
  /** Time of a run over the original's. */
  readonly reached: RatioVerdict;
  /** In their order: the share of FLOPs that went, and the time over the original's; none where none had to go. */
  readonly tries: readonly { readonly ratio: number; readonly time: number }[];
}

/** How the pruned model, before any recovery, was held against the original. */
export interface PruneVerification {
  /** Largest difference to the original with the same channels zeroed, relative to its largest output; null where not asked. */
  readonly exactness: { readonly maxAbs: number; readonly relative: number } | null;
  /** On the held-out samples, else on made-up ones. */
  readonly agreement: Agreement | null;
  readonly drop: Drop | null;
  /** CPU time of a run over the original's, one thread; null with --speed-seconds 0. */
  readonly speed: RatioVerdict | null;
}

/** The model after one stage of the work. */
export interface Stage extends Pick<ModelScore, "metric" | "agreement" | "speed"> {
  readonly stage: "original" | "pruned" | "recovered" | "quantized";
  readonly parameters: number;
  /** Of the file it makes, or would make. */
  readonly bytes: number;
  /** Null where it was not counted. */
  readonly flops: number | null;
  /** That the stage took; null for the original. */
  readonly seconds: number | null;
}

/** How training brought accuracy back. */
export interface Recovery {
  /** In words: `the original as teacher`, `labels`. */
  readonly words: string;
  readonly settings: TrainingSettings;
  readonly losses: readonly LossPart[];
  /** One for each round of pruning. */
  readonly courses: readonly TrainingCourse[];
}

/** What quantization did to the pruned model. */
export interface QuantizationSummary {
  /** What was decided, in words, the most bytes first. */
  readonly decisions: readonly string[];
  /** Tensors by scheme; `left` those that stay floats. */
  readonly schemes: readonly { readonly scheme: string; readonly tensors: number }[];
  /** Decisions that were taken back to keep --max-drop. */
  readonly takenBack: number;
}

/** The result of `deepseek compress --prune`, schema deepseek/prune@1. */
export interface PruneResult extends Pruned {
  readonly schema: "deepseek/prune@1";
  readonly latency: LatencySearch | null;
  readonly verification: PruneVerification | null;
  /** The first is the original. */
  readonly stages: readonly Stage[];
  /** The name of the score by labels or --metric; null without both. */
  readonly metric: { readonly name: string; readonly higherIsBetter: boolean } | null;
  readonly recovery: Recovery | null;
  readonly quantization: QuantizationSummary | null;
  readonly output: {
    readonly path: string;
    /** Of all files of the output. */
    readonly bytes: number;
    readonly files: readonly OutputFile[];
  };
  /** The stage that the output is of. */
  readonly kept: Stage["stage"];
  /** Whether the output is there: a missed limit leaves nothing, unless training was spent on it. */
  readonly written: boolean;
  /** Outputs are not finite, or --max-drop was given and is exceeded: exit code 1. */
  readonly missed: boolean;
}
