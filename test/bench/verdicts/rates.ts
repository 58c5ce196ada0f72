import type { Decision } from "../../../src/bench/compare/result.js";
import { summariseEndpoints } from "../../../src/bench/endpoints/summarise.js";
import { contextOf } from "../endpoints/simulated-run.js";
import { type Effect, type NoiseModel, noisyRun, none } from "./noise.js";

/** Decisions of many benchmarks, in shares of 1. */
export interface Rates {
  readonly trials: number;
  /** Pilots that varied too much for any recommendation; the other shares are of the rest. */
  readonly unsure: number;
  readonly fail: number;
  readonly pass: number;
  readonly inconclusive: number;
  /** Median and largest number of rounds they took. */
  readonly rounds: { readonly median: number; readonly most: number };
}

export interface TrialOptions {
  readonly trials: number;
  readonly perRound: number;
  readonly tolerance: number;
  readonly seed: number;
  /** Rounds of each, or as many as the tool recommends after a pilot of so many. */
  readonly rounds: number | { readonly pilot: number };
}

/** Benchmarks of two simulated endpoints of which the second differs by `effect`, each with its own seed. */
export function ratesOf(model: NoiseModel, effect: Effect, options: TrialOptions): Rates {
  const { trials, perRound, tolerance, seed } = options;
  let unsure = 0;
  const verdicts: Decision[] = [];
  const taken: number[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const own = seed + 1000 * trial;
    const bench = (rounds: number, what: Effect, at: number) =>
      summariseEndpoints(noisyRun(model, what, rounds, perRound, at), contextOf(["old", "new"], { tolerance, rounds }));
    const rounds =
      typeof options.rounds === "number"
        ? options.rounds
        : (bench(options.rounds.pilot, none, own + 500).recommended?.rounds ?? null);
    if (rounds === null) {
      unsure++;
      continue;
    }
    taken.push(rounds);
    verdicts.push(bench(rounds, effect, own).verdict);
  }
  const share = (decision: Decision) =>
    verdicts.filter((verdict) => verdict === decision).length / Math.max(1, verdicts.length);
  const order = [...taken].sort((a, b) => a - b);
  return {
    trials,
    unsure: unsure / trials,
    fail: share("FAIL"),
    pass: share("PASS"),
    inconclusive: share("INCONCLUSIVE"),
    rounds: { median: order[order.length >> 1] ?? 0, most: order.at(-1) ?? 0 },
  };
}
