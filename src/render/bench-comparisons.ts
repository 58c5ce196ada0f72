import type { MetricComparison } from "../bench/compare/result.js";
import { isUncertain, type RatioVerdict } from "../bench/compare/verdict.js";
import { decisionOf } from "../bench/models/decide.js";
import type { BenchResult, Comparison, Metric, PointResult, StoredComparison } from "../bench/models/result.js";
import { decisionOfAll } from "../bench/models/summarise.js";
import type { AgreementSummary } from "../evaluate/agreement.js";
import type { Drop } from "../evaluate/drop.js";
import { changeSentence, gateLine } from "./bench-verdict.js";
import { lossText } from "./compress-loss.js";
import { isNumber } from "./metric-words.js";
import { formatCount, formatDecibels, formatNumberOf, formatPercent } from "./quantities.js";

/** By how much a candidate may be slower: a noise floor above the tolerance takes its place. */
export const toleranceOf = ({ settings, noiseFloor }: BenchResult): number =>
  Math.max(settings.tolerance, noiseFloor ?? 0);

export const otherMetric = (metric: Metric): Metric => (metric === "cpu" ? "wall" : "cpu");

/** The first point and those of the sweep. */
export function pointsOf({ point, models, comparisons, samples, sweep }: BenchResult): readonly PointResult[] {
  return [{ ...point, shapes: samples.shapes, models, comparisons }, ...sweep];
}

/** A comparison of models in the words that comparisons of endpoints have; with a stored run it decides nothing. */
export function asMetricComparison(
  one: Comparison | StoredComparison,
  of: "time" | "other",
  settings: BenchResult["settings"],
  point: string,
): MetricComparison {
  const { candidate, baseline } = one;
  const { ratio, interval, verdict, moreRounds } = one[of];
  return {
    metric: of === "time" ? settings.metric : otherMetric(settings.metric),
    statistic: "value",
    candidate,
    baseline,
    point,
    estimate: ratio,
    scale: "ratio",
    interval,
    pairs: settings.rounds,
    rounds: settings.rounds,
    pValue: null,
    adjustedPValue: null,
    cliffsDelta: null,
    verdict,
    gated: of === "time" && "role" in one && one.role === "candidate",
    decision: decisionOf({ time: one[of] }).decision,
    more: moreRounds ? { rounds: moreRounds, pairs: moreRounds } : null,
    reasons: [],
  };
}

/** The decision in one sentence, without the word itself; empty where there is none. */
export function benchHeadline(result: BenchResult): string {
  const decision = decisionOfAll(result);
  const [worst, ...others] = pointsOf(result)
    .flatMap(({ label, comparisons }) => comparisons.map((one) => ({ one, label })))
    .filter(({ one }) => one.role === "candidate" && decisionOf(one).decision === decision)
    .sort((a, b) => (b.one.time.ratio ?? Number.MAX_VALUE) - (a.one.time.ratio ?? Number.MAX_VALUE));
  if (!worst) {
    const gate = result.gates.find((one) => one.decision === decision);
    if (gate) return `gate ${gateLine(gate)}`;
    const stored = result.stored?.comparisons.find((one) => decisionOf(one).decision === decision);
    return stored ? storedText(stored, result) : "";
  }
  const { one, label } = worst;
  const rest = others.length > 0 ? ` (and ${formatNumberOf(others.length, "other")})` : "";
  if (one.time.interval === null) {
    return `${one.candidate}${label === "" ? "" : `, ${label}`}: ${sentence(one, result)}${rest}`;
  }
  const told = changeSentence(asMetricComparison(one, "time", result.settings, label));
  const limit = `the tolerance is ${formatPercent(toleranceOf(result))}`;
  return `${told}; ${limit}${decision === "INCONCLUSIVE" ? `: ${remedy(one.time)}` : ""}${rest}`;
}

/** What a candidate lost: a speed is never told without it. */
function dropText({ kind, name, reference, candidate, value }: Drop): string {
  if (!isNumber(value)) return `loss beyond measure: ${name}`;
  if (value === 0 && kind !== "metric") return "no loss";
  const scores =
    reference === null || candidate === null ? "" : ` (${lossText(reference)} before, ${lossText(candidate)} now)`;
  return `loss ${lossText(value)}: ${name}${scores}`;
}

/** A model against one of a stored run, in one sentence. */
export function storedText(one: StoredComparison, { settings }: BenchResult): string {
  const told = changeSentence(asMetricComparison(one, "time", settings, one.point));
  return `${told}: ${one.time.verdict}${one.sameFile ? ", the same file" : ""}`;
}

/** A verdict in words. */
export function sentence({ role, time }: Comparison, result: BenchResult): string {
  const { settings } = result;
  const band = formatPercent(role === "control" ? settings.tolerance : toleranceOf(result));
  switch (time.verdict) {
    case "slower":
      return `slower, by more than ${band}`;
    case "faster":
      return `faster, by more than ${band}`;
    case "same":
      return `the same speed within ${band}`;
    case "not slower":
      return `not slower by ${band} or more`;
    case "missing":
      return `no verdict: the runs are too short for this system's ${settings.metric} clock; try --metric ${settings.metric === "cpu" ? "wall" : "cpu"}`;
    case "inconclusive": {
      const { moreRounds } = time;
      if (!time.interval) return `no verdict with ${formatNumberOf(settings.rounds, "round")}; 6 are the least`;
      return `inconclusive at ${band}${moreRounds ? "; " : ", and "}${remedy(time)}`;
    }
  }
}

/** What helps where rounds have not decided. */
function remedy({ moreRounds }: RatioVerdict): string {
  return moreRounds
    ? `about ${formatNumberOf(moreRounds, "more round")} would decide`
    : "too close to it for more rounds to help; choose another --tolerance";
}

/** Both times and the size, each as a ratio, and the loss. */
export function ratios({ time, other, sizeRatio, drop, agreement }: Comparison, { settings }: BenchResult): string[] {
  const [first, second] = settings.metric === "cpu" ? ["CPU time", "wall time"] : ["wall time", "CPU time"];
  const unknown = drop.kind !== "metric" && agreement.total.elements === 0;
  const loss = unknown ? "loss not known" : dropText(drop);
  return [`${first} ${ratio(time)}`, `${second} ${ratio(other)}`, `size ${sizeRatio.toFixed(3)}x`, loss];
}

/** `~1.002x [0.990, 1.013]`: the tilde says that the interval holds 1. */
function ratio(verdict: RatioVerdict): string {
  if (verdict.ratio === null) return "not measured";
  const { interval } = verdict;
  const range = interval ? ` [${interval.lower.toFixed(3)}, ${interval.upper.toFixed(3)}]` : "";
  return `${isUncertain(verdict) ? "~" : ""}${verdict.ratio.toFixed(3)}x${range}`;
}

/** How near an output is to the baseline's. */
export function agreementText(summary: AgreementSummary & { readonly problem?: string }): string {
  if (summary.problem) return `not comparable: ${summary.problem}`;
  if (summary.identical) return "identical";
  const { topOne, sqnrDb, cosine, maxAbsError } = summary;
  return [
    ...(topOne ? [`same top class in ${formatCount(topOne.agree)} of ${formatCount(topOne.total)}`] : []),
    `SQNR ${formatDecibels(sqnrDb)}`,
    `cosine ${isNumber(cosine) ? cosine.toFixed(6) : "unknown"}`,
    `max error ${isNumber(maxAbsError) ? maxAbsError.toPrecision(2) : "beyond measure"}`,
  ].join(", ");
}
