import { type Estimate, hodgesLehmann, type Interval } from "./statistics.js";

/** Time a candidate takes over the baseline's, 1 = the same, and what may be concluded from it. */
export interface RatioVerdict {
  /** Null where the metric could not be measured. */
  readonly ratio: number | null;
  /** Null with fewer than 6 rounds. */
  readonly interval: Interval | null;
  readonly verdict: Verdict;
  /** Where inconclusive: about how many more rounds would decide it; null where more rounds hardly would. */
  readonly moreRounds?: number | null;
}

/**
 * With band = 1 - tolerance to 1 + tolerance: `slower` interval wholly above it, `faster` wholly below it, `same`
 * wholly inside it, `not slower` reaches out of it below only, `inconclusive` anything else, `missing` no measurement.
 */
export type Verdict = "slower" | "faster" | "same" | "not slower" | "inconclusive" | "missing";

/**
 * Compares two models measured in the same rounds: the log-ratio of each round, their Hodges-Lehmann estimate with a
 * 95 % interval, back as a ratio. Pairing takes out what both sides of a round had in common (load, clock speed).
 */
export function compareTimes(
  baseline: readonly number[],
  candidate: readonly number[],
  tolerance: number,
): RatioVerdict {
  const logRatios = candidate.map((time, round) => Math.log(time / (baseline[round] ?? Number.NaN)));
  // a clock too coarse for these runs reads 0: no number at all is better than a wrong one
  if (logRatios.length === 0 || !logRatios.every(Number.isFinite)) {
    return { ratio: null, interval: null, verdict: "missing" };
  }
  return judge(hodgesLehmann(logRatios), logRatios.length, tolerance);
}

/** The verdict on an estimate of the log-ratio from `rounds` rounds. */
export function judge(logRatio: Estimate, rounds: number, tolerance: number): RatioVerdict {
  const ratio = Math.exp(logRatio.value);
  if (!logRatio.interval)
    return { ratio, interval: null, verdict: "inconclusive", moreRounds: Math.max(1, 6 - rounds) };
  const { coverage } = logRatio.interval;
  const interval = { lower: Math.exp(logRatio.interval.lower), upper: Math.exp(logRatio.interval.upper), coverage };
  const verdict = verdictOf(interval, tolerance);
  if (verdict !== "inconclusive") return { ratio, interval, verdict };
  return { ratio, interval, verdict, moreRounds: moreRounds(logRatio, rounds, tolerance) };
}

function verdictOf({ lower, upper }: Interval, tolerance: number): Verdict {
  if (lower > 1 + tolerance) return "slower";
  if (upper < 1 - tolerance) return "faster";
  if (upper >= 1 + tolerance) return "inconclusive";
  return lower > 1 - tolerance ? "same" : "not slower";
}

/** An interval shrinks with the square root of the rounds; it decides once it no longer reaches the band's upper edge. */
function moreRounds(logRatio: Estimate, rounds: number, tolerance: number): number | null {
  const distance = Math.abs(Math.log1p(tolerance) - logRatio.value);
  const halfWidth = (logRatio.interval!.upper - logRatio.interval!.lower) / 2;
  const needed = Math.ceil(rounds * (halfWidth / distance) ** 2);
  return needed > 200 ? null : Math.max(1, needed - rounds);
}

/** Whether 1 lies in the interval: the difference is not significant and is shown with a `~`. */
export function isUncertain({ interval }: RatioVerdict): boolean {
  return interval === null || (interval.lower <= 1 && interval.upper >= 1);
}

/** The largest difference from 1 that an interval of baseline against itself reaches: what this machine cannot resolve. */
export function noiseFloor({ interval }: RatioVerdict): number | null {
  return interval && Math.max(interval.upper - 1, 1 - interval.lower);
}
