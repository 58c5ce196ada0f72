import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../src/data/batch.js";
import { openSession } from "../../src/engine/session.js";
import { compareOutputs, listed, type Run } from "../../src/evaluate/agreement.js";
import { halfBits } from "../../src/tensor/numbers.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { ocrRecognition, readOcrLines } from "../ocr-lines.js";

const floats = (shape: readonly number[], ...values: number[]): Tensor => ({
  dtype: "float32",
  shape,
  data: Float32Array.from(values),
});
/** A model that gives what it is told, sample after sample. */
const giving = (...outputs: readonly Readonly<Record<string, Tensor>>[]): Run => {
  let at = 0;
  return async () => new Map(Object.entries(outputs[at++]!));
};
const samples = (count: number): Batch[] => Array.from({ length: count }, () => new Map());

describe("agreement of outputs", () => {
  test("adds up over samples, per output and in total", async () => {
    const done: number[] = [];
    const result = await compareOutputs(
      giving({ y: floats([1, 2], 1, 2), z: floats([1], 3) }, { y: floats([1, 2], 5, 4), z: floats([1], 3) }),
      giving({ y: floats([1, 2], 1, 2), z: floats([1], 3) }, { y: floats([1, 2], 4, 5), z: floats([1], 3) }),
      listed(samples(2)),
      (count) => done.push(count),
    );
    const [y, z] = result.outputs;
    expect(y).toMatchObject({
      name: "y",
      elements: 4,
      identical: false,
      maxAbsError: 1,
      topOne: { agree: 1, total: 2 },
    });
    expect(y!.sqnrDb).toBeCloseTo(10 * Math.log10(46 / 2), 9);
    expect(z).toMatchObject({ identical: true, sqnrDb: Number.POSITIVE_INFINITY, cosine: 1 });
    expect(z).not.toHaveProperty("topOne");
    expect(result.total.elements).toBe(6);
    expect(result.total.sqnrDb).toBeCloseTo(10 * Math.log10((46 + 18) / 2), 9);
    expect(done).toEqual([1, 2]);
  });

  test("compares across dtypes by value", async () => {
    const half: Tensor = { dtype: "float16", shape: [2], data: Uint16Array.of(halfBits(0.5), halfBits(-3)) };
    const result = await compareOutputs(giving({ y: floats([2], 0.5, -3) }), giving({ y: half }), listed(samples(1)));
    expect(result.outputs[0]!.identical).toBe(true);
    const long: Tensor = { dtype: "int64", shape: [2], data: BigInt64Array.of(1n, -2n) };
    const other: Tensor = { dtype: "int64", shape: [2], data: BigInt64Array.of(1n, -5n) };
    expect(
      (await compareOutputs(giving({ y: long }), giving({ y: other }), listed(samples(1)))).total.maxAbsError,
    ).toBe(3);
  });

  test.each<[string, Record<string, Tensor>, RegExp]>([
    ["a missing output", {}, /no such output/],
    ["another shape", { y: floats([2, 1], 1, 2) }, /shape 1x2 in the baseline, 2x1 in the candidate/],
    ["text where numbers were", { y: { dtype: "string", shape: [1, 2], data: ["a", "b"] } }, /holds other text/],
  ])("%s is reported, and not taken for equal", async (_, candidate, problem) => {
    const result = await compareOutputs(giving({ y: floats([1, 2], 1, 2) }), giving(candidate), listed(samples(1)));
    expect(result.outputs[0]).toMatchObject({ elements: 0, identical: false, problem: expect.stringMatching(problem) });
  });

  test("counts what is not finite", async () => {
    const broken = floats([1, 2], Number.NaN, 2);
    const result = await compareOutputs(giving({ y: floats([1, 2], 1, 2) }), giving({ y: broken }), listed(samples(1)));
    expect(result.outputs[0]).toMatchObject({
      nonFinite: { reference: 0, candidate: 1 },
      sqnrDb: Number.NEGATIVE_INFINITY,
      identical: false,
    });
  });

  test("a real model against itself without graph optimization: rounding only", async () => {
    const reference = await openSession(ocrRecognition);
    const candidate = await openSession(ocrRecognition, { graphOptimization: "disabled" });
    const batches = readOcrLines()
      .slice(0, 2)
      .map(({ batch }) => batch);
    const { total } = await compareOutputs(reference.run, candidate.run, listed(batches));
    await Promise.all([reference.close(), candidate.close()]);
    expect(total.sqnrDb).toBeGreaterThan(80);
    expect(total.topOne!.agree).toBe(total.topOne!.total);
  });
});
