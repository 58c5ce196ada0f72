// Two ways to prune on the same pictures, with the same seeds: by how much one is better, and whether that is more than noise.
import { uniform } from "../../../src/data/random.js";

/** In points; the ends of the 95 % interval. */
export interface Difference {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

const resamples = 1000;

/**
 * Bootstrap over pictures and seeds, both resampled (Efron and Tibshirani 1993): a and b say for each seed which pictures
 * were right (1 or 0). Both had the same samples in the same order with a seed, so that they are compared seed by seed.
 */
export function pairedDifference(a: readonly Uint8Array[], b: readonly Uint8Array[], seed = 1): Difference {
  if (a.length !== b.length || a.length === 0) throw new Error("pairs of the same seeds are compared");
  const [seeds, count] = [a.length, a[0]!.length];
  const gains = a.map((right, at) => Int8Array.from(right, (one, picture) => one - b[at]![picture]!));
  const points = (sum: number) => (100 * sum) / (seeds * count);
  const random = uniform(seed);
  const summed = new Float64Array(count);
  const means = Array.from({ length: resamples }, () => {
    summed.fill(0);
    for (let at = 0; at < seeds; at++) {
      const own = gains[Math.floor(random() * seeds)]!;
      for (let picture = 0; picture < count; picture++) summed[picture]! += own[picture]!;
    }
    let sum = 0;
    for (let at = 0; at < count; at++) sum += summed[Math.floor(random() * count)]!;
    return points(sum);
  }).sort((x, y) => x - y);
  return {
    mean: points(gains.reduce((sum, own) => sum + own.reduce((total, one) => total + one, 0), 0)),
    low: means[Math.round(0.025 * resamples)]!,
    high: means[Math.round(0.975 * resamples) - 1]!,
  };
}

/** More than noise: which one is better. */
export function verdictOf({ low, high }: Difference): "better" | "worse" | "equal" {
  return low > 0 ? "better" : high < 0 ? "worse" : "equal";
}
