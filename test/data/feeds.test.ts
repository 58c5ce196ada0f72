import { describe, expect, test } from "@jest/globals";
import type { Batch, DeclaredInput } from "../../src/data/batch.js";
import { batchAxes, joiningAxes, joinSamples, withSizes } from "../../src/data/feeds.js";
import type { Tensor } from "../../src/tensor/tensor.js";

const input = (name: string, ...shape: (number | string | null)[]): DeclaredInput => ({
  name,
  dtype: "float32",
  shape,
});
const tensor = (shape: readonly number[], ...values: number[]): Tensor => ({
  dtype: "float32",
  shape,
  data: Float32Array.from(values),
});

describe("the batch axis", () => {
  test("is the leading dynamic one, wherever other inputs have it", () => {
    const inputs = [input("x", "batch", 512), input("state", 2, "batch", 128), input("sr")];
    expect([...batchAxes(inputs)]).toEqual([
      ["x", 0],
      ["state", 1],
    ]);
  });

  test("is the one called a batch where sequences come first", () => {
    const inputs = [input("x", "t", "n", 64), input("h", 1, "n", 16), input("mask", "t", "N")];
    expect([...batchAxes(inputs)]).toEqual([
      ["x", 1],
      ["h", 1],
    ]);
    expect([...batchAxes([input("ids", "sequence", "batch_size")])]).toEqual([["ids", 1]]);
  });

  test("samples are joined to train on only where every input of floats has it at one place", () => {
    const axesOf = (...inputs: DeclaredInput[]) => [...joiningAxes(inputs).values()];
    const rate = { name: "rate", dtype: "int64", shape: [] } as const;
    expect(axesOf(input("x", "n", 576), rate)).toEqual([0]);
    expect(axesOf(input("x", "t", "n", 64), input("h", 2, "n", 16))).toEqual([1, 1]);
    // the states of the first sample would be taken for those of all
    expect(axesOf(input("x", null, null), input("state", 2, null, 128), rate)).toEqual([]);
    expect(axesOf(input("x", "batch", "t"), input("h", 2, "batch", 64))).toEqual([]);
  });

  test("without a name it is only leading axes without one", () => {
    expect([...batchAxes([input("x", null, 3, null), input("y", 4, null)])]).toEqual([["x", 0]]);
    expect(batchAxes([input("x", 1, 3)]).size).toBe(0);
  });
});

describe("samples joined to a batch", () => {
  const axes = new Map([
    ["x", 0],
    ["s", 1],
  ]);
  const sample = (at: number): Batch =>
    new Map([
      ["x", tensor([1, 2], at, at + 1)],
      ["s", tensor([2, 1, 2], at, at, -at, -at)],
      ["rate", tensor([], 8)],
    ]);

  test("lie one after another along it; what has no batch axis is the first one's", () => {
    const joined = joinSamples([sample(1), sample(5)], axes, ["a", "b"]);
    expect(joined.get("x")).toEqual(tensor([2, 2], 1, 2, 5, 6));
    expect(joined.get("s")).toEqual(tensor([2, 2, 2], 1, 1, 5, 5, -1, -1, -5, -5));
    expect(joined.get("rate")).toEqual(tensor([], 8));
  });

  test("strings can be joined too", () => {
    const text = (value: string): Batch => new Map([["x", { dtype: "string", shape: [1], data: [value] }]]);
    expect(joinSamples([text("a"), text("b")], axes, ["a", "b"]).get("x")!.data).toEqual(["a", "b"]);
  });

  test("of different sizes are refused by name", () => {
    const wide: Batch = new Map([["x", tensor([1, 3], 1, 2, 3)]]);
    const narrow: Batch = new Map([["x", tensor([1, 2], 1, 2)]]);
    expect(() => joinSamples([narrow, wide], axes, ["a.npz", "b.npz"])).toThrow(
      /a\.npz and b\.npz cannot be joined: input "x" is 1x2 in one and 1x3 in the other/,
    );
  });
});

describe("sizes of dynamic axes", () => {
  const inputs = [input("ids", "batch", "seq"), input("mask", "batch", "seq"), input("x", 1, null)];

  test("are set by the axis's name, or by its place", () => {
    const fixed = withSizes(
      inputs,
      new Map([
        ["seq", 32],
        ["x.1", 7],
      ]),
    );
    expect(fixed.map(({ shape }) => shape)).toEqual([
      ["batch", 32],
      ["batch", 32],
      [1, 7],
    ]);
  });

  test.each([
    ["unknown ones", "length", /^--axis length: the model has no such dynamic axis; it has batch, seq, x\.1$/],
    ["fixed ones", "x.0", /^--axis x\.0: axis 0 of input "x" is fixed at 1$/],
  ])("%s are refused", (_, name, message) => {
    expect(() => withSizes(inputs, new Map([[name, 4]]))).toThrow(message);
  });
});
