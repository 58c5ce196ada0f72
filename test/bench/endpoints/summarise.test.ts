import { describe, expect, test } from "@jest/globals";
import type { MetricComparison } from "../../../src/bench/compare/result.js";
import type { EndpointRun, RequestRecord } from "../../../src/bench/endpoints/record.js";
import type { EndpointBenchResult, EndpointSettings } from "../../../src/bench/endpoints/result.js";
import { summariseEndpoints } from "../../../src/bench/endpoints/summarise.js";
import { contextOf, failed, type Noise, record, type Simulated, simulate } from "./simulated-run.js";

const old: Simulated = { label: "old", ttft: 0.2, tpot: 0.02 };

function bench(
  change: Partial<Simulated>,
  {
    noise = {},
    settings = {},
    control = false,
  }: { noise?: Partial<Noise>; settings?: Partial<EndpointSettings>; control?: boolean } = {},
): EndpointBenchResult {
  const targets = [old, ...(control ? [{ ...old, label: "control" }] : []), { ...old, label: "new", ...change }];
  const run = simulate(targets, { rounds: 10, perRound: 12, seed: 3, request: 0.05, round: 0.005, ...noise });
  return summariseEndpoints(
    run,
    contextOf(
      targets.map(({ label }) => label),
      settings,
    ),
  );
}

function comparison(result: EndpointBenchResult, metric: string, statistic = "p50"): MetricComparison {
  return result.comparisons.find(
    (one) => one.metric === metric && one.statistic === statistic && one.candidate === "new",
  )!;
}

const codes = ({ warnings }: EndpointBenchResult) => warnings.map(({ code }) => code);

describe("the verdict on a candidate", () => {
  test("the same speed passes", () => {
    const result = bench({});
    expect(result.verdict).toBe("PASS");
    expect(result.reasons).toEqual([]);
    expect(result.comparisons.filter(({ gated }) => gated).map((one) => `${one.metric} ${one.statistic}`)).toEqual([
      "ttft p50",
      "tpot p50",
      "e2e p50",
      "error_rate value",
    ]);
    expect(comparison(result, "ttft")).toMatchObject({ verdict: "same", pairs: 120, rounds: 10 });
  });

  test("slower tokens fail, and only what is slower", () => {
    const result = bench({ tpot: 0.023 });
    expect(result.verdict).toBe("FAIL");
    expect(comparison(result, "tpot")).toMatchObject({ verdict: "slower", decision: "FAIL" });
    expect(comparison(result, "tpot").estimate).toBeCloseTo(1.15, 1.5);
    expect(comparison(result, "ttft").decision).toBe("PASS");
    expect(result.reasons[0]).toMatch(/^new, 1 user: TPOT p50 worse 1\.1\d\dx$/);
    // throughput sinks with it and is not gated
    expect(comparison(result, "output_throughput", "value")).toMatchObject({ verdict: "slower", gated: false });
  });

  test("faster passes", () => {
    const result = bench({ ttft: 0.15, tpot: 0.015 });
    expect(result.verdict).toBe("PASS");
    expect(comparison(result, "ttft").verdict).toBe("faster");
  });

  test("too much noise is inconclusive and says how much more it takes", () => {
    const result = bench({}, { noise: { round: 0.07, seed: 11 } });
    expect(result.verdict).toBe("INCONCLUSIVE");
    const undecided = result.comparisons.filter(({ gated, decision }) => gated && decision === "INCONCLUSIVE");
    expect(undecided.some(({ more }) => more !== null && more.rounds > 0 && more.pairs >= more.rounds)).toBe(true);
    expect(result.reasons.join()).toMatch(/about \d+ more rounds? \(\d+ pairs\) would decide/);
    expect(result.recommended!.rounds).toBeGreaterThan(10);
  });

  test("an open loop is judged from the scheduled time", () => {
    const gated = bench({}, { noise: { open: true } }).comparisons.filter((one) => one.gated);
    expect(gated.map(({ metric }) => metric)).toEqual(["ttft_sched", "tpot", "e2e_sched", "error_rate"]);
  });

  test("p95 is compared once all requests certify it, and decides once those of every round do", () => {
    expect(comparison(bench({}), "e2e", "p95")).toBeUndefined();
    const some = bench({}, { noise: { perRound: 13 } });
    expect(comparison(some, "e2e", "p95")).toMatchObject({ gated: false, rounds: 10 });
    expect(comparison(some, "e2e", "p50")).toMatchObject({ gated: true });
    const many = bench({}, { noise: { perRound: 130, rounds: 6 } });
    expect(comparison(many, "e2e", "p95")).toMatchObject({ gated: true, rounds: 6 });
    expect(comparison(many, "e2e", "p50")).toMatchObject({ gated: false });
  });

  test("five rounds decide nothing", () => {
    const result = bench({ tpot: 0.04 }, { noise: { rounds: 5 }, settings: { rounds: 5 } });
    expect(result.verdict).toBe("INCONCLUSIVE");
    expect(codes(result)).toContain("few-rounds");
    expect(comparison(result, "tpot").more!.rounds).toBe(1);
  });
});

