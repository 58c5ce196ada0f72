import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../src/data/batch.js";
import { type ModelProto, makeTensor, type NodeProto, type TensorProto } from "../../src/formats/onnx.js";
import { checkGraphs } from "../../src/graph/check.js";
import { makeNode } from "../../src/graph/node.js";
import { measureActivations, measureAxes } from "../../src/prune/activations.js";
import { compensateMeans } from "../../src/prune/compensate.js";
import { reestimate } from "../../src/prune/re-estimate.js";
import { rows } from "../../src/prune/rows/index.js";
import { sliceModel } from "../../src/prune/slice.js";
import { floats, makeModel, type Value } from "../onnx-model.js";
import { runModel, worstDifference } from "../train/bound-model.js";
import { analysed, convolutions, listed, noExternal, noise } from "./data-models.js";

/** A product or convolution `n` of `h` whose channels 1 and 2 (of 6) always hold 2 and -1. */
interface Row {
  readonly title: string;
  readonly nodes: readonly NodeProto[];
  readonly weights: readonly TensorProto[];
  /** Of the input: [n, 4] goes through a product, [1, 4, h, w] through a convolution. */
  readonly input: readonly number[];
}

const conv = (inputs: readonly string[], attributes = {}) => [
  makeNode("Conv", "n", ["h", ...inputs], ["y"], attributes),
];

const rowsOfOperators: readonly Row[] = [
  { title: "Conv without a bias", nodes: conv(["w"]), weights: [floats("w", [3, 6, 2, 2])], input: [1, 4, 5, 5] },
  {
    title: "Conv with a bias",
    nodes: conv(["w", "b"]),
    weights: [floats("w", [3, 6, 1, 1]), floats("b", [3])],
    input: [1, 4, 5, 5],
  },
  {
    title: "ConvTranspose, its parts side by side",
    nodes: [makeNode("ConvTranspose", "n", ["h", "w"], ["y"], { kernel_shape: [1, 1] })],
    weights: [floats("w", [6, 3, 1, 1])],
    input: [1, 4, 5, 5],
  },
  {
    title: "Gemm with everything",
    nodes: [makeNode("Gemm", "n", ["h", "w", "c"], ["y"], { transB: 1, alpha: { float: 0.5 }, beta: { float: 3 } })],
    weights: [floats("w", [3, 6]), floats("c", [1, 3])],
    input: [7, 4],
  },
  {
    title: "Gemm without a bias",
    nodes: [makeNode("Gemm", "n", ["h", "w"], ["y"])],
    weights: [floats("w", [6, 3])],
    input: [7, 4],
  },
  {
    title: "MatMul with an Add behind it",
    nodes: [makeNode("MatMul", "n", ["h", "w"], ["p"]), makeNode("Add", "a", ["b", "p"], ["y"])],
    weights: [floats("w", [6, 3]), floats("b", [3])],
    input: [7, 4],
  },
  {
    title: "MatMul without one",
    nodes: [makeNode("MatMul", "n", ["h", "w"], ["y"])],
    weights: [floats("w", [6, 3])],
    input: [7, 4],
  },
  {
    title: "a bias that others read",
    nodes: [
      makeNode("MatMul", "n", ["h", "w"], ["p"]),
      makeNode("Add", "a", ["p", "b"], ["q"]),
      makeNode("Mul", "m", ["q", "b"], ["y"]),
    ],
    weights: [floats("w", [6, 3]), floats("b", [3])],
    input: [7, 4],
  },
];

/** The model of a row: channels 1 and 2 of `h` depend on nothing. */
function modelOf({ nodes, weights, input }: Row): ModelProto {
  const isConv = input.length > 2;
  const before = floats("w0", isConv ? [6, 4, 1, 1] : [4, 6]);
  const data = new Float32Array(before.rawData.slice().buffer);
  for (let at = 0; at < data.length; at++) {
    const channel = isConv ? Math.floor(at / 4) : at % 6;
    if (channel === 1 || channel === 2) data[at] = 0;
  }
  const output: Value = ["y", "float32", isConv ? [1, 3, "h", "w"] : ["n", 3]];
  return makeModel({
    inputs: [["x", "float32", isConv ? [1, 4, "hh", "ww"] : ["n", 4]]],
    outputs: [output],
    nodes: [
      ...(isConv
        ? [makeNode("Conv", "first", ["x", "w0", "b0"], ["h"])]
        : [makeNode("MatMul", "first", ["x", "w0"], ["g"]), makeNode("Add", "plus", ["g", "b0"], ["h"])]),
      ...nodes,
    ],
    initializers: [
      makeTensor("w0", { dtype: "float32", shape: isConv ? [6, 4, 1, 1] : [4, 6], data }),
      floats("b0", [6], [0.1, 2, -1, 0.3, 0.2, -0.4]),
      ...weights,
    ],
  });
}

