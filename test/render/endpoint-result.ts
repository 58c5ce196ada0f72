import { distributionOf, errorAdjusted } from "../../src/bench/compare/distribution.js";
import type { Distribution, GateResult, MetricComparison } from "../../src/bench/compare/result.js";
import type { Block, ErrorKind, LoadPoint, RequestRecord } from "../../src/bench/endpoints/record.js";
import type { EndpointBenchResult, PointSummary, ShownTarget } from "../../src/bench/endpoints/result.js";
import type { MetricId } from "../../src/bench/metrics.js";
import { gapsOf, requestMetrics, requestValue } from "../../src/bench/metrics-table.js";
import { normal, uniform } from "../../src/data/random.js";
import { someEnvironment } from "../bench/environment.js";

/** How a made-up endpoint behaves; times in seconds. */
interface Behaviour {
  readonly ttft: number;
  readonly gap: number;
  readonly errors: number;
  readonly cached: number;
}

const rounds = 6;
const perBlock = [10, 26, 130];
const points: readonly LoadPoint[] = [1, 4, 16].map((concurrency) => ({ kind: "closed", concurrency }));

function target(label: string, role: ShownTarget["role"], model: string): ShownTarget {
  return {
    label,
    role,
    url: "http://localhost:8000/v1",
    protocol: "chat",
    model,
    body: {},
    stream: true,
    http2: "auto",
    authorized: true,
    headers: ["x-team: ***"],
  };
}

function measure(targets: readonly string[], behaviours: readonly Behaviour[], seed: number) {
  const noise = normal(seed);
  const chance = uniform(seed + 1);
  const records: RequestRecord[] = [];
  const blocks: Block[] = [];
  let now = 10;
  for (const [point, load] of points.entries()) {
    const users = load.kind === "closed" ? load.concurrency : 1;
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? [0, 1] : [1, 0];
      for (const at of order.filter((one) => one < targets.length)) {
        const { ttft, gap, errors, cached } = behaviours[at]!;
        const free = new Array<number>(users).fill(now);
        const start = now;
        for (let request = 0; request < perBlock[point]!; request++) {
          const slot = request % users;
          const sent = free[slot]!;
          const slow = 1 + 0.035 * users;
          const first = sent + ttft * slow * Math.exp(0.12 * noise()) * (chance() < 0.02 ? 1.8 : 1);
          const tokens = 12 + Math.floor(chance() * 12);
          const events: number[] = [first];
          for (let one = 1; one < tokens; one++) events.push(events.at(-1)! + gap * slow * Math.exp(0.25 * noise()));
          const failed = chance() < errors;
          const kind: ErrorKind = chance() < 0.6 ? "rate-limited" : chance() < 0.5 ? "reset" : "http-5xx";
          const warmUp = request < users;
          const done = failed ? sent + 0.02 : events.at(-1)! + 0.001;
          free[slot] = done + 0.002;
          records.push({
            sent,
            firstSent: sent,
            firstByte: sent + 0.01,
            firstAnswer: failed ? null : first,
            done,
            streamed: true,
            bytes: failed ? 90 : tokens * 180,
            usage: failed ? null : { input: 512, output: tokens, cached: Math.round(512 * cached), reasoning: null },
            outputTokens: failed ? null : tokens,
            tokenSource: failed ? null : "usage",
            firstEventTokens: null,
            finish: failed ? null : "stop",
            status: failed ? (kind === "rate-limited" ? 429 : 503) : 200,
            error: failed ? { kind, message: `${kind} <b>from</b> "server"` } : null,
            retries: 0,
            protocol: "chat",
            http: "1.1",
            reused: request >= users,
            firstToken: failed ? null : first,
            lastToken: failed ? null : events.at(-1)!,
            eventCount: failed ? 0 : tokens,
            longestGap: null,
            events: failed ? null : events,
            target: targets[at]!,
            point,
            round,
            slot,
            prompt: `p${request}`,
            turn: 0,
            scheduled: null,
            warmUp,
          });
        }
        const end = Math.max(...free);
        blocks.push({
          target: targets[at]!,
          point,
          round,
          start,
          end,
          window: { start: start + 0.1, end: end - 0.1 },
          client: {
            cpu: 0.02 * users ** 0.5 + 0.01 * chance(),
            eventLoop: 0.018 * users ** 0.5,
            lag: { p50: 0.0001, p99: 0.0011 + 0.0005 * chance(), max: 0.004 },
            sendDelay: null,
          },
        });
        now = end + 0.2;
      }
    }
  }
  return { records, blocks };
}

