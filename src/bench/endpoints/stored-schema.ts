import { z } from "zod";

/*
 * The part of a stored result that comparing it reads, for zod; other fields ride along. Kept apart because zod is only
 * loaded for this.
 */

const number = z.number();
const maybe = z.number().nullable();
const count = z.int().min(0);
const text = z.string().max(100_000);

const token = z.enum(["usage", "tokenizer", "events"]);

const record = z.looseObject({
  sent: number,
  firstSent: number,
  firstByte: maybe,
  firstToken: maybe,
  lastToken: maybe,
  eventCount: count,
  longestGap: maybe,
  events: z.array(number).nullable(),
  firstAnswer: maybe,
  done: number,
  streamed: z.boolean(),
  usage: z.looseObject({ input: maybe, output: maybe, cached: maybe, reasoning: maybe }).nullable(),
  outputTokens: maybe,
  tokenSource: token.nullable(),
  firstEventTokens: maybe,
  error: z.looseObject({ kind: text, message: text }).nullable(),
  retries: count,
  target: text,
  point: count,
  round: count,
  slot: count,
  prompt: text,
  turn: count,
  scheduled: maybe,
  warmUp: z.boolean(),
});

const block = z.looseObject({
  target: text,
  point: count,
  round: count,
  start: number,
  end: number,
  window: z.looseObject({ start: number, end: number }),
});

const load = z.union([
  z.looseObject({ kind: z.literal("closed"), concurrency: z.int().min(1) }),
  z.looseObject({
    kind: z.literal("open"),
    rate: z.number().positive(),
    arrival: z.enum(["constant", "poisson", "gamma", "trace"]),
    burstiness: maybe,
    maxConcurrency: maybe,
  }),
]);

/** The schema, made when it is asked for. */
export function storedResult() {
  return z.looseObject({
    schema: z.literal("deepseek/bench-endpoints@1"),
    started: text,
    environment: z.looseObject({
      node: text,
      platform: text,
      cpu: text,
      cores: count,
      cpuFlags: z.array(text).nullable(),
      memoryBytes: number,
      loadAverage: maybe,
    }),
    settings: z.looseObject({
      rounds: count,
      tolerance: number,
      confidence: number,
      seed: number,
      slo: z.record(z.string(), number),
    }),
    targets: z
      .array(z.looseObject({ label: text, role: z.enum(["baseline", "candidate", "control"]), url: text, model: text }))
      .min(1),
    workload: z.looseObject({ source: text, sha256: text, prompts: count }),
    points: z.array(load).min(1),
    warnings: z.array(z.looseObject({ code: text, message: text })),
    raw: z.looseObject({ blocks: z.array(block), records: z.array(record) }),
  });
}
