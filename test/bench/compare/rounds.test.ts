import { describe, expect, test } from "@jest/globals";
import { clusterInterval, pooledQuantile, pooledRatio } from "../../../src/bench/compare/bootstrap.js";
import { distributionOf, errorAdjusted, quantileOf } from "../../../src/bench/compare/distribution.js";
import { cliffsDelta, holm } from "../../../src/bench/compare/multiple.js";
import { pseudomedian } from "../../../src/bench/compare/pseudomedian.js";
import { signedRankAbove, signedRankPValue } from "../../../src/bench/compare/signed-rank.js";
import { hodgesLehmann } from "../../../src/bench/compare/statistics.js";
import { studentAbove, studentQuantile, studentTestAbove } from "../../../src/bench/compare/student.js";
import fc from "../../property.js";

/* Values of SciPy 1.17.1 and NumPy 2.4.6; each test says the call. */

const rounds = [0.031, -0.012, 0.044, 0.018, 0.027, -0.005, 0.052, 0.009];

describe("the exact signed-rank test", () => {
  test("is scipy.stats.wilcoxon(x, method='exact')", () => {
    expect(signedRankPValue(rounds)).toBeCloseTo(0.0546875, 12);
    expect(signedRankAbove(rounds, 0)).toBeCloseTo(0.02734375, 12);
    expect(signedRankAbove(rounds, 0.0234)).toBeCloseTo(0.62890625, 12);
  });

  test("with ties it is the permutation over all signs", () => {
    // permutation_test((x,), lambda z: (rankdata(abs(z)) * (z > 0)).sum(), permutation_type='samples', n_resamples=inf)
    expect(signedRankPValue([1, 2, 2, -1, 3, 3, -2])).toBeCloseTo(0.203125, 12);
  });

  test("no difference at all is no evidence", () => {
    expect(signedRankPValue([0, 0, 0])).toBe(1);
  });

  test("finds a difference exactly where the Hodges-Lehmann interval leaves 0 out", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1, max: 2, noNaN: true }), { minLength: 6, maxLength: 14 }), (values) => {
        fc.pre(new Set(values.map(Math.abs)).size === values.length && !values.includes(0));
        const { lower, upper } = hodgesLehmann(values).interval!;
        fc.pre(lower !== 0 && upper !== 0);
        expect(lower > 0 || upper < 0).toBe(signedRankPValue(values) <= 0.05);
      }),
    );
  });
});

describe("Student's t", () => {
  test.each([
    [2.5, 5, 0.02724504967118813],
    [0.3, 9, 0.3854953518707624],
    [-1.2, 7, 0.8654140315863967],
    [12, 5, 3.544746258580761e-5],
    [4.2, 19, 0.00024265823604339705],
    [1.959964, 1e6, 0.02500013774405187],
  ])("stats.t.sf(%p, %p)", (t, freedom, expected) => {
    expect(studentAbove(t, freedom) / expected).toBeCloseTo(1, 8);
  });

  test.each([
    [0.025, 5, 2.5705818356363155],
    [0.0125, 7, 2.841244248588209],
    [0.001, 9, 4.296805662729919],
    [0.2, 19, 0.8609505502689285],
    [0.00625, 5, 3.81000469984464],
  ])("stats.t.isf(%p, %p)", (p, freedom, expected) => {
    expect(studentQuantile(p, freedom)).toBeCloseTo(expected, 9);
    expect(studentQuantile(1 - p, freedom)).toBeCloseTo(-expected, 9);
  });

  test("ttest_1samp(x, 0.01, alternative='greater').pvalue", () => {
    expect(studentTestAbove(rounds, 0.01)).toBeCloseTo(0.11413973866407037, 10);
    expect(studentTestAbove([0.25, 0.25, 0.25], 0.1)).toBe(0);
    expect(studentTestAbove([0.2], 0.1)).toBe(1);
  });
});