function summarise(
  records: readonly RequestRecord[],
  blocks: readonly Block[],
  label: string,
  point: number,
): PointSummary {
  const own = records.filter((record) => record.target === label && record.point === point);
  const counted = own.filter(({ warmUp }) => !warmUp);
  const good = counted.filter(({ error }) => !error);
  const errors: Partial<Record<ErrorKind, number>> = {};
  for (const { error } of counted) if (error) errors[error.kind] = (errors[error.kind] ?? 0) + 1;
  const metrics: Partial<Record<MetricId, Distribution>> = {};
  const put = (id: MetricId, values: readonly number[]) => {
    const summed = distributionOf(values);
    if (summed) metrics[id] = summed;
  };
  for (const id of requestMetrics) {
    put(
      id,
      good.flatMap((record) => requestValue(id, record) ?? []),
    );
  }
  put("itl", good.flatMap(gapsOf));
  const seconds = blocks
    .filter((block) => block.target === label && block.point === point)
    .reduce((sum, { window }) => sum + window.end - window.start, 0);
  const tokens = good.reduce((sum, { outputTokens }) => sum + outputTokens!, 0);
  const ttft = good.map((record) => requestValue("ttft", record)!);
  const adjusted = errorAdjusted(ttft, counted.length - good.length);
  return {
    target: label,
    point,
    requests: counted.length,
    succeeded: good.length,
    errors,
    retries: label === "new" && point === 2 ? 3 : 0,
    warmUpRequests: own.length - counted.length,
    tokenSource: "usage",
    metrics,
    errorAdjusted: adjusted ? { ttft: adjusted } : {},
    values: {
      request_throughput: good.length / seconds,
      output_throughput: tokens / seconds,
      input_throughput: (good.length * 512) / seconds,
      total_throughput: (tokens + good.length * 512) / seconds,
      goodput: good.filter((record) => requestValue("ttft", record)! < 0.5).length / seconds,
      error_rate: 1 - good.length / counted.length,
      cost: label === "new" ? 0.1582 : 0.1727,
    },
    achievedRate: null,
  };
}

type Judged = readonly [
  metric: MetricId,
  statistic: MetricComparison["statistic"],
  point: string,
  estimate: number | null,
  low: number | null,
  high: number | null,
  verdict: MetricComparison["verdict"],
  gated: boolean,
];

const judged: readonly Judged[] = [
  ["ttft", "p50", "1 user", 1.097, 1.061, 1.135, "slower", true],
  ["tpot", "p50", "1 user", 1.003, 0.99, 1.017, "same", true],
  ["e2e", "p95", "1 user", null, null, null, "missing", false],
  ["ttft", "p50", "4 users", 1.101, 1.078, 1.125, "slower", true],
  ["tpot", "p50", "4 users", 0.999, 0.985, 1.013, "same", true],
  ["e2e", "p95", "4 users", 1.021, 0.961, 1.084, "inconclusive", true],
  ["ttft", "p50", "16 users", 1.103, 1.089, 1.117, "slower", true],
  ["tpot", "p50", "16 users", 1.001, 0.994, 1.008, "same", true],
  ["e2e", "p95", "16 users", 0.968, 0.921, 1.012, "not slower", true],
  ["output_throughput", "value", "16 users", 0.981, 0.962, 1.001, "same", false],
  ["itl", "p99", "16 users", 0.91, 0.88, 0.94, "faster", false],
];

