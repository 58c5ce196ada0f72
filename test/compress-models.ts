import type { ModelProto } from "../src/formats/onnx.js";
import { makeNode } from "../src/graph/node.js";
import { floats, makeModel } from "./onnx-model.js";

/** A MatMul with a bias: x [n, 64] -> y [n, 64]. */
export const linear = (): ModelProto =>
  makeModel({
    opset: 13,
    inputs: [["x", "float32", ["n", 64]]],
    outputs: [["y", "float32", ["n", 64]]],
    nodes: [makeNode("MatMul", "n", ["x", "w"], ["h"]), makeNode("Add", "a", ["h", "b"], ["y"])],
    initializers: [floats("w", [64, 64]), floats("b", [64])],
  });
