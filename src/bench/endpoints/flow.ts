import type { MetricId } from "../metrics.js";
import { ended, metrics, requestValue } from "../metrics-table.js";
import type { Block, RequestRecord } from "./record.js";
import { grouped, type Slice } from "./slices.js";

/** What went through steady windows: counts, and the seconds they last. */
export interface Flow {
  readonly seconds: number;
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Requests that met every limit; null without limits. */
  readonly good: number | null;
}

export type Slo = Readonly<Partial<Record<MetricId, number>>>;

/**
 * The flow of each round. It counts what arrives in the steady window, whoever sent it when: a request of the warm-up or
 * one that the end of the run cut off still delivers tokens in it.
 */
export function flowsOf(slice: Slice, slo: Slo): ReadonlyMap<number, Flow> {
  const records = grouped(slice.records, ({ round }) => round);
  const blocks = grouped(slice.blocks, ({ round }) => round);
  return new Map([...blocks].map(([round, own]) => [round, flowOf(own, records.get(round) ?? [], slo)]));
}

/** All rounds together. */
export function totalFlow(flows: Iterable<Flow>): Flow {
  let total: Flow = { seconds: 0, requests: 0, inputTokens: 0, outputTokens: 0, good: null };
  for (const flow of flows) {
    total = {
      seconds: total.seconds + flow.seconds,
      requests: total.requests + flow.requests,
      inputTokens: total.inputTokens + flow.inputTokens,
      outputTokens: total.outputTokens + flow.outputTokens,
      good: flow.good === null ? total.good : (total.good ?? 0) + flow.good,
    };
  }
  return total;
}

/** Metrics that are a flow over time, and what flows. */
export const flowMetrics = {
  request_throughput: ({ requests }: Flow) => requests,
  output_throughput: ({ outputTokens }: Flow) => outputTokens,
  input_throughput: ({ inputTokens }: Flow) => inputTokens,
  total_throughput: ({ inputTokens, outputTokens }: Flow) => inputTokens + outputTokens,
  goodput: ({ good }: Flow) => good,
} satisfies Partial<Record<MetricId, (flow: Flow) => number | null>>;

export type FlowMetric = keyof typeof flowMetrics;

/** The metric of a flow; null where it was not counted or no time passed. */
export function flowValue(metric: FlowMetric, flow: Flow): number | null {
  const count = flowMetrics[metric](flow);
  return count === null || flow.seconds <= 0 ? null : count / flow.seconds;
}

/** Whether anybody counted what flows: unknown is not 0. */
export function isCounted(metric: FlowMetric, { succeeded }: Slice): boolean {
  if (succeeded.length === 0) return metric === "request_throughput" || metric === "goodput";
  const output = succeeded.some(({ outputTokens }) => outputTokens !== null);
  const input = succeeded.some(({ usage }) => usage?.input != null);
  if (metric === "output_throughput") return output;
  if (metric === "input_throughput") return input;
  return metric === "total_throughput" ? input && output : true;
}

/** Whether a request succeeded and met every limit; one without a value (a TPOT of a single token) did not. */
export function meets(record: RequestRecord, slo: Slo): boolean {
  if (record.error !== null) return false;
  return Object.entries(slo).every(([id, limit]) => {
    const metric = metrics[id as MetricId];
    const value = requestValue(metric.id, record);
    return value !== null && (metric.better === "higher" ? value >= limit! : value <= limit!);
  });
}

function flowOf(blocks: readonly Block[], records: readonly RequestRecord[], slo: Slo): Flow {
  const windows = blocks.map(({ window }) => window);
  const within = (time: number | null) =>
    time !== null && windows.some(({ start, end }) => time >= start && time <= end);
  const limited = Object.keys(slo).length > 0;
  let requests = 0;
  let inputTokens = 0;
  let outputTokens = 0;
  let good = 0;
  for (const record of records) {
    const { error } = record;
    if (error !== null && error.kind !== "cancelled") continue;
    for (const { start, end } of windows) outputTokens += tokensWithin(record, start, end);
    if (within(record.firstToken ?? (record.streamed ? null : record.done))) inputTokens += record.usage?.input ?? 0;
    if (error !== null || !within(ended(record))) continue;
    requests++;
    if (limited && meets(record, slo)) good++;
  }
  return {
    seconds: windows.reduce((sum, { start, end }) => sum + Math.max(0, end - start), 0),
    requests,
    inputTokens,
    outputTokens,
    good: limited ? good : null,
  };
}

/** Tokens that arrived in that time, each token event weighing the same; evenly spread where the events were not kept. */
function tokensWithin(record: RequestRecord, start: number, end: number): number {
  const { events, firstToken, lastToken, eventCount, streamed, done } = record;
  const tokens = record.outputTokens ?? eventCount;
  if (!streamed) return record.error === null && done >= start && done <= end ? tokens : 0;
  if (firstToken === null || lastToken === null || eventCount === 0) return 0;
  if (firstToken >= start && lastToken <= end) return tokens;
  if (firstToken > end || lastToken < start) return 0;
  if (events) return (tokens * (rank(events, end, true) - rank(events, start, false))) / events.length;
  const overlap = Math.min(end, lastToken) - Math.max(start, firstToken);
  return lastToken > firstToken ? (tokens * overlap) / (lastToken - firstToken) : tokens;
}

/** How many of the times, which ascend, lie before that one; `orAt` counts those equal to it too. */
function rank(times: readonly number[], time: number, orAt: boolean): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < time || (orAt && times[middle]! === time)) low = middle + 1;
    else high = middle;
  }
  return low;
}
