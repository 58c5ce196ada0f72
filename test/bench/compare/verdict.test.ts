import { describe, expect, test } from "@jest/globals";
import { compareTimes, isUncertain, judge, noiseFloor } from "../../../src/bench/compare/verdict.js";
import { normal } from "../../../src/data/random.js";

const coverage = 0.96875;
const of = (ratio: number, lower: number, upper: number) =>
  judge({ value: Math.log(ratio), interval: { lower: Math.log(lower), upper: Math.log(upper), coverage } }, 6, 0.05);

describe("the verdict at 5 %", () => {
  test.each([
    ["slower", 1.1, 1.06, 1.15],
    ["inconclusive", 1.1, 1.04, 1.15],
    ["inconclusive", 0.99, 0.8, 1.06],
    ["same", 1.0, 0.96, 1.04],
    ["same", 1.02, 1.01, 1.03],
    ["not slower", 0.96, 0.9, 1.02],
    ["not slower", 0.94, 0.93, 0.96],
    ["faster", 0.8, 0.7, 0.94],
  ] as const)("is %s at %p [%p, %p]", (verdict, ratio, lower, upper) => {
    const result = of(ratio, lower, upper);
    expect(result.verdict).toBe(verdict);
    expect(result.ratio).toBeCloseTo(ratio, 12);
    expect(result.interval!.lower).toBeCloseTo(lower, 12);
  });

  test("an inconclusive one says how many rounds it lacks: the interval shrinks with their square root", () => {
    // half width ln(1.16 / 1) / 2 = 0.0742, distance to ln(1.05) = 0.0254: 6 * (0.0742 / 0.0254)^2 = 51.3
    expect(of(Math.sqrt(1.16), 1, 1.16).moreRounds).toBe(52 - 6);
    expect(of(1.05, 0.9, 1.2).moreRounds).toBeNull();
  });

  test("a difference is significant when its interval does not hold 1", () => {
    expect(isUncertain(of(1.02, 0.99, 1.05))).toBe(true);
    expect(isUncertain(of(1.02, 1.01, 1.03))).toBe(false);
    expect(noiseFloor(of(1, 0.93, 1.02))).toBeCloseTo(0.07, 12);
  });
});

describe("comparing measured times", () => {
  test("takes each candidate against the baseline of its own round", () => {
    // the machine gets three times slower, the candidate is always 20 % slower than the baseline beside it
    const baseline = [1, 1.5, 2, 2.2, 2.6, 3];
    const result = compareTimes(
      baseline,
      baseline.map((time) => time * 1.2),
      0.05,
    );
    expect(result.verdict).toBe("slower");
    expect(result.ratio).toBeCloseTo(1.2, 12);
    expect(result.interval!.upper).toBeCloseTo(1.2, 12);
  });

  test("a model against itself is never slower", () => {
    const times = [1, 1.01, 0.99, 1.02, 1, 0.98];
    expect(compareTimes(times, times, 0.05)).toMatchObject({ ratio: 1, verdict: "same" });
    expect(compareTimes(times, [...times].reverse(), 0.05).verdict).toBe("same");
  });

  test("one disturbed round of six does not make a model slower", () => {
    expect(compareTimes([1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 4], 0.05).verdict).toBe("inconclusive");
  });

  test("five rounds give a ratio and no verdict", () => {
    expect(compareTimes([1, 1, 1, 1, 1], [2, 2, 2, 2, 2], 0.05)).toMatchObject({
      interval: null,
      verdict: "inconclusive",
      moreRounds: 1,
    });
  });

  test.each([[[0, 0, 0, 0, 0, 0]], [[Number.NaN, 1, 1, 1, 1, 1]], [[]]])("times %p are no measurement", (times) => {
    expect(compareTimes([1, 1, 1, 1, 1, 1], times, 0.05)).toEqual({ ratio: null, interval: null, verdict: "missing" });
  });
});

describe("over many simulated benchmarks of six rounds, on a machine whose speed drifts by 30 %", () => {
  const noise = normal(7);
  /** Verdicts of 2000 benchmarks: 3 % noise per measurement, a candidate that takes `ratio` of the baseline's time. */
  const verdicts = (ratio: number) => {
    const counts: Record<string, number> = {};
    for (let trial = 0; trial < 2000; trial++) {
      const speed = Array.from({ length: 6 }, () => Math.exp(0.3 * noise()));
      const baseline = speed.map((time) => time * Math.exp(0.03 * noise()));
      const candidate = speed.map((time) => time * ratio * Math.exp(0.03 * noise()));
      const { verdict } = compareTimes(baseline, candidate, 0.05);
      counts[verdict] = (counts[verdict] ?? 0) + 1;
    }
    return counts;
  };

  test("a model that is as fast is not called slower", () => {
    expect(verdicts(1)["slower"] ?? 0).toBe(0);
  });

  test("one at the very edge of the tolerance is wrongly called slower in at most 1.6 % (half of 1 - 96.9 %)", () => {
    // 31 expected of 2000, standard deviation 5.6
    expect(verdicts(1.05)["slower"]).toBeLessThan(31 + 4 * 5.6);
  });

  test("one that takes a fifth longer is nearly always found", () => {
    expect(verdicts(1.2)["slower"]).toBeGreaterThan(0.97 * 2000);
  });
});
