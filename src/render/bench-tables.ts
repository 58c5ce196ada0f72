import type { Percentile } from "../bench/compare/distribution.js";
import type { EndpointBenchResult, PointSummary } from "../bench/endpoints/result.js";
import type { MetricId } from "../bench/metrics.js";
import { formatMetric, formatQuantile, isNumber, needs, none, pointWords, suffices, titleOf } from "./metric-words.js";
import { formatCount, formatPercent } from "./quantities.js";
import type { Section } from "./sections.js";
import { numbers } from "./table.js";

/** Summaries of one load, in the order of the targets. */
export function summariesAt({ summaries, targets }: EndpointBenchResult, point: number): readonly PointSummary[] {
  const order = targets.map(({ label }) => label);
  return summaries
    .filter((one) => one.point === point)
    .sort((a, b) => order.indexOf(a.target) - order.indexOf(b.target));
}

/** Latencies in the order of the tables. */
export const latencies: readonly MetricId[] = ["ttft", "ttft_sched", "ttfo", "tpot", "itl", "e2e", "e2e_sched"];

/** As a metric is called here: gaps between chunks of several tokens are not those between tokens. */
export function nameAt(id: MetricId, summaries: readonly PointSummary[]): string {
  if (id !== "itl") return titleOf(id);
  const several = summaries.some(({ metrics }) => {
    const chunk = metrics.tokens_per_chunk?.mean;
    return isNumber(chunk) && Math.abs(chunk - 1) > 0.005;
  });
  return several ? "inter-chunk" : titleOf(id);
}

/** What stands in a table of latencies beside the quantiles, by metric and target. */
export interface Extra {
  readonly header: string;
  cell(id: MetricId, target: string): string;
}

/** Latencies under one load: a row each metric and target. */
export function latencySection(
  result: EndpointBenchResult,
  point: number,
  quantiles: readonly Percentile[],
  label: (target: string) => string = (target) => target,
  extras: readonly Extra[] = [],
): Section {
  const own = summariesAt(result, point);
  const rows = latencies
    .filter((id) => own.some((one) => shows(id, one)))
    .flatMap((id) =>
      own.map(({ target, metrics }, at) => [
        at === 0 ? nameAt(id, own) : "",
        label(target),
        ...quantiles.map((quantile) => formatQuantile(id, metrics[id], quantile)),
        ...extras.map(({ cell }) => cell(id, target)),
      ]),
    );
  const failing = own.filter(({ requests, succeeded }) => requests > succeeded);
  const adjusted = failing.length === 0 ? [] : own;
  const withFailures = adjusted.flatMap(({ target, errorAdjusted, requests }, at) => {
    const values = errorAdjusted.ttft ?? errorAdjusted.e2e;
    if (!values) return [];
    const id: MetricId = errorAdjusted.ttft ? "ttft" : "e2e";
    const cell = (quantile: Percentile) => {
      const value = values[quantile];
      if (isNumber(value)) return formatMetric(id, value);
      return suffices(requests, quantile) ? "failed" : needs(quantile);
    };
    return [[at === 0 ? `${titleOf(id)} *` : "", label(target), ...quantiles.map(cell), ...extras.map(() => "")]];
  });
  return {
    title: pointWords(result.points[point]),
    columns: [
      { header: "" },
      { header: "" },
      ...numbers(...quantiles.map((quantile) => (quantile === "p999" ? "p99.9" : quantile))),
      ...extras.map(({ header }) => ({ header })),
    ],
    rows: [...rows, ...withFailures],
    ...(withFailures.length > 0 ? { note: "* with each failed request as infinitely slow" } : {}),
  };
}

/** Whether a metric has a row: the first answer token only where some answers begin with reasoning. */
export function shows(id: MetricId, { metrics }: PointSummary): boolean {
  const { ttfo, ttft } = metrics;
  return metrics[id] !== undefined && !(id === "ttfo" && ttfo?.count === ttft?.count && ttfo?.mean === ttft?.mean);
}

/** Columns that a narrow table of values leaves out, in this order. */
export const spareValues = ["input tok", "tokens", "retries", "cached", "sent"] as const;