describe("what is no win", () => {
  test("more cached input", () => {
    const result = bench({ ttft: 0.1, cached: 0.5 });
    expect(result.verdict).toBe("INCONCLUSIVE");
    expect(comparison(result, "ttft")).toMatchObject({ verdict: "inconclusive", decision: "INCONCLUSIVE" });
    expect(comparison(result, "ttft").reasons[0]).toMatch(/50\.0 % of new's input was cached and 0\.0 % of old's/);
    expect(codes(result)).toContain("cached-share-differs");
  });

  test("shorter answers, though tokens still compare", () => {
    const result = bench({ tokens: 15 });
    expect(comparison(result, "e2e").decision).toBe("INCONCLUSIVE");
    expect(comparison(result, "request_throughput", "value").verdict).toBe("inconclusive");
    expect(comparison(result, "tpot").decision).toBe("PASS");
    expect(comparison(result, "ttft").decision).toBe("PASS");
    expect(codes(result)).toContain("output-length-differs");
  });

  test("tokens that are counted in another way", () => {
    const run = simulate([old, { ...old, label: "new", tpot: 0.01 }], { rounds: 10, perRound: 12, seed: 3 });
    const counted = (share: number) => {
      const records = run.records.map((one, at) =>
        one.target === "new" && at % 100 < share ? { ...one, tokenSource: "events" as const } : one,
      );
      return summariseEndpoints({ ...run, records }, contextOf(["old", "new"]));
    };
    expect(comparison(counted(100), "tpot").decision).toBe("INCONCLUSIVE");
    expect(comparison(counted(100), "ttft").decision).toBe("PASS");
    // a few answers without usage change nothing
    expect(comparison(counted(3), "tpot").decision).toBe("PASS");
  });

  test("failing more often", () => {
    const result = bench({ ttft: 0.1, errors: 0.3 });
    expect(result.verdict).toBe("FAIL");
    expect(comparison(result, "error_rate", "value")).toMatchObject({ scale: "difference", verdict: "slower" });
    expect(comparison(result, "ttft")).toMatchObject({ decision: "INCONCLUSIVE", verdict: "not slower" });
    expect(codes(result)).toContain("errors-differ");
  });

  test("a client that could not keep up, whoever looks better", () => {
    const run = simulate([old, { ...old, label: "new", ttft: 0.3 }], { rounds: 10, perRound: 10, seed: 1 });
    const clientLimits = [{ target: "new", point: 0, why: "event loop busy 80 %" }];
    const settings = { gates: ["p50(ttft) < 1ms"] };
    const result = summariseEndpoints(run, contextOf(["old", "new"], settings, { clientLimits }));
    expect(result.verdict).toBe("INCONCLUSIVE");
    expect(result.gates[0]!.decision).toBe("INCONCLUSIVE");
    expect(codes(result)).toContain("client-limited");
  });

  test("a target without any answer fails: nothing was measured", () => {
    const result = bench({ errors: 1.1 });
    expect(result.verdict).toBe("FAIL");
    expect(comparison(result, "ttft")).toMatchObject({ estimate: null, verdict: "missing", decision: "FAIL" });
    expect(comparison(result, "ttft").reasons).toEqual(["new has no TTFT"]);
  });
});

