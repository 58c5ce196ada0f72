import { fewestRounds, roundsForFamily } from "./decide.js";
import { type Evidence, nameOf } from "./evidence.js";
import { hodgesLehmann } from "./statistics.js";
import { studentQuantile } from "./student.js";

/** How much to measure. */
export interface SampleSize {
  readonly rounds: number;
  /** Pairs in all of them, at as many a round as the pilot had. */
  readonly pairs: number;
  /** The metric that needs the most, as gates write it: `ttft p50`. */
  readonly metric: string;
}

/** A pilot of ten rounds may well have missed disturbances of one round in ten; twelve rounds bear two of them. */
const fewestRecommended = 12;

/** More rounds than this are not recommended. */
const mostRounds = 500;
/** Of the interval whose width says how much rounds vary: one that a few disturbed rounds of a short pilot lie outside. */
const innerConfidence = 0.8;

/**
 * How many rounds find a true difference of twice the tolerance in any one of the gated metrics with that power, after
 * Holm, by how much a pilot's rounds vary. As the pilot's standard deviation may well be too small by chance, its upper
 * confidence limit at 80 % stands in for it (Browne 1995, Statistics in Medicine 14). How much they vary is taken from the
 * width of their interval, which a few disturbed rounds do not blow up as they do a standard deviation. The same size shows
 * "no difference" where there is none. Null with too few rounds for an interval, without gated ratios, or where 500 rounds
 * would not do.
 */
export function recommendSize(pilot: readonly Evidence[], confidence: number, power = 0.9): SampleSize | null {
  const gated = pilot.filter(({ gated, scale, rounds }) => gated && scale === "ratio" && rounds.length > 0);
  let largest: SampleSize | null = null;
  for (const evidence of gated) {
    const rounds = roundsFor(evidence, gated.length, confidence, power);
    if (rounds === null) return null;
    if (largest !== null && largest.rounds >= rounds) continue;
    const pairs = evidence.rounds.reduce((sum, round) => sum + round.pairs, 0) / evidence.rounds.length;
    largest = { rounds, pairs: Math.ceil(rounds * pairs), metric: nameOf(evidence) };
  }
  return largest;
}

function roundsFor(
  { rounds, tolerance, better }: Evidence,
  family: number,
  confidence: number,
  power: number,
): number | null {
  const n = rounds.length;
  const { interval } = hodgesLehmann(
    rounds.map(({ value }) => value),
    innerConfidence,
  );
  if (!interval || n < fewestRounds) return null;
  const reach = (interval.upper - interval.lower) / 2;
  const spread = (reach * Math.sqrt(n)) / studentQuantile((1 - interval.coverage) / 2, n - 1);
  const spreadAtMost = spread * Math.sqrt((n - 1) / chiSquared(-0.8416, n - 1));
  const margin =
    better === "higher"
      ? Math.log((1 - tolerance) / (1 - 2 * tolerance))
      : Math.log((1 + 2 * tolerance) / (1 + tolerance));
  const perRound = (margin / spreadAtMost) ** 2;
  const isEnough = (size: number) => {
    const scores = studentQuantile((1 - confidence) / 2 / family, size - 1) + studentQuantile(1 - power, size - 1);
    return size * perRound >= scores ** 2;
  };
  if (!isEnough(mostRounds)) return null;
  let tooFew = Math.max(fewestRecommended, roundsForFamily(family, confidence)) - 1;
  let enough = mostRounds;
  while (enough - tooFew > 1) {
    const middle = (tooFew + enough) >> 1;
    if (isEnough(middle)) enough = middle;
    else tooFew = middle;
  }
  return enough;
}

/** Quantile of the chi-squared distribution at a normal score (Wilson and Hilferty 1931; within 1 % for 2 degrees and more). */
function chiSquared(score: number, freedom: number): number {
  const spread = 2 / (9 * freedom);
  return freedom * (1 - spread + score * Math.sqrt(spread)) ** 3;
}
