import type { ModelProto } from "../formats/onnx.js";
import type { ChannelGroup } from "./groups.js";
import { type Allowance, allowancesOf } from "./limits.js";
import type { Removed } from "./plan.js";
import type { Rows } from "./row.js";
import type { DamageCurve, Limits, Scores } from "./settings.js";
import { sliceModel } from "./slice.js";
import type { Structure } from "./structure.js";

export interface SensitivitySettings {
  /** Shares of a group's channels that are tried; default 0.25, 0.5, 0.75. */
  readonly shares?: readonly number[];
  /** What selection will keep to: only such numbers of channels are tried. */
  readonly limits: Limits;
  /** Asked before each try; false ends measuring, and what was measured so far is what is known. */
  mayGoOn?(): boolean;
  /** Called after each try. */
  onMeasure?(measured: {
    readonly group: ChannelGroup;
    readonly removed: number;
    readonly damage: number;
    readonly done: number;
    readonly total: number;
  }): void;
}

/**
 * How the model's damage grows with the share of one group's lowest scores that is removed, all others whole. Damage never
 * falls along a curve: what is measured lower than at a smaller share is taken as that. Every group is tried with the
 * middle share before any is with another, so that a short time tells a little of all; groups that nothing may be removed
 * from, or that time did not last for, have no curve.
 */
export async function measureSensitivity(
  structure: Structure,
  groups: readonly ChannelGroup[],
  scores: Scores,
  rows: Rows,
  damageOf: (model: ModelProto, removed: Removed) => Promise<number>,
  settings: SensitivitySettings,
): Promise<readonly DamageCurve[]> {
  const { shares = [0.25, 0.5, 0.75], limits, mayGoOn, onMeasure } = settings;
  const { allowances } = allowancesOf(structure, groups, limits);
  const tries = shares
    .map((share, at) => ({ share, turn: Math.abs(at - (shares.length - 1) / 2) }))
    .sort((a, b) => a.turn - b.turn)
    .flatMap(({ share }) => allowances.map((allowance, at) => ({ at, allowance, count: countAt(allowance, share) })));
  const found = groups.map(() => new Map<number, number>());
  const due = tries.filter(({ at, count }, position) => {
    const first = tries.findIndex((other) => other.at === at && other.count === count);
    return count > 0 && first === position;
  });
  for (const [done, { at, count }] of due.entries()) {
    if (mayGoOn?.() === false) break;
    const group = groups[at]!;
    const order = [...scores[at]!.keys()].sort((a, b) => scores[at]![a]! - scores[at]![b]! || a - b);
    const removed = new Set(order.slice(0, count).map((channel) => group.channels[channel]!.label));
    const damage = await damageOf(sliceModel(structure, removed, rows, undefined), removed);
    found[at]!.set(count, damage);
    onMeasure?.({ group, removed: count, damage, done: done + 1, total: due.length });
  }
  return groups.flatMap((group, at): DamageCurve[] => {
    const points = [...found[at]!].sort(([a], [b]) => a - b);
    if (points.length === 0) return [];
    let highest = 0;
    return [
      {
        group: group.index,
        points: points.map(([count, damage]) => {
          highest = Math.max(highest, Number.isNaN(damage) ? Number.POSITIVE_INFINITY : damage);
          return { removed: count / group.channels.length, damage: highest };
        }),
      },
    ];
  });
}

/** The number of channels nearest to the share that may go; 0 where none may. */
function countAt({ group, levels }: Allowance, share: number): number {
  const wanted = share * group.channels.length;
  return levels.slice(1).reduce((best, level) => {
    return best === 0 || Math.abs(level - wanted) < Math.abs(best - wanted) ? level : best;
  }, 0);
}
