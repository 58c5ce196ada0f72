import type { EndpointContext } from "../../../src/bench/endpoints/matches.js";
import type { Block, EndpointRun, LoadPoint, RequestRecord } from "../../../src/bench/endpoints/record.js";
import type { EndpointSettings, ShownTarget } from "../../../src/bench/endpoints/result.js";
import { normal, uniform } from "../../../src/data/random.js";
import { someEnvironment } from "../environment.js";

/** A request that was sent at 0, answered with 11 tokens from 0.5 s on, one every 0.02 s. */
export function record(change: Partial<RequestRecord> = {}): RequestRecord {
  const events = change.events ?? Array.from({ length: 11 }, (_, at) => (change.sent ?? 0) + 0.5 + at * 0.02);
  const sent = change.sent ?? 0;
  return {
    sent,
    firstSent: sent,
    firstByte: sent + 0.01,
    firstToken: events[0] ?? null,
    lastToken: events.at(-1) ?? null,
    eventCount: events.length,
    longestGap: events.length < 2 ? null : Math.max(...events.slice(1).map((time, at) => time - events[at]!)),
    events,
    firstAnswer: events[0] ?? null,
    done: (events.at(-1) ?? sent) + 0.001,
    streamed: true,
    bytes: 1000,
    usage: { input: 100, output: events.length, cached: 0, reasoning: 0 },
    outputTokens: events.length,
    tokenSource: "usage",
    firstEventTokens: null,
    finish: "stop",
    status: 200,
    error: null,
    retries: 0,
    protocol: "chat",
    http: "1.1",
    reused: true,
    target: "old",
    point: 0,
    round: 0,
    slot: 0,
    prompt: "p0",
    turn: 0,
    scheduled: null,
    warmUp: false,
    ...change,
  };
}

export const failed: Partial<RequestRecord> = {
  error: { kind: "http-5xx", message: "500" },
  events: [],
  firstToken: null,
  lastToken: null,
  eventCount: 0,
  outputTokens: null,
  tokenSource: null,
  usage: null,
};

/** How a simulated target answers. */
export interface Simulated {
  readonly label: string;
  /** Seconds, before noise. */
  readonly ttft: number;
  readonly tpot: number;
  readonly tokens?: number;
  /** Share of requests that fail. */
  readonly errors?: number;
  readonly cached?: number;
}

export interface Noise {
  readonly rounds: number;
  readonly perRound: number;
  readonly seed: number;
  /** Standard deviation of ln(time) from request to request. */
  readonly request?: number;
  /** The same from round to round and target to target: what pairs do not take out. */
  readonly round?: number;
  readonly open?: boolean;
}

/** Runs targets in rounds, one after the other, in alternating order, a block of `perRound` requests each. */
export function simulate(targets: readonly Simulated[], noise: Noise): EndpointRun {
  const { rounds, perRound, seed, request = 0.1, round: between = 0.01, open = false } = noise;
  const chance = normal(seed);
  const share = uniform(seed + 1);
  const records: RequestRecord[] = [];
  const blocks: Block[] = [];
  let now = 0;
  for (let round = 0; round < rounds; round++) {
    const difficulty = Array.from({ length: perRound }, () => Math.exp(0.5 * chance()));
    for (const target of round % 2 === 0 ? targets : [...targets].reverse()) {
      const speed = Math.exp(between * chance());
      const start = now;
      for (let slot = 0; slot < perRound; slot++) {
        const sent = now;
        const first = sent + target.ttft * difficulty[slot]! * speed * Math.exp(request * chance());
        const gap = target.tpot * speed * Math.exp(request * chance());
        const tokens = target.tokens ?? 21;
        const events = Array.from({ length: tokens }, (_, at) => first + at * gap);
        const isFailed = share() < (target.errors ?? 0);
        const cached = Math.round((target.cached ?? 0) * 100);
        records.push(
          record({
            sent,
            events,
            target: target.label,
            round,
            slot,
            prompt: `p${slot}`,
            scheduled: open ? sent : null,
            usage: { input: 100, output: tokens, cached, reasoning: 0 },
            ...(isFailed ? failed : {}),
          }),
        );
        now = events.at(-1)!;
      }
      const client = { cpu: 0.1, eventLoop: 0.1, lag: { p50: 0, p99: 0, max: 0 }, sendDelay: null };
      blocks.push({ target: target.label, point: 0, round, start, end: now, window: { start, end: now }, client });
    }
  }
  const point: LoadPoint = open
    ? { kind: "open", rate: 2, arrival: "poisson", burstiness: null, maxConcurrency: null }
    : { kind: "closed", concurrency: 1 };
  return { points: [point], blocks, records, stopped: null };
}

function shownTarget(label: string, role: ShownTarget["role"]): ShownTarget {
  return {
    label,
    role,
    url: "http://localhost:1/v1",
    protocol: "chat",
    model: "deepseek-chat",
    headers: [],
    body: {},
    stream: true,
    http2: "auto",
    authorized: false,
  };
}

export function contextOf(
  labels: readonly string[],
  settings: Partial<EndpointSettings> = {},
  change: Partial<EndpointContext> = {},
): EndpointContext {
  const role = (label: string, at: number) => (label === "control" ? "control" : at === 0 ? "baseline" : "candidate");
  return {
    started: "2026-11-25T12:00:00.000Z",
    environment: someEnvironment,
    settings: {
      rounds: 10,
      seconds: null,
      requests: 20,
      tolerance: 0.05,
      confidence: 0.95,
      seed: 1,
      control: labels.includes("control"),
      inconclusiveFails: false,
      slo: {},
      gates: [],
      ...settings,
    },
    targets: labels.map((label, at) => shownTarget(label, role(label, at))),
    workload: {
      source: "prompts.jsonl",
      sha256: "ab",
      prompts: 20,
      turns: 1,
      seed: 1,
      uniquePrefixes: true,
      characters: { count: 20, mean: 5, min: 5, max: 5, sd: 0, p50: 5, p90: null, p95: null, p99: null, p999: null },
    },
    prices: null,
    saturation: null,
    rates: {},
    clientLimits: [],
    ...change,
  };
}
