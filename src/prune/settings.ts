import type { Cost } from "./costs.js";
import type { PlannedGroup, PrunePlan } from "./plan.js";

/** How much a channel matters: by its weights alone, or by what the model does on samples. */
export type WeightCriterion = "l1" | "l2" | "bn" | "random";
export type DataCriterion = "wanda" | "flap" | "mean" | "taylor";
export type Criterion = WeightCriterion | DataCriterion;

/** How the scores of the slices that make up a channel become one. */
export type Reduction = "mean" | "max" | "sum";

/**
 * What each channel is worth, by the index of its group and its place in it; at least 0. Sums over channels of different
 * groups can be compared: damage, or parts of what a group is worth.
 */
export type Scores = readonly Float64Array[];

/** What a target counts. */
export type Measure = "params" | "flops" | "channels";

/** How far pruning may go. */
export interface Limits {
  /** Widths (indices of the longest axis of a group) are kept to multiples of this; 1 for any. */
  readonly round: number;
  /** Least width that is left. */
  readonly minChannels: number;
  /** Largest share of a group's channels that may go, over 0 and below 1. */
  readonly limit: number;
  /** Other largest shares, by patterns over names of a group's tensors and nodes; the first that fits counts. */
  readonly limits: readonly { readonly pattern: RegExp; readonly share: number }[];
  /** Groups that stay whole, by the same patterns. */
  readonly keep: readonly RegExp[];
  /** Where there are some: the only groups that are pruned. */
  readonly only: readonly RegExp[];
  /** Whether channels that more than one normalisation runs over (the hidden dimension of a transformer) may go. */
  readonly hidden: boolean;
}

/** How the target is spread over groups: by one ranking of all channels, the same share each, or by measured damage. */
export type Spread = "global" | "uniform" | "sensitivity";

/** What was measured of a group alone: the model's damage when a share of its channels goes. */
export interface DamageCurve {
  /** Index of the group. */
  readonly group: number;
  readonly points: readonly { readonly removed: number; readonly damage: number }[];
}

export interface SelectSettings {
  readonly by: Measure;
  /** The share of it that is to go, over 0 and below 1. */
  readonly ratio: number;
  readonly spread: Spread;
  readonly scores: Scores;
  /** For the spread by sensitivity. */
  readonly curves?: readonly DamageCurve[];
  readonly limits: Limits;
}

/** A plan that keeps the limits, and what it comes to. */
export interface Selection extends PrunePlan {
  readonly groups: readonly PlannedGroup[];
  readonly before: Cost;
  readonly after: Cost;
  /** Patterns that no tensor or node has a name for, by their place in the limits. */
  readonly unmatched: readonly { readonly of: "keep" | "only" | "limits"; readonly at: number }[];
}
