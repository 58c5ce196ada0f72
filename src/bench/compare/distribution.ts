import type { Distribution } from "./result.js";

/** Quantiles that a distribution shows. */
export type Percentile = "p50" | "p90" | "p95" | "p99" | "p999";

export const percentiles: Readonly<Record<Percentile, number>> = {
  p50: 0.5,
  p90: 0.9,
  p95: 0.95,
  p99: 0.99,
  p999: 0.999,
};

/**
 * Fewest samples at which a quantile is certified: with probability 0.99 the sample holds a value beyond the true
 * quantile by more than chance, the bound of early stopping in MLPerf's loadgen (mlcommons/inference, loadgen/
 * early_stopping.cc; mlcommons/endpoints, docs/early_stopping.md), about 6.64 / (1 - p). The median needs none here.
 */
export const certifiedCounts: Readonly<Record<Percentile, number>> = {
  p50: 1,
  p90: 64,
  p95: 130,
  p99: 662,
  p999: 6636,
};

/** Numbers in ascending order: a typed array sorts by value and several times faster. Infinities are allowed, NaN is not. */
export function ascending(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort();
}

/**
 * The p-quantile, type 7, of numbers in ascending order. Where it lies between a finite number and infinity it is
 * infinity. Throws a RangeError for no values.
 */
export function quantileOf(order: ArrayLike<number>, p: number): number {
  if (order.length === 0) throw new RangeError("a quantile needs values");
  const position = (order.length - 1) * p;
  const below = Math.floor(position);
  const low = order[below]!;
  const share = position - below;
  if (share === 0) return low;
  const high = order[below + 1]!;
  return high === Number.POSITIVE_INFINITY ? high : low + (high - low) * share;
}

/** The quantile where there are samples enough for it, else null. */
function certified(order: ArrayLike<number>, percentile: Percentile): number | null {
  return order.length < certifiedCounts[percentile] ? null : quantileOf(order, percentiles[percentile]);
}

/** Sums values up; null for none. Values must be finite. */
export function distributionOf(values: readonly number[]): Distribution | null {
  const count = values.length;
  if (count === 0) return null;
  const order = ascending(values);
  let sum = 0;
  for (const value of order) sum += value;
  const mean = sum / count;
  let squares = 0;
  for (const value of order) squares += (value - mean) ** 2;
  return {
    count,
    mean,
    min: order[0]!,
    max: order[count - 1]!,
    sd: count < 2 ? null : Math.sqrt(squares / (count - 1)),
    ...quantilesOf(order),
    p50: quantileOf(order, 0.5),
  };
}

/** All quantiles with each failure counted as infinitely slow; null for no requests at all. */
export function errorAdjusted(values: readonly number[], failures: number): Pick<Distribution, Percentile> | null {
  if (values.length + failures === 0) return null;
  const order = ascending([...values, ...Array<number>(failures).fill(Number.POSITIVE_INFINITY)]);
  return { ...quantilesOf(order), p50: quantileOf(order, 0.5) };
}

function quantilesOf(order: ArrayLike<number>) {
  return {
    p90: certified(order, "p90"),
    p95: certified(order, "p95"),
    p99: certified(order, "p99"),
    p999: certified(order, "p999"),
  };
}
