import { certifiedCounts, type Percentile } from "../bench/compare/distribution.js";
import type { Distribution, MetricComparison } from "../bench/compare/result.js";
import type { Verdict } from "../bench/compare/verdict.js";
import { pointName } from "../bench/endpoints/points.js";
import type { LoadPoint } from "../bench/endpoints/record.js";
import type { Metric, MetricId } from "../bench/metrics.js";
import { metrics } from "../bench/metrics-table.js";
import { formatBytes, formatCount, formatPercent, formatSeconds } from "./quantities.js";

/** A place of a table without a number. */
export const none = "-";

/** As the field calls it; a metric of a newer version goes by its id. */
export const titleOf = (id: MetricId): string => metrics[id]?.title ?? id;

const unitOf = (id: MetricId): Metric["unit"] => metrics[id]?.unit ?? "ratio";

/** Whether a metric is a time, of which one says slower and faster. */
export const isTime = (id: MetricId): boolean => unitOf(id) === "seconds";

/** `TTFT p50`; of what has one value a block only the name. */
export function statisticOf({ metric, statistic }: Pick<MetricComparison, "metric" | "statistic">): string {
  return statistic === "value" ? titleOf(metric) : `${titleOf(metric)} ${statistic}`;
}

/** A number that may come back from JSON as null. */
export const isNumber = (value: number | null | undefined): value is number =>
  typeof value === "number" && Number.isFinite(value);

/** Three significant digits without an exponent where the number is neither huge nor tiny: `31.2`, `1,204`. */
export function short(value: number): string {
  if (value === 0) return "0";
  if (Math.abs(value) >= 999.5) return value < 0 ? `-${formatCount(-value)}` : formatCount(value);
  return String(Number(value.toPrecision(3)));
}

/** A value of a metric in the unit that suits; `-` where there is none. */
export function formatMetric(id: MetricId, value: number | null | undefined): string {
  if (!isNumber(value)) return none;
  switch (unitOf(id)) {
    case "seconds":
      return formatSeconds(value);
    case "share":
      return formatPercent(value);
    case "bytes":
      return formatBytes(value);
    case "dollars":
      return `$${short(value)}`;
    case "tokens/s":
    case "requests/s":
    case "runs/s":
      return `${short(value)}/s`;
    case "tokens":
    case "ratio":
      return short(value);
  }
}

/** A quantile, `needs 662` with fewer values than that, `-` where nothing was measured. */
export function formatQuantile(id: MetricId, values: Distribution | undefined, at: Percentile): string {
  if (!values || !(values.count > 0)) return none;
  const value = values[at];
  return isNumber(value) ? formatMetric(id, value) : values.count < certifiedCounts[at] ? needs(at) : none;
}

export const needs = (at: Percentile): string => `needs ${formatCount(certifiedCounts[at])}`;

/** Whether so many values are enough for a quantile. */
export const suffices = (count: number, at: Percentile): boolean => count >= certifiedCounts[at];

/** A load: `16 users`; one that a damaged result lacks is named as such. */
export const pointWords = (point: LoadPoint | undefined): string => (point ? pointName(point) : "another load");

/** A verdict in the words of its metric: what is not a time is better or worse, not faster or slower. */
export function verdictWords(metric: MetricId, verdict: Verdict): string {
  if (isTime(metric)) return verdict;
  const others: Partial<Record<Verdict, string>> = { slower: "worse", faster: "better", "not slower": "not worse" };
  return others[verdict] ?? verdict;
}
