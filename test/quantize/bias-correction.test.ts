import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { decodeModel, encodeModel, type ModelProto, makeTensor, type NodeProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { applyPlan } from "../../src/quantize/apply.js";
import { correctBiases, neededChannels } from "../../src/quantize/bias-correction.js";
import { planQuantization } from "../../src/quantize/plan.js";
import type { QuantizeSettings } from "../../src/quantize/settings.js";
import { startWeights } from "../../src/quantize/weights.js";
import { elementCount } from "../../src/tensor/tensor.js";
import { floats, makeModel } from "../onnx-model.js";
import { plainQuantizer } from "../plain-quantizer.js";

const settings: QuantizeSettings = { scheme: "unpack", signed: true, clip: "max", minElements: 4 };
const readExternal = () => {
  throw new Error("no external data here");
};

interface Row {
  readonly title: string;
  readonly nodes: readonly NodeProto[];
  readonly weights: Readonly<Record<string, readonly number[]>>;
  readonly input: readonly number[];
  /** Elements of the output that one channel has, one after the other. */
  readonly inner: number;
}

const rows: readonly Row[] = [
  {
    title: "Conv without a bias",
    nodes: [makeNode("Conv", "n", ["x", "w"], ["y"])],
    weights: { w: [4, 3, 3, 3] },
    input: [1, 3, 30, 30],
    inner: 28 * 28,
  },
  {
    title: "Conv in groups, with a bias",
    nodes: [makeNode("Conv", "n", ["x", "w", "b"], ["y"], { group: 2 })],
    weights: { w: [4, 2, 3, 3], b: [4] },
    input: [1, 4, 30, 30],
    inner: 28 * 28,
  },
  {
    title: "Gemm with transB and alpha",
    nodes: [makeNode("Gemm", "n", ["x", "w"], ["y"], { transB: 1, alpha: { float: 2 } })],
    weights: { w: [5, 16] },
    input: [400, 16],
    inner: 1,
  },
  {
    title: "MatMul and the Add behind it",
    nodes: [makeNode("MatMul", "n", ["x", "w"], ["h"]), makeNode("Add", "a", ["b", "h"], ["y"])],
    weights: { w: [16, 5], b: [5] },
    input: [400, 16],
    inner: 1,
  },
];

/** Inputs whose channels have means of their own. */
function inputOf(shape: readonly number[]): Float32Array<ArrayBuffer> {
  const inner = shape.length === 4 ? shape[2]! * shape[3]! : 1;
  return Float32Array.from(
    { length: elementCount(shape) },
    (_, at) => Math.sin(at * 1.3) + 2 + (Math.floor(at / inner) % shape[1]!),
  );
}

async function outputOf(model: ModelProto, shape: readonly number[]): Promise<Float32Array> {
  const session = await openSession(encodeModel(model));
  const outputs = await session.run(new Map([["x", { dtype: "float32", shape, data: inputOf(shape) }]]));
  await session.close();
  return outputs.get("y")!.data as Float32Array;
}

/** Mean over the channels of how far each channel's mean is off. */
function bias(expected: Float32Array, found: Float32Array, inner: number, channels: number): number {
  const sums = new Float64Array(channels);
  expected.forEach((value, at) => {
    sums[Math.floor(at / inner) % channels]! += found[at]! - value;
  });
  return sums.reduce((sum, value) => sum + Math.abs(value), 0) / expected.length;
}

describe("bias correction", () => {
  test.each(rows)("$title: the means of the outputs come back", async ({ nodes, weights, input, inner }) => {
    const model = makeModel({
      inputs: [["x", "float32", input]],
      outputs: [["y", "float32", ["a", "b"]]],
      nodes,
      initializers: Object.entries(weights).map(([name, shape]) => floats(name, shape)),
    });
    const channels = nodes[0]!.opType === "Gemm" ? weights["w"]![0]! : nodes[0]!.opType === "Conv" ? 4 : 5;
    const original = await outputOf(model, input);
    const axis = neededChannels(model).get("x")!;
    expect(axis).toBe(nodes[0]!.opType === "Conv" ? 1 : -1);
    const statistics = channelStatistics(inputOf(input), input, axis);

    const results = [];
    for (const corrected of [false, true]) {
      const copy = decodeModel(encodeModel(model), "copy");
      const plan = planQuantization(copy, settings);
      const store = startWeights(plainQuantizer(), readExternal, "max", { keep: true });
      if (corrected) {
        expect(await correctBiases(copy, plan, store, readExternal, () => statistics)).toHaveLength(1);
      }
      await applyPlan(copy, plan, { quantizer: plainQuantizer(), readExternal, weights: store });
      results.push(bias(original, await outputOf(copy, input), inner, channels));
    }
    expect(results[1]!).toBeLessThan(results[0]! / 5);
  });

  test("a Conv of 16-bit floats gets no bias of 32 bits", async () => {
    const data = Uint16Array.from({ length: 108 }, (_, at) => 0x3000 + at * 7);
    const model = makeModel({
      inputs: [["x", "float16", [1, 3, 8, 8]]],
      outputs: [["y", "float16", [1, 4, 6, 6]]],
      nodes: [makeNode("Conv", "n", ["x", "w"], ["y"])],
      initializers: [makeTensor("w", { dtype: "float16", shape: [4, 3, 3, 3], data })],
    });
    const store = startWeights(plainQuantizer(), readExternal, "max", { keep: true });
    const statistics = { mean: [1, 2, 3], meanSquare: [2, 5, 10] };
    const plan = planQuantization(model, settings);
    expect(await correctBiases(model, plan, store, readExternal, () => statistics)).toEqual([]);
    await expect(openSession(encodeModel(model)).then((session) => session.close())).resolves.toBeUndefined();
  });
});

function channelStatistics(data: Float32Array, shape: readonly number[], axis: number) {
  const size = shape.at(axis)!;
  const inner = axis === 1 ? elementCount(shape.slice(2)) : 1;
  const mean = Array<number>(size).fill(0);
  const meanSquare = Array<number>(size).fill(0);
  data.forEach((value, at) => {
    const channel = Math.floor(at / inner) % size;
    mean[channel]! += (value * size) / data.length;
    meanSquare[channel]! += (value * value * size) / data.length;
  });
  return { mean, meanSquare };
}
