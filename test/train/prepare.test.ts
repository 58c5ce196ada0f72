import { describe, expect, test } from "@jest/globals";
import { uniform } from "../../src/data/random.js";
import { makeTensor, readTensor, type TensorProto } from "../../src/formats/onnx.js";
import { cloneModel } from "../../src/graph/clone.js";
import { makeNode } from "../../src/graph/node.js";
import { halfBits, tensorOfNumbers } from "../../src/tensor/numbers.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { openLive } from "../../src/train/live-session.js";
import { bindShapes, type PrepareSettings, prepareModel, writeBack } from "../../src/train/prepare.js";
import { constant, floats, ints, makeGraph, makeModel, withGraphs } from "../onnx-model.js";
import { runBound, runModel, worstDifference } from "./bound-model.js";
import { checkGradients } from "./gradient-check.js";

const none = () => {
  throw new Error("nothing lies elsewhere");
};
const settings: PrepareSettings = { name: "m.onnx", frozen: [], batchNorm: "frozen" };

function sample(shape: readonly number[], seed = 1): Tensor {
  const next = uniform(seed);
  return tensorOfNumbers("float32", shape, () => next() * 2 - 1);
}

const cnn = () =>
  makeModel({
    opset: 11,
    inputs: [["x", "float32", ["N", 3, 8, 8]]],
    outputs: [["y", "float32", ["N", 5]]],
    nodes: [
      constant(floats("w", [4, 3, 3, 3])),
      makeNode("Conv", "conv", ["x", "w", "b"], ["c"], { pads: [1, 1, 1, 1] }),
      makeNode("BatchNormalization", "bn", ["c", "scale", "shift", "mean", "var"], ["n"]),
      makeNode("Relu", "relu", ["n"], ["r"]),
      makeNode("MaxPool", "pool", ["r"], ["p"], { kernel_shape: [2, 2], strides: [2, 2] }),
      makeNode("Dropout", "drop", ["p"], ["d"]),
      makeNode("Shape", "shape", ["d"], ["s"]),
      makeNode("Slice", "rows", ["s", "zero", "one"], ["rows"]),
      makeNode("Concat", "to", ["rows", "minus"], ["to"], { axis: 0 }),
      makeNode("Reshape", "flat", ["d", "to"], ["f"]),
      makeNode("MatMul", "fc", ["f", "v"], ["m"]),
      makeNode("Add", "bias", ["m", "u"], ["y"]),
    ],
    initializers: [
      floats("b", [4]),
      floats("scale", [4], [1, 0.5, -1, 2]),
      floats("shift", [4]),
      floats("mean", [4]),
      floats("var", [4], [0.5, 1, 2, 0.1]),
      ints("zero", [0]),
      ints("one", [1]),
      ints("minus", [-1]),
      floats("v", [64, 5]),
      floats("u", [5]),
    ],
  });