function comparisons(): MetricComparison[] {
  const rows = judged.map(([metric, statistic, point, estimate, lower, upper, verdict, gated]): MetricComparison => {
    const decision =
      verdict === "slower" || verdict === "missing" ? "FAIL" : verdict === "inconclusive" ? "INCONCLUSIVE" : "PASS";
    return {
      metric,
      statistic,
      candidate: "new",
      baseline: "old",
      point,
      estimate,
      scale: "ratio",
      interval: lower === null || upper === null ? null : { lower, upper, coverage: 0.95 },
      pairs: estimate === null ? 0 : 54,
      rounds,
      pValue: estimate === null ? null : 0.03125,
      adjustedPValue: estimate === null || !gated ? null : 0.1875,
      cliffsDelta: estimate === null ? null : 0.31,
      verdict,
      gated,
      decision,
      more: verdict === "inconclusive" ? { rounds: 4, pairs: 96 } : null,
      reasons: verdict === "missing" ? ["needs 130 requests each, has 54"] : [],
    };
  });
  const share = { metric: "error_rate", statistic: "value", scale: "difference", estimate: 0.018 } as const;
  const interval = { lower: -0.002, upper: 0.031, coverage: 0.95 };
  return [
    ...rows,
    { ...rows[6]!, ...share, interval, verdict: "inconclusive", decision: "INCONCLUSIVE", gated: false },
  ];
}

const gates: readonly GateResult[] = [
  {
    text: "p95(ttft) < 400ms",
    target: "new",
    point: "16 users",
    measured: 0.372,
    limit: 0.4,
    interval: { lower: 0.36, upper: 0.389, coverage: 0.95 },
    decision: "PASS",
    why: "the whole interval is below the limit",
  },
  {
    text: "output_throughput >= 0.95 * baseline",
    target: "new",
    point: "16 users",
    measured: 801,
    limit: 777,
    interval: { lower: 770, upper: 830, coverage: 0.95 },
    decision: "INCONCLUSIVE",
    why: "the interval holds the limit",
  },
  {
    text: "p99(ttft) < 500ms",
    target: "new",
    point: "1 user",
    measured: null,
    limit: 0.5,
    interval: null,
    decision: "FAIL",
    why: "p99 needs 662 requests, there are 54",
  },
];

/** A result as a user gets it: two targets, three loads, errors, warnings, gates, each verdict. */
export function endpointResult(change: Partial<EndpointBenchResult> = {}): EndpointBenchResult {
  const targets = [target("old", "baseline", "deepseek-v3"), target("new", "candidate", "deepseek-v3.1")];
  const { records, blocks } = measure(
    ["old", "new"],
    [
      { ttft: 0.18, gap: 0.012, errors: 0.004, cached: 0.5 },
      { ttft: 0.198, gap: 0.012, errors: 0.02, cached: 0.51 },
    ],
    7,
  );
  return {
    schema: "deepseek/bench-endpoints@1",
    started: "2026-11-25T10:00:00.000Z",
    environment: someEnvironment,
    settings: {
      rounds,
      seconds: null,
      requests: 130,
      tolerance: 0.05,
      confidence: 0.95,
      seed: 1,
      control: true,
      inconclusiveFails: false,
      slo: { ttft: 0.5, tpot: 0.05 },
      gates: gates.map(({ text }) => text),
    },
    targets,
    workload: {
      source: "synthetic in=512,out=18",
      sha256: "c0ffee00".repeat(8),
      prompts: 130,
      turns: 1,
      seed: 1,
      uniquePrefixes: true,
      characters: distributionOf(Array.from({ length: 130 }, (_, at) => 2000 + at))!,
    },
    points,
    summaries: points.flatMap((_, point) => targets.map(({ label }) => summarise(records, blocks, label, point))),
    comparisons: comparisons(),
    gates,
    verdict: "FAIL",
    reasons: ["TTFT p50 is slower at 1 user, 4 users and 16 users", "a gate failed: p99(ttft) < 500ms"],
    noiseFloor: { "ttft p50": 0.012, "tpot p50": 0.006 },
    saturation: [{ target: "new", point: 2, why: "4 times the users brought 3.1 times the tokens" }],
    prices: [{ target: "new", source: "list price of V3.1", date: "2026-09-05" }],
    formulas: { ttft: "first token event - sent", tpot: "(last - first token event) / (output tokens - 1)" },
    warnings: [
      { code: "errors-differ", message: "new: 2.0 % of its requests failed, of old's 0.4 %; look at its log first" },
      { code: "few-samples", message: "1 user: 54 requests are too few for p95; use --requests 200" },
    ],
    raw: { blocks, records },
    ...change,
  };
}