/** What a load brought; columns without any value are left out. */
const valueColumns: readonly (readonly [header: string, cell: (one: PointSummary) => string])[] = [
  ["sent", ({ requests }) => formatCount(requests)],
  ["requests", ({ values }) => formatMetric("request_throughput", values.request_throughput)],
  ["input tok", ({ values }) => formatMetric("input_throughput", values.input_throughput)],
  ["output tok", ({ values }) => formatMetric("output_throughput", values.output_throughput)],
  ["goodput", ({ values }) => formatMetric("goodput", values.goodput)],
  [
    "failed",
    ({ values, requests, succeeded }) =>
      formatMetric("error_rate", values.error_rate ?? (requests > 0 ? 1 - succeeded / requests : null)),
  ],
  ["retries", ({ retries }) => (retries > 0 ? formatCount(retries) : none)],
  ["cached", ({ values, metrics }) => formatMetric("cached_share", values.cached_share ?? metrics.cached_share?.mean)],
  ["tokens", ({ metrics }) => formatMetric("output_tokens", metrics.output_tokens?.mean)],
  ["$/1000", ({ values }) => formatMetric("cost", values.cost)],
  ["of rate", ({ achievedRate }) => (isNumber(achievedRate) ? formatPercent(achievedRate) : none)],
];

/** What a load brought: a row each target, without the columns of some headers. */
export function valueSection(
  result: EndpointBenchResult,
  point: number,
  without: readonly string[] = [],
  label: (target: string) => string = (target) => target,
): Section {
  const own = summariesAt(result, point);
  const shown = valueColumns.filter(
    ([header, cell]) => !without.includes(header) && own.some((one) => cell(one) !== none),
  );
  return {
    title: pointWords(result.points[point]),
    columns: [{ header: "" }, ...numbers(...shown.map(([header]) => header))],
    rows: own.map((one) => [label(one.target), ...shown.map(([, cell]) => cell(one))]),
  };
}

/** Throughput and latency over the loads; only of use with two or more. */
export function curveSection(
  result: EndpointBenchResult,
  label: (target: string) => string = (target) => target,
): Section {
  const saturated = new Set((result.saturation ?? []).map(({ target, point }) => `${point} ${target}`));
  const rows = result.points.flatMap((point, index) =>
    summariesAt(result, index).map(({ target, metrics, values }, at) => [
      at === 0 ? pointWords(point) : "",
      label(target) + (saturated.has(`${index} ${target}`) ? " *" : ""),
      formatMetric("output_throughput", values.output_throughput),
      formatMetric("request_throughput", values.request_throughput),
      formatQuantile("ttft", metrics.ttft, "p50"),
      formatQuantile("tpot", metrics.tpot, "p50"),
      formatQuantile("e2e", metrics.e2e, "p50"),
    ]),
  );
  const why = (result.saturation ?? []).map(
    (one) => `* ${one.target}, ${pointWords(result.points[one.point])}: ${one.why}`,
  );
  return {
    title: "Throughput and latency (medians)",
    columns: [{ header: "" }, { header: "" }, ...numbers("output tok", "requests", "TTFT", "TPOT", "E2E")],
    rows: result.points.length > 1 ? rows : [],
    ...(why.length > 0 ? { note: why.join("\n") } : {}),
  };
}

/** Failures by kind; a column each target, over all loads, and what one of them said. */
export function errorSection({ summaries, targets, raw }: EndpointBenchResult): Section {
  const counts = new Map<string, Map<string, number>>();
  for (const { target, errors } of summaries) {
    for (const [kind, count] of Object.entries(errors)) {
      const own = counts.get(kind) ?? new Map<string, number>();
      counts.set(kind, own.set(target, (own.get(target) ?? 0) + count));
    }
  }
  const messages = new Map<string, string>();
  for (const { error, warmUp } of raw.records) {
    if (error && !warmUp && !messages.has(error.kind)) messages.set(error.kind, oneLine(error.message));
  }
  const total = (own: ReadonlyMap<string, number>) => [...own.values()].reduce((sum, count) => sum + count, 0);
  return {
    title: "Failed requests",
    columns: [{ header: "" }, ...numbers(...targets.map(({ label }) => label)), { header: "for example" }],
    rows: [...counts]
      .sort(([, a], [, b]) => total(b) - total(a))
      .map(([kind, own]) => [
        kind,
        ...targets.map(({ label }) => formatCount(own.get(label) ?? 0)),
        messages.get(kind) ?? "",
      ]),
  };
}

/** Characters of somebody else's message that are shown. */
const mostOfMessage = 160;

/** A server's text without what steers a terminal, and not too long. */
function oneLine(text: string): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
  return plain.length > mostOfMessage ? `${plain.slice(0, mostOfMessage - 3)}...` : plain;
}
