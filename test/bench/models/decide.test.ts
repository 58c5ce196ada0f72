import { describe, expect, test } from "@jest/globals";
import { decideModels } from "../../../src/bench/models/decide.js";
import { summarise } from "../../../src/bench/models/summarise.js";
import { context, measured, round, times } from "./measured.js";

const at = (factor: number) => times.map((time) => round(time * factor));
const result = (factor: number, change = {}) =>
  summarise(
    [measured("a.onnx", "baseline"), measured("b.onnx", "candidate", { rounds: at(factor), ...change })],
    context(),
  );
const decide = (of: ReturnType<typeof result>, gates: readonly string[] = [], drops = {}) =>
  decideModels(of, { gates, drops });

describe("what CI is told of models", () => {
  test.each([
    [1.2, "FAIL", "slower"],
    [1, "PASS", "same"],
    [0.7, "PASS", "faster"],
  ] as const)("%p times the time is %s", (factor, verdict, why) => {
    expect(decide(result(factor))).toMatchObject({ verdict, comparisons: [{ decision: verdict, why }] });
  });

  test("what was not measured fails, what is not sure is inconclusive", () => {
    expect(decide(result(Number.NaN)).verdict).toBe("FAIL");
    const unsure = result(1, { rounds: [1, 1.4, 0.9, 1.3, 1, 1.1].map((factor, n) => round(times[n]! * factor)) });
    expect(decide(unsure)).toMatchObject({ verdict: "INCONCLUSIVE", comparisons: [{ decision: "INCONCLUSIVE" }] });
  });

  test("the control decides nothing", () => {
    const control = measured("a.onnx (2)", "control", { rounds: at(1.5) });
    const both = summarise([measured("a.onnx", "baseline"), control], context({ control: true }));
    expect(decide(both).verdict).toBe("PASS");
  });

  test.each([
    ["p50(cpu) <= 1.05 * baseline", "FAIL"],
    ["p50(cpu) <= 1.3 * baseline", "PASS"],
    ["cpu < 1s", "PASS"],
    ["throughput >= 0.95 * baseline", "FAIL"],
    ["throughput > 10 runs/s", "PASS"],
    ["size <= 0.26 * baseline", "PASS"],
    ["size <= baseline - 900B", "FAIL"],
    ["peak_memory < 500MB", "PASS"],
    ["peak_memory < 50MB", "FAIL"],
    ["drop < 1%", "PASS"],
    ["load <= baseline", "PASS"],
  ] as const)("%s: %s", (gate, decision) => {
    const [judged] = decide(result(1.2, { bytes: 250 }), [gate], { "b.onnx": 0.004 }).gates;
    expect([judged!.decision, judged!.text]).toEqual([decision, gate]);
  });

  test("accuracy that nobody measured fails its gate", () => {
    expect(decide(result(1), ["drop < 1%"])).toMatchObject({ verdict: "FAIL", gates: [{ why: "there is no data" }] });
  });

  test("a gate tighter than the noise floor is refused", () => {
    const control = measured("a.onnx (2)", "control", {
      rounds: [1.1, 0.95, 1.02, 1, 0.97, 1.05].map((f, n) => round(times[n]! * f)),
    });
    const all = summarise(
      [measured("a.onnx", "baseline"), control, measured("b.onnx", "candidate")],
      context({ control: true }),
    );
    expect(decide(all, ["cpu <= 1.02 * baseline"]).gates[0]!.why).toMatch(/^refused: it allows 2\.0 %/);
  });
});
