import type { ThickWeight } from "./thick-weights.js";

/**
 * What a call and a value between two calls cost beside the sums themselves, in floating-point operations: about 5 us, and 4
 * bytes written and read again, on a core that does 60 in a ns. Of 72 splits of products of PP-OCRv4 recognition that are not
 * small, 63 were faster or slower as this says, on a busy machine; small ones were no slower, or much faster.
 */
const call = 3e5;
const valueBetween = 48;

/** Operations of the whole product at so many positions. */
function productOperations({ out, inner }: ThickWeight, positions: number): number {
  return 2 * positions * out * inner;
}

/** Whether a product costs less than a call: one more of them is hardly noticed. */
export function isSmall(weight: ThickWeight, positions: number): boolean {
  return productOperations(weight, positions) <= call;
}

/** What two products through so many directions cost more than the whole one, as operations; below 0 where they are faster. */
export function extraTime(weight: ThickWeight, rank: number, positions: number): number {
  const split = 2 * positions * rank * (weight.out + weight.inner) + valueBetween * positions * rank + call;
  return split - productOperations(weight, positions);
}
