import { expect, test } from "@jest/globals";
import { arrivals, type OpenLoad, ramped } from "../../../src/bench/endpoints/arrivals.js";
import { mean, sampleSd } from "../moments.js";

const load = (more: Partial<OpenLoad>): OpenLoad => ({
  kind: "open",
  rate: 5,
  arrival: "poisson",
  burstiness: null,
  maxConcurrency: null,
  ...more,
});
const take = (times: Iterable<number>, count: number): readonly number[] => {
  const taken: number[] = [];
  for (const time of times) {
    taken.push(time);
    if (taken.length === count) break;
  }
  return taken;
};
const gapsOf = (times: readonly number[]) => times.map((time, at) => time - (times[at - 1] ?? 0));

test.each([
  // mean 1 / rate; the coefficient of variation of a Gamma(k) is 1 / sqrt(k)
  { arrival: "poisson", burstiness: null, variation: 1 },
  { arrival: "gamma", burstiness: 1, variation: 1 },
  { arrival: "gamma", burstiness: 0.25, variation: 2 },
  { arrival: "gamma", burstiness: 4, variation: 0.5 },
] as const)("gaps of $arrival $burstiness have their mean and variation", ({ arrival, burstiness, variation }) => {
  for (const seed of [1, 2, 3]) {
    const times = take(arrivals(load({ arrival, burstiness }), seed), 40_000);
    const gaps = gapsOf(times);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0);
    // four standard errors
    expect(Math.abs(mean(gaps) * 5 - 1)).toBeLessThan((4 * variation) / Math.sqrt(40_000));
    expect(Math.abs(sampleSd(gaps) / mean(gaps) / variation - 1)).toBeLessThan(0.05);
  }
});

test("counts of a Poisson stream per second have their mean as variance, bursts have more", () => {
  const counts = (burstiness: number | null) => {
    const times = take(arrivals(load({ arrival: burstiness === null ? "poisson" : "gamma", burstiness }), 9), 50_000);
    const perSecond = new Array<number>(Math.floor(times.at(-1)!)).fill(0);
    for (const time of times) if (time < perSecond.length) perSecond[Math.floor(time)]!++;
    return sampleSd(perSecond) ** 2 / mean(perSecond);
  };
  expect(counts(null)).toBeGreaterThan(0.94);
  expect(counts(null)).toBeLessThan(1.06);
  expect(counts(0.2)).toBeGreaterThan(2.5);
});

test("the same seed gives the same times, another gives others", () => {
  const first = take(arrivals(load({}), 4), 100);
  expect(take(arrivals(load({}), 4), 100)).toEqual(first);
  expect(take(arrivals(load({}), 5), 100)).not.toEqual(first);
});

test("a constant rate does not drift", () => {
  const times = take(arrivals(load({ arrival: "constant", rate: 3 }), 1), 3_001);
  expect(times[0]).toBe(0);
  expect(times[3_000]).toBe(1_000);
});

test("a trace starts at its first request and may be stretched to a rate", () => {
  expect([...arrivals(load({ arrival: "trace", rate: 0 }), 1, [10, 11, 14])]).toEqual([0, 1, 4]);
  expect([...arrivals(load({ arrival: "trace", rate: 1 }), 1, [10, 11, 14])]).toEqual([0, 0.5, 2]);
  expect([...arrivals(load({ arrival: "trace" }), 1, [])]).toEqual([]);
});

test("in a ramp the rate grows evenly to its full value", () => {
  const times = take(ramped(arrivals(load({ arrival: "constant", rate: 100 }), 1), 10), 2_000);
  const within = (from: number, to: number) => times.filter((time) => time >= from && time < to).length;
  // 100 / s over 10 s: half as many as at full rate, a quarter of them in the first half
  expect(within(0, 10)).toBe(500);
  expect(within(0, 5)).toBe(125);
  expect(within(10, 11)).toBe(100);
  expect(take(ramped([0, 1, 2], 0), 3)).toEqual([0, 1, 2]);
});