describe("means of what is gone become biases", () => {
  test.each(rowsOfOperators)("$title", async (row) => {
    const model = modelOf(row);
    const feeds = new Map([["x", noise(row.input, 1)]]);
    const { structure, groups } = await analysed(model, feeds);
    const group = groups.find(({ name }) => name === "w0")!;
    const removed = new Set([1, 2].map((channel) => group.channels[channel]!.label));
    const moments = await measureActivations(structure, listed([feeds]));
    const pruned = sliceModel(structure, removed, rows, undefined);
    const { model: mended, biases } = compensateMeans(structure, removed, moments, pruned, undefined);
    const wanted = await runModel(model, feeds);
    expect(biases).toBe(1);
    expect(worstDifference(wanted, await runModel(pruned, feeds))).toBeGreaterThan(0.05);
    expect(worstDifference(wanted, await runModel(mended, feeds))).toBeLessThan(1e-5);
    expect(() => checkGraphs(mended, "mended")).not.toThrow();
    // the slice itself is as it was
    expect(
      worstDifference(
        await runModel(sliceModel(structure, removed, rows, undefined), feeds),
        await runModel(pruned, feeds),
      ),
    ).toBe(0);
  });
});

test("a normalisation keeps its scale", async () => {
  const w0 = Float32Array.from({ length: 40 }, (_, at) => (at % 8 < 2 ? 0 : Math.sin(3 * at)));
  const model = makeModel({
    opset: 17,
    inputs: [["x", "float32", ["n", 5]]],
    outputs: [["y", "float32", ["n", 3]]],
    nodes: [
      makeNode("MatMul", "m0", ["x", "w0"], ["h"]),
      makeNode("SimplifiedLayerNormalization", "norm", ["h", "scale"], ["z"], { axis: -1, epsilon: { float: 1e-9 } }),
      makeNode("MatMul", "m1", ["z", "w1"], ["y"]),
    ],
    initializers: [
      makeTensor("w0", { dtype: "float32", shape: [5, 8], data: w0 }),
      floats("scale", [8]),
      floats("w1", [8, 3]),
    ],
  });
  const feeds = new Map([["x", noise([20, 5], 1)]]);
  const { structure, groups } = await analysed(model, feeds);
  // what is always 0 has no part in the sum of squares, only in their number
  const removed = new Set([0, 1].map((channel) => groups[0]!.channels[channel]!.label));
  const pruned = sliceModel(structure, removed, rows, undefined);
  const moments = await measureActivations(structure, listed([feeds]));
  const { model: mended, scales } = compensateMeans(structure, removed, moments, pruned, undefined);
  const wanted = await runModel(model, feeds);
  expect(scales).toBe(1);
  expect(worstDifference(wanted, await runModel(pruned, feeds))).toBeGreaterThan(0.05);
  expect(worstDifference(wanted, await runModel(mended, feeds))).toBeLessThan(1e-5);
});