describe("a control", () => {
  test("gives the noise floor and lets pass what is wider", () => {
    const result = bench({}, { control: true, noise: { round: 0.002 } });
    expect(result.noiseFloor!["ttft p50"]).toBeGreaterThan(0);
    expect(result.noiseFloor!["ttft p50"]).toBeLessThan(0.05);
    expect(result.verdict).toBe("PASS");
    expect(result.comparisons.filter(({ candidate }) => candidate === "control").every(({ gated }) => !gated)).toBe(
      true,
    );
  });

  test("refuses a tolerance below the floor, and still fails what is far beyond", () => {
    const settings = { tolerance: 0.005, gates: ["p50(ttft) <= baseline + 0.5%"] };
    const result = bench({ tpot: 0.03 }, { control: true, settings });
    expect(comparison(result, "ttft").decision).toBe("INCONCLUSIVE");
    expect(comparison(result, "ttft").reasons.join()).toMatch(/tolerance of 0\.5 % is tighter than the noise floor of/);
    expect(comparison(result, "tpot").decision).toBe("FAIL");
    expect(result.gates[0]!.why).toMatch(/^refused: it allows 0\.5 %/);
    expect(codes(result)).toContain("noise-floor");
  });
});

describe("gates", () => {
  test("stand beside the comparisons", () => {
    const gates = ["p50(ttft) < 10s", "error_rate < 1%", "p95(ttft) < 1ms", "goodput > 0.01", "cost < $1"];
    const result = bench({}, { settings: { gates, slo: { ttft: 10 } } });
    expect(result.gates.map(({ decision }) => decision)).toEqual(["PASS", "PASS", "INCONCLUSIVE", "PASS", "FAIL"]);
    expect(result.gates[2]!.why).toBe("p95 needs 130 samples, there are 120");
    expect(result.gates[4]!.why).toBe("there is no data");
    expect(result.verdict).toBe("FAIL");
  });

  test("judge the only target of a run", () => {
    const run = simulate([old], { rounds: 8, perRound: 10, seed: 1 });
    const context = contextOf(["old"], { gates: ["p50(ttft) < 1s", "p50(ttft) < 2 * baseline"] });
    expect(summariseEndpoints(run, context).gates.map(({ decision, why }) => [decision, why])).toEqual([
      ["PASS", "the whole interval lies within the limit"],
      ["FAIL", "there is no baseline"],
    ]);
    expect(summariseEndpoints(run, contextOf(["old"]))).toMatchObject({
      verdict: "PASS",
      reasons: ["nothing is compared and no gate is set"],
    });
  });
});

