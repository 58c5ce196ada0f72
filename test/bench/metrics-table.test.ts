import { describe, expect, test } from "@jest/globals";
import { gapsOf, metrics, requestValue } from "../../src/bench/metrics-table.js";
import { record } from "./endpoints/simulated-run.js";

describe("metrics of a request", () => {
  const usual = record({ sent: 10, scheduled: 9.5 });

  test.each([
    ["ttft", 0.5],
    ["ttft_sched", 1],
    ["tpot", 0.02],
    ["e2e", 0.7],
    ["e2e_sched", 1.2],
    ["user_throughput", 50],
    ["tokens_per_chunk", 1],
    ["longest_gap", 0.02],
  ] as const)("%s", (metric, expected) => {
    expect(requestValue(metric, usual)).toBeCloseTo(expected, 9);
  });

  test("TPOT leaves out the tokens of the first event and counts several in one", () => {
    // 31 tokens in 11 events over 0.2 s, 11 of them in the first
    expect(requestValue("tpot", record({ outputTokens: 31, firstEventTokens: 11 }))).toBeCloseTo(0.2 / 20, 12);
    expect(requestValue("tpot", record({ outputTokens: 31 }))).toBeCloseTo(0.2 / 30, 12);
    expect(requestValue("tokens_per_chunk", record({ outputTokens: 31 }))).toBeCloseTo(31 / 11, 12);
  });

  test("one event or one token is no TPOT of 0", () => {
    expect(requestValue("tpot", record({ events: [0.5], outputTokens: 40 }))).toBeNull();
    expect(requestValue("tpot", record({ outputTokens: 1 }))).toBeNull();
    expect(requestValue("tpot", record({ outputTokens: 8, firstEventTokens: 8 }))).toBeNull();
  });

  test("reasoning comes before the first answer", () => {
    expect(requestValue("ttfo", record({ firstAnswer: 0.6 }))).toBeCloseTo(0.6, 12);
    expect(requestValue("ttfo", record({ firstAnswer: null }))).toBeNull();
  });

  test("an answer that does not stream has an end and no first token", () => {
    const whole = record({ streamed: false, events: [], done: 0.9 });
    expect(requestValue("e2e", whole)).toBeCloseTo(0.9, 12);
    expect(requestValue("ttft", whole)).toBeNull();
    expect(requestValue("tpot", whole)).toBeNull();
    expect(requestValue("longest_gap", whole)).toBeNull();
  });

  test("what the server does not say is unknown, not 0", () => {
    expect(requestValue("cached_share", record({ usage: null }))).toBeNull();
    const usage = { input: 200, output: 11, cached: 50, reasoning: null };
    expect(requestValue("cached_share", record({ usage }))).toBe(0.25);
    expect(requestValue("cached_share", record({ usage: { ...usage, cached: null } }))).toBeNull();
    expect(gapsOf(record({ events: null }))).toEqual([]);
  });

  test("every metric says what it is", () => {
    for (const [id, metric] of Object.entries(metrics)) {
      expect(metric.id).toBe(id);
      expect(metric.formula.length).toBeGreaterThan(5);
    }
  });
});
