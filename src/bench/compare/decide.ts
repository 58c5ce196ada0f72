import type { Evidence } from "./evidence.js";
import { cliffsDelta, holm } from "./multiple.js";
import type { Decision, MetricComparison } from "./result.js";
import { signedRankAbove, signedRankPValue } from "./signed-rank.js";
import { type Estimate, hodgesLehmann } from "./statistics.js";
import { meanAndError, studentQuantile, studentTestAbove } from "./student.js";
import type { Verdict } from "./verdict.js";

/** Fewest rounds from which an interval at 95 % can be had. */
export const fewestRounds = 6;
/** Beyond so many, more rounds are no advice. */
const mostRounds = 200;

/** Fewest rounds in which a difference can be shown in each of so many metrics after Holm, if all rounds agree. */
export function roundsForFamily(family: number, confidence: number): number {
  return Math.max(fewestRounds, Math.ceil(1 - Math.log2((1 - confidence) / Math.max(1, family))));
}

/** Evidence with what follows from it alone; values in the scale of the rounds: logarithms or differences. */
interface Judged {
  readonly evidence: Evidence;
  /** Null where nothing was measured. */
  readonly estimate: Estimate | null;
  /** Positive is worse. */
  readonly worse: readonly number[];
  readonly verdict: Verdict;
  /** Of the hypothesis that it is not worse by more than the tolerance, two-sided level. */
  readonly bandPValue: number;
  readonly pValue: number | null;
}

/**
 * Judges comparisons together. The estimate over rounds is Hodges-Lehmann's with the interval that inverts the exact
 * signed-rank test. It was chosen by how often intervals cover the truth at 6 to 20 rounds of normal, heavy-tailed and
 * disturbed noise (`npm run bench:verdicts`): at 95 % it covers 94 to 98 %, a cluster bootstrap 86 to 95 % by percentiles
 * or BCa, 86 to 96 % studentised, 93 to 97 % with percentiles moved out; it is exact where the noise is symmetric, as that
 * of rounds in alternating order is, and only at 6 rounds wider than the others. Differences of shares, mostly 0, take the
 * mean and Student's interval. `slower` takes the whole interval beyond the band; FAIL takes besides that the test against
 * the band's edge holds after Holm over the gated comparisons. PASS needs no such correction: it claims something of every
 * metric, not of any (intersection-union test, Berger 1982).
 */
export function decide(all: readonly Evidence[], confidence: number): readonly MetricComparison[] {
  const judged = all.map((evidence) => judgeOne(evidence, confidence));
  const family = judged.filter((one) => one.evidence.gated && isTested(one));
  const bandPValues = new Map(zip(family, holm(family.map(({ bandPValue }) => bandPValue))));
  const pValues = new Map(zip(family, holm(family.map(({ pValue }) => pValue ?? 1))));
  return judged.map((one) => {
    const { evidence, estimate, pValue } = one;
    const { decision, verdict, reasons, more } = conclude(
      one,
      bandPValues.get(one) ?? one.bandPValue,
      family.length,
      confidence,
    );
    const back = (value: number) => (evidence.scale === "ratio" ? Math.exp(value) : value);
    const interval = estimate?.interval ?? null;
    const { metric, statistic, candidate, baseline, point, scale, gated, rounds, values } = evidence;
    return {
      metric,
      statistic,
      candidate,
      baseline,
      point,
      estimate: estimate && back(estimate.value),
      scale,
      interval: interval && { ...interval, lower: back(interval.lower), upper: back(interval.upper) },
      pairs: pairsOf(evidence),
      rounds: rounds.length,
      pValue,
      adjustedPValue: pValues.get(one) ?? null,
      cliffsDelta: cliffsDelta(values.candidate, values.baseline),
      verdict,
      gated,
      decision,
      more,
      reasons,
    };
  });
}

/** The decision on everything: FAIL before INCONCLUSIVE before PASS. */
export function overall(decisions: readonly Decision[]): Decision {
  if (decisions.includes("FAIL")) return "FAIL";
  return decisions.includes("INCONCLUSIVE") ? "INCONCLUSIVE" : "PASS";
}

function judgeOne(evidence: Evidence, confidence: number): Judged {
  const { rounds, better, scale, missing } = evidence;
  const values = rounds.map(({ value }) => value);
  const worse = better === "higher" ? values.map((value) => -value) : values;
  if (missing !== null || values.length === 0) {
    return { evidence, estimate: null, worse, verdict: "missing", bandPValue: 1, pValue: null };
  }
  const estimate = scale === "ratio" ? hodgesLehmann(values, confidence) : meanEstimate(values, confidence);
  const { edge, gain } = bandOf(evidence);
  const test = scale === "ratio" ? signedRankAbove : studentTestAbove;
  return {
    evidence,
    estimate,
    worse,
    verdict: verdictOf(estimate, evidence, edge, gain),
    bandPValue: Math.min(1, 2 * test(worse, edge)),
    pValue: signedRankPValue(values),
  };
}

