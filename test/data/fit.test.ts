import { describe, expect, test } from "@jest/globals";
import { checkBatch } from "../../src/data/fit.js";
import { UserError } from "../../src/errors.js";
import type { Tensor } from "../../src/tensor/tensor.js";

const inputs = [
  { name: "x", dtype: "float32", shape: ["n", 2] },
  { name: "ids", dtype: "int64", shape: ["n"] },
] as const;
const x: Tensor = { dtype: "float32", shape: [1, 2], data: Float32Array.of(1, 2) };
const ids: Tensor = { dtype: "int64", shape: [1], data: BigInt64Array.of(7n) };
const check = (batch: Record<string, Tensor>) => checkBatch(inputs, new Map(Object.entries(batch)), "a.npz");

describe("a sample", () => {
  test("that fits is taken as it is", () => {
    const { batch, notes } = check({ ids, x });
    expect(batch.get("x")).toBe(x);
    expect(notes).toEqual([]);
  });

  test("in numpy's default dtypes is converted, and that is said", () => {
    const { batch, notes } = check({
      x: { dtype: "float64", shape: [1, 2], data: Float64Array.of(0.1, 2) },
      ids: { dtype: "int32", shape: [1], data: Int32Array.of(-7) },
    });
    expect(batch.get("x")).toEqual({ dtype: "float32", shape: [1, 2], data: Float32Array.of(0.1, 2) });
    expect(batch.get("ids")).toEqual({ dtype: "int64", shape: [1], data: BigInt64Array.of(-7n) });
    expect(notes).toEqual(['array "x" converted from float64 to float32', 'array "ids" converted from int32 to int64']);
  });

  test.each<[string, Record<string, Tensor>, RegExp]>([
    ["an extra array", { x, ids, y: x }, /a\.npz: array "y" is no input of the model; its inputs: x, ids/],
    ["a missing array", { x }, /a\.npz: array "ids" is missing; the file holds: x/],
    ["no array", {}, /array "x" is missing; the file holds: none/],
    ["another size", { x: { ...x, shape: [2, 1] }, ids }, /"x": the model expects shape \?x2, found 2x1/],
    ["another rank", { x: { ...x, shape: [2] }, ids }, /expects shape \?x2, found 2/],
    [
      "a lossy dtype",
      { x: { dtype: "int8", shape: [1, 2], data: Int8Array.of(1, 2) }, ids },
      /expects float32, found int8/,
    ],
  ])("with %s is refused", (_, batch, message) => {
    expect(() => check(batch)).toThrow(message);
    expect(() => check(batch)).toThrow(UserError);
  });
});
