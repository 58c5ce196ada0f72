import { type ReadExternal, readTensor, type TensorProto } from "../formats/onnx.js";
import { numbersOf } from "../tensor/numbers.js";
import type { AxisMoments, Moments } from "./activations.js";
import type { ChannelGroup } from "./groups.js";
import { sumsAlong } from "./importance.js";
import type { DataCriterion, Reduction, Scores } from "./settings.js";
import type { Structure } from "./structure.js";

/** How to score by what the consumers of a channel take in. */
export interface DataScoreSettings {
  readonly criterion: Exclude<DataCriterion, "taylor">;
  /** How the scores of a channel's indices, at all its consumers, become one. */
  readonly reduction: Reduction;
}

/** What one index of a contraction is worth. */
type Rule = (moments: AxisMoments, at: number, weight: SliceSums | undefined) => number;

/** Figures of a weight for each index of an axis. */
interface SliceSums {
  readonly abs: Float64Array;
  readonly squares: Float64Array;
}

const rules: Readonly<Record<DataScoreSettings["criterion"], Rule>> = {
  // Sun et al. 2023 sum |W| ||x|| over outputs for structured pruning; the norm is taken over positions as a mean here, so
  // that values with more positions do not count more
  wanda: ({ meanSquare }, at, weight) => Math.sqrt(meanSquare[at]!) * (weight?.abs[at] ?? 1),
  // An et al. 2023, WIFV: how much the output fluctuates with this input; what does not fluctuate a bias makes up for
  flap: ({ variance }, at, weight) => variance[at]! * (weight?.squares[at] ?? 1),
  // Muralidharan et al. 2024 (Minitron)
  mean: ({ meanAbs }, at) => meanAbs[at]!,
};

/**
 * Scores by what was seen of the values that consumers of a channel take in. A consumer's scores are divided by their mean
 * over it before consumers are put together: each counts alike, whatever the scale of its output. What a channel is worth
 * then compares across groups as it does in its group: `flap` takes scores as distances from the group's mean in its
 * standard deviations (AL-AM of FLAP), the others as parts of the group's mean; all over the number of channels, for a part
 * of a wide group is worth what the same part of a narrow one is. The least of all is moved to 0 for `flap`. A group of
 * which nothing was seen is scored by the squares of its weights.
 */
export function dataScores(
  structure: Structure,
  groups: readonly ChannelGroup[],
  moments: Moments,
  { criterion, reduction }: DataScoreSettings,
): Scores {
  const { labels, contractions, readExternal } = structure;
  const places = new Map<number, readonly [group: number, channel: number]>();
  groups.forEach(({ channels }, group) => {
    channels.forEach(({ label }, channel) => void places.set(label, [group, channel]));
  });
  const collected = groups.map(({ channels }) => channels.map((): number[] => []));
  for (const contraction of contractions) {
    const seen = contraction.value && moments.of(contraction.value.name, contraction.value.axis);
    if (!seen) continue;
    const { weight: stored } = contraction;
    const weight = stored ? sliceSums(stored.tensor, stored.axis, readExternal) : undefined;
    const own = [...contraction.labels].flatMap((label, at) => {
      const place = places.get(labels.find(label));
      return place ? [{ place, score: rules[criterion](seen, at, weight) }] : [];
    });
    const mean = own.reduce((sum, { score }) => sum + score, 0) / own.length;
    for (const { place, score } of own) collected[place[0]]![place[1]]!.push(mean > 0 ? score / mean : 0);
  }
  const scores = collected.map((lists, group) =>
    lists.every((list) => list.length === 0)
      ? weightEnergies(groups[group]!, readExternal)
      : Float64Array.from(lists, (list) => reduced(list, reduction)),
  );
  const parts = (list: Float64Array) => list.map((score) => score / list.length);
  if (criterion !== "flap") return scores.map(overMean).map(parts);
  const standard = scores.map(standardised);
  const least = standard.reduce((min, list) => list.reduce((a, b) => Math.min(a, b), min), 0);
  return standard.map((list) => parts(list.map((score) => score - least)));
}

/** One score of several; 0 of none. */
function reduced(list: readonly number[], reduction: Reduction): number {
  if (list.length === 0) return 0;
  if (reduction === "max") return Math.max(...list);
  const sum = list.reduce((total, score) => total + score, 0);
  return reduction === "mean" ? sum / list.length : sum;
}

/** Parts of the mean. */
function overMean(scores: Float64Array): Float64Array {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  return mean > 0 ? scores.map((score) => score / mean) : scores;
}

function standardised(scores: Float64Array): Float64Array {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const deviation = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length);
  return scores.map((score) => (deviation > 0 ? (score - mean) / deviation : 0));
}

/** Sums over a weight for each index of an axis; one tensor is read at a time. */
function sliceSums(tensor: TensorProto, axis: number, readExternal: ReadExternal): SliceSums {
  const read = readTensor(tensor, readExternal);
  const numbers = numbersOf(read) as Float32Array;
  return {
    abs: sumsAlong(numbers, read.shape, axis, true),
    squares: sumsAlong(numbers, read.shape, axis, false),
  };
}

/** Squares of each channel's weights, as parts of those of all channels on the same axis. */
export function weightEnergies({ channels }: ChannelGroup, readExternal: ReadExternal): Float64Array {
  const energies = new Float64Array(channels.length);
  const first = channels[0]!.slices;
  first.forEach(({ tensor, axis }, position) => {
    const { squares } = sliceSums(tensor, axis, readExternal);
    const own = channels.map(({ slices }) =>
      slices[position]!.indices.reduce((sum, index) => sum + squares[index]!, 0),
    );
    const all = own.reduce((sum, energy) => sum + energy, 0);
    own.forEach((energy, at) => {
      if (all > 0) energies[at] = energies[at]! + energy / all;
    });
  });
  return energies;
}