/** How far worse and how far better still counts as the same, on the scale of the rounds. */
function bandOf({ scale, better, tolerance }: Evidence): { readonly edge: number; readonly gain: number } {
  if (scale === "difference") return { edge: tolerance, gain: tolerance };
  const longer = Math.log1p(tolerance);
  // nothing takes less than no time: with a tolerance of 1 and more nothing is better, or in what should be high worse
  const shorter = tolerance >= 1 ? Number.POSITIVE_INFINITY : -Math.log1p(-tolerance);
  return better === "higher" ? { edge: shorter, gain: longer } : { edge: longer, gain: shorter };
}

function verdictOf({ interval }: Estimate, { better }: Evidence, edge: number, gain: number): Verdict {
  if (!interval) return "inconclusive";
  const [low, high] = better === "higher" ? [-interval.upper, -interval.lower] : [interval.lower, interval.upper];
  if (better === "neither") return low > -gain && high < edge ? "same" : "inconclusive";
  if (low > edge) return "slower";
  if (high < -gain) return "faster";
  if (high >= edge) return "inconclusive";
  return low > -gain ? "same" : "not slower";
}

/** The mean with Student's interval. */
function meanEstimate(values: readonly number[], confidence: number): Estimate {
  const { mean, error } = meanAndError(values);
  if (error === null || values.length < fewestRounds) return { value: mean, interval: null };
  const reach = error * studentQuantile((1 - confidence) / 2, values.length - 1);
  return { value: mean, interval: { lower: mean - reach, upper: mean + reach, coverage: confidence } };
}

/** Where both sides are equal in every round there is nothing to test. */
function isTested({ estimate, worse }: Judged): boolean {
  return estimate !== null && worse.some((value) => value !== 0);
}

type Conclusion = Pick<MetricComparison, "decision" | "verdict" | "reasons" | "more">;

function conclude(one: Judged, adjusted: number, family: number, confidence: number): Conclusion {
  const { evidence, verdict } = one;
  const { doubts, noPass, noWin, missing } = evidence;
  if (verdict === "missing" && evidence.unreached === true) {
    return { decision: "INCONCLUSIVE", verdict, reasons: ["the run ended before it was measured"], more: null };
  }
  if (verdict === "missing") {
    return { decision: "FAIL", verdict, reasons: [missing ?? "no round has values of both sides"], more: null };
  }
  if (doubts.length > 0) return { decision: "INCONCLUSIVE", verdict: "inconclusive", reasons: doubts, more: null };
  if (verdict === "slower") {
    if (!evidence.gated || adjusted <= 1 - confidence) return { decision: "FAIL", verdict, reasons: [], more: null };
    const reason = `worse by itself, but not after Holm over ${family} gated comparisons (p = ${adjusted.toPrecision(2)})`;
    return { decision: "INCONCLUSIVE", verdict, reasons: [reason], more: moreAfterHolm(one, family, confidence) };
  }
  if (verdict === "inconclusive") {
    return { decision: "INCONCLUSIVE", verdict, reasons: [], more: moreRounds(one, confidence) };
  }
  const shown = verdict === "faster" && noWin.length > 0 ? "not slower" : verdict;
  const reasons = shown === verdict ? [] : noWin;
  if (noPass.length > 0) {
    return { decision: "INCONCLUSIVE", verdict: shown, reasons: [...new Set([...noPass, ...reasons])], more: null };
  }
  return { decision: "PASS", verdict: shown, reasons, more: null };
}

/** An interval shrinks with the square root of the rounds; it decides once it no longer reaches the band's worse edge. */
function moreRounds({ evidence, estimate, worse }: Judged, confidence: number): Conclusion["more"] {
  const rounds = worse.length;
  const { interval, value } = estimate!;
  if (!interval) return more(evidence, roundsForFamily(1, confidence));
  const { edge, gain } = bandOf(evidence);
  // of what is neither better nor worse, a difference stays one
  if (evidence.better === "neither" && (value >= edge || value <= -gain)) return null;
  const centre = evidence.better === "higher" ? -value : value;
  const distance = evidence.better === "neither" ? Math.min(edge - value, value + gain) : Math.abs(edge - centre);
  return more(evidence, Math.ceil(rounds * ((interval.upper - interval.lower) / 2 / distance) ** 2));
}

/** As many as bring the test's normal score to what Holm asks of the least likely of the family. */
function moreAfterHolm({ evidence, worse, bandPValue }: Judged, family: number, confidence: number) {
  const score = (p: number) => studentQuantile(p / 2, 1e6);
  const factor = (score((1 - confidence) / family) / score(bandPValue)) ** 2;
  return more(evidence, Math.max(roundsForFamily(family, confidence), Math.ceil(worse.length * factor)));
}

function more(evidence: Evidence, needed: number): Conclusion["more"] {
  const { length } = evidence.rounds;
  if (!(needed <= mostRounds)) return null;
  const rounds = Math.max(1, needed - length);
  return { rounds, pairs: Math.ceil((rounds * pairsOf(evidence)) / length) };
}

function pairsOf({ rounds }: Evidence): number {
  return rounds.reduce((sum, { pairs }) => sum + pairs, 0);
}

function zip<A, B>(left: readonly A[], right: readonly B[]): readonly (readonly [A, B])[] {
  return left.map((value, at) => [value, right[at]!] as const);
}
