import { expect, test } from "@jest/globals";
import { makeTensor } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { halfBits } from "../../src/tensor/numbers.js";
import { floats, makeModel } from "../onnx-model.js";
import { pruneHalf, storedShape } from "./prune-half.js";

test("a stored tensor of strings stays, and what it meets with it", async () => {
  const model = makeModel({
    inputs: [["x", "float32", [2, 4]]],
    outputs: [["y", "float32", [2, 3]]],
    nodes: [
      makeNode("MatMul", "", ["x", "a"], ["h"]),
      makeNode("Cast", "", ["words"], ["numbers"], { to: 1 }),
      makeNode("Add", "", ["h", "numbers"], ["sum"]),
      makeNode("MatMul", "", ["sum", "b"], ["y"]),
    ],
    initializers: [
      floats("a", [4, 3]),
      floats("b", [3, 3]),
      makeTensor("words", { dtype: "string", shape: [3], data: ["1", "2", "3"] }),
    ],
  });
  const { small, error } = await pruneHalf(model);
  expect(storedShape(small, "a")).toEqual([4, 3]);
  expect(error).toBe(0);
});

test("weights of half precision are sliced as they are, and held against zeros of their type", async () => {
  const halves = (name: string, shape: readonly number[]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const data = Uint16Array.from({ length: count }, (_, at) => halfBits(Math.sin(at + name.length)));
    return makeTensor(name, { dtype: "float16", shape, data });
  };
  const model = makeModel({
    inputs: [["x", "float32", [2, 4]]],
    outputs: [["y", "float32", [2, 3]]],
    nodes: [
      makeNode("Cast", "", ["x"], ["x16"], { to: 10 }),
      makeNode("MatMul", "", ["x16", "a"], ["h"]),
      makeNode("Relu", "", ["h"], ["r"]),
      makeNode("MatMul", "", ["r", "b"], ["y16"]),
      makeNode("Cast", "", ["y16"], ["y"], { to: 1 }),
    ],
    initializers: [halves("a", [4, 8]), halves("b", [8, 3])],
  });
  const { small, error, moved } = await pruneHalf(model);
  expect(storedShape(small, "a")).toEqual([4, 4]);
  expect(storedShape(small, "b")).toEqual([4, 3]);
  expect(error).toBeLessThan(2e-3);
  expect(moved).toBeGreaterThan(1e-2);
});
