import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../../src/data/batch.js";
import { makeTensor } from "../../../src/formats/onnx.js";
import { makeNode } from "../../../src/graph/node.js";
import { weightBounds } from "../../../src/quantize/qat/rounding.js";
import { defaultQat, quantizationAwareTraining } from "../../../src/quantize/qat.js";
import type { QuantizeSettings } from "../../../src/quantize/settings.js";
import { scalePlace } from "../../../src/tensor/dequantize.js";
import { roundHalfEven } from "../../../src/tensor/quantize-linear.js";
import type { Objective } from "../../../src/train/objective.js";
import { bindShapes } from "../../../src/train/prepare.js";
import { compileStep } from "../../../src/train/step.js";
import { makeModel } from "../../onnx-model.js";
import { randomOf } from "../random-graphs.js";
import { observe, settings } from "../static/observe.js";
import { ptqParts } from "./twins.js";

const [depth, columns] = [24, 10];
const random = randomOf(5);
const noise = (count: number) => Float32Array.from({ length: count }, () => 2 * random() - 1);
const weight = noise(depth * columns);
const direction = noise(depth * columns);

/** Whatever a weight is rounded to passes through a product with the identity: its gradient is `direction`. */
const model = makeModel({
  inputs: [["x", "float32", [depth, depth]]],
  outputs: [["y", "float32", [depth, columns]]],
  nodes: [makeNode("MatMul", "product", ["x", "w"], ["y"])],
  initializers: [makeTensor("w", { dtype: "float32", shape: [depth, columns], data: weight })],
});
const identity = Float32Array.from({ length: depth * depth }, (_, at) => (at % (depth + 1) === 0 ? 1 : 0));
const feeds: Batch = new Map([["x", { dtype: "float32", shape: [depth, depth], data: identity }]]);

const objective = (direction: Float32Array<ArrayBuffer>, shape: readonly number[]): Objective => ({
  parameters: [],
  watches: [],
  build({ b, graph }) {
    const weights = b.constant({ dtype: "float32", shape, data: direction });
    return { loss: b.reduce("ReduceSum", b.mul(graph.outputs[0]!, weights), undefined, false), terms: new Map() };
  },
});

const loss = { labels: 0, teacher: 1, features: 0, temperature: 1, logits: [] } as const;

const near = (found: ArrayLike<number>, expected: ArrayLike<number>) => {
  const peak = Math.max(...Array.from(expected, Math.abs));
  const error = Math.max(...Array.from(expected, (one, at) => Math.abs(one - found[at]!)));
  expect(error / peak).toBeLessThan(5e-7);
};

const rows: Readonly<Record<string, Partial<QuantizeSettings>>> = {
  "8 bits for each channel": { scheme: "qdq" },
  "4 bits in blocks": { scheme: "qdq", bits: 4, blockSize: 8 },
  "4 bits in blocks, the last one shorter": { scheme: "qdq", bits: 4, blockSize: 16 },
  "4 bits with zero points": { scheme: "qdq", bits: 4, blockSize: 8, asymmetric: true },
  "4 bits, one scale": { scheme: "qdq", bits: 4, perTensor: true },
};

describe("gradients of a rounded weight", () => {
  test.each(Object.entries(rows))("%s", async (_, way) => {
    const job = await quantizationAwareTraining(ptqParts(model, way), { ...defaultQat, name: "model", loss });
    const [own] = job.twin.weights;
    const { form, shape, zeroPoints } = own!.ptq;
    const { parameters } = job.model;
    const step = parameters.get(own!.steps.name)!;
    // so small that some elements are cut
    for (let at = 0; at < step.data.length; at++) step.data[at]! *= 0.7;
    const graph = await bindShapes(job.model, feeds);
    const compiled = await compileStep(graph, objective(direction, [depth, columns]), [...parameters.values()], feeds, {
      threads: 1,
    });
    const { gradients } = await compiled.run(feeds);
    await compiled.close();

    const placeOf = scalePlace(form, shape);
    const { low, high } = weightBounds(form);
    const toWeight = new Float32Array(weight.length);
    const toStep = new Float64Array(step.data.length);
    let cut = 0;
    for (let at = 0; at < weight.length; at++) {
      const place = placeOf(at);
      const scale = Math.fround(step.data[place]! * own!.steps.units[place]!);
      const zero = form.symmetric ? 0 : zeroPoints![place]!;
      const quotient = Math.fround(Math.fround(weight[at]! / scale) + zero);
      const inside = quotient >= low && quotient <= high;
      if (!inside) cut++;
      toWeight[at] = inside ? direction[at]! : 0;
      const whole = roundHalfEven(Math.max(low, Math.min(high, quotient)));
      // LSQ, equation 3 (Esser et al. 2020), with a zero point
      const change = inside ? whole - quotient : whole - zero;
      toStep[place]! += direction[at]! * change * own!.steps.units[place]!;
    }
    expect(cut).toBeGreaterThan(0);
    near(gradients.get("w")!, toWeight);
    near(gradients.get(step.name)!, toStep);
  });
});

test("gradients of a rounded activation", async () => {
  // a product with the identity again, on the other side
  const same = makeModel({
    inputs: [["x", "float32", [depth, depth]]],
    outputs: [["y", "float32", [depth, depth]]],
    nodes: [makeNode("MatMul", "product", ["x", "w"], ["y"])],
    initializers: [makeTensor("w", { dtype: "float32", shape: [depth, depth], data: identity })],
  });
  const x = noise(depth * depth);
  const sample: Batch = new Map([["x", { dtype: "float32", shape: [depth, depth], data: x }]]);
  const range = { min: -0.6, max: 0.8 };
  const observed = new Map([...(await observe(same, [sample]))].map(([name, seen]) => [name, { ...seen, ...range }]));
  const parts = ptqParts(same, {}, { settings: settings(), observed });
  const job = await quantizationAwareTraining(parts, { ...defaultQat, name: "model", loss });
  const own = job.twin.activations.find(({ value }) => value === "x")!;
  const { parameters } = job.model;
  const all = noise(depth * depth);
  const graph = await bindShapes(job.model, sample);
  const compiled = await compileStep(graph, objective(all, [depth, depth]), [...parameters.values()], sample, {
    threads: 1,
  });
  const { gradients } = await compiled.run(sample);
  await compiled.close();
  const [scale] = own.steps.scales;
  const zeroPoint = roundHalfEven(-range.min / ((range.max - range.min) / 255));
  const [low, high] = [-zeroPoint, 255 - zeroPoint];
  let expected = 0;
  let cut = 0;
  for (let at = 0; at < x.length; at++) {
    const quotient = Math.fround(x[at]! / scale!);
    const inside = quotient >= low && quotient <= high;
    if (!inside) cut++;
    expected += all[at]! * (inside ? roundHalfEven(quotient) - quotient : quotient < low ? low : high);
  }
  expect(cut).toBeGreaterThan(0);
  near(gradients.get(own.steps.name)!, [expected * own.steps.units[0]!]);
});
