import { describe, expect, test } from "@jest/globals";
import { syntheticBatches } from "../../src/data/synthetic.js";
import { numbersOf } from "../../src/tensor/numbers.js";
import type { DType } from "../../src/tensor/tensor.js";

const make = (dtype: DType, seed = 1, count = 1) =>
  syntheticBatches([{ name: "x", dtype }], new Map([["x", [50, 40]]]), count, seed).map((batch) => batch.get("x")!);
const moments = (values: ArrayLike<number>) => {
  const list = Array.from(values);
  const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
  return { mean, sd: Math.sqrt(list.reduce((sum, value) => sum + (value - mean) ** 2, 0) / list.length) };
};

describe("made-up samples", () => {
  test.each<DType>(["float32", "float64", "float16"])("%s are standard normal", (dtype) => {
    const { mean, sd } = moments(numbersOf(make(dtype)[0]!));
    // four standard errors of 2000 draws
    expect(Math.abs(mean)).toBeLessThan(0.09);
    expect(Math.abs(sd - 1)).toBeLessThan(0.07);
  });

  test.each<[DType, number]>([
    ["uint8", 255],
    ["int8", 127],
    ["int32", 1],
    ["int64", 1],
    ["bool", 1],
  ])("%s range from 0 to %p", (dtype, top) => {
    const values = Array.from(numbersOf(make(dtype)[0]!));
    expect(Math.min(...values)).toBe(0);
    expect(Math.max(...values)).toBe(top);
  });

  test("the seed decides them, and every sample is another", () => {
    const [first, second] = make("float32", 1, 2);
    expect(make("float32", 1)[0]).toEqual(first);
    expect(second!.data).not.toEqual(first!.data);
    expect(make("float32", 2)[0]!.data).not.toEqual(first!.data);
  });

  test("text cannot be made up", () => {
    expect(() => make("string")).toThrow(/input "x" is of type string.*--data/);
  });

  test("more than a memory should hold is refused before it is allocated", () => {
    const shapes = new Map([["x", [2 ** 20, 256]]]);
    expect(() => syntheticBatches([{ name: "x", dtype: "float32" }], shapes, 4, 1)).toThrow(
      /^--shape: 4 random samples of these sizes are 1073741824 numbers; choose smaller sizes$/,
    );
  });
});
