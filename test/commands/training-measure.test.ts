import { expect, test } from "@jest/globals";
import { judge } from "../../src/bench/compare/verdict.js";
import { isWorse, openGauge, slowerWords, slownessOf } from "../../src/commands/training-measure.js";
import type { Batch } from "../../src/data/batch.js";

const verdict = (low: number, high: number) =>
  judge(
    { value: Math.log((low + high) / 2), interval: { lower: Math.log(low), upper: Math.log(high) } } as never,
    9,
    0.05,
  );

test("a student of lower rank that is surely slower than its teacher is told, before it is trained", async () => {
  expect(slowerWords(verdict(1.2, 1.4))).toEqual([
    expect.stringMatching(
      /^the student takes 1\.30 of the teacher's CPU time on a sample: .* \(--student-layers\) is faster$/,
    ),
  ]);
  expect(slowerWords(verdict(0.9, 1.4))).toEqual([]);
  expect(slowerWords(verdict(0.5, 0.6))).toEqual([]);
  expect(slowerWords(null)).toEqual([]);
});

test("others are not looked at, nor any with --speed-seconds 0", async () => {
  const open = () => Promise.reject(new Error("opened"));
  expect(await slownessOf("none.onnx", { isNear: false, open }, new Map(), { speedSeconds: 4 })).toEqual([]);
  expect(await slownessOf("none.onnx", { isNear: true, open }, new Map(), { speedSeconds: 0 })).toEqual([]);
  await expect(slownessOf("none.onnx", { isNear: true, open }, new Map(), { speedSeconds: 4 })).rejects.toThrow("none");
});

/** Rows of logits, the same for every sample. */
const giving = (...logits: readonly number[]) => {
  const tensor = { dtype: "float32" as const, shape: [1, logits.length], data: Float32Array.from(logits) };
  return async (): Promise<Batch> => new Map([["y", tensor]]);
};
const samples = {
  ...{ count: 2, source: "two", synthetic: false, notes: [], labels: undefined },
  nameOf: (at: number) => `sample ${at}`,
  read: async (): Promise<Batch> => new Map([["x", { dtype: "float32", shape: [1, 1], data: Float32Array.of(1) }]]),
};
const inputs = [{ name: "x", dtype: "float32" as const, shape: [1, 1] }];
const classes = [{ name: "y", value: "y", kind: "classes" as const, axis: 1, shape: [1, 3] }];

test("few answers change where a model is rounded: its outputs' distance tells what step is best, answers what is lost", async () => {
  const gauge = await openGauge(giving(2, 1, 0), inputs, samples, undefined, classes, "answers");
  expect(gauge.measure).toEqual({ name: "KL from the original's outputs", higherIsBetter: false });
  const [near, far, other] = [giving(2, 1.1, 0), giving(9, 1, 0), giving(1, 1.01, 0)];
  const scores = await Promise.all([near, far, other].map((run) => gauge.score(run)));
  expect(scores.map(({ higherIsBetter }) => higherIsBetter)).toEqual([false, false, false]);
  // the far one gives the same answer, the other does not
  expect(scores[0]!.value).toBeLessThan(scores[2]!.value);
  expect(scores[2]!.value).toBeLessThan(scores[1]!.value);
  const [one, two, three] = [await gauge.evaluate(near), await gauge.evaluate(far), await gauge.evaluate(other)];
  expect([one.drop.value, two.drop.value, three.drop.value]).toEqual([0, 0, 1]);
  expect(gauge.row(one).measured).toBe(scores[0]!.value);
  expect([isWorse(two, one), isWorse(one, two)]).toEqual([true, false]);
});

test("with labels accuracy decides, and among equals the distance of outputs", async () => {
  const metric = { name: "constant", higherIsBetter: true, score: () => ({ value: 1, weight: 1 }) };
  const gauge = await openGauge(giving(2, 1, 0), inputs, samples, metric, classes, "answers");
  const [near, far] = [await gauge.score(giving(2, 1.1, 0)), await gauge.score(giving(9, 1, 0))];
  expect([near.value, far.value]).toEqual([1, 1]);
  expect(near.tie!).toBeGreaterThan(far.tie!);
});
