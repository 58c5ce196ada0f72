import { expect, test } from "@jest/globals";
import { makeTensor, readTensor } from "../../src/formats/onnx.js";
import { fillWeights } from "../../src/graph/fill-weights.js";
import { makeNode } from "../../src/graph/node.js";
import { ints, makeModel, type Value } from "../onnx-model.js";
import { pruneHalf } from "../prune/prune-half.js";
import { nothingOutside } from "../prune/structures.js";

const filledWith = (value: number) => ({
  value: { tensor: makeTensor("", { dtype: "float32", shape: [1], data: Float32Array.of(value) }) },
});

/** x [1, 3, 4, 4] through convolutions, all weights of which are made at load. */
function light(inputs: readonly Value[] = []) {
  return makeModel({
    opset: 13,
    ir: 8,
    inputs: [["x", "float32", [1, 3, 4, 4]], ...inputs],
    outputs: [["y", "float32", [1, 2, 4, 4]]],
    nodes: [
      makeNode("ConstantOfShape", "w", ["w_shape"], ["w"], filledWith(0.25)),
      makeNode("ConstantOfShape", "b", ["b_shape"], ["b"]),
      makeNode("ConstantOfShape", "v", ["v_shape"], ["v"], filledWith(-0.5)),
      makeNode("ConstantOfShape", "s", ["b_shape"], ["s"], filledWith(2)),
      makeNode("Unsqueeze", "", ["s", "places"], ["scale"]),
      makeNode("Conv", "first", ["x", "w", "b"], ["h"]),
      makeNode("Mul", "scaled", ["h", "scale"], ["m"]),
      makeNode("Conv", "last", ["m", "v"], ["y"]),
    ],
    initializers: [
      ints("w_shape", [16, 3, 1, 1]),
      ints("b_shape", [16]),
      ints("v_shape", [2, 16, 1, 1]),
      ints("places", [1, 2]),
    ],
  });
}

test("weights that are made when a model is loaded are stored, and can be pruned then", async () => {
  const before = await pruneHalf(light());
  expect(before.groups.groups).toEqual([]);
  const model = light();
  expect(fillWeights(model, nothingOutside)).toBe(4);
  expect(model.graph!.node.map(({ opType }) => opType)).toEqual(["Unsqueeze", "Conv", "Mul", "Conv"]);
  const stored = (name: string) => {
    const { shape, data } = readTensor(
      model.graph!.initializer.find((tensor) => tensor.name === name)!,
      nothingOutside,
    );
    return { shape, values: new Set(data as Float32Array) };
  };
  expect(stored("w")).toEqual({ shape: [16, 3, 1, 1], values: new Set([0.25]) });
  expect(stored("b")).toEqual({ shape: [16], values: new Set([0]) });
  const { groups, error, moved } = await pruneHalf(model);
  expect(groups.groups.map(({ channels }) => channels.length)).toEqual([16]);
  expect(error).toBeLessThan(1e-5);
  expect(moved).toBeGreaterThan(0.1);
});

test("what is no weight, or is made of what callers give, stays", () => {
  const given = light([["w_shape", "int64", [4]]]);
  expect(fillWeights(given, nothingOutside)).toBe(3);
  const mask = makeModel({
    opset: 13,
    inputs: [["x", "float32", [1, 80, 80]]],
    outputs: [["y", "float32", [1, 80, 80]]],
    nodes: [
      makeNode("ConstantOfShape", "", ["shape"], ["ones"], filledWith(1)),
      makeNode("ConstantOfShape", "", ["size"], ["zeros"], {
        value: { tensor: makeTensor("", { dtype: "int64", shape: [1], data: BigInt64Array.of(0n) }) },
      }),
      makeNode("Add", "", ["x", "ones"], ["a"]),
      makeNode("Reshape", "", ["a", "zeros"], ["y"]),
    ],
    initializers: [ints("shape", [1, 80, 80]), ints("size", [3])],
  });
  expect(fillWeights(mask, nothingOutside)).toBe(0);
  expect(mask.graph!.node).toHaveLength(4);
});
