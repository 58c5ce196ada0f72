/*
 * Student's t distribution and Hodges-Lehmann's estimate for many values: what comparing rounds takes beside
 * statistics.ts. Tests hold both against SciPy.
 */

/** ln of the gamma function for x > 0 (Lanczos's approximation with g = 7 and 9 terms), to about 1e-15. */
function logGamma(x: number): number {
  const terms = [
    676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  const base = x + 6.5;
  const sum = terms.reduce((total, term, at) => total + term / (x + at), 0.99999999999980993);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(base) - base + Math.log(sum);
}

/** The regularised incomplete beta function I_x(a, b) by its continued fraction (Abramowitz and Stegun 26.5.8). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // the fraction converges fast on this side only
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  let d = 1 - ((a + b) * x) / (a + 1);
  d = 1 / d;
  let c = 1;
  let fraction = d;
  for (let m = 1; m < 300; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d);
    c = 1 + even / c;
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d);
    c = 1 + odd / c;
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return front * fraction;
}

/** P(T > t) for Student's t with so many degrees of freedom (SciPy: stats.t.sf). */
export function studentAbove(t: number, freedom: number): number {
  if (t === Number.POSITIVE_INFINITY) return 0;
  if (t === Number.NEGATIVE_INFINITY) return 1;
  const tail = incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2;
  return t > 0 ? tail : 1 - tail;
}

/** The t with P(T > t) = p, 0 < p < 1 (SciPy: stats.t.isf), by bisection. */
export function studentQuantile(p: number, freedom: number): number {
  if (p > 0.5) return -studentQuantile(1 - p, freedom);
  let high = 1;
  while (studentAbove(high, freedom) > p && high < 1e12) high *= 2;
  let low = 0;
  for (let step = 0; step < 200 && high - low > 1e-13 * high; step++) {
    const middle = (low + high) / 2;
    if (studentAbove(middle, freedom) > p) low = middle;
    else high = middle;
  }
  return high;
}

/** Mean and standard error of the mean; the error is null below 2 values. */
export function meanAndError(values: readonly number[]): { readonly mean: number; readonly error: number | null } {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { mean, error: null };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  return { mean, error: Math.sqrt(variance / n) };
}

/**
 * P-value of the one-sided t-test that the mean is at most `bound`: small where the values lie above it (SciPy:
 * stats.ttest_1samp(values, bound, alternative="greater")). Without any spread 0 or 1.
 */
export function studentTestAbove(values: readonly number[], bound: number): number {
  const { mean, error } = meanAndError(values);
  if (error === null) return 1;
  if (error === 0) return mean > bound ? 0 : 1;
  return studentAbove((mean - bound) / error, values.length - 1);
}
