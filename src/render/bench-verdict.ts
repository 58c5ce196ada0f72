import type { ChalkInstance } from "chalk";
import { parseGate } from "../bench/compare/gates.js";
import type { Decision, GateResult, MetricComparison } from "../bench/compare/result.js";
import type { Interval } from "../bench/compare/statistics.js";
import { errorTolerance } from "../bench/endpoints/compare-targets.js";
import type { EndpointBenchResult } from "../bench/endpoints/result.js";
import type { MetricId } from "../bench/metrics.js";
import { metrics } from "../bench/metrics-table.js";
import { formatMetric, isNumber, isTime, statisticOf } from "./metric-words.js";
import { formatNumberOf, formatPercent } from "./quantities.js";

/** A comparison that has its estimate. */
type Measured = MetricComparison & { readonly estimate: number };

/** Whether it could be measured. */
export const isMeasured = (one: MetricComparison): one is Measured => isNumber(one.estimate);

/** Whether the interval holds "no difference": shown with a `~`. */
export function isUncertain({ interval, scale }: MetricComparison): boolean {
  const same = scale === "ratio" ? 1 : 0;
  return !interval || !(interval.lower > same || interval.upper < same);
}

/** `~1.021x`, or for shares `+1.8 points`; `not measured`. */
export function estimateText(one: MetricComparison): string {
  if (!isMeasured(one)) return "not measured";
  const uncertain = isUncertain(one) ? "~" : "";
  return uncertain + (one.scale === "ratio" ? `${one.estimate.toFixed(3)}x` : `${points(one.estimate)} points`);
}

/** `[1.089, 1.117]`; empty where there is none. */
export function intervalText({ interval, scale }: MetricComparison): string {
  if (!interval) return "";
  const text = scale === "ratio" ? (value: number) => value.toFixed(3) : points;
  return `[${text(interval.lower)}, ${text(interval.upper)}]`;
}

function points(share: number): string {
  const text = (share * 100).toFixed(1);
  return Number(text) > 0 ? `+${text}` : text.replace(/^-(?=0\.0$)/, "");
}

/** The change in the direction it went: `10.3 % slower` with `[8.9 %, 11.7 %]`. */
function change(one: Measured): { readonly words: string; readonly range: string } {
  const { scale, estimate, interval, metric } = one;
  const size = (value: number) => (scale === "ratio" ? value - 1 : value);
  const up = size(estimate) >= 0;
  const unit = (value: number) => (scale === "ratio" ? formatPercent(value) : `${(value * 100).toFixed(1)} points`);
  const [more, less] = isTime(metric) ? ["slower", "faster"] : ["higher", "lower"];
  const ends = interval && [size(interval.lower), size(interval.upper)];
  const range = ends && (up ? ends : [-ends[1]!, -ends[0]!]);
  return {
    words: `${unit(Math.abs(size(estimate)))} ${up ? more : less}`,
    range: range ? ` [${unit(range[0]!)}, ${unit(range[1]!)}]` : "",
  };
}

/** `new is 10.3 % slower than old in TTFT p50 [8.9 %, 11.7 %] at 16 users`. */
export function changeSentence(one: MetricComparison): string {
  const what = statisticOf(one);
  const where = one.point === "" ? "" : ` at ${one.point}`;
  if (!isMeasured(one)) return `${what} of ${one.candidate} against ${one.baseline}${where} was not measured`;
  const { words, range } = change(one);
  return `${one.candidate} is ${words} than ${one.baseline} in ${what}${range}${where}`;
}

/** What an inconclusive one would need. */
export function moreText({ more }: Pick<MetricComparison, "more">): string {
  if (!more) return "";
  const pairs = more.pairs > 0 ? ` (${formatNumberOf(more.pairs, "pair")})` : "";
  return `about ${formatNumberOf(more.rounds, "more round")}${pairs} would decide`;
}

/** What was measured at a gate: `372 ms [360, 389]`-like, in the unit of its metric where the gate's text names one. */
export function gateValues({ text, measured, limit, interval }: GateResult): string {
  const id = metricOfGate(text);
  const value = (one: number) => (id ? formatMetric(id, one) : String(Number(one.toPrecision(4))));
  const range = (one: Interval | null) => (one ? ` [${value(one.lower)}, ${value(one.upper)}]` : "");
  const left = isNumber(measured) ? `${value(measured)}${range(interval)}` : "not measured";
  return isNumber(limit) ? `${left}, limit ${value(limit)}` : left;
}

