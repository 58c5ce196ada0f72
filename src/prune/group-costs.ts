import type { CostModel } from "./costs.js";
import type { Term } from "./flops.js";
import type { ChannelGroup } from "./groups.js";
import type { Measure } from "./settings.js";
import type { Structure } from "./structure.js";

/** The share of a cost that is gone when so many channels of each group are, in microseconds. */
export type GoneShare = (removed: ArrayLike<number>) => number;

/**
 * As `CostModel.without`, by counts of channels alone, so that thousands of choices can be tried. Channels of one group
 * that lie on a different number of indices count as the mean of them.
 */
export function createGoneShare(
  { labels }: Structure,
  groups: readonly ChannelGroup[],
  { terms }: CostModel,
  by: Measure,
): GoneShare {
  if (by === "channels") {
    const all = groups.reduce((sum, { channels }) => sum + channels.length, 0);
    return (removed) => groups.reduce((sum, _, at) => sum + removed[at]!, 0) / all;
  }
  const own = new Map<number, number>();
  groups.forEach(({ channels }, at) => {
    for (const { label } of channels) own.set(label, at);
  });
  const places = new Map<Int32Array, number>();
  const sizes: number[] = [];
  // which groups make an axis shorter, and by how much a channel
  const widths: { readonly group: number; readonly each: number }[][] = [];
  const placeOf = (vector: Int32Array): number => {
    const known = places.get(vector);
    if (known !== undefined) return known;
    const counts = new Map<number, number>();
    for (const label of vector) {
      const group = own.get(labels.find(label));
      if (group !== undefined) counts.set(group, (counts.get(group) ?? 0) + 1);
    }
    places.set(vector, sizes.length);
    sizes.push(vector.length);
    widths.push([...counts].map(([group, count]) => ({ group, each: count / groups[group]!.channels.length })));
    return sizes.length - 1;
  };
  const products = terms[by].map(({ fixed, axes }: Term) => ({ fixed, axes: axes.map(placeOf) }));
  const lengths = new Float64Array(sizes.length);
  const cost: GoneShare = (removed) => {
    for (let at = 0; at < lengths.length; at++) {
      let length = sizes[at]!;
      for (const { group, each } of widths[at]!) length -= each * removed[group]!;
      lengths[at] = length;
    }
    let total = 0;
    for (const { fixed, axes } of products) {
      let product = fixed;
      for (const axis of axes) product *= lengths[axis]!;
      total += product;
    }
    return total;
  };
  const whole = cost(new Float64Array(groups.length));
  return (removed) => (whole === 0 ? 0 : 1 - cost(removed) / whole);
}
