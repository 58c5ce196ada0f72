import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../../src/data/batch.js";
import { sqnrDb } from "../../../src/evaluate/metrics.js";
import type { ModelProto, NodeProto, TensorProto } from "../../../src/formats/onnx.js";
import { makeTensor } from "../../../src/formats/onnx.js";
import { makeNode } from "../../../src/graph/node.js";
import { elementCount } from "../../../src/tensor/tensor.js";
import { floats, ints, makeModel, type Value } from "../../onnx-model.js";
import { observe, quantized, runOptimized } from "./observe.js";

const batchOf = (inputs: readonly Value[]): Batch =>
  new Map(
    inputs.map(([name, , shape], index) => {
      const sizes = shape as readonly number[];
      const data = Float32Array.from(
        { length: elementCount(sizes) },
        (_, at) => Math.cos(at * 0.7 + index) * 2 + Math.sin(at * at),
      );
      return [name, { dtype: "float32" as const, shape: sizes, data }];
    }),
  );

const scalar = (name: string, value: number) =>
  makeTensor(name, { dtype: "float32", shape: [], data: Float32Array.of(value) });

interface Row {
  readonly title: string;
  readonly nodes: readonly NodeProto[];
  readonly inputs?: readonly (readonly number[])[];
  readonly initializers?: readonly TensorProto[];
  readonly rank?: number;
  /** Operators that must run, and nothing else but conversions and changes of layout. */
  readonly runs: readonly string[];
  /** dB that must remain; the default is 34. */
  readonly least?: number;
  readonly matmulOfActivations?: boolean;
}

const image = [1, 16, 6, 6];
const conv = (output: string, input = "x", weight = "w") =>
  makeNode("Conv", `conv_${output}`, [input, weight], [output]);
const weight = floats("w", [16, 16, 1, 1]);

