import type { RequestRecord } from "./endpoints/record.js";
import type { Metric, MetricId } from "./metrics.js";

type Row = Omit<Metric, "id">;

const seconds = { unit: "seconds", better: "lower" } as const;
const flow = { better: "higher", of: "block" } as const;

const rows = {
  ttft: { title: "TTFT", formula: "first token event - sent", ...seconds, of: "request" },
  ttft_sched: { title: "TTFT (sched)", formula: "first token event - scheduled send", ...seconds, of: "request" },
  ttfo: { title: "TTFO", formula: "first token event that is not reasoning - sent", ...seconds, of: "request" },
  tpot: {
    title: "TPOT",
    formula: "(last - first token event) / (output tokens - tokens in the first event, 1 if unknown)",
    ...seconds,
    of: "request",
  },
  itl: {
    title: "ITL",
    formula:
      "token event - the one before, pooled over requests; between chunks, not tokens, where a chunk holds several",
    ...seconds,
    of: "gap",
  },
  e2e: {
    title: "E2E",
    formula: "last token event - sent; without streaming: last byte - sent",
    ...seconds,
    of: "request",
  },
  e2e_sched: {
    title: "E2E (sched)",
    formula: "last token event - scheduled send; without streaming: last byte - scheduled send",
    ...seconds,
    of: "request",
  },
  user_throughput: {
    title: "tokens/s per user",
    formula: "1 / TPOT",
    unit: "tokens/s",
    better: "higher",
    of: "request",
  },
  output_tokens: {
    title: "output tokens",
    formula: "the server's usage, else a tokenizer over the whole answer, else token events",
    unit: "tokens",
    better: "neither",
    of: "request",
  },
  input_tokens: {
    title: "input tokens",
    formula: "the server's usage",
    unit: "tokens",
    better: "neither",
    of: "request",
  },
  tokens_per_chunk: {
    title: "tokens/chunk",
    formula: "output tokens / token events",
    unit: "ratio",
    better: "neither",
    of: "request",
  },
  cached_share: {
    title: "cached input",
    formula: "cached input tokens / input tokens",
    unit: "share",
    better: "neither",
    of: "request",
  },
  longest_gap: { title: "longest gap", formula: "longest of a request's ITL", ...seconds, of: "request" },
  request_throughput: {
    title: "requests/s",
    formula: "requests that succeeded and ended in the steady window / its length",
    unit: "requests/s",
    ...flow,
  },
  output_throughput: {
    title: "output tokens/s",
    formula: "output tokens that arrived in the steady window / its length",
    unit: "tokens/s",
    ...flow,
  },
  input_throughput: {
    title: "input tokens/s",
    formula:
      "input tokens of requests whose first token event (without streaming: last byte) lies in the steady window / its length",
    unit: "tokens/s",
    ...flow,
  },
  total_throughput: { title: "total tokens/s", formula: "input + output tokens/s", unit: "tokens/s", ...flow },
  goodput: {
    title: "goodput",
    formula: "requests that met every limit of --slo and ended in the steady window / its length",
    unit: "requests/s",
    ...flow,
  },
  error_rate: {
    title: "error rate",
    formula: "requests that failed / requests, those cut as warm-up or ended by the run itself in neither",
    unit: "share",
    better: "lower",
    of: "block",
  },
  cost: {
    title: "cost",
    formula: "dollars for 1,000 requests at the list price of cached, other input and output tokens",
    unit: "dollars",
    better: "lower",
    of: "block",
  },
  cpu: { title: "CPU time", formula: "CPU time of the process / runs", ...seconds, of: "process" },
  wall: { title: "wall time", formula: "time on the clock / runs", ...seconds, of: "process" },
  throughput: {
    title: "throughput",
    formula: "runs one after another / time on the clock",
    unit: "runs/s",
    better: "higher",
    of: "process",
  },
  load: { title: "load", formula: "time to load the model into a fresh process", ...seconds, of: "process" },
  first_run: { title: "first run", formula: "time of the first run in a fresh process", ...seconds, of: "process" },
  peak_memory: {
    title: "peak memory",
    formula: "the most memory the process ever had, Node.js included",
    unit: "bytes",
    better: "lower",
    of: "process",
  },
  size: {
    title: "size",
    formula: "the .onnx file and the external data it uses",
    unit: "bytes",
    better: "lower",
    of: "model",
  },
  drop: {
    title: "drop",
    formula: "the baseline's accuracy - the model's",
    unit: "share",
    better: "lower",
    of: "model",
  },
} as const satisfies Record<MetricId, Row>;

/** What each metric is. */
export const metrics: Readonly<Record<MetricId, Metric>> = Object.fromEntries(
  Object.entries(rows).map(([id, row]) => [id, { id, ...row }]),
) as Record<MetricId, Metric>;

/** Metrics with one value for each request, in the order of reports. */
export const requestMetrics = (Object.keys(rows) as MetricId[]).filter((id) => metrics[id].of === "request");

const values: Partial<Record<MetricId, (record: RequestRecord) => number | null>> = {
  ttft: ({ firstToken, sent }) => minus(firstToken, sent),
  ttft_sched: ({ firstToken, scheduled }) => minus(firstToken, scheduled),
  ttfo: ({ firstAnswer, sent }) => minus(firstAnswer, sent),
  tpot: timePerToken,
  e2e: (record) => minus(ended(record), record.sent),
  e2e_sched: (record) => minus(ended(record), record.scheduled),
  user_throughput: (record) => {
    const time = timePerToken(record);
    return time === null || time === 0 ? null : 1 / time;
  },
  output_tokens: ({ outputTokens }) => outputTokens,
  input_tokens: ({ usage }) => usage?.input ?? null,
  tokens_per_chunk: ({ outputTokens, eventCount }) =>
    outputTokens === null || eventCount === 0 ? null : outputTokens / eventCount,
  cached_share: ({ usage }) => (usage?.input && usage.cached !== null ? usage.cached / usage.input : null),
  longest_gap: ({ longestGap }) => longestGap,
};

/** A request's value of a metric `of` requests, in base units; null where it has none. */
export function requestValue(id: MetricId, record: RequestRecord): number | null {
  const value = values[id]?.(record) ?? null;
  return value !== null && Number.isFinite(value) ? value : null;
}

/** Gaps between the token events of a request, in seconds. */
export function gapsOf({ events }: RequestRecord): readonly number[] {
  return events === null ? [] : events.slice(1).map((time, at) => time - events[at]!);
}

/** When the answer was complete: its last token event, without streaming its last byte; null where there is none. */
export function ended({ streamed, lastToken, done }: RequestRecord): number | null {
  return streamed ? lastToken : done;
}

/** Null for one event or where all tokens came with the first: such a request does not get a TPOT of 0 for free. */
function timePerToken({ firstToken, lastToken, outputTokens, firstEventTokens, eventCount }: RequestRecord) {
  if (firstToken === null || lastToken === null || outputTokens === null || eventCount < 2) return null;
  const later = outputTokens - (firstEventTokens ?? 1);
  return later > 0 ? (lastToken - firstToken) / later : null;
}

function minus(end: number | null, start: number | null): number | null {
  return end === null || start === null ? null : end - start;
}
