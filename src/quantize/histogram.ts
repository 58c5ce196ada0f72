/**
 * How often values fall into bins of width 2^exponent: bin `at` counts those from (first + at) * width up to the next
 * bin. The grid is anchored at 0 and its width is a power of two, so widening it merges whole bins: the same values give
 * the same histogram in whatever order they come, and 0 is always the edge of a bin.
 */
export interface Histogram {
  readonly exponent: number;
  readonly first: number;
  readonly counts: ArrayLike<number>;
}

/** A histogram that is being filled. */
export interface GrowingHistogram extends Histogram {
  readonly counts: Float64Array;
}

/** The most bins that reach from min(0, smallest value) to max(0, largest); about half of them at least are used. */
export const maxBins = 4096;

/** The histogram of nothing. */
export const emptyHistogram: GrowingHistogram = { exponent: 0, first: 0, counts: new Float64Array(0) };

/** Below this, 2^-exponent is no finite number. */
const leastExponent = -1000;

/** The smallest exponent with which `maxBins` bins reach from `low` (0 or less) to `high` (0 or more). */
function fittingExponent(low: number, high: number): number {
  // divided first: the difference of two large doubles may be infinite
  let exponent = Math.max(leastExponent, Math.ceil(Math.log2(high / maxBins - low / maxBins)) - 1);
  while (Math.floor(high / 2 ** exponent) - Math.floor(low / 2 ** exponent) >= maxBins) exponent++;
  return exponent;
}

/**
 * Adds the values that are not 0 to a histogram, in place where its bins reach far enough; use only the result
 * afterwards. `min` and `max` are the extremes of these values and of all that were added before, and finite.
 */
export function addToHistogram(
  histogram: GrowingHistogram,
  values: ArrayLike<number>,
  min: number,
  max: number,
): GrowingHistogram {
  if (min === 0 && max === 0) return histogram;
  const grown = reaching(histogram, Math.min(0, min), Math.max(0, max));
  const { counts, first } = grown;
  // exact: a power of two
  const perValue = 2 ** -grown.exponent;
  const { floor } = Math;
  for (let at = 0; at < values.length; at++) {
    const value = values[at]!;
    if (value !== 0) counts[floor(value * perValue) - first]!++;
  }
  return grown;
}

/** The bins that reach from `low` (0 or less) to `high` (0 or more). */
export function histogramOver(low: number, high: number) {
  const exponent = fittingExponent(low, high);
  const width = 2 ** exponent;
  const first = Math.floor(low / width);
  return { exponent, first, bins: Math.floor(high / width) - first + 1 };
}

function reaching(histogram: GrowingHistogram, low: number, high: number): GrowingHistogram {
  const { counts } = histogram;
  const { exponent, first, bins } = histogramOver(low, high);
  if (exponent === histogram.exponent && first === histogram.first && bins === counts.length) return histogram;
  const grown = new Float64Array(bins);
  const merged = 2 ** (exponent - histogram.exponent);
  for (let at = 0; at < counts.length; at++) {
    if (counts[at]! > 0) grown[Math.floor((histogram.first + at) / merged) - first]! += counts[at]!;
  }
  return { exponent, first, counts: grown };
}

/** The lower edge of bin `at`. */
export function edge({ exponent, first }: Histogram, at: number): number {
  return (first + at) * 2 ** exponent;
}
