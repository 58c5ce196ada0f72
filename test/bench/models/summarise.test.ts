import { describe, expect, test } from "@jest/globals";
import type { Round } from "../../../src/bench/models/measure.js";
import type { BenchResult } from "../../../src/bench/models/result.js";
import { failsGate, type MeasuredModel, summarise } from "../../../src/bench/models/summarise.js";
import type { Agreement, OutputAgreement } from "../../../src/evaluate/agreement.js";
import { agreement, context, identical, measured, round, times } from "./measured.js";

const codes = (result: BenchResult) => result.warnings.map(({ code }) => code);
const pair = (candidate: Partial<MeasuredModel>, settings = {}, environment = {}) =>
  summarise(
    [measured("a.onnx", "baseline"), measured("b.onnx", "candidate", candidate)],
    context(settings, environment),
  );
const rounds = (change: Partial<Round>): readonly Round[] => times.map((time) => ({ ...round(time), ...change }));

describe("a result", () => {
  test("has medians over rounds with their interval, and a verdict by CPU time", () => {
    const result = pair({ rounds: times.map((time) => round(time * 1.3)), bytes: 250 });
    expect(result.models[0]!.cpu.value).toBeCloseTo(0.0101);
    expect(result.models[0]!.cpu.interval).toMatchObject({ lower: 0.0099, upper: 0.0105, coverage: 0.96875 });
    expect(result.models[0]!.throughput).toBeCloseTo(1 / result.models[0]!.wall.value);
    expect(result.models[0]!.loadedBytes).toBe(20e6);
    expect(result.comparisons[0]).toMatchObject({ candidate: "b.onnx", sizeRatio: 0.25, time: { verdict: "slower" } });
    expect(result.comparisons[0]!.time.ratio).toBeCloseTo(1.3);
    expect(failsGate(result, false)).toBe(true);
    expect(result.warnings).toEqual([]);
  });

  test("an inconclusive verdict fails only when asked to", () => {
    const result = pair({ rounds: [...times.slice(1), 0.05].map((time) => round(time)) });
    expect(result.comparisons[0]!.time.verdict).toBe("inconclusive");
    expect(failsGate(result, false)).toBe(false);
    expect(failsGate(result, true)).toBe(true);
  });

  test("a metric that could not be measured fails", () => {
    const dead = rounds({ cpu: { ...round(1).cpu, median: 0 } });
    const result = pair({ rounds: dead });
    expect(result.comparisons[0]!.time.verdict).toBe("missing");
    expect(failsGate(result, false)).toBe(true);
  });

  test("with a control, no verdict is finer than the machine's noise", () => {
    const slower = measured("b.onnx", "candidate", { rounds: times.map((time) => round(time * 1.08)) });
    const control = (spread: number) =>
      measured("a.onnx #2", "control", {
        rounds: times.map((time, at) => round(time * (at % 2 ? 1 + spread : 1 - spread))),
      });
    const quiet = summarise([measured("a.onnx", "baseline"), slower, control(0.01)], context());
    expect(quiet.comparisons[0]!.time.verdict).toBe("slower");
    expect(quiet.noiseFloor).toBeCloseTo(0.01, 2);
    const noisy = summarise([measured("a.onnx", "baseline"), slower, control(0.12)], context());
    expect(noisy.comparisons[0]!.time.verdict).toBe("same");
    expect(noisy.noiseFloor).toBeCloseTo(0.12, 2);
    expect(codes(noisy)).toEqual(["noise-floor"]);
    // the control itself is no candidate: it never fails the gate
    expect(failsGate(noisy, true)).toBe(false);
  });
});

describe("a warning", () => {
  const other = (change: Partial<OutputAgreement>): Agreement =>
    agreement({ ...identical, identical: false, ...change });
  test.each<[string, BenchResult, RegExp]>([
    ["few-rounds", pair({}, { rounds: 3 }), /^3 rounds are too few .* --rounds 6/],
    ["high-load", pair({}, {}, { loadAverage: 1.9 }), /^load average 1\.9 on 2 cores/],
    ["contention", pair({ rounds: rounds({ wall: round(0.02).wall }) }), /^b\.onnx: runs wait for a core/],
    [
      "outliers",
      pair({ rounds: rounds({ cpu: { ...round(0.01).cpu, outliers: 20 } }) }),
      /^b\.onnx: 10\.0 % of the samples/,
    ],
    [
      "slow-first-run",
      pair({ rounds: rounds({ firstRunSeconds: 0.2 }) }),
      /^b\.onnx: the first run takes over 5 times/,
    ],
    [
      "outputs-disagree",
      pair({ agreement: other({ problem: "no such output" }) }),
      /^b\.onnx: output "y": no such output/,
    ],
    [
      "outputs-disagree",
      pair({ agreement: other({ topOne: { agree: 90, total: 100 } }) }),
      /another class in 10 of 100 positions/,
    ],
    ["outputs-disagree", pair({ agreement: other({ sqnrDb: 12 }) }), /SQNR 12\.0 dB/],
    ["outputs-disagree", pair({ agreement: other({ nonFinite: { reference: 0, candidate: 2 } }) }), /2 infinite/],
  ])("%s is given with its reason and remedy", (code, result, message) => {
    expect(codes(result)).toEqual([code]);
    expect(result.warnings[0]!.message).toMatch(message);
  });

  test("is not given where classes agree, however far the values are", () => {
    expect(pair({ agreement: other({ sqnrDb: 12, topOne: { agree: 995, total: 1000 } }) }).warnings).toEqual([]);
  });
});