describe("prepareModel and bindShapes", () => {
  test("a CNN of an old opset: weights found, statistics folded, the same outputs", async () => {
    const model = cnn();
    const trainable = prepareModel(model, none, settings);
    expect(Object.fromEntries([...trainable.parameters.values()].map(({ name, kind }) => [name, kind]))).toEqual({
      w: "weight",
      b: "bias",
      v: "weight",
      u: "bias",
    });
    const feeds = new Map([["x", sample([2, 3, 8, 8])]]);
    const graph = await bindShapes(trainable, feeds);
    expect(graph.nodes.map(({ opType }) => opType)).toEqual(["Conv", "Relu", "MaxPool", "Reshape", "MatMul", "Add"]);
    expect(graph.values.get("f")!.shape).toEqual([2, 64]);
    for (const { input, output } of graph.nodes) {
      for (const name of [...input, ...output]) expect(graph.values.has(name)).toBe(true);
    }
    expect(worstDifference(await runModel(model, feeds), await runBound(graph, trainable, feeds))).toBeLessThan(1e-5);
  });

  test("trained batch statistics are values of the graph and parameters of the model", async () => {
    const trainable = prepareModel(cnn(), none, { ...settings, batchNorm: "train" });
    expect(trainable.parameters.get("mean")!.kind).toBe("statistic");
    expect(trainable.parameters.get("scale")!.kind).toBe("norm");
    const [statistics] = trainable.statistics;
    expect(statistics).toMatchObject({ mean: "mean", variance: "var", momentum: Math.fround(0.9) });
    const feeds = new Map([["x", sample([3, 3, 8, 8])]]);
    const graph = await bindShapes(trainable, feeds);
    const { batchMean, batchVariance } = statistics!;
    const watched = { ...graph, outputs: [batchMean, batchVariance, "c", "n"].map((name) => graph.values.get(name)!) };
    const found = await runBound(watched, trainable, feeds);
    const read = (name: string) => found.get(name)!.data as Float32Array;
    // by hand over the first channel
    const channel = (data: Float32Array) => [0, 1, 2].flatMap((n) => [...data.subarray(n * 256, n * 256 + 64)]);
    const before = channel(read("c"));
    const mean = before.reduce((sum, x) => sum + x, 0) / before.length;
    const variance = before.reduce((sum, x) => sum + (x - mean) ** 2, 0) / before.length;
    expect(read(batchMean)[0]).toBeCloseTo(mean, 5);
    expect(read(batchVariance)[0]).toBeCloseTo(variance, 5);
    const shift = trainable.parameters.get("shift")!.data[0]!;
    channel(read("n")).forEach((y, at) => {
      expect(y).toBeCloseTo((before[at]! - mean) / Math.sqrt(variance + 1e-5) + shift, 4);
    });
  });

  test("gradients through the statistics of the batch", async () => {
    const feeds = new Map([["x", sample([3, 3, 8, 8])]]);
    const { errors, reached } = await checkGradients("m", cnn(), feeds, { batchNorm: "train" });
    expect(reached).toHaveLength(6);
    for (const { name, error } of errors) {
      // the bias before a normalisation has none but rounding
      if (name !== "b") expect([name, error < 5e-3]).toEqual([name, true]);
    }
  });

  test("trained weights go back into the model they came from", async () => {
    const model = cnn();
    const trainable = prepareModel(model, none, settings);
    for (const { data } of trainable.parameters.values()) for (let at = 0; at < data.length; at++) data[at]! += 0.01;
    const trained = cloneModel(trainable.base);
    writeBack(trained, trainable.parameters);
    expect(trained.opsetImport[0]!.version).toBe(11n);
    const feeds = new Map([["x", sample([2, 3, 8, 8])]]);
    const graph = await bindShapes(trainable, feeds);
    expect(worstDifference(await runModel(trained, feeds), await runBound(graph, trainable, feeds))).toBeLessThan(1e-5);
  });

  test("a transformer block: kinds of its weights, a mask that is none, folded shapes, two lengths", async () => {
    const [width, heads] = [16, 2];
    const reshape = (from: string, name: string) => [
      makeNode("Reshape", `${name}_r`, [from, "by_head"], [`${name}_4`]),
      makeNode("Transpose", `${name}_t`, [`${name}_4`], [`${name}_h`], { perm: [0, 2, 1, 3] }),
    ];
    const linear = (from: string, name: string) => [
      makeNode("MatMul", `${name}_m`, [from, `${name}_w`], [`${name}_p`]),
      makeNode("Add", `${name}_a`, [`${name}_p`, `${name}_b`], [name]),
    ];
    const mask = Array.from({ length: 64 }, (_, at) => (at % 8 > Math.floor(at / 8) ? -1e9 : 0));
    const model = makeModel({
      opset: 17,
      inputs: [["ids", "int64", ["N", "T"]]],
      outputs: [["y", "float32", ["N", "T", width]]],
      nodes: [
        makeNode("Gather", "embed", ["table", "ids"], ["e"]),
        makeNode("Shape", "s", ["ids"], ["shape"]),
        makeNode("Gather", "len", ["shape", "one"], ["length"]),
        makeNode("Slice", "pos", ["positions", "zero", "length"], ["at"]),
        makeNode("Add", "place", ["e", "at"], ["x"]),
        makeNode("LayerNormalization", "ln", ["x", "ln_w", "ln_b"], ["n"], { axis: -1 }),
        ...["q", "k", "v"].flatMap((name) => [...linear("n", name), ...reshape(name, name)]),
        makeNode("Transpose", "kt", ["k_h"], ["k_t_h"], { perm: [0, 1, 3, 2] }),
        makeNode("MatMul", "scores", ["q_h", "k_t_h"], ["s0"]),
        makeNode("Div", "scaled", ["s0", "root"], ["s1"]),
        makeNode("Slice", "mask_rows", ["mask", "zero", "length", "zero"], ["mask_r"]),
        makeNode("Slice", "mask_columns", ["mask_r", "zero", "length", "one"], ["mask_s"]),
        makeNode("Add", "masked", ["s1", "mask_s"], ["s2"]),
        makeNode("Softmax", "soft", ["s2"], ["a"]),
        makeNode("MatMul", "mix", ["a", "v_h"], ["o_h"]),
        makeNode("Transpose", "back", ["o_h"], ["o_t"], { perm: [0, 2, 1, 3] }),
        makeNode("Reshape", "joined", ["o_t", "whole"], ["o"]),
        ...linear("o", "out"),
        makeNode("Add", "residual", ["out", "x"], ["y"]),
      ],
      initializers: [
        floats("table", [20, width]),
        floats("positions", [8, width]),
        floats("mask", [8, 8], mask),
        ...["ln_w", "ln_b", "q_b", "k_b", "v_b", "out_b"].map((name) => floats(name, [width])),
        ...["q_w", "k_w", "v_w", "out_w"].map((name) => floats(name, [width, width])),
        floats("root", [], [Math.sqrt(width / heads)]),
        ints("zero", [0]),
        ints("one", [1]),
        ints("by_head", [0, 0, heads, width / heads]),
        ints("whole", [0, 0, width]),
      ],
    });
    const trainable = prepareModel(model, none, settings);
    const kinds = Object.fromEntries([...trainable.parameters.values()].map(({ name, kind }) => [name, kind]));
    expect(kinds).toMatchObject({ table: "weight", positions: "weight", ln_w: "norm", q_w: "weight", out_b: "bias" });
    expect(Object.keys(kinds)).not.toContain("mask");
    expect(Object.keys(kinds)).not.toContain("root");
    for (const [rows, length] of [
      [2, 5],
      [1, 8],
    ] as const) {
      const next = uniform(7);
      const feeds = new Map([["ids", tensorOfNumbers("int64", [rows, length], () => Math.floor(next() * 20))]]);
      const graph = await bindShapes(trainable, feeds);
      expect(graph.nodes.some(({ opType }) => opType === "Shape")).toBe(false);
      expect(graph.fixed!.size).toBe(0);
      expect(graph.constants.get("mask_s")!.shape).toEqual([length, length]);
      expect(worstDifference(await runModel(model, feeds), await runBound(graph, trainable, feeds))).toBeLessThan(1e-5);
    }
  });

  test("an If on an integer input: the branch taken, its weights among the parameters, the input fixed", async () => {
    const branch = (name: string) =>
      makeGraph({
        outputs: [["out", "float32", ["N", 4]]],
        nodes: [
          constant(floats("w", [4, 4], name === "a" ? undefined : Array(16).fill(1))),
          makeNode("MatMul", "mm", ["x", "w"], ["out"]),
        ],
      });
    const model = makeModel({
      inputs: [
        ["x", "float32", ["N", 4]],
        ["rate", "int64", []],
      ],
      outputs: [["y", "float32", ["N", 4]]],
      nodes: [
        makeNode("Equal", "eq", ["rate", "sixteen"], ["is"]),
        withGraphs(makeNode("If", "if", ["is"], ["z"]), { then_branch: branch("a"), else_branch: branch("b") }),
        makeNode("Tanh", "tanh", ["z"], ["y"]),
      ],
      initializers: [ints("sixteen", [16])],
    });
    const trainable = prepareModel(model, none, settings);
    expect([...trainable.parameters.keys()].length).toBe(2);
    const feeds = new Map<string, Tensor>([
      ["x", sample([2, 4])],
      ["rate", { dtype: "int64", shape: [], data: BigInt64Array.of(16n) }],
    ]);
    const graph = await bindShapes(trainable, feeds);
    expect(graph.nodes.map(({ opType }) => opType)).toEqual(["MatMul", "Tanh"]);
    expect([...graph.fixed!.keys()]).toEqual(["rate"]);
    expect(worstDifference(await runModel(model, feeds), await runBound(graph, trainable, feeds))).toBeLessThan(1e-5);
    const other = await bindShapes(
      trainable,
      new Map([...feeds, ["rate", { dtype: "int64", shape: [], data: BigInt64Array.of(8n) } as Tensor]]),
    );
    expect(other.nodes[0]!.input[1]).not.toBe(graph.nodes[0]!.input[1]);
  });

  test("a model of 16 bits trains in 32 and is written back in 16", async () => {
    const half = (tensor: TensorProto) => {
      const { shape, data } = readTensor(tensor, none);
      return makeTensor(tensor.name, {
        dtype: "float16",
        shape,
        data: Uint16Array.from(data as Float32Array, halfBits),
      });
    };
    const model = makeModel({
      opset: 17,
      inputs: [["x", "float16", ["N", 6]]],
      outputs: [["y", "float16", ["N", 4]]],
      nodes: [makeNode("Gemm", "g", ["x", "w", "b"], ["z"]), makeNode("Relu", "r", ["z"], ["y"])],
      initializers: [half(floats("w", [6, 4])), half(floats("b", [4]))],
    });
    const trainable = prepareModel(model, none, settings);
    const { shape, data } = sample([2, 6]);
    const feeds = new Map<string, Tensor>([
      ["x", { dtype: "float16", shape, data: Uint16Array.from(data as Float32Array, halfBits) }],
    ]);
    const graph = await bindShapes(trainable, feeds);
    expect(graph.inputs[0]!.dtype).toBe("float32");
    for (const one of trainable.parameters.values()) one.data.fill(0.1);
    const live = await openLive(trainable, 1);
    const running = await live.run(feeds);
    await live.close();
    const trained = cloneModel(trainable.base);
    writeBack(trained, trainable.parameters);
    const weight = trained.graph!.initializer.find(({ name }) => name === "w")!;
    expect(readTensor(weight, none).dtype).toBe("float16");
    const theirs = await runModel(trained, feeds);
    expect(worstDifference(theirs, running)).toBeLessThan(2e-3);
    const fed = new Map([["x", { dtype: "float32" as const, shape, data }]]);
    expect(worstDifference(theirs, await runBound(graph, trainable, fed))).toBeLessThan(2e-3);
  });

  test("frozen weights are constants; with all of them frozen there is nothing to train", async () => {
    const trainable = prepareModel(cnn(), none, { ...settings, frozen: [/^v$/] });
    expect(trainable.parameters.has("v")).toBe(false);
    const graph = await bindShapes(trainable, new Map([["x", sample([2, 3, 8, 8])]]));
    expect(graph.constants.has("v")).toBe(true);
    expect(() => prepareModel(cnn(), none, { ...settings, frozen: [/./] })).toThrow(
      "m.onnx: nothing to train: every weight",
    );
  });

  test("data that do not fit are refused by the input's name", async () => {
    const trainable = prepareModel(cnn(), none, settings);
    await expect(bindShapes(trainable, new Map())).rejects.toThrow('the data has nothing for input "x"');
    const whole = new Map<string, Tensor>([["x", { dtype: "int32", shape: [1], data: Int32Array.of(1) }]]);
    await expect(bindShapes(trainable, whole)).rejects.toThrow('input "x" takes float32, the data has int32 1');
  });
});