test("each group of a GroupNormalization keeps its own scale", async () => {
  // channels 0 and 1 of both groups are always 0, and the others cancel: no mean, and less spread than without those
  const kernel = Array.from({ length: 16 }, (_, channel) => {
    const place = channel % 8;
    if (place < 2) return [0, 0];
    const sign = place % 2 === 0 ? 1 : -1;
    return [sign * (place >> 1), sign * (channel < 8 ? 1 : 3)];
  });
  const model = makeModel({
    opset: 21,
    ir: 10,
    inputs: [["x", "float32", [3, 2, 4, 4]]],
    outputs: [["y", "float32", [3, 3, 4, 4]]],
    nodes: [
      makeNode("Conv", "c0", ["x", "w0"], ["h"]),
      makeNode("GroupNormalization", "norm", ["h", "scale", "shift"], ["z"], {
        num_groups: 2,
        epsilon: { float: 1e-9 },
      }),
      makeNode("Conv", "c1", ["z", "w1"], ["y"]),
    ],
    initializers: [
      floats("w0", [16, 2, 1, 1], kernel.flat()),
      floats("scale", [16]),
      floats("shift", [16]),
      floats("w1", [3, 16, 1, 1]),
    ],
  });
  const feeds = new Map([["x", noise([3, 2, 4, 4], 1)]]);
  const { structure, groups } = await analysed(model, feeds);
  const removed = new Set([0, 1].map((channel) => groups[0]!.channels[channel]!.label));
  const pruned = sliceModel(structure, removed, rows, undefined);
  const moments = await measureActivations(structure, listed([feeds]));
  const { model: mended, scales } = compensateMeans(structure, removed, moments, pruned, undefined);
  const wanted = await runModel(model, feeds);
  expect(scales).toBe(1);
  expect(worstDifference(wanted, await runModel(pruned, feeds))).toBeGreaterThan(0.05);
  expect(worstDifference(wanted, await runModel(mended, feeds))).toBeLessThan(1e-5);
});

describe("re-estimating", () => {
  const batches: readonly Batch[] = [1, 2, 3].map((seed) => new Map([["x", noise([1, 3, 8, 6 + seed], seed)]]));

  /** As `convolutions`, with a BatchNormalization that no weight can take. */
  const normalised = (): ModelProto => {
    const model = convolutions();
    const graph = model.graph!;
    graph.node[4]!.input[0] = "normal";
    const inputs = ["h1", "scale", "shift", "mean", "variance"];
    graph.node.splice(4, 0, makeNode("BatchNormalization", "bn", inputs, ["normal"]));
    const positive = (name: string) => floats(name, [6], [1, 2, 0.5, 1.5, 1, 0.7]);
    graph.initializer.push(positive("scale"), floats("shift", [6]), floats("mean", [6]), positive("variance"));
    return model;
  };

  test.each([
    ["convolutions", convolutions],
    ["a BatchNormalization", normalised],
  ])("%s come to the mean and spread they had", async (_, make) => {
    const model = make();
    const { structure, groups } = await analysed(model, batches[0]!);
    const removed = new Set(groups.flatMap(({ channels }) => channels.slice(0, 2).map(({ label }) => label)));
    const pruned = sliceModel(structure, removed, rows, undefined);
    const progress: string[] = [];
    const { model: mended, layers } = await reestimate(structure, removed, pruned, listed(batches), undefined, {
      onProgress: (done, total) => progress.push(`${done}/${total}`),
    });
    expect(layers).toBe(make === convolutions ? 3 : 4);
    expect(progress.at(-1)).toBe(`${layers + 1}/${layers + 1}`);
    const look = async (of: ModelProto) => {
      const known = { ranks: new Map([["y", 4]]) };
      const found = await measureAxes(of, [{ value: "y", axis: 1 }], known, listed(batches), noExternal);
      return found.of("y", 1)!;
    };
    const [before, plain, after] = [await look(model), await look(pruned), await look(mended)];
    before.mean.forEach((mean, at) => {
      expect(after.mean[at]).toBeCloseTo(mean, 3);
      expect(after.variance[at]! / before.variance[at]!).toBeCloseTo(1, 2);
    });
    expect(Math.max(...before.mean.map((mean, at) => Math.abs(plain.mean[at]! - mean)))).toBeGreaterThan(0.01);
  });

  test("ends when it is told to", async () => {
    const { structure, groups } = await analysed(convolutions(), batches[0]!);
    const removed = new Set([groups[0]!.channels[0]!.label]);
    const pruned = sliceModel(structure, removed, rows, undefined);
    let left = 2;
    const mayGoOn = () => left-- > 0;
    const { layers } = await reestimate(structure, removed, pruned, listed(batches), undefined, { mayGoOn });
    expect(layers).toBe(1);
  });
});