const rows: readonly Row[] = [
  { title: "Conv", nodes: [conv("y")], initializers: [weight], runs: ["QLinearConv"] },
  {
    title: "Conv with a bias",
    nodes: [makeNode("Conv", "c", ["x", "w", "b"], ["y"])],
    initializers: [weight, floats("b", [16])],
    runs: ["QLinearConv"],
  },
  {
    title: "depthwise Conv",
    nodes: [makeNode("Conv", "c", ["x", "w"], ["y"], { group: 16, pads: [1, 1, 1, 1] })],
    initializers: [floats("w", [16, 1, 3, 3])],
    runs: ["QLinearConv"],
  },
  {
    title: "Conv -> Relu",
    nodes: [conv("c"), makeNode("Relu", "r", ["c"], ["y"])],
    initializers: [weight],
    runs: ["QLinearConv"],
  },
  {
    title: "Conv -> Clip",
    nodes: [conv("c"), makeNode("Clip", "r", ["c", "lo", "hi"], ["y"])],
    initializers: [weight, scalar("lo", 0), scalar("hi", 1)],
    runs: ["QLinearConv"],
  },
  {
    title: "a Clip that leaves 0 out is kept",
    nodes: [conv("c"), makeNode("Clip", "r", ["c", "lo", "hi"], ["y"])],
    initializers: [weight, scalar("lo", 1), scalar("hi", 2)],
    runs: ["QLinearConv", "Clip"],
  },
  {
    title: "a Relu of a value that is read elsewhere",
    nodes: [conv("c"), makeNode("Relu", "r", ["c"], ["h"]), makeNode("Add", "a", ["h", "c"], ["y"])],
    initializers: [weight],
    runs: ["QLinearConv", "QLinearLeakyRelu", "QLinearAdd"],
  },
  {
    title: "residual Add",
    nodes: [conv("c"), makeNode("Add", "a", ["c", "x"], ["y"])],
    initializers: [weight],
    runs: ["QLinearConv", "QLinearAdd"],
  },
  {
    title: "Gemm",
    nodes: [makeNode("Gemm", "g", ["x", "w", "b"], ["y"])],
    inputs: [[3, 16]],
    initializers: [floats("w", [16, 8]), floats("b", [8])],
    runs: ["QGemm"],
  },
  {
    title: "Gemm with transB, before a Relu",
    nodes: [makeNode("Gemm", "g", ["x", "w", "b"], ["h"], { transB: 1 }), makeNode("Relu", "r", ["h"], ["y"])],
    inputs: [[3, 16]],
    initializers: [floats("w", [8, 16]), floats("b", [8])],
    runs: ["QGemm"],
  },
  {
    title: "MatMul",
    nodes: [makeNode("MatMul", "m", ["x", "w"], ["y"])],
    inputs: [[2, 3, 16]],
    initializers: [floats("w", [16, 8])],
    runs: ["MatMulIntegerToFloat"],
  },
  {
    title: "MatMul -> Add, which onnxruntime would make a float Gemm of",
    nodes: [makeNode("MatMul", "m", ["x", "w"], ["h"]), makeNode("Add", "a", ["h", "b"], ["y"])],
    inputs: [[3, 16]],
    initializers: [floats("w", [16, 8]), floats("b", [8])],
    runs: ["QLinearMatMul", "QLinearAdd"],
  },
  {
    title: "MatMul -> MatMul",
    nodes: [makeNode("MatMul", "m", ["x", "w"], ["h"]), makeNode("MatMul", "n", ["h", "v"], ["y"])],
    inputs: [[3, 16]],
    initializers: [floats("w", [16, 8]), floats("v", [8, 4])],
    runs: ["QLinearMatMul", "MatMulIntegerToFloat"],
  },
  {
    title: "MatMul of activations, when asked for",
    nodes: [makeNode("MatMul", "m", ["x", "x1"], ["y"])],
    inputs: [
      [4, 16],
      [16, 8],
    ],
    matmulOfActivations: true,
    runs: ["MatMulIntegerToFloat"],
  },
  {
    title: "MatMul of activations",
    nodes: [makeNode("MatMul", "m", ["x", "x1"], ["y"])],
    inputs: [
      [4, 16],
      [16, 8],
    ],
    runs: ["MatMul"],
  },
  { title: "Add", nodes: [makeNode("Add", "a", ["x", "x1"], ["y"])], inputs: [image, image], runs: ["QLinearAdd"] },
  {
    title: "Add of a constant",
    nodes: [makeNode("Add", "a", ["c", "x"], ["y"])],
    initializers: [floats("c", [16, 1, 1])],
    runs: ["QLinearAdd"],
  },
  { title: "Mul", nodes: [makeNode("Mul", "a", ["x", "x1"], ["y"])], inputs: [image, image], runs: ["QLinearMul"] },
  {
    title: "Mul by a positive number costs nothing",
    nodes: [makeNode("Mul", "a", ["x", "c"], ["y"])],
    initializers: [scalar("c", 0.3)],
    runs: [],
  },
  {
    title: "Mul by a negative number",
    nodes: [makeNode("Mul", "a", ["x", "c"], ["y"])],
    initializers: [scalar("c", -0.3)],
    runs: ["QLinearMul"],
  },
  {
    title: "Div by a positive number costs nothing",
    nodes: [makeNode("Div", "a", ["x", "c"], ["y"])],
    initializers: [scalar("c", 6)],
    runs: [],
  },
  {
    title: "Sub of a constant",
    nodes: [makeNode("Sub", "a", ["x", "c"], ["y"])],
    initializers: [floats("c", [16, 1, 1])],
    runs: ["QLinearAdd"],
  },
  {
    title: "hard swish as Paddle writes it",
    nodes: [
      makeNode("Add", "a", ["x", "three"], ["p"]),
      makeNode("Clip", "c", ["p", "zero", "six"], ["q"]),
      makeNode("Mul", "m", ["x", "q"], ["r"]),
      makeNode("Div", "d", ["r", "six"], ["y"]),
    ],
    initializers: [scalar("three", 3), scalar("zero", 0), scalar("six", 6)],
    runs: ["QLinearAdd", "QLinearMul"],
  },
  { title: "HardSigmoid", nodes: [makeNode("HardSigmoid", "h", ["x"], ["y"])], runs: ["QLinearAdd"] },
  { title: "Sigmoid", nodes: [makeNode("Sigmoid", "s", ["x"], ["y"])], runs: ["QLinearSigmoid"] },
  { title: "LeakyRelu", nodes: [makeNode("LeakyRelu", "l", ["x"], ["y"])], runs: ["QLinearLeakyRelu"] },
  { title: "Softmax", nodes: [makeNode("Softmax", "s", ["x"], ["y"], { axis: -1 })], runs: ["QLinearSoftmax"] },
  {
    title: "MaxPool",
    nodes: [conv("c"), makeNode("MaxPool", "p", ["c"], ["y"], { kernel_shape: [2, 2], strides: [2, 2] })],
    initializers: [weight],
    runs: ["QLinearConv", "NhwcMaxPool"],
  },
  {
    title: "AveragePool",
    nodes: [makeNode("AveragePool", "p", ["x"], ["y"], { kernel_shape: [2, 2], strides: [2, 2] })],
    runs: ["QLinearAveragePool"],
  },
  {
    title: "GlobalAveragePool",
    nodes: [makeNode("GlobalAveragePool", "p", ["x"], ["y"])],
    runs: ["QLinearGlobalAveragePool"],
  },
  {
    title: "Concat",
    nodes: [makeNode("Concat", "c", ["x", "x1"], ["y"], { axis: 1 })],
    inputs: [image, image],
    runs: ["QLinearConcat"],
  },
  {
    title: "Reshape, Transpose, Slice and Gather between kernels",
    nodes: [
      conv("c"),
      makeNode("Reshape", "r", ["c", "shape"], ["h"]),
      makeNode("Transpose", "t", ["h"], ["i"], { perm: [0, 2, 1] }),
      makeNode("Slice", "s", ["i", "start", "end", "axis"], ["j"]),
      makeNode("Gather", "g", ["j", "index"], ["k"], { axis: 1 }),
      makeNode("MatMul", "m", ["k", "v"], ["y"]),
    ],
    initializers: [
      weight,
      floats("v", [16, 8]),
      ints("shape", [1, 16, 36]),
      ints("start", [0]),
      ints("end", [20]),
      ints("axis", [1]),
      ints("index", [0, 3, 5, 7]),
    ],
    rank: 3,
    runs: ["QLinearConv", "Reshape", "Slice", "Gather", "MatMulIntegerToFloat"],
  },
  {
    title: "nearest Resize",
    nodes: [
      conv("c"),
      makeNode("Resize", "r", ["c", "", "scales"], ["h"], {
        mode: "nearest",
        coordinate_transformation_mode: "asymmetric",
        nearest_mode: "floor",
      }),
      makeNode("Conv", "d", ["h", "w"], ["y"]),
    ],
    initializers: [weight, floats("scales", [4], [1, 1, 2, 2])],
    runs: ["QLinearConv", "Resize"],
  },
  {
    title: "operators without an 8-bit kernel stay in floats, with no conversion around them",
    nodes: [makeNode("Tanh", "t", ["x"], ["h"]), makeNode("Erf", "e", ["h"], ["y"])],
    runs: ["Tanh", "Erf"],
  },
];

