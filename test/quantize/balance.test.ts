import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { applyPlan } from "../../src/quantize/apply.js";
import { planQuantization } from "../../src/quantize/plan.js";
import { dequantize } from "../../src/tensor/dequantize.js";
import { quantizeReference } from "../../src/tensor/kernels/reference.js";
import type { QuantizedForm } from "../../src/tensor/quantized.js";
import { elementCount } from "../../src/tensor/tensor.js";
import { floats, makeModel } from "../onnx-model.js";
import { plainQuantizer } from "../plain-quantizer.js";

const shapes = [
  { title: "depthwise", shape: [6, 1, 3, 3] },
  { title: "pointwise", shape: [6, 40, 1, 1] },
  { title: "ordinary", shape: [6, 10, 3, 3] },
];

const signed: QuantizedForm = { bits: 8, signed: true, symmetric: true, granularity: "channel", axis: 0 };

describe.each([signed, { ...signed, signed: false }])("balanced rounding, signed: $signed", (form) => {
  test.each(shapes)("$title: the errors of kernels and outputs cancel, none beyond a step", ({ shape }) => {
    // skewed, so that usual rounding has sums to balance
    const data = Float32Array.from({ length: elementCount(shape) }, (_, at) => Math.sin(at * 1.7) ** 3 + 0.2);
    const plain = quantizeReference({ dtype: "float32", shape, data }, form, "max");
    const kernel = shape[2]! * shape[3]!;
    const found = dequantize(quantizeReference({ dtype: "float32", shape, data }, form, "max", kernel));
    const errors = errorsOf(data, found, plain.scales, shape);
    for (const error of errors) expect(Math.abs(error)).toBeLessThan(1.001);
    for (const sum of sums(errors, shape[1]! * shape[2]! * shape[3]!)) expect(Math.abs(sum)).toBeLessThan(0.51);
    // a kernel may give up half a step for its output
    const limit = shape[1]! > 1 ? 1.01 : 0.51;
    if (kernel > 1) for (const sum of sums(errors, kernel)) expect(Math.abs(sum)).toBeLessThan(limit);
    expect(Math.max(...sums(errorsOf(data, dequantize(plain), plain.scales, shape), data.length / 6))).toBeGreaterThan(
      0.51,
    );
  });

  test("over kernels alone, no kernel gives up anything for its output", () => {
    const shape = [4, 9, 3, 3];
    const data = Float32Array.from({ length: elementCount(shape) }, (_, at) => Math.sin(at * 1.7) ** 3 + 0.2);
    const plain = quantizeReference({ dtype: "float32", shape, data }, form, "max");
    const found = dequantize(quantizeReference({ dtype: "float32", shape, data }, form, "max", 9, "kernels"));
    const errors = errorsOf(data, found, plain.scales, shape);
    for (const sum of sums(errors, 9)) expect(Math.abs(sum)).toBeLessThan(0.51);
    expect(Math.max(...sums(errors, 81).map(Math.abs))).toBeGreaterThan(0.51);
  });

  test("the noise it states is that of its values", () => {
    const shape = [4, 5, 3, 3];
    const data = Float32Array.from({ length: elementCount(shape) }, (_, at) => Math.sin(at * 2.3) + 0.3);
    const balanced = quantizeReference({ dtype: "float32", shape, data }, form, "mse", 9);
    const found = dequantize(balanced);
    const noise = data.reduce((sum, value, at) => sum + (found[at]! - value) ** 2, 0);
    expect(balanced.noise / noise).toBeCloseTo(1, 3);
  });
});

test("a convolution of a smooth picture comes out nearer where a plan balances its weight", async () => {
  const readExternal = () => {
    throw new Error("no external data here");
  };
  const build = () =>
    makeModel({
      inputs: [["x", "float32", [1, 8, 12, 12]]],
      outputs: [["y", "float32", [1, 6, 10, 10]]],
      nodes: [makeNode("Conv", "n", ["x", "w"], ["y"])],
      initializers: [floats("w", [6, 8, 3, 3])],
    });
  const run = async (model: ReturnType<typeof build>) => {
    const session = await openSession(encodeModel(model));
    const data = Float32Array.from({ length: 8 * 144 }, (_, at) => 2 + Math.sin(at / 40));
    const outputs = await session.run(new Map([["x", { dtype: "float32", shape: [1, 8, 12, 12], data }]]));
    await session.close();
    return outputs.get("y")!.data as Float32Array;
  };
  const expected = await run(build());
  const noises = [];
  for (const balance of [false, true]) {
    const model = build();
    const plan = planQuantization(model, { scheme: "unpack", signed: true, clip: "max", minElements: 4, balance });
    await applyPlan(model, plan, { quantizer: plainQuantizer(), readExternal });
    const found = await run(model);
    noises.push(expected.reduce((sum, value, at) => sum + (value - found[at]!) ** 2, 0));
  }
  expect(noises[1]!).toBeLessThan(noises[0]! / 10);
});

function errorsOf(data: Float32Array, found: ArrayLike<number>, scales: Float32Array, shape: readonly number[]) {
  return Array.from(data, (value, at) => (found[at]! - value) / scales[Math.floor(at / (data.length / shape[0]!))]!);
}

function sums(errors: readonly number[], length: number): readonly number[] {
  return Array.from({ length: errors.length / length }, (_, group) =>
    errors.slice(group * length, (group + 1) * length).reduce((sum, value) => sum + value, 0),
  );
}
