import { describe, expect, test } from "@jest/globals";
import { type ModelProto, makeTensor, type NodeProto } from "../../src/formats/onnx.js";
import { nonFiniteTensors, nonFiniteWords } from "../../src/graph/finite.js";
import { makeNode as node } from "../../src/graph/node.js";
import { quantizationOf, schemeWords } from "../../src/graph/quantization.js";
import { constant, floats, makeGraph, makeModel, withGraphs } from "../onnx-model.js";

const eight = (name: string, elements = 4096) =>
  makeTensor(name, { dtype: "int8", shape: [elements / 64, 64], data: new Int8Array(elements) });
const foreign = (made: NodeProto): NodeProto => Object.assign(made, { domain: "com.microsoft" });
const model = (nodes: readonly NodeProto[], initializers = [eight("q"), floats("s", [64])]): ModelProto =>
  makeModel({
    inputs: [["x", "float32", ["n", 64]]],
    outputs: [["y", "float32", ["n", 64]]],
    nodes,
    initializers,
  });

describe("models that are quantized already", () => {
  const rows: readonly [what: string, model: ModelProto, way: string, words: string][] = [
    [
      "stored as QDQ",
      model([node("DequantizeLinear", "d", ["q", "s"], ["w"]), node("MatMul", "m", ["x", "w"], ["y"])]),
      "qdq",
      "1 DequantizeLinear node; 94 % of its stored bytes are integers of 8 bits or fewer",
    ],
    [
      "by integer operators in a branch",
      model([
        withGraphs(node("If", "if", ["c"], ["y"]), {
          then_branch: makeGraph({
            outputs: [["o", "float32", []]],
            nodes: [
              node("DynamicQuantizeLinear", "d", ["x"], ["xq", "xs", "xz"]),
              node("MatMulInteger", "m", ["xq", "q"], ["i"]),
            ],
          }),
        }),
      ]),
      "integer",
      "2 DynamicQuantizeLinear/MatMulInteger nodes; 94 % of its stored bytes are integers of 8 bits or fewer",
    ],
    [
      "by operators of onnxruntime's own",
      model([foreign(node("QLinearAdd", "a", ["x", "q"], ["y"]))]),
      "integer",
      "1 QLinearAdd node; 94 % of its stored bytes are integers of 8 bits or fewer",
    ],
    [
      "in blocks",
      model([foreign(node("MatMulNBits", "m", ["x", "q", "s"], ["y"]))]),
      "nbits",
      "1 MatMulNBits node; 94 % of its stored bytes are integers of 8 bits or fewer",
    ],
    [
      "stored as integers that are cast",
      model(
        [constant(eight("q")), node("Cast", "c", ["q"], ["w"], { to: 1 }), node("MatMul", "m", ["x", "w"], ["y"])],
        [floats("s", [64])],
      ),
      "unpack",
      "1 Cast node; 94 % of its stored bytes are integers of 8 bits or fewer",
    ],
  ];
  test.each(rows)("%s", (_, quantized, way, words) => {
    const found = quantizationOf(quantized);
    expect(found?.ways.map((each) => each.way)).toContain(way);
    expect(found?.words).toBe(words);
  });

  test("floats of any size, small integer tables, pixels that are cast, and other people's operators are not", () => {
    const others = model(
      [
        node("Cast", "c", ["pixels"], ["f"], { to: 1 }),
        node("Gather", "g", ["table", "i"], ["t"]),
        Object.assign(node("MatMulNBits", "m", ["x"], ["y"]), { domain: "com.example" }),
      ],
      [eight("table", 128), makeTensor("h", { dtype: "float16", shape: [64, 64], data: new Uint16Array(4096) })],
    );
    expect(quantizationOf(others)).toBeNull();
  });
});

test("NaN and infinities are found and named, in every float type and graph", () => {
  const half = Uint16Array.of(0, 0x7c00, 0x7e00, 0x7bff, 0xfc00);
  const inner = makeGraph({
    outputs: [],
    nodes: [],
    initializers: [makeTensor("half", { dtype: "float16", shape: [5], data: half })],
  });
  const bad = model(
    [withGraphs(node("If", "if", ["x"], ["y"]), { then_branch: inner })],
    [
      floats("fine", [3]),
      floats("nan", [4], [1, Number.NaN, 2, Number.NaN]),
      floats("mask", [2], [0, Number.NEGATIVE_INFINITY]),
      makeTensor("brain", { dtype: "bfloat16", shape: [2], data: Uint16Array.of(0x7f7f, 0x7f80) }),
      eight("q"),
    ],
  );
  const found = nonFiniteTensors(
    bad,
    () => new Uint8Array(0),
    (name) => name !== "mask",
  );
  expect(found.map((each) => [each.graph, nonFiniteWords(each)])).toEqual([
    ["main", "tensor nan holds 2 NaN values, the first at index 1"],
    ["main", "tensor brain holds 1 infinite value, the first at index 1"],
    ["main/if.then_branch", "tensor half holds 1 NaN and 2 infinite values, the first at index 1"],
  ]);
});

test.each([
  ["qdq", ["DequantizeLinear"], "qdq"],
  ["qdq", ["DequantizeLinear", "QuantizeLinear"], "static"],
  ["integer", ["DynamicQuantizeLSTM"], "dynamic"],
  ["integer", ["QLinearConv"], "integer operators"],
  ["nbits", ["MatMulNBits"], "nbits"],
  ["unpack", ["Cast"], "unpack"],
  ["unpack", ["Gather"], "gather"],
  ["unpack", ["Cast", "Gather"], "unpack and gather"],
] as const)("%s with %j is called %s, as the scheme that makes it", (way, operators, name) => {
  expect(schemeWords({ way, operators, nodes: 1 }).split(":")[0]).toBe(name);
});

test("4-bit values that are looked up by byte count as two each", () => {
  const packed = (bytes: number) =>
    model(
      [
        node("Cast", "c", ["q"], ["i"], { to: 6 }),
        node("Gather", "g", ["table", "i"], ["p"]),
        node("Reshape", "r", ["p", "shape"], ["f"]),
        node("MatMul", "m", ["x", "f"], ["y"]),
      ],
      [
        makeTensor("q", { dtype: "uint8", shape: [bytes], data: new Uint8Array(bytes) }),
        floats("table", [256, 2]),
        makeTensor("shape", { dtype: "int64", shape: [2], data: BigInt64Array.of(64n, -1n) }),
      ],
    );
  expect(quantizationOf(packed(512))?.ways).toEqual([expect.objectContaining({ way: "unpack" })]);
  expect(quantizationOf(packed(448))).toBeNull();
});
