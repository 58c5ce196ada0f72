import { edge, type Histogram, histogramOver } from "./histogram.js";
import type { ValueStatistics } from "./statistics.js";

/**
 * Statistics of a value whose channels were divided by `factors`: exact per channel and for the extremes; moving
 * averages keep their share of them; the histogram is taken from channels that are normal within their extremes.
 * Undefined where the channels were not described.
 */
export function scaledStatistics(statistics: ValueStatistics, factors: ArrayLike<number>): ValueStatistics | undefined {
  const { channels } = statistics;
  if (!channels || channels.mean.length !== factors.length) return undefined;
  const divided = (numbers: readonly number[]) => numbers.map((number, at) => number / factors[at]!);
  const scaled = {
    axis: channels.axis,
    mean: divided(channels.mean),
    meanSquare: divided(divided(channels.meanSquare)),
    maxAbs: divided(channels.maxAbs),
    min: divided(channels.min),
    max: divided(channels.max),
  };
  const min = scaled.min.reduce((least, value) => Math.min(least, value));
  const max = scaled.max.reduce((most, value) => Math.max(most, value));
  const share = (moving: number, extreme: number) => (extreme === 0 ? 1 : moving / extreme);
  const between = (value: number) => Math.min(max, Math.max(min, value));
  return {
    ...statistics,
    min,
    max,
    movingMin: between(min * share(statistics.movingMin, statistics.min)),
    movingMax: between(max * share(statistics.movingMax, statistics.max)),
    histogram: normalHistogram(scaled, min, max, statistics.elements - statistics.zeros),
    channels: scaled,
  };
}

function normalHistogram(
  channels: NonNullable<ValueStatistics["channels"]>,
  min: number,
  max: number,
  elements: number,
): Histogram {
  const { exponent, first, bins } = histogramOver(Math.min(0, min), Math.max(0, max));
  const counts = new Float64Array(bins);
  const size = channels.mean.length;
  for (let channel = 0; channel < size; channel++) {
    const mean = channels.mean[channel]!;
    const [low, high] = [channels.min[channel]!, channels.max[channel]!];
    const deviation = Math.sqrt(Math.max(0, channels.meanSquare[channel]! - mean * mean));
    const bin = (value: number) => Math.min(bins - 1, Math.max(0, Math.floor(value / 2 ** exponent) - first));
    // logistic: near enough to the normal distribution
    const below = (value: number) => 1 / (1 + Math.exp((-1.702 * (value - mean)) / (deviation || 1)));
    const inside = below(high) - below(low);
    if (deviation === 0 || !(inside > 1e-9)) {
      counts[bin(mean)]! += elements / size;
      continue;
    }
    let before = below(low);
    for (let at = bin(low); at <= bin(high); at++) {
      const after = below(Math.min(high, edge({ exponent, first, counts }, at + 1)));
      counts[at]! += ((after - before) / inside) * (elements / size);
      before = after;
    }
  }
  return { exponent, first, counts };
}
