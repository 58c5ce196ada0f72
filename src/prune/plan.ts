import type { ChannelGroup, FrozenAxis } from "./groups.js";
import type { Structure } from "./structure.js";

/** Labels that are removed: those that stand for their channel. */
export type Removed = ReadonlySet<number>;

/** What a plan does to one group. */
export interface PlannedGroup {
  readonly group: ChannelGroup;
  /** Channels removed, of `group.channels`, in their order. */
  readonly removed: readonly number[];
  /** Why no more, or none: `--keep`, limit, rounding, `score`. */
  readonly why: string;
}

/** Which channels go; nothing is changed yet. */
export interface PrunePlan {
  readonly structure: Structure;
  readonly groups: readonly PlannedGroup[];
  readonly frozen: readonly FrozenAxis[];
  readonly removed: Removed;
}

/** The labels that go with the chosen channels. */
export function removedLabels(groups: readonly PlannedGroup[]): Removed {
  return new Set(groups.flatMap(({ group, removed }) => removed.map((at) => group.channels[at]!.label)));
}
