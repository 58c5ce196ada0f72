import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, makeTensor, type NodeProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { viewModel } from "../../src/graph/scope.js";
import { adaRound } from "../../src/quantize/adaround.js";
import { productLayout } from "../../src/quantize/product-layout.js";
import { startMoments } from "../../src/quantize/second-moments.js";
import { sitesOf } from "../../src/quantize/sites.js";
import { dequantize } from "../../src/tensor/dequantize.js";
import { quantizeReference } from "../../src/tensor/kernels/reference.js";
import type { QuantizedForm } from "../../src/tensor/quantized.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import { floats, makeModel } from "../onnx-model.js";
import fc from "../property.js";

interface Row {
  readonly title: string;
  readonly node: NodeProto;
  readonly weight: readonly number[];
  readonly input: readonly number[];
  readonly form: Partial<QuantizedForm>;
}

const conv = (attributes: Parameters<typeof makeNode>[4]) => makeNode("Conv", "n", ["x", "w"], ["y"], attributes);

const rows: readonly Row[] = [
  {
    title: "MatMul, 4 bits in blocks",
    node: makeNode("MatMul", "n", ["x", "w"], ["y"]),
    weight: [24, 10],
    input: [3, 20, 24],
    form: { bits: 4, granularity: "block", axis: 0, blockSize: 16 },
  },
  {
    title: "MatMul, 4 bits with zero points",
    node: makeNode("MatMul", "n", ["x", "w"], ["y"]),
    weight: [24, 9],
    input: [60, 24],
    form: { bits: 4, signed: false, symmetric: false, granularity: "channel", axis: 1 },
  },
  {
    title: "Gemm with transB",
    node: makeNode("Gemm", "n", ["x", "w"], ["y"], { transB: 1 }),
    weight: [10, 24],
    input: [60, 24],
    form: { axis: 0 },
  },
  {
    title: "Conv with strides, pads and dilations",
    node: conv({ strides: [2, 1], pads: [1, 2, 0, 1], dilations: [1, 2] }),
    weight: [5, 3, 3, 2],
    input: [2, 3, 11, 9],
    form: { axis: 0 },
  },
  {
    title: "Conv in groups, unsigned",
    node: conv({ group: 3, auto_pad: "SAME_UPPER", strides: [2, 2] }),
    weight: [6, 2, 3, 3],
    input: [1, 6, 10, 10],
    form: { axis: 0, signed: false },
  },
  {
    title: "Conv along one axis, padded at the start",
    node: conv({ auto_pad: "SAME_LOWER" }),
    weight: [4, 3, 4],
    input: [2, 3, 15],
    form: { axis: 0, granularity: "tensor" },
  },
];

/** Channels that depend on each other, as those of real activations do. */
function inputOf(shape: readonly number[]): Tensor {
  const data = Float32Array.from(
    { length: elementCount(shape) },
    (_, at) => 1 + Math.sin(at * 0.37) + 0.3 * Math.sin(at * at),
  );
  return { dtype: "float32", shape, data };
}

async function outputOf(node: NodeProto, weight: Tensor, input: Tensor): Promise<Float32Array> {
  const model = makeModel({
    inputs: [["x", "float32", input.shape as number[]]],
    outputs: [["y", "float32", ["a", "b"]]],
    nodes: [node],
    initializers: [makeTensor("w", weight)],
  });
  model.graph!.output[0]!.type = undefined!;
  const session = await openSession(encodeModel(model));
  const outputs = await session.run(new Map([["x", input]]));
  await session.close();
  return outputs.get("y")!.data as Float32Array;
}

function weightOf(shape: readonly number[]) {
  const data = Float32Array.from({ length: elementCount(shape) }, (_, at) => Math.sin(at * 1.7) * Math.cos(at * 0.9));
  return { dtype: "float32", shape, data } as const;
}

const base: QuantizedForm = { bits: 8, signed: true, symmetric: true, granularity: "channel", axis: 1 };