/** The metric a gate is about. */
function metricOfGate(text: string): MetricId | undefined {
  for (const subject of ["endpoints", "models"] as const) {
    try {
      return parseGate(text, subject).metric;
    } catch {
      // the other kind's, or a result of a newer version
    }
  }
  return undefined;
}

/** How far it went the wrong way, to put the worst first; what was not measured is worse than all. */
function badness(one: MetricComparison): number {
  if (!isMeasured(one)) return Number.POSITIVE_INFINITY;
  const size = one.scale === "ratio" ? Math.log(Math.max(one.estimate, 1e-9)) : one.estimate;
  return metrics[one.metric]?.better === "higher" ? -size : size;
}

/** The decision in one sentence, without the word itself. */
export function headline(result: EndpointBenchResult): string {
  const { verdict, comparisons, gates, reasons, settings } = result;
  const deciding = comparisons.filter(({ gated, decision }) => gated && decision === verdict);
  const [worst, ...others] = [...deciding].sort((a, b) => badness(b) - badness(a));
  const gate = gates.find(({ decision }) => decision === verdict);
  const points = worst?.metric === "error_rate" ? `${(errorTolerance * 100).toFixed(1)} points` : null;
  const limit = `the tolerance is ${points ?? formatPercent(settings.tolerance)}`;
  switch (verdict) {
    case "PASS":
      return passed(result, worst);
    case "FAIL": {
      const more = others.length + gates.filter(({ decision }) => decision === "FAIL").length;
      const rest = more > 0 && worst ? ` (and ${formatNumberOf(more, "more failure")})` : "";
      if (worst) return `${changeSentence(worst)}; ${limit}${rest}`;
      if (gate) return `gate ${gateLine(gate)}`;
      return reasons[0] ?? "see the comparisons below";
    }
    case "INCONCLUSIVE":
      if (worst && isMeasured(worst)) {
        const { words, range } = change(worst);
        const then = moreText(worst) || worst.reasons[0] || "more rounds would hardly decide";
        return `${statisticOf(worst)} of ${worst.candidate} is ${words}${range} at ${worst.point} and ${limit}: ${then}`;
      }
      if (reasons.length > 0) return reasons[0]!;
      return gate ? `gate ${gateLine(gate)}` : "too little was measured to decide";
  }
}

function passed(
  { comparisons, gates, settings, reasons }: EndpointBenchResult,
  worst: MetricComparison | undefined,
): string {
  const gated = comparisons.filter((one) => one.gated);
  const kept = gates.length > 0 ? `${formatNumberOf(gates.length, "gate")} kept` : "";
  if (gated.length === 0) return kept || reasons[0] || "measured; nothing to compare and no gate to keep";
  const names = [...new Set(gated.map(({ candidate }) => candidate))].join(", ");
  const closest =
    worst && isMeasured(worst) ? `; the closest: ${statisticOf(worst)} at ${worst.point} ${change(worst).words}` : "";
  const count = formatNumberOf(gated.length, "gated comparison");
  return `${names}: no worse by ${formatPercent(settings.tolerance)} or more in ${count}${closest}${kept && `; ${kept}`}`;
}

/** A gate with its numbers and why: `p95(ttft) < 400ms of new at 16 users: 412 ms [401 ms, 420 ms], limit 400 ms`. */
export function gateLine(gate: GateResult): string {
  const at = gate.point === "" ? "" : ` at ${gate.point}`;
  return `${gate.text} of ${gate.target}${at}: ${gateValues(gate)}${gate.why ? `; ${gate.why}` : ""}`;
}

/** The word of a decision's colour. */
export const toneOfDecision: Readonly<Record<Decision, "good" | "bad" | "open">> = {
  PASS: "good",
  FAIL: "bad",
  INCONCLUSIVE: "open",
};

/** The colour of a decision. */
export function paintOf(decision: Decision, paint: ChalkInstance): ChalkInstance {
  return decision === "PASS" ? paint.green : decision === "FAIL" ? paint.red : paint.yellow;
}
