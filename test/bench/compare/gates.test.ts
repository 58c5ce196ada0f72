import { describe, expect, test } from "@jest/globals";
import { parseGate } from "../../../src/bench/compare/gates.js";
import { type GateCase, judgeGate, type Measured } from "../../../src/bench/compare/judge-gates.js";

describe("a gate reads", () => {
  test.each([
    ["p95(ttft) < 400ms", "ttft", "p95", "<", 0, 0.4],
    ["P99.9( e2e )<=2s", "e2e", "p999", "<=", 0, 2],
    ["throughput >= 0.95 * baseline", "output_throughput", "value", ">=", 0.95, 0],
    ["output_throughput > baseline", "output_throughput", "value", ">", 1, 0],
    ["p50(tpot) <= baseline + 5%", "tpot", "p50", "<=", 1.05, 0],
    ["p50(tpot) <= baseline * 1.1", "tpot", "p50", "<=", 1.1, 0],
    ["median(ttft) <= baseline + 20 ms", "ttft", "p50", "<=", 1, 0.02],
    ["error_rate < 1%", "error_rate", "value", "<", 0, 0.01],
    ["error_rate <= baseline + 1%", "error_rate", "value", "<=", 1, 0.01],
    ["goodput >= 2/s", "goodput", "value", ">=", 0, 2],
    ["total_throughput > 1500 tok/s", "total_throughput", "value", ">", 0, 1500],
    ["cost < $0.5", "cost", "value", "<", 0, 0.5],
    ["mean(itl) < 900us", "itl", "mean", "<", 0, 0.0009],
  ] as const)("%s", (text, metric, statistic, operator, factor, offset) => {
    const gate = parseGate(text, "endpoints");
    expect(gate).toMatchObject({ text, metric, statistic, operator });
    expect(gate.factor).toBeCloseTo(factor, 12);
    expect(gate.offset).toBeCloseTo(offset, 12);
  });

  test.each([
    ["p50(cpu) <= 1.05 * baseline", "cpu", "p50", 1.05, 0],
    ["cpu <= 1.05 * baseline", "cpu", "p50", 1.05, 0],
    ["throughput >= 10 runs/s", "throughput", "p50", 0, 10],
    ["drop < 1%", "drop", "value", 0, 0.01],
    ["size <= .26 * baseline", "size", "value", 0.26, 0],
    ["peak_memory < 500MB", "peak_memory", "p50", 0, 5e8],
  ] as const)("%s of models", (text, metric, statistic, factor, offset) => {
    expect(parseGate(text, "models")).toMatchObject({ metric, statistic, factor, offset });
  });

  test.each([
    ["p95(latency) < 1s", /there is no metric "latency"; there are ttft, .*error_rate/],
    ["p95(cpu) < 1s", /there is no metric "cpu"; there are ttft/],
    ["p95(ttft) ~ 400ms", /expected <, <=, > or >= at character 11, found "~ 400ms"/],
    ["p95(ttft) <", /expected a number with its unit, or "baseline" at character 12, found the end/],
    ["p95(ttft) < 400", /"400" is no limit for TTFT; its units are s, ms, us/],
    ["p95(ttft) < 400MB", /"400MB" is no limit for TTFT/],
    ["p95(ttft) < 400ms twice", /expected nothing more at character 19/],
    ["p95(ttft < 400ms", /expected "\)" at character 10/],
    ["ttft < 400ms", /say which, as in p50\(ttft\)/],
    ["p97(ttft) < 400ms", /there is no "p97"; there are p50/],
    ["p95(goodput) > 1", /has one value; write "goodput"/],
    ["", /expected a metric, or p95\(metric\) at character 1, found the end/],
    ["p95(constructor) < 1s", /there is no metric "constructor"/],
    ["constructor(ttft) < 1s", /there is no "constructor"/],
    ["p95(ttft) < 4constructor", /"4constructor" is no limit/],
    ["p95(ttft) < -1s", /expected a number/],
  ])("%p is refused in one line", (text, message) => {
    expect(() => parseGate(text, "endpoints")).toThrow(message);
  });
});