describe("AdaRound", () => {
  test.each(rows)("$title: the output is nearer, by as much as it says", async ({ node, weight, input, form }) => {
    const source = weightOf(weight);
    const activations = inputOf(input);
    const nearest = quantizeReference(source, { ...base, ...form }, "mse");
    const layout = productLayout({ node, input: 1 }, {}, weight)!;
    const collector = startMoments(layout, weight.slice(2));
    collector.add({ node }, activations, 1e6);
    const {
      weight: rounded,
      before,
      after,
      moved,
      finished,
    } = await adaRound(source, nearest, layout, collector.moments());
    expect(finished).toBe(true);
    expect(moved).toBeGreaterThan(0);
    expect(after).toBeLessThan(before);
    const expected = await outputOf(node, source, activations);
    const noise = [];
    for (const one of [nearest, rounded]) {
      const found = await outputOf(node, { ...source, data: dequantize(one) }, activations);
      let [signal, sum] = [0, 0];
      found.forEach((value, at) => {
        signal += expected[at]! ** 2;
        sum += (value - expected[at]!) ** 2;
      });
      noise.push(sum / signal);
    }
    expect(noise[1]!).toBeLessThan(noise[0]!);
    // up to the damping of the second moments
    expect(noise[0]! / before).toBeGreaterThan(0.4);
    expect(noise[0]! / before).toBeLessThan(1.1);
    expect(rounded.noise).toBeGreaterThanOrEqual(nearest.noise * 0.999);
  });

  test("any weight and any input: never worse than rounding to nearest, and the same each time", async () => {
    const value = fc.double({ min: -10, max: 10, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { minLength: 24, maxLength: 24 }),
        fc.array(value, { minLength: 6, maxLength: 60 }),
        fc.constantFrom<4 | 8>(4, 8),
        async (weights, inputs, bits) => {
          const source = { dtype: "float32", shape: [6, 4], data: Float32Array.from(weights) } as const;
          const node = makeNode("MatMul", "n", ["x", "w"], ["y"]);
          const layout = productLayout({ node, input: 1 }, {}, [6, 4])!;
          const count = Math.floor(inputs.length / 6);
          const data = Float32Array.from(inputs.slice(0, count * 6));
          const nearest = quantizeReference(source, { ...base, bits }, "max");
          const results = [];
          for (let turn = 0; turn < 2; turn++) {
            const collector = startMoments(layout, []);
            collector.add({ node }, { dtype: "float32", shape: [count, 6], data }, 1000);
            results.push(await adaRound(source, nearest, layout, collector.moments()));
          }
          expect(results[0]).toEqual(results[1]);
          expect(results[0]!.after).toBeLessThanOrEqual(results[0]!.before);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("without time it stays with rounding to nearest, and says so", async () => {
    const source = weightOf([24, 10]);
    const nearest = quantizeReference(source, base, "max");
    const node = makeNode("MatMul", "n", ["x", "w"], ["y"]);
    const layout = productLayout({ node, input: 1 }, {}, [24, 10])!;
    const collector = startMoments(layout, []);
    collector.add({ node }, inputOf([60, 24]), 100);
    const { weight, finished, moved } = await adaRound(source, nearest, layout, collector.moments(), () => false);
    expect({ finished, moved }).toEqual({ finished: false, moved: 0 });
    expect(weight.values).toEqual(nearest.values);
  });

  test("few of many rows are taken evenly", () => {
    const node = makeNode("MatMul", "n", ["x", "w"], ["y"]);
    const collector = startMoments(productLayout({ node, input: 1 }, {}, [2, 3])!, []);
    const data = Float32Array.from({ length: 200 }, (_, at) => Math.floor(at / 2));
    collector.add({ node }, { dtype: "float32", shape: [100, 2], data }, 4);
    const { rows: count, groups } = collector.moments();
    expect(count).toBe(4);
    expect(groups[0]![0]).toBe(12 ** 2 + 37 ** 2 + 62 ** 2 + 87 ** 2);
  });

  test("weights that stand on the left, or have more axes, have no layout", () => {
    const model = makeModel({
      inputs: [["x", "float32", [4, 4]]],
      outputs: [["y", "float32", [4, 4]]],
      nodes: [makeNode("MatMul", "n", ["w", "x"], ["y"])],
      initializers: [floats("w", [4, 4])],
    });
    const [site] = sitesOf(viewModel(model));
    expect(productLayout(site!.weightUses[0]!, {}, [4, 4])).toBeUndefined();
    const node = makeNode("MatMul", "n", ["x", "w"], ["y"]);
    expect(productLayout({ node, input: 1 }, {}, [2, 4, 4])).toBeUndefined();
  });
});
