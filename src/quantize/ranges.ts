import { edge, type Histogram } from "./histogram.js";
import type { ValueStatistics } from "./statistics.js";

/** How a range is chosen from what calibration saw of a value. */
export type RangeMethod = "minmax" | "moving" | "percentile" | "entropy" | "mse";

/** What a range is for. */
export interface RangeSettings {
  readonly method: RangeMethod;
  /** Share of elements inside the range, in percent, for `percentile`; default 99.999. */
  readonly percentile?: number;
  /** Default 8. */
  readonly bits?: number;
  /** Whether the range must be as long on both sides of 0, with one level fewer; default false. */
  readonly symmetric?: boolean;
}

/** Real numbers that a quantized form reaches; min <= 0 <= max, since every form must hold 0. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** The ranges of all values. */
export function rangesOf(
  values: ReadonlyMap<string, ValueStatistics>,
  settings: RangeSettings,
): ReadonlyMap<string, Range> {
  return new Map([...values].map(([name, statistics]) => [name, rangeOf(statistics, settings)]));
}

/**
 * The range of one value.
 *
 * - `minmax`: all that was seen; `moving`: the moving average of the samples' extremes.
 * - `percentile`: half of the elements left out lie on each side (as in onnxruntime); symmetric: of the magnitudes.
 * - `entropy`: least Kullback-Leibler divergence between what was seen, clipped, and what the levels keep of it (S.
 *   Migacz, "8-bit inference with TensorRT", GTC 2017), with the real levels, and zeros left out, which cost nothing.
 * - `mse`: least mean squared error of rounding and clipping, values taken as evenly spread within a bin.
 *
 * The last two try the same bound for the magnitude on both sides (`mse` then each side alone).
 */
export function rangeOf(statistics: ValueStatistics, settings: RangeSettings): Range {
  const symmetric = settings.symmetric ?? false;
  const levels = 2 ** (settings.bits ?? 8) - (symmetric ? 1 : 0);
  const { min, max } = statistics;
  switch (settings.method) {
    case "minmax":
      return around(min, max, symmetric);
    case "moving":
      return around(statistics.movingMin, statistics.movingMax, symmetric);
    case "percentile":
      return percentileRange(statistics, (settings.percentile ?? 99.999) / 100, symmetric);
    case "entropy":
      return entropyRange(statistics, levels, symmetric);
    case "mse":
      return errorRange(statistics, levels, symmetric);
  }
}

function around(min: number, max: number, symmetric: boolean): Range {
  const bound = Math.max(-min, max);
  // not -bound, which may be a negative zero
  return symmetric ? { min: 0 - bound, max: bound } : { min: Math.min(0, min), max: Math.max(0, max) };
}

function percentileRange(statistics: ValueStatistics, share: number, symmetric: boolean): Range {
  const { min, max, elements, histogram, zeros } = statistics;
  if (symmetric) {
    const bound = quantile(magnitudes(histogram), zeros, share * elements);
    return around(0, Math.min(bound, Math.max(-min, max)), true);
  }
  const outside = ((1 - share) / 2) * elements;
  const low = quantile(histogram, zeros, outside);
  const high = quantile(histogram, zeros, elements - outside);
  return around(Math.max(min, low), Math.min(max, high), false);
}

/** The number below which `mass` elements lie, interpolated within its bin. */
function quantile(histogram: Histogram, zeros: number, mass: number): number {
  const { counts } = histogram;
  let rest = mass;
  for (let at = 0; at < counts.length; at++) {
    if (histogram.first + at === 0) {
      if (rest <= zeros) return 0;
      rest -= zeros;
    }
    const count = counts[at]!;
    if (count > 0 && rest <= count) return edge(histogram, at) + (Math.max(0, rest) / count) * 2 ** histogram.exponent;
    rest -= count;
  }
  return counts.length > 0 ? edge(histogram, counts.length) : 0;
}

/** The histogram of the magnitudes. */
function magnitudes({ exponent, first, counts }: Histogram): Histogram {
  const folded = new Float64Array(Math.max(-first, first + counts.length));
  for (let at = 0; at < counts.length; at++) {
    const bin = first + at;
    folded[bin < 0 ? -1 - bin : bin]! += counts[at]!;
  }
  return { exponent, first: 0, counts: folded };
}

function entropyRange(statistics: ValueStatistics, levels: number, symmetric: boolean): Range {
  const { min, max } = statistics;
  const histogram = symmetric ? magnitudes(statistics.histogram) : statistics.histogram;
  const { counts, first } = histogram;
  const bound = Math.max(-first, first + counts.length);
  const oneSided = symmetric ? (levels + 1) / 2 : levels;
  let best = around(min, max, symmetric);
  let least = Number.POSITIVE_INFINITY;
  let tried = -1;
  for (let share = 1; ; share /= 2 ** (1 / 16)) {
    // whole bins, so that nothing has to be guessed within one
    const bins = Math.round(bound * share);
    if (bins === tried) continue;
    if (bins === 0) break;
    tried = bins;
    const from = Math.max(0, -bins - first);
    const to = Math.min(counts.length, bins - first);
    // fewer bins than levels would say nothing of rounding
    if (to - from < oneSided) break;
    const low = Math.max(min, edge(histogram, from));
    const high = Math.min(symmetric ? Math.max(-min, max) : max, edge(histogram, to));
    const found = divergence(histogram, from, to, symmetric ? 0 : low, high, oneSided);
    if (found < least) {
      least = found;
      best = around(symmetric ? 0 : low, high, symmetric);
    }
  }
  return best;
}

