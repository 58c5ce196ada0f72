import { distributionOf, errorAdjusted, type Percentile } from "../compare/distribution.js";
import type { Distribution } from "../compare/result.js";
import type { MetricId } from "../metrics.js";
import { gapsOf, metrics, requestMetrics } from "../metrics-table.js";
import { costOf, type TokenRates } from "./cost.js";
import { type FlowMetric, flowMetrics, flowsOf, flowValue, isCounted, type Slo, totalFlow } from "./flow.js";
import type { ErrorKind, RequestRecord } from "./record.js";
import type { PointSummary } from "./result.js";
import { grouped, type Slice, valuesOf } from "./slices.js";

export interface PointOptions {
  readonly slo: Slo;
  readonly rates: TokenRates | undefined;
  /** Whether the load is an open one: only then there are scheduled times. */
  readonly open: boolean;
}

/** Sums up one target under one load. */
export function summarisePoint(slice: Slice, { slo, rates, open }: PointOptions): PointSummary {
  const { target, point, records, counted, succeeded } = slice;
  const distributions: Partial<Record<MetricId, Distribution>> = {};
  const adjusted: Partial<Record<MetricId, Pick<Distribution, Percentile>>> = {};
  const failures = counted.length - succeeded.length;
  const add = (id: MetricId, values: readonly number[]) => {
    const distribution = distributionOf(values);
    if (distribution) distributions[id] = distribution;
  };
  for (const id of requestMetrics) {
    const values = valuesOf(slice, id);
    add(id, values);
    // a failure is no slower than the rest where the rest have no such time either
    if (metrics[id].unit !== "seconds" || id === "longest_gap" || values.length === 0) continue;
    adjusted[id] = errorAdjusted(values, failures)!;
  }
  add("itl", slice.succeeded.flatMap(gapsOf));
  const errors: Partial<Record<ErrorKind, number>> = {};
  for (const { error } of counted) if (error) errors[error.kind] = (errors[error.kind] ?? 0) + 1;
  return {
    target,
    point,
    requests: counted.length,
    succeeded: succeeded.length,
    errors,
    retries: counted.reduce((sum, { retries }) => sum + retries, 0),
    warmUpRequests: records.filter(({ warmUp }) => warmUp).length,
    tokenSource: tokenSourceOf(succeeded),
    metrics: distributions,
    errorAdjusted: adjusted,
    values: valuesOfBlocks(slice, slo, rates),
    achievedRate: open ? achievedRate(slice) : null,
  };
}

/** Failed requests over requests; null without requests. */
export function errorRate(counted: readonly RequestRecord[]): number | null {
  return counted.length === 0 ? null : counted.filter(({ error }) => error !== null).length / counted.length;
}

/** Cached input tokens over input tokens, of the requests that say so; null where none does. */
export function cachedShare(succeeded: readonly RequestRecord[]): number | null {
  let cached = 0;
  let input = 0;
  for (const { usage } of succeeded) {
    if (usage?.input == null || usage.cached === null) continue;
    cached += usage.cached;
    input += usage.input;
  }
  return input === 0 ? null : cached / input;
}

function valuesOfBlocks(slice: Slice, slo: Slo, rates: TokenRates | undefined): PointSummary["values"] {
  const values: Partial<Record<MetricId, number>> = {};
  const add = (id: MetricId, value: number | null | undefined) => {
    if (value !== null && value !== undefined && Number.isFinite(value)) values[id] = value;
  };
  const flow = totalFlow(flowsOf(slice, slo).values());
  for (const id of Object.keys(flowMetrics) as FlowMetric[]) if (isCounted(id, slice)) add(id, flowValue(id, flow));
  add("error_rate", errorRate(slice.counted));
  add("cached_share", cachedShare(slice.succeeded));
  add("cost", rates && costOf(slice.counted, rates)?.perThousand);
  return values;
}

function tokenSourceOf(succeeded: readonly RequestRecord[]): PointSummary["tokenSource"] {
  const sources = new Set(succeeded.flatMap(({ tokenSource }) => tokenSource ?? []));
  return sources.size > 1 ? "mixed" : ([...sources][0] ?? null);
}

/**
 * Achieved over asked-for request rate: how long the schedule lasts over how long sending it took, block by block, at most
 * 1. Chance in the arrivals themselves does not count. Null where nothing was sent.
 */
function achievedRate({ records }: Slice): number | null {
  let scheduled = 0;
  let sent = 0;
  // later turns wait for the answer before them
  const arrivals = records.filter((record) => record.scheduled !== null && record.turn === 0);
  for (const block of grouped(arrivals, ({ round }) => round).values()) {
    scheduled += spread(block.map((record) => record.scheduled!));
    sent += spread(block.map(({ firstSent }) => firstSent));
  }
  return sent > 0 ? Math.min(1, scheduled / sent) : null;
}

/** From the smallest to the largest; 0 for none. A loop, because a call takes only so many arguments. */
function spread(times: readonly number[]): number {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const time of times) {
    low = Math.min(low, time);
    high = Math.max(high, time);
  }
  return high > low ? high - low : 0;
}
