import type { RequestRecord } from "../bench/endpoints/record.js";
import type { EndpointBenchResult } from "../bench/endpoints/result.js";
import type { MetricId } from "../bench/metrics.js";
import { metrics, requestValue } from "../bench/metrics-table.js";
import { type CsvValue, csvText } from "./csv.js";
import { pointWords } from "./metric-words.js";

/** Columns of a request that are its own numbers; times in seconds. */
const requestMetrics: readonly MetricId[] = ["ttft", "ttft_sched", "ttfo", "tpot", "e2e", "e2e_sched"];

type Cell<T> = readonly [header: string, value: (of: T) => CsvValue];

function requestCells({ points }: EndpointBenchResult): readonly Cell<RequestRecord>[] {
  return [
    ["target", ({ target }) => target],
    ["load", ({ point }) => pointWords(points[point])],
    ["round", ({ round }) => round],
    ["slot", ({ slot }) => slot],
    ["prompt", ({ prompt }) => prompt],
    ["turn", ({ turn }) => turn],
    ["warm_up", ({ warmUp }) => warmUp],
    ["scheduled", ({ scheduled }) => scheduled],
    ["first_sent", ({ firstSent }) => firstSent],
    ["sent", ({ sent }) => sent],
    ["first_byte", ({ firstByte }) => firstByte],
    ["first_token", ({ firstToken }) => firstToken],
    ["last_token", ({ lastToken }) => lastToken],
    ["done", ({ done }) => done],
    ...requestMetrics.map(
      (id): Cell<RequestRecord> => [id, (record) => (record.error ? null : requestValue(id, record))],
    ),
    ["longest_gap", ({ longestGap }) => longestGap],
    ["events", ({ eventCount }) => eventCount],
    ["input_tokens", ({ usage }) => usage?.input ?? null],
    ["cached_tokens", ({ usage }) => usage?.cached ?? null],
    ["reasoning_tokens", ({ usage }) => usage?.reasoning ?? null],
    ["output_tokens", ({ outputTokens }) => outputTokens],
    ["token_source", ({ tokenSource }) => tokenSource],
    ["bytes", ({ bytes }) => bytes],
    ["streamed", ({ streamed }) => streamed],
    ["status", ({ status }) => status],
    ["finish", ({ finish }) => finish],
    ["error", ({ error }) => error?.kind ?? null],
    ["message", ({ error }) => error?.message ?? null],
    ["retries", ({ retries }) => retries],
    ["http", ({ http }) => http],
    ["reused", ({ reused }) => reused],
  ];
}

/** One row a request, warm-up and failures among them; times in seconds on the run's clock. */
export function requestsCsv(result: EndpointBenchResult): string {
  const cells = requestCells(result);
  return csvText(
    cells.map(([header]) => header),
    result.raw.records.map((record) => cells.map(([, value]) => value(record))),
  );
}

/** One row a target, load and metric; values in base units. */
export function summariesCsv(result: EndpointBenchResult): string {
  const { points, summaries } = result;
  const statistics = ["count", "mean", "sd", "min", "p50", "p90", "p95", "p99", "p999", "max"] as const;
  const header = ["target", "load", "requests", "succeeded", "metric", "unit", "value", ...statistics];
  const rows = summaries.flatMap((summary) => {
    const head: CsvValue[] = [summary.target, pointWords(points[summary.point]), summary.requests, summary.succeeded];
    const unit = (id: MetricId) => metrics[id]?.unit ?? null;
    return [
      ...entries(summary.metrics).map(([id, values]) => [
        ...head,
        id,
        unit(id),
        null,
        ...statistics.map((one) => values[one]),
      ]),
      ...entries(summary.values).map(([id, value]) => [...head, id, unit(id), value, ...statistics.map(() => null)]),
    ];
  });
  return csvText(header, rows);
}

function entries<T>(values: Readonly<Partial<Record<MetricId, T>>>): [MetricId, T][] {
  return Object.entries(values) as [MetricId, T][];
}
