import { describe, expect, test } from "@jest/globals";
import { checkSignatures } from "../../../src/bench/models/signature.js";
import type { ValueInfo } from "../../../src/engine/session.js";

const value = (name: string, shape: ValueInfo["shape"], dtype: ValueInfo["dtype"] = "float32"): ValueInfo => ({
  name,
  dtype,
  shape,
});
const model = (path: string, inputs: readonly ValueInfo[], outputs = [value("y", [1, 10])]) => ({
  path,
  inputs,
  outputs,
});
const baseline = model("a.onnx", [value("x", ["n", 3, null])]);

describe("signatures", () => {
  test.each([
    ["other names of dynamic axes", model("b.onnx", [value("x", ["batch", 3, "w"])])],
    ["an axis fixed in one only", model("b.onnx", [value("x", [1, 3, 32])])],
    ["another dtype of an output", model("b.onnx", baseline.inputs, [value("y", [1, 10], "float16")])],
    ["a rank that is not known", model("b.onnx", [value("x", [])])],
  ])("fit with %s", (_, candidate) => {
    expect(() => checkSignatures(baseline, candidate)).not.toThrow();
  });

  test.each([
    ["another input", model("b.onnx", [value("z", ["n", 3, null])]), /their inputs are z and x$/],
    ["a further input", model("b.onnx", [...baseline.inputs, value("z", [1])]), /their inputs are x, z and x$/],
    ["no output", model("b.onnx", baseline.inputs, []), /their outputs are none and y$/],
    ["another dtype", model("b.onnx", [value("x", ["n", 3, null], "uint8")]), /"x" is uint8 in one and float32 in the/],
    ["another fixed axis", model("b.onnx", [value("x", ["n", 1, null])]), /"x" has shape nx1x\? in one and nx3x\? in/],
    ["another rank", model("b.onnx", [value("x", ["n", 3])]), /"x" has shape nx3 in one/],
  ])("clash with %s", (_, candidate, message) => {
    expect(() => checkSignatures(baseline, candidate)).toThrow(message);
    expect(() => checkSignatures(baseline, candidate)).toThrow(/^b\.onnx and a\.onnx cannot be compared/);
  });
});
