import { expect, test } from "@jest/globals";
import { uniform } from "../../src/data/random.js";
import { pairedDifference, verdictOf } from "./prune/paired.js";
import { dropInterval } from "./quantize/bootstrap.js";
import type { Counts } from "./quantize/harness.js";

const accuracy = {
  measures: [{ name: "accuracy", better: "higher" }],
  scoresOf: ([right, all]: Counts) => [(100 * right!) / all!],
} as const;

test("the interval holds the true drop in about 95 of 100 experiments, and is paired", () => {
  const random = uniform(3);
  let held = 0;
  for (let experiment = 0; experiment < 100; experiment++) {
    // both right in most; 6 % lost, 2 % won
    const rows = Array.from({ length: 200 }, () => {
      const luck = random();
      return luck < 0.06 ? [1, 0] : luck < 0.08 ? [0, 1] : luck < 0.3 ? [0, 0] : [1, 1];
    });
    const of = (side: number) => rows.map((row) => [row[side]!, 1]);
    const [low, high] = dropInterval(accuracy, of(0), of(1), experiment, 300)!;
    // not paired, it would be about 18 wide
    expect(high - low).toBeLessThan(12);
    if (low <= 4 && 4 <= high) held++;
  }
  expect(held).toBeGreaterThanOrEqual(89);
});

test("equal models have an interval of nothing, an error rate falls to the other side, few samples have none", () => {
  const rows = Array.from({ length: 20 }, (_, at) => [at % 3, 4]);
  expect(dropInterval(accuracy, rows, rows)!.map(Math.abs)).toEqual([0, 0]);
  const worse = rows.map(([errors, all]) => [errors! + 1, all!]);
  const rate = { ...accuracy, measures: [{ name: "CER", better: "lower" }] } as const;
  const ends = (interval: readonly [number, number] | undefined) => interval!.map((end) => Number(end.toFixed(9)));
  expect(ends(dropInterval(rate, rows, worse))).toEqual([25, 25]);
  expect(ends(dropInterval(accuracy, rows, worse))).toEqual([-25, -25]);
  expect(dropInterval(accuracy, rows.slice(0, 9), worse.slice(0, 9))).toBeUndefined();
});

test("two ways are compared picture by picture and seed by seed", () => {
  const random = uniform(5);
  const pictures = Array.from({ length: 2000 }, random);
  // right where a picture is easy, with some luck of each seed; the same luck on both sides
  const runs = (skill: number, seeds: readonly number[]) =>
    seeds.map((seed) => {
      const luck = uniform(seed);
      return Uint8Array.from(pictures, (hard) => (hard < skill + 0.02 * luck() ? 1 : 0));
    });
  const seeds = [1, 2, 3];
  const found = pairedDifference(runs(0.92, seeds), runs(0.9, seeds));
  expect(verdictOf(found)).toBe("better");
  // apart, the noise of 2,000 pictures alone would be twice as much
  expect(found.high - found.low).toBeLessThan(1.8);
  expect(found.low <= found.mean && found.mean <= found.high).toBe(true);
  expect(verdictOf(pairedDifference(runs(0.9, seeds), runs(0.92, seeds)))).toBe("worse");
  expect(verdictOf(pairedDifference(runs(0.9, seeds), runs(0.9, [4, 5, 6])))).toBe("equal");
  expect(() => pairedDifference(runs(0.9, [1]), [])).toThrow("pairs of the same seeds");
});
