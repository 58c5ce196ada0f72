import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { exposeValues, poolValues } from "../../src/graph/expose.js";
import { makeNode } from "../../src/graph/node.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { floats, makeModel } from "../onnx-model.js";

const model = () =>
  makeModel({
    inputs: [["x", "float32", ["n", 2]]],
    outputs: [["y", "float32", ["n", 2]]],
    nodes: [
      makeNode("MatMul", "mm", ["x", "w"], ["h"]),
      makeNode("Shape", "sh", ["h"], ["s"]),
      makeNode("Relu", "r", ["h"], ["y"]),
    ],
    initializers: [floats("w", [2, 2], [1, 0, 0, -1])],
  });

describe("a model with more outputs", () => {
  test("gives the values, their types inferred by onnxruntime; the model stays as it was", async () => {
    const original = model();
    const before = encodeModel(original);
    const session = await openSession(encodeModel(exposeValues(original, ["h", "s", "y"])));
    try {
      expect(session.outputs).toEqual([
        { name: "y", dtype: "float32", shape: ["n", 2] },
        { name: "h", dtype: "float32", shape: ["n", 2] },
        { name: "s", dtype: "int64", shape: [2] },
      ]);
      const x: Tensor = { dtype: "float32", shape: [1, 2], data: Float32Array.of(3, 4) };
      const found = await session.run(new Map([["x", x]]));
      expect(Array.from(found.get("h")!.data as Float32Array)).toEqual([3, -4]);
    } finally {
      await session.close();
    }
    expect(encodeModel(original)).toEqual(before);
  });

  test("knows more shapes where those of the inputs are given", async () => {
    const session = await openSession(encodeModel(exposeValues(model(), ["h"], new Map([["x", [5, 2]]]))));
    expect(session.outputs.map(({ shape }) => shape)).toEqual([
      [5, 2],
      [5, 2],
    ]);
    await session.close();
  });

  test.each(["x", "w", "nothing"])("refuses %s, which no node computes", (name) => {
    expect(() => exposeValues(model(), [name])).toThrow(`value "${name}" is computed by no node of the main graph`);
  });
});

test("pooled values are the means of channels, of inputs too, under names that are free; the model stays as it was", async () => {
  const original = makeModel({
    inputs: [["x", "float32", [1, 2, "h", 2]]],
    outputs: [["y", "float32", [1, 2, "h", 2]]],
    nodes: [makeNode("Relu", "r", ["x"], ["x_mean"]), makeNode("Neg", "n", ["x_mean"], ["y"])],
  });
  const before = encodeModel(original);
  const { model, pooled } = poolValues(original, ["x", "x_mean"]);
  expect([...pooled]).toEqual([
    ["x", "x_mean_"],
    ["x_mean", "x_mean_mean"],
  ]);
  const session = await openSession(encodeModel(exposeValues(model, pooled.values())));
  const x: Tensor = { dtype: "float32", shape: [1, 2, 1, 2], data: Float32Array.of(3, -5, 1, 2) };
  const found = await session.run(new Map([["x", x]]));
  expect(Array.from(found.get("x_mean_")!.data as Float32Array)).toEqual([-1, 1.5]);
  expect(Array.from(found.get("x_mean_mean")!.data as Float32Array)).toEqual([1.5, 1.5]);
  await session.close();
  expect(encodeModel(original)).toEqual(before);
});
