import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Batch } from "../src/data/batch.js";
import { encodeNpz } from "../src/formats/npz.js";
import type { ModelProto } from "../src/formats/onnx.js";
import { makeNode } from "../src/graph/node.js";
import { floats, makeGraph, makeModel } from "./onnx-model.js";

/** A MatMul with a bias: x [n, 64] -> y [n, 64]. */
export const linear = (): ModelProto =>
  makeModel({
    opset: 13,
    inputs: [["x", "float32", ["n", 64]]],
    outputs: [["y", "float32", ["n", 64]]],
    nodes: [makeNode("MatMul", "n", ["x", "w"], ["h"]), makeNode("Add", "a", ["h", "b"], ["y"])],
    initializers: [floats("w", [64, 64]), floats("b", [64])],
  });

/** Two layers on 4 rows, behind a table of embeddings: ids [4] -> y [4, 64]. */
export const lookUp = (): ModelProto => {
  const model = makeModel({
    opset: 17,
    inputs: [["ids", "int64", [4]]],
    outputs: [["y", "float32", [4, 64]]],
    nodes: [
      makeNode("Gather", "look_up", ["table", "ids"], ["rows"]),
      makeNode("MatMul", "first", ["rows", "first_w"], ["h"]),
      makeNode("Relu", "relu", ["h"], ["r"]),
      makeNode("MatMul", "second", ["r", "second_w"], ["y"]),
    ],
    initializers: [floats("table", [256, 64]), floats("first_w", [64, 128]), floats("second_w", [128, 64])],
  });
  // how many rows come is known only where a file states it
  const between = makeGraph({
    outputs: [
      ["rows", "float32", [4, 64]],
      ["r", "float32", [4, 128]],
    ],
    nodes: [],
  });
  model.graph!.valueInfo.push(...between.output);
  return model;
};

/** Two convolutions: x [1, 8, 16, 16] -> y [1, 16, 16, 16]. */
export const convolutions = (): ModelProto => {
  const same = { pads: [1, 1, 1, 1], kernel_shape: [3, 3] };
  return makeModel({
    opset: 13,
    inputs: [["x", "float32", [1, 8, 16, 16]]],
    outputs: [["y", "float32", [1, 16, 16, 16]]],
    nodes: [
      makeNode("Conv", "one", ["x", "one_w", "one_b"], ["h"], same),
      makeNode("Relu", "relu", ["h"], ["r"]),
      makeNode("Conv", "two", ["r", "two_w", "two_b"], ["y"], same),
    ],
    initializers: [
      floats("one_w", [16, 8, 3, 3]),
      floats("one_b", [16]),
      floats("two_w", [16, 16, 3, 3]),
      floats("two_b", [16]),
    ],
  });
};

/**
 * Writes samples as .npz files into a new folder: `count` tensors of seeded floats for one input, `edit` may change them.
 */
export function writeSamples(
  folder: string,
  input: string,
  shape: readonly number[],
  count: number,
  edit: (data: Float32Array, at: number) => void = () => {},
): void {
  mkdirSync(folder);
  for (let at = 0; at < count; at++) {
    const data = new Float32Array(floats("x".repeat(at + 1), shape).rawData.slice().buffer);
    edit(data, at);
    const batch: Batch = new Map([[input, { dtype: "float32", shape, data }]]);
    writeFileSync(join(folder, `sample-${at}.npz`), encodeNpz(batch));
  }
}
