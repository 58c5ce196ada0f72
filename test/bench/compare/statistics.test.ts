import { describe, expect, test } from "@jest/globals";
import {
  hodgesLehmann,
  median,
  medianInterval,
  outlierCount,
  quantile,
} from "../../../src/bench/compare/statistics.js";
import fc from "../../property.js";

// Hollander and Wolfe 1973, 29 f.: depression scale of 9 patients at the first and second visit (the example of R's
// ?wilcox.test)
const first = [1.83, 0.5, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.3];
const second = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
const differences = first.map((value, at) => value - second[at]!);

describe("quantile, type 7", () => {
  test.each([
    // numpy.quantile([1, 2, 3, 4, 10], p)
    [[10, 3, 1, 4, 2], 0.1, 1.4],
    [[10, 3, 1, 4, 2], 0.25, 2],
    [[10, 3, 1, 4, 2], 0.5, 3],
    [[10, 3, 1, 4, 2], 0.9, 7.6],
    // numpy.quantile(range(1, 8), 0.33)
    [[1, 2, 3, 4, 5, 6, 7], 0.33, 2.98],
    [[5], 0.9, 5],
  ])("of %p at %p", (values, p, expected) => {
    expect(quantile(values, p)).toBeCloseTo(expected, 12);
  });

  test("needs a value", () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe("confidence interval of the median", () => {
  test.each([
    // k = scipy.stats.binom.ppf(.025, n, .5); coverage = 1 - 2 * scipy.stats.binom.cdf(k - 1, n, .5)
    [6, 1, 0.96875],
    [7, 1, 0.984375],
    [10, 2, 0.978515625],
    [11, 2, 0.98828125],
    [25, 8, 0.9567147493362427],
    [100, 40, 0.9647997997822951],
  ])("of %p values runs from the %p. smallest", (n, k, coverage) => {
    const interval = medianInterval(Array.from({ length: n }, (_, at) => n - at))!;
    expect([interval.lower, interval.upper]).toEqual([k, n + 1 - k]);
    expect(interval.coverage).toBeCloseTo(coverage, 10);
  });

  test("scipy.stats.quantile_test(x, q=14, p=.5).confidence_interval(.95)", () => {
    expect(medianInterval([10, 11, 12, 13, 14, 15, 16, 18, 20, 25, 40])).toMatchObject({ lower: 11, upper: 25 });
  });

  test.each([1, 2, 5])("does not exist for %p values", (n) => {
    expect(medianInterval(Array.from({ length: n }, (_, at) => at))).toBeNull();
  });
});

describe("Hodges-Lehmann estimate", () => {
  test("R: wilcox.test(x, y, paired = TRUE, conf.int = TRUE)", () => {
    const { value, interval } = hodgesLehmann(differences);
    expect(value).toBeCloseTo(0.46, 10);
    expect(interval!.lower).toBeCloseTo(0.01, 10);
    expect(interval!.upper).toBeCloseTo(0.786, 10);
    expect(interval!.coverage).toBeCloseTo(0.9609375, 12);
  });

  test.each([
    // 1 - 2 * P(T+ <= k - 1) by convolution of the ranks in numpy; R: psignrank(qsignrank(.025, n) - 1, n)
    [6, 0.96875],
    [7, 0.953125],
    [10, 0.951171875],
    [20, 0.9515590667724609],
    [50, 0.9505535931993983],
  ])("covers with %p values what it says", (n, coverage) => {
    expect(hodgesLehmann(Array.from({ length: n }, (_, at) => at)).interval!.coverage).toBeCloseTo(coverage, 10);
  });

  test("60 values: the ranks are still exact", () => {
    const values = Array.from({ length: 60 }, (_, i) => {
      // Python's % takes the sign of the divisor
      const turned = i * (-1) ** i * 0.37;
      return turned - 5 * Math.floor(turned / 5) - 1;
    });
    const { value, interval } = hodgesLehmann(values);
    expect(value).toBeCloseTo(1.495, 9);
    expect(interval!.lower).toBeCloseTo(1.05, 9);
    expect(interval!.upper).toBeCloseTo(1.875, 9);
  });

  test("of 6 values spans all of them; of 5 there is no 95 % interval", () => {
    expect(hodgesLehmann([1, 2, 3, 4, 5, 60]).interval).toMatchObject({ lower: 1, upper: 60 });
    expect(hodgesLehmann([1, 2, 3, 4, 5])).toEqual({ value: 3, interval: null });
  });

  test("moves with the values, and holds its own estimate", () => {
    const values = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 6, maxLength: 30 });
    fc.assert(
      fc.property(values, fc.double({ min: -5, max: 5, noNaN: true }), (sample, shift) => {
        const { value, interval } = hodgesLehmann(sample);
        const moved = hodgesLehmann(sample.map((x) => x + shift));
        expect(moved.value).toBeCloseTo(value + shift, 9);
        expect(moved.interval!.upper).toBeCloseTo(interval!.upper + shift, 9);
        expect(interval!.lower).toBeLessThanOrEqual(value);
        expect(interval!.upper).toBeGreaterThanOrEqual(value);
      }),
      { numRuns: 50 },
    );
  });
});

test("outliers lie more than 14.83 MAD from the median", () => {
  const calm = [1, 1.1, 0.9, 1.05, 0.95];
  expect(outlierCount(calm)).toBe(0);
  expect(outlierCount([...calm, 9, 10])).toBe(2);
  expect(outlierCount([1, 1, 1, 1, 50])).toBe(0);
});