describe("quantiles", () => {
  const values = [0.12, 0.5, 0.33, 0.2, 0.91, 0.47, 0.3];

  test("numpy.quantile(x, [0.5, 0.9, 0.95])", () => {
    const order = Float64Array.from(values).sort();
    expect([0.5, 0.9, 0.95].map((p) => quantileOf(order, p))).toEqual([
      0.33,
      expect.closeTo(0.664, 12),
      expect.closeTo(0.787, 12),
    ]);
  });

  test.each([
    ["p90", 64],
    ["p95", 130],
    ["p99", 662],
    ["p999", 6636],
  ] as const)("%s is given from %p values on", (name, needed) => {
    const of = (count: number) => distributionOf(Array.from({ length: count }, (_, at) => at))!;
    expect(of(needed - 1)[name]).toBeNull();
    expect(of(needed)[name]).not.toBeNull();
  });

  test("failures are infinitely slow", () => {
    const times = Array.from({ length: 122 }, () => 0.1);
    expect(errorAdjusted(times, 0)).toMatchObject({ p50: 0.1, p90: 0.1, p95: null });
    // 8 of 130 failed: more than 5 %, less than 10 %
    expect(errorAdjusted(times, 8)).toMatchObject({ p50: 0.1, p90: 0.1, p95: Number.POSITIVE_INFINITY });
    expect(errorAdjusted([], 3)!.p50).toBe(Number.POSITIVE_INFINITY);
    expect(errorAdjusted([], 0)).toBeNull();
    expect(distributionOf([])).toBeNull();
  });
});

describe("Hodges-Lehmann of many values", () => {
  test("numpy.median of the means of all pairs", () => {
    // expon.ppf((arange(1, 102) - 0.5) / 101)
    const values = Array.from({ length: 101 }, (_, at) => -Math.log(1 - (at + 0.5) / 101));
    expect(pseudomedian(values)).toBeCloseTo(0.8388050614070678, 10);
    expect(pseudomedian(rounds)).toBeCloseTo(0.02, 12);
  });

  test("equals the median of the listed means", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 30 }), (values) => {
        expect(pseudomedian(values)).toBeCloseTo(hodgesLehmann(values).value, 9);
      }),
    );
  });
});

test("Cliff's delta is 2 U / (n m) - 1 of mannwhitneyu(a, b)", () => {
  expect(cliffsDelta([3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8])).toBeCloseTo(-0.125, 12);
  expect(cliffsDelta([2, 3], [0, 1])).toBe(1);
  expect(cliffsDelta([], [1])).toBeNull();
});

test("Holm is R's p.adjust(p, 'holm')", () => {
  // p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm"): 0.03 0.06 0.06 0.02
  expect(holm([0.01, 0.04, 0.03, 0.005]).map((p) => Number(p.toFixed(12)))).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(holm([0.5, 0.9])).toEqual([1, 1]);
});

describe("the bootstrap over rounds", () => {
  const options = { confidence: 0.95, seed: 7 };
  const values = [0.98, 1.02, 1.01, 1.05, 0.97, 1.03, 1.0, 1.04, 0.99, 1.02];

  test("is the percentile bootstrap at the level of Hesterberg 2015", () => {
    // alpha = norm.cdf(-sqrt(10 / 9) * t.isf(0.025, 9)) = 0.00855
    // bootstrap((x,), mean, confidence_level=1 - 2 * alpha, n_resamples=200000, method='percentile'): 0.992, 1.029
    const mean = pooledRatio(
      values,
      values.map(() => 1),
    );
    const interval = clusterInterval(10, mean, options)!;
    expect(interval.lower).toBeCloseTo(0.992, 2.5);
    expect(interval.upper).toBeCloseTo(1.029, 2.5);
    expect(clusterInterval(10, mean, options)).toEqual(interval);
  });

  test("a quantile over drawn rounds is that of their values together", () => {
    const clusters = [[5, 1, 9], [2], [7, 3, 3, 8]];
    for (const p of [0, 0.3, 0.5, 0.95, 1]) {
      const drawn = [...clusters[0]!, ...clusters[2]!, ...clusters[2]!].sort((a, b) => a - b);
      expect(pooledQuantile(clusters, p)(Uint32Array.from([1, 0, 2]))).toBeCloseTo(quantileOf(drawn, p), 12);
    }
    expect(pooledQuantile(clusters, 0.5)(Uint32Array.from([0, 0, 0]))).toBeNaN();
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 9 }), { minLength: 1, maxLength: 5 }),
        fc.infiniteStream(fc.nat(3)),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (made, draws, p) => {
          const counts = Uint32Array.from(made, () => draws.next().value!);
          const drawn = made.flatMap((values, at) => Array<number[]>(counts[at]!).fill(values).flat());
          const found = pooledQuantile(made, p)(counts);
          if (drawn.length === 0) expect(found).toBeNaN();
          else
            expect(found).toBeCloseTo(
              quantileOf(
                drawn.sort((a, b) => a - b),
                p,
              ),
              9,
            );
        },
      ),
    );
  });

  test("five rounds give none", () => {
    expect(clusterInterval(5, () => 1, options)).toBeNull();
  });
});