describe("a summary", () => {
  const block = (start: number, end: number): EndpointRun["blocks"][number] => ({
    target: "old",
    point: 0,
    round: 0,
    start: 0,
    end: 100,
    window: { start, end },
    client: { cpu: 0, eventLoop: 0, lag: { p50: 0, p99: 0, max: 0 }, sendDelay: null },
  });
  const summary = (
    records: readonly RequestRecord[],
    settings: Partial<EndpointSettings> = {},
    window = block(10, 20),
  ) =>
    summariseEndpoints(
      { points: [{ kind: "closed", concurrency: 4 }], blocks: [window], records, stopped: null },
      contextOf(["old"], settings, { rates: { old: { hit: 1, miss: 2, output: 10 } } }),
    ).summaries[0]!;
  /** 11 tokens, one a second from that time on. */
  const stream = (first: number, change: Partial<RequestRecord> = {}) =>
    record({ sent: first - 1, events: Array.from({ length: 11 }, (_, at) => first + at), ...change });

  test("counts tokens when they arrive in the window, of the warm-up and of requests cut off too", () => {
    const { values } = summary([
      stream(5), // 10 .. 15 lie inside: 6 tokens
      stream(12, { warmUp: true }), // 12 .. 20: 9 tokens
      stream(15, { error: { kind: "cancelled", message: "" }, outputTokens: null, usage: null }), // 15 .. 20: 6 tokens
      stream(30),
    ]);
    expect(values.output_throughput).toBeCloseTo(21 / 10, 12);
    // only the first ends inside
    expect(values.request_throughput).toBeCloseTo(1 / 10, 12);
    // only the second, not the one without usage, begins to answer inside
    expect(values.input_throughput).toBeCloseTo(100 / 10, 12);
  });

  test("spreads tokens evenly where events were not kept", () => {
    // 5 .. 15 with 11 tokens, half of the time inside
    expect(
      summary([stream(5, { events: null, firstToken: 5, lastToken: 15, eventCount: 11, outputTokens: 11 })]).values,
    ).toMatchObject({ output_throughput: expect.closeTo(0.55, 12) });
  });

  test("goodput wants every limit met, by requests that have the metric", () => {
    const slo = { ttft: 1.5, tpot: 1.2 };
    const { values } = summary(
      [
        stream(8),
        stream(8, { sent: 6 }), // TTFT 2 s
        stream(9, { outputTokens: 1 }), // no TPOT
        stream(9, { error: { kind: "truncated", message: "" } }),
      ],
      { slo },
    );
    expect(values.goodput).toBeCloseTo(0.1, 12);
    expect(summary([stream(8)]).values.goodput).toBeUndefined();
  });

  test("counts errors by kind and leaves out what the run itself cut off", () => {
    const made = summary([
      stream(10),
      stream(10, failed),
      stream(10, { ...failed, error: { kind: "stalled", message: "" }, retries: 2 }),
      stream(10, { error: { kind: "cancelled", message: "" } }),
      stream(10, { ...failed, warmUp: true }),
    ]);
    expect(made).toMatchObject({
      requests: 3,
      succeeded: 1,
      errors: { "http-5xx": 1, stalled: 1 },
      retries: 2,
      warmUpRequests: 1,
    });
    expect(made.values.error_rate).toBeCloseTo(2 / 3, 12);
    expect(made.errorAdjusted.ttft!.p50).toBe(Number.POSITIVE_INFINITY);
    expect(made.metrics.ttft!.p50).toBe(1);
  });

  test("cost charges cached input at its own rate, for 1,000 requests", () => {
    const usage = { input: 1000, output: 100, cached: 400, reasoning: 0 };
    // (400 * 1 + 600 * 2 + 100 * 10) / 1e6 dollars each
    expect(summary([stream(10, { usage })]).values.cost).toBeCloseTo(2.6, 12);
    expect(summary([stream(10, { usage: null })]).values.cost).toBeUndefined();
  });

  test("what nobody counted has no throughput", () => {
    const { values } = summary([stream(10, { usage: null, outputTokens: null, tokenSource: null })]);
    expect(values.output_throughput).toBeUndefined();
    expect(values.total_throughput).toBeUndefined();
    expect(values.request_throughput).toBeCloseTo(0.1, 12);
  });

  test("no requests at all break nothing", () => {
    expect(summary([])).toMatchObject({ requests: 0, metrics: {}, tokenSource: null });
  });
});