const modelOf = ({ nodes, inputs = [image], initializers = [], rank }: Row): { model: ModelProto; batch: Batch } => {
  const values = inputs.map((shape, at): Value => [at === 0 ? "x" : `x${at}`, "float32", shape]);
  const model = makeModel({
    inputs: values,
    outputs: [["y", "float32", Array.from({ length: rank ?? inputs[0]!.length }, (_, at) => `d${at}`)]],
    nodes,
    initializers,
  });
  return { model, batch: batchOf(values) };
};

const conversions = new Set(["QuantizeLinear", "DequantizeLinear", "Transpose"]);

describe("every operator of the table, 8-bit forms fused as planned and near the floats", () => {
  test.each(rows.flatMap((row) => [true, false].map((weightSigned) => ({ ...row, weightSigned }))))(
    "$title, signed weights: $weightSigned",
    async (row) => {
      const { model, batch } = modelOf(row);
      const observed = await observe(model, [batch]);
      const result = await quantized(model, observed, {
        weightSigned: row.weightSigned,
        matmulOfActivations: row.matmulOfActivations ?? false,
      });
      const reference = await runOptimized(model, batch);
      const found = await runOptimized(result.model, batch);
      const used = new Set(found.operators.filter((operator) => !conversions.has(operator)));
      expect([...used].sort()).toEqual([...new Set(row.runs)].sort());
      const [expected, got] = [reference, found].map(({ outputs }) => outputs.get("y")!.data as Float32Array);
      expect(sqnrDb(expected!, got!)).toBeGreaterThan(row.least ?? 34);
    },
  );
});

test("floats of 16 bits get no QuantizeLinear, whose scales are 32 bits; behind a Cast there is one", async () => {
  const half = makeTensor("h", { dtype: "float16", shape: [], data: Uint16Array.of(0x3c00) });
  const model = makeModel({
    inputs: [["x", "float16", image]],
    outputs: [["y", "float32", image]],
    nodes: [
      makeNode("Add", "a", ["x", "h"], ["b"]),
      makeNode("MaxPool", "p", ["b"], ["c"], { kernel_shape: [1, 1] }),
      makeNode("Cast", "f", ["c"], ["d"], { to: 1 }),
      conv("y", "d"),
    ],
    initializers: [half, weight],
  });
  const values = ["x", "b", "c", "d", "y"].map((name) => [name, { min: -3, max: 3 }] as const);
  const result = await quantized(model, new Map(values));
  const data = new Uint16Array(elementCount(image)).fill(0x3800);
  const { operators } = await runOptimized(result.model, new Map([["x", { dtype: "float16", shape: image, data }]]));
  expect(operators).toContain("QLinearConv");
  expect(operators).toContain("MaxPool");
});
