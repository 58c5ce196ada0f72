import { ascending } from "./distribution.js";

/**
 * Hodges-Lehmann estimate of the centre: the median of the means of all pairs of values, each with itself included, found
 * by bisection in n log n instead of listing n^2 / 2 means; exact to 1e-13 of the range. Throws a RangeError for no values.
 */
export function pseudomedian(values: readonly number[]): number {
  const n = values.length;
  if (n === 0) throw new RangeError("a centre needs values");
  const order = ascending(values);
  const total = (n * (n + 1)) / 2;
  const middle = Math.ceil(total / 2);
  const low = smallest(order, middle);
  return total % 2 === 1 ? low : (low + smallest(order, middle + 1)) / 2;
}

/** The k-th smallest mean of two of the numbers, which ascend. */
function smallest(order: Float64Array, k: number): number {
  const n = order.length;
  let low = order[0]!;
  let high = order[n - 1]!;
  const enough = 1e-13 * (high - low);
  while (high - low > enough) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    // how many of the means lie at or below the middle
    let count = 0;
    let partner = n - 1;
    for (let first = 0; first < n && partner >= first; first++) {
      while (partner >= first && order[first]! + order[partner]! > 2 * middle) partner--;
      count += Math.max(0, partner - first + 1);
    }
    if (count >= k) high = middle;
    else low = middle;
  }
  return high;
}