describe("a gate is judged", () => {
  const options = { confidence: 0.95, seed: 1 };
  /** Ten rounds whose values lie within 10 % around that one. */
  const around = (value: number, samples: number | null = 200): Measured => ({
    value,
    samples,
    drawn: (counts) => {
      const spread = [-0.1, 0.1, 0, 0.05, -0.05, 0.02, -0.02, 0.08, -0.08, 0];
      return value * (1 + counts.reduce((sum, times, at) => sum + times * spread[at]!, 0) / 10);
    },
  });
  const judge = (text: string, change: Partial<GateCase> = {}) =>
    judgeGate(
      parseGate(text, "endpoints"),
      {
        target: "new",
        point: "1 user",
        candidate: around(0.4),
        baseline: around(0.38),
        ratio: null,
        rounds: 10,
        floor: null,
        doubts: [],
        relativeDoubts: [],
        ...change,
      },
      options,
    );

  test("by the whole interval", () => {
    expect(judge("p95(ttft) < 500ms").decision).toBe("PASS");
    expect(judge("p95(ttft) < 405ms").decision).toBe("INCONCLUSIVE");
    expect(judge("p95(ttft) < 300ms")).toMatchObject({ decision: "FAIL", measured: 0.4, limit: 0.3 });
    expect(judge("p95(ttft) > 300ms").decision).toBe("PASS");
  });

  test("against the baseline, drawing the rounds of both together", () => {
    // both get slower in the same rounds, so the distance between them is certain
    expect(judge("p95(ttft) <= baseline + 5%")).toMatchObject({ decision: "FAIL", limit: 0.399 });
    const lone = { ...around(0.38), drawn: () => 0.38 };
    expect(judge("p95(ttft) <= baseline + 5%", { baseline: lone }).decision).toBe("INCONCLUSIVE");
    expect(judge("p95(ttft) <= 1.2 * baseline").decision).toBe("PASS");
    expect(judge("p95(ttft) <= baseline + 5ms").decision).toBe("FAIL");
  });

  test("by pairs where there are some", () => {
    const ratio = { value: 1.2, interval: { lower: 1.1, upper: 1.3, coverage: 0.95 } };
    expect(judge("p50(ttft) <= 1.05 * baseline", { ratio })).toMatchObject({
      decision: "FAIL",
      measured: expect.closeTo(1.2 * 0.38, 12),
      interval: { lower: expect.closeTo(1.1 * 0.38, 12) },
    });
  });

  test("without data it fails, below the certified count it waits", () => {
    const nothing = { value: null, samples: 0, drawn: null };
    expect(judge("p95(ttft) < 400ms", { candidate: nothing })).toMatchObject({
      decision: "FAIL",
      why: "there is no data",
    });
    expect(judge("p95(ttft) < baseline", { baseline: null }).why).toBe("there is no baseline");
    expect(judge("p95(ttft) < baseline", { baseline: nothing }).decision).toBe("FAIL");
    expect(judge("p99(ttft) < 1s")).toMatchObject({
      decision: "INCONCLUSIVE",
      why: "p99 needs 662 samples, there are 200",
    });
    expect(judge("p95(ttft) < 1s", { rounds: 5 }).decision).toBe("INCONCLUSIVE");
  });

  test("one tighter than the noise floor is refused", () => {
    expect(judge("p95(ttft) <= baseline + 5%", { floor: 0.07 })).toMatchObject({
      decision: "INCONCLUSIVE",
      why: "refused: it allows 5.0 % and the baseline differs from itself by up to 7.0 %",
    });
    expect(judge("p95(ttft) <= baseline + 20%", { floor: 0.07 }).decision).toBe("PASS");
  });

  test("what makes a comparison worthless leaves absolute gates alone, a slow client does not", () => {
    const relativeDoubts = ["other lengths"];
    expect(judge("p95(ttft) <= 1.2 * baseline", { relativeDoubts }).decision).toBe("INCONCLUSIVE");
    expect(judge("p95(ttft) < 500ms", { relativeDoubts }).decision).toBe("PASS");
    expect(judge("p95(ttft) < 500ms", { doubts: ["slow client"] }).why).toBe("slow client");
  });
});
