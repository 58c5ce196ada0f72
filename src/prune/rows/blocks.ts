import type { Axis } from "../labels.js";
import type { NodeAt } from "../row.js";

/** Groups of fewer channels go as a whole; from this on each of them loses the same channels. */
const wideGroup = 8;

/** Whether groups of channels go as wholes. */
export function goWhole(groups: number, size: number): boolean {
  return groups > 1 && size < wideGroup;
}

/** Joins the indices of an axis that lie in the same place of their block, or in the same block. */
export function joinBlocks(at: NodeAt, axis: Axis, blocks: number, how: "place" | "block"): void {
  if (!axis) return;
  const size = axis.length / blocks;
  for (let index = 0; index < axis.length; index++) {
    at.join(axis[index]!, axis[how === "block" ? index - (index % size) : index % size]!);
  }
}

/** Axes that no index can go from. */
export const fixed = (count: number): readonly Axis[] => Array.from({ length: count }, () => null);

/** An axis counted from the end where it is negative. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);
