import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { sqnrDb } from "../../src/evaluate/metrics.js";
import { encodeModel, type ModelProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { halveBiases } from "../../src/quantize/biases.js";
import { floats, makeModel } from "../onnx-model.js";

const readExternal = () => {
  throw new Error("no external data here");
};

async function run(model: ModelProto) {
  const session = await openSession(encodeModel(model));
  const data = Float32Array.from({ length: 16 }, (_, at) => Math.cos(at));
  const outputs = await session.run(new Map([["x", { dtype: "float32", shape: [1, 16], data }]]));
  await session.close();
  return outputs.get("y")!.data as Float32Array;
}

const build = (bias = floats("bias", [96])) =>
  makeModel({
    inputs: [["x", "float32", [1, 16]]],
    outputs: [["y", "float32", [1, 96]]],
    nodes: [
      makeNode("MatMul", "m", ["x", "w"], ["h"]),
      makeNode("Add", "a", ["h", "bias"], ["g"]),
      makeNode("Gemm", "k", ["g", "v", "own"], ["s"]),
      makeNode("Mul", "t", ["s", "grid"], ["y"]),
    ],
    initializers: [floats("w", [16, 96]), bias, floats("v", [96, 96]), floats("own", [96]), floats("grid", [96])],
  });
const types = (model: ModelProto) => model.graph!.initializer.map(({ name, dataType }) => [name, dataType]);

describe("biases in half precision", () => {
  test("are those that are added to products; what else is float stays", async () => {
    const model = build();
    expect(halveBiases(model, readExternal)).toEqual({ tensors: 2, bytesSaved: 2 * 2 * 96 });
    expect(types(model)).toEqual([
      ["w", 1],
      ["v", 1],
      ["grid", 1],
      ["bias_half", 10],
      ["own_half", 10],
    ]);
    expect(sqnrDb(await run(build()), await run(model))).toBeGreaterThan(60);
  });

  test("stay floats where halves would not hold them", () => {
    for (const value of [1e6, Number.NaN, Number.POSITIVE_INFINITY, 1e-9]) {
      const bias = floats("bias", [96], Array(96).fill(value));
      expect(halveBiases(build(bias), readExternal).tensors).toBe(1);
    }
  });

  test("stay floats where they are few, put out, or a caller's", () => {
    const few = build(floats("bias", [1, 1]));
    expect(halveBiases(few, readExternal).tensors).toBe(1);
    const output = build();
    output.graph!.output.push({ ...output.graph!.output[0]!, name: "bias" });
    expect(halveBiases(output, readExternal).tensors).toBe(1);
    const input = build();
    input.graph!.input.push({ ...input.graph!.input[0]!, name: "own" });
    expect(halveBiases(input, readExternal).tensors).toBe(1);
  });
});
