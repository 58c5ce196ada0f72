import { describe, expect, test } from "@jest/globals";
import { roundsForFamily } from "../../../src/bench/compare/decide.js";
import { noiseModels, none } from "../verdicts/noise.js";
import { ratesOf } from "../verdicts/rates.js";

/* A small version of `npm run bench:verdicts`, seeded: the figures are always the same. */
describe("over simulated benchmarks", () => {
  const options = { trials: 20, perRound: 6, tolerance: 0.05, seed: 5 };

  test.each(noiseModels)("with $name, a version against itself is not called slower", (model) => {
    expect(ratesOf(model, none, { ...options, rounds: 8 }).fail).toBeLessThanOrEqual(0.05);
  });

  test("twice the tolerance is found at the recommended size, and nothing is found in nothing", () => {
    const model = { name: "quiet", request: 0.05, block: 0.01 };
    const sized = { ...options, trials: 12, rounds: { pilot: 10 } };
    expect(ratesOf(model, { ttft: 1, tpot: 1.1 }, sized).fail).toBeGreaterThanOrEqual(0.9);
    expect(ratesOf(model, none, sized).pass).toBeGreaterThanOrEqual(0.9);
  });
});

test("Holm over many metrics takes more rounds", () => {
  // all of n rounds alike: p = 2^(1 - n), times the family
  expect([1, 3, 4, 12].map((family) => roundsForFamily(family, 0.95))).toEqual([6, 7, 8, 9]);
});
