import { normalBelow } from "./bootstrap.js";
import { type Estimate, median } from "./statistics.js";

/**
 * Hodges-Lehmann estimate of the shift between two independent samples (the median of all differences y - x) with the
 * interval that inverts Wilcoxon's rank-sum test: R's wilcox.test(y, x, conf.int = TRUE, exact = TRUE). Exact; ties are
 * not corrected for. At 95 % it needs 4 values a side. Throws a RangeError for no values.
 */
export function hodgesLehmannShift(x: readonly number[], y: readonly number[], confidence = 0.95): Estimate {
  const differences = y.flatMap((after) => x.map((before) => after - before)).sort((a, b) => a - b);
  const { rank, coverage } = rankSum(x.length, y.length, confidence);
  return {
    value: median(differences),
    interval:
      rank === 0 ? null : { lower: differences[rank - 1]!, upper: differences[differences.length - rank]!, coverage },
  };
}

/** Samples from here on have the normal approximation, as in R. */
const exactBelow = 50;

/** The largest k whose interval from the k-th smallest to the k-th largest difference covers enough. */
function rankSum(m: number, n: number, confidence: number): { readonly rank: number; readonly coverage: number } {
  if (m >= exactBelow || n >= exactBelow) {
    const deviation = Math.sqrt((m * n * (m + n + 1)) / 12);
    return {
      rank: Math.max(0, Math.floor((m * n) / 2 - normalQuantile(confidence) * deviation)),
      coverage: confidence,
    };
  }
  const share = mannWhitney(m, n);
  let rank = 0;
  let below = 0;
  let coverage = 0;
  for (; rank <= (m * n) / 2; rank++) {
    below += share[rank]!;
    if (2 * below > 1 - confidence) break;
    coverage = 1 - 2 * below;
  }
  return { rank, coverage };
}

/** Probability of each value of the Mann-Whitney statistic without a difference (Mann and Whitney 1947, recurrence). */
function mannWhitney(m: number, n: number): Float64Array {
  const size = m * n + 1;
  // after step i, of[j][u] is the probability of u for i values against j
  let of = Array.from({ length: n + 1 }, () => Float64Array.of(1, ...new Float64Array(size - 1)));
  for (let i = 1; i <= m; i++) {
    const next = [of[0]!];
    for (let j = 1; j <= n; j++) {
      // the largest of all is one of the i (above all j of the others) or one of the j
      const [fewer, other] = [of[j]!, next[j - 1]!];
      const both = new Float64Array(size);
      for (let u = 0; u <= i * j; u++) {
        both[u] = ((u >= j ? i * fewer[u - j]! : 0) + j * other[u]!) / (i + j);
      }
      next.push(both);
    }
    of = next;
  }
  return of[n]!;
}

/** z with that share of a normal distribution between -z and z, by bisection. */
function normalQuantile(share: number): number {
  let [low, high] = [0, 10];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (1 - 2 * normalBelow(-middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