/** Share of an even distribution mixed in, so that a bin that only holds what was clipped has no infinite cost. */
const smoothing = 1e-4;

/**
 * Kullback-Leibler divergence of what the levels over [low, high] keep of the bins `from` to `to` - 1 from what is there
 * with the rest clipped to the outermost bins.
 */
function divergence(
  { exponent, first, counts }: Histogram,
  from: number,
  to: number,
  low: number,
  high: number,
  levels: number,
): number {
  const { floor } = Math;
  const width = 2 ** exponent;
  const scale = (Math.max(0, high) - Math.min(0, low)) / (levels - 1);
  const lowest = -Math.round(-Math.min(0, low) / scale);
  const level = (at: number) => {
    const index = floor(((first + at + 0.5) * width) / scale + 0.5) - lowest;
    return index < 0 ? 0 : index < levels ? index : levels - 1;
  };
  let below = 0;
  let above = 0;
  for (let at = 0; at < from; at++) below += counts[at]!;
  for (let at = to; at < counts.length; at++) above += counts[at]!;
  const kept = new Float64Array(levels);
  const filled = new Float64Array(levels);
  let inside = 0;
  let support = 0;
  const clipped = (at: number) => counts[at]! + (at === from ? below : 0) + (at === to - 1 ? above : 0);
  for (let at = from; at < to; at++) {
    inside += counts[at]!;
    if (clipped(at) === 0) continue;
    const index = level(at);
    kept[index]! += counts[at]!;
    filled[index]!++;
    support++;
  }
  if (inside === 0) return Number.POSITIVE_INFINITY;
  const total = inside + below + above;
  let sum = 0;
  for (let at = from; at < to; at++) {
    const p = clipped(at) / total;
    if (p === 0) continue;
    const index = level(at);
    const q = ((1 - smoothing) * kept[index]!) / filled[index]! / inside + smoothing / support;
    sum += p * Math.log(p / q);
  }
  return sum;
}

function errorRange(statistics: ValueStatistics, levels: number, symmetric: boolean): Range {
  const full = around(statistics.min, statistics.max, symmetric);
  const spread = spreadOf(statistics);
  let best = full;
  let least = Number.POSITIVE_INFINITY;
  const attempt = (low: number, high: number) => {
    const range = { min: Math.max(full.min, low), max: Math.min(full.max, high) };
    if (range.min === range.max) return;
    const found = roundingError(spread, range, levels, symmetric, least);
    if (found >= least) return;
    least = found;
    best = range;
  };
  const bound = Math.max(-full.min, full.max);
  for (let share = 1; share > 2 ** -8; share /= 2 ** (1 / 4)) attempt(-bound * share, bound * share);
  for (let step = 0.08; step > 0.004; step /= 2) {
    for (let turn = 0; turn < 6; turn++) {
      const { min, max } = best;
      for (const by of [1 - step, 1 + step]) {
        attempt(min * by, symmetric ? max * by : max);
        if (!symmetric) attempt(best.min, max * by);
      }
      if (best.min === min && best.max === max) break;
    }
  }
  return best;
}

/** Intervals that hold values, and how many per unit of length; those without length hold one number. */
interface Spread {
  readonly from: Float64Array;
  readonly to: Float64Array;
  readonly density: Float64Array;
}

function spreadOf({ histogram, min, max }: ValueStatistics): Spread {
  const filled = Array.from(histogram.counts, (_, at) => at).filter((at) => histogram.counts[at]! > 0);
  const from = Float64Array.from(filled, (at) => Math.max(min, edge(histogram, at)));
  const to = Float64Array.from(filled, (at) => Math.min(max, edge(histogram, at + 1)));
  const density = Float64Array.from(filled, (at, k) => histogram.counts[at]! / (to[k]! - from[k]! || 1));
  return { from, to, density };
}

/**
 * Sum of squared errors of rounding to the levels over a range, 0 being one of them, and of clipping to it. Anything
 * above `enough` may be returned as soon as it is sure.
 */
function roundingError(
  { from, to, density }: Spread,
  range: Range,
  levels: number,
  symmetric: boolean,
  enough: number,
): number {
  const { floor } = Math;
  const scale = (range.max - range.min) / (levels - 1);
  const zeroPoint = symmetric ? (levels - 1) / 2 : Math.round(-range.min / scale);
  const low = -zeroPoint * scale;
  const high = (levels - 1 - zeroPoint) * scale;
  const whole = (scale * scale * scale) / 12;
  const top = (levels - 1) * whole;
  /** Integral, from `low` on, of the squared distance to the nearest level. */
  const integral = (value: number) => {
    const above = value - low;
    if (above <= 0) return (above * above * above) / 3;
    if (value >= high) return top + (value - high) ** 3 / 3;
    const steps = floor(above / scale + 0.5);
    const rest = above - steps * scale;
    return steps * whole + (rest * rest * rest) / 3;
  };
  let sum = 0;
  let end = Number.NaN;
  let integralAtEnd = 0;
  for (let at = 0; at < from.length && sum <= enough; at++) {
    const start = from[at]!;
    const atStart = start === end ? integralAtEnd : integral(start);
    end = to[at]!;
    if (end === start) {
      const nearest = Math.min(high, Math.max(low, low + floor((start - low) / scale + 0.5) * scale));
      sum += density[at]! * (start - nearest) ** 2;
      continue;
    }
    integralAtEnd = integral(end);
    sum += density[at]! * (integralAtEnd - atStart);
  }
  return sum;
}