describe("warnings", () => {
  const warned = (change: Partial<RequestRecord>, all: Partial<Simulated> = {}) => {
    const run = simulate([{ ...old, ...all }], { rounds: 6, perRound: 5, seed: 1 });
    return codes(
      summariseEndpoints({ ...run, records: run.records.map((one) => ({ ...one, ...change })) }, contextOf(["old"])),
    );
  };

  test.each([
    ["no-usage", { tokenSource: "events", usage: null }],
    ["several-tokens-a-chunk", { outputTokens: 60 }],
    ["tokens-disagree", { tokenSource: "tokenizer", outputTokens: 30 }],
    ["retries", { retries: 1 }],
  ] as const)("%s", (code, change) => {
    expect(warned(change)).toContain(code);
    expect(warned({})).not.toContain(code);
  });

  test("what a run was ended before is not held against anybody; what failed until then is", () => {
    const run = simulate([old, { ...old, label: "new" }], { rounds: 8, perRound: 12, seed: 1 });
    const cut = run.records.filter(({ target }) => target === "old");
    const verdictOf = (records: readonly RequestRecord[]) =>
      summariseEndpoints({ ...run, records, stopped: "interrupted" }, contextOf(["old", "new"])).verdict;
    expect(verdictOf(cut)).toBe("INCONCLUSIVE");
    expect(verdictOf([...cut, { ...cut[0]!, ...failed, target: "new", warmUp: true }])).toBe("FAIL");
  });

  test("a single endpoint that the client could not follow passes nothing", () => {
    const run = simulate([old], { rounds: 6, perRound: 20, seed: 1 });
    const limits = [{ target: "old", point: 0, why: "busy" }];
    expect(summariseEndpoints(run, contextOf(["old"])).verdict).toBe("PASS");
    expect(summariseEndpoints(run, { ...contextOf(["old"]), clientLimits: limits }).verdict).toBe("INCONCLUSIVE");
  });

  test("a share of cached input is over all tokens, not over requests", () => {
    const run = simulate([old], { rounds: 6, perRound: 20, seed: 1 });
    const records = run.records.map((one, at) => {
      const usage = at % 2 === 0 ? { input: 100, cached: 0 } : { input: 300, cached: 150 };
      return { ...one, usage: { ...one.usage!, ...usage } };
    });
    const [summary] = summariseEndpoints({ ...run, records }, contextOf(["old"])).summaries;
    expect(summary!.values.cached_share).toBeCloseTo(0.375, 6);
  });

  test("tokens counted in two ways ask for what would help", () => {
    const run = simulate([old, { ...old, label: "new" }], { rounds: 8, perRound: 12, seed: 1 });
    const told = (of: string, from: "usage" | "tokenizer" | "events") => (one: RequestRecord) =>
      one.target === of ? { ...one, tokenSource: from } : one;
    const advice = (from: "usage" | "tokenizer") =>
      summariseEndpoints(
        { ...run, records: run.records.map(told("old", "events")).map(told("new", from)) },
        contextOf(["old", "new"]),
      ).warnings.find(({ code }) => code === "tokens-disagree")!.message;
    expect(advice("usage")).toMatch(/have both send their usage/);
    expect(advice("tokenizer")).toMatch(/give a tokenizer \(--tokenizer\)/);
  });

  test("an answer that comes all at once is not streaming", () => {
    expect(warned({}, { tokens: 40, tpot: 0.0001 })).toContain("not-streaming");
  });

  test("a rate that was not reached", () => {
    const run = simulate([old], { rounds: 6, perRound: 20, seed: 1, open: true });
    const late = run.records.map((one) => ({ ...one, scheduled: one.sent * 0.8 }));
    const result = summariseEndpoints({ ...run, records: late }, contextOf(["old"]));
    expect(result.summaries[0]!.achievedRate).toBeCloseTo(0.8, 6);
    expect(codes(result)).toContain("rate-not-reached");
  });

  test("an early end", () => {
    const run = simulate([old], { rounds: 6, perRound: 5, seed: 1 });
    expect(codes(summariseEndpoints({ ...run, stopped: "Ctrl-C" }, contextOf(["old"])))).toContain("stopped");
  });
});
