import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { sqnrDb } from "../../src/evaluate/metrics.js";
import { decodeModel, encodeModel, graphsOf, type ModelProto, type NodeProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { applyPlan } from "../../src/quantize/apply.js";
import { planQuantization } from "../../src/quantize/plan.js";
import type { QuantizeSettings } from "../../src/quantize/settings.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import { floats, makeGraph, makeModel, withGraphs } from "../onnx-model.js";
import { plainQuantizer } from "../plain-quantizer.js";

const settings: QuantizeSettings = { scheme: "dynamic", signed: false, clip: "max", minElements: 4 };
const readExternal = () => {
  throw new Error("no external data here");
};

async function compressed(model: ModelProto, changed: Partial<QuantizeSettings> = {}) {
  const copy = decodeModel(encodeModel(model), "copy");
  const plan = planQuantization(copy, { ...settings, ...changed });
  const tensors = await applyPlan(copy, plan, { quantizer: plainQuantizer(), readExternal });
  return { model: decodeModel(encodeModel(copy), "compressed"), tensors };
}

type Feed = readonly [name: string, shape: readonly number[]];

async function run(model: ModelProto, feeds: readonly Feed[]): Promise<Float32Array> {
  const session = await openSession(encodeModel(model));
  const tensors = feeds.map(([name, shape], number): [string, Tensor] => {
    const data = Float32Array.from({ length: elementCount(shape) }, (_, at) => Math.cos(at * 0.7 + number));
    return [name, { dtype: "float32", shape, data }];
  });
  const outputs = await session.run(new Map(tensors));
  await session.close();
  return outputs.get("y")!.data as Float32Array;
}

const opTypes = (model: ModelProto) => [...graphsOf(model.graph!)].flatMap(({ node }) => node.map((n) => n.opType));

interface Row {
  readonly title: string;
  readonly nodes: readonly NodeProto[];
  readonly weights: Readonly<Record<string, readonly number[]>>;
  readonly input: readonly number[];
  readonly kernel: string;
}

const rows: readonly Row[] = [
  {
    title: "MatMul",
    nodes: [makeNode("MatMul", "n", ["x", "w"], ["y"])],
    weights: { w: [16, 12] },
    input: [2, 3, 16],
    kernel: "MatMulInteger",
  },
  {
    title: "Gemm with transB, alpha and a bias",
    nodes: [makeNode("Gemm", "n", ["x", "w", "b"], ["y"], { transB: 1, alpha: { float: 0.5 } })],
    weights: { w: [12, 16], b: [3] },
    input: [4, 16],
    kernel: "MatMulInteger",
  },
  {
    title: "Conv with bias, stride and pads",
    nodes: [makeNode("Conv", "n", ["x", "w", "b"], ["y"], { strides: [2, 2], pads: [1, 1, 1, 1] })],
    weights: { w: [6, 3, 3, 3], b: [6] },
    input: [2, 3, 9, 9],
    kernel: "ConvInteger",
  },
  {
    title: "depthwise Conv",
    nodes: [makeNode("Conv", "n", ["x", "w"], ["y"], { group: 4 })],
    weights: { w: [4, 1, 3, 3] },
    input: [1, 4, 7, 7],
    kernel: "ConvInteger",
  },
  {
    title: "Conv over one axis",
    nodes: [makeNode("Conv", "n", ["x", "w", "b"], ["y"])],
    weights: { w: [6, 3, 5], b: [6] },
    input: [2, 3, 20],
    kernel: "ConvInteger",
  },
  {
    title: "LSTM in both directions",
    nodes: [makeNode("LSTM", "n", ["x", "w", "r", "b"], ["y"], { hidden_size: 8, direction: "bidirectional" })],
    weights: { w: [2, 32, 6], r: [2, 32, 8], b: [2, 64] },
    input: [5, 1, 6],
    kernel: "DynamicQuantizeLSTM",
  },
];

function modelOf({ nodes, weights, input }: Row): ModelProto {
  // a bias that no row quantizes
  const initializers = Object.entries(weights).map(([name, shape]) =>
    floats(name, name === "b" && nodes[0]!.opType === "Gemm" ? [12] : shape),
  );
  return makeModel({
    opset: 14,
    inputs: [["x", "float32", input]],
    outputs: [["y", "float32", ["a"]]],
    nodes,
    initializers,
  });
}

describe("dynamic quantization", () => {
  test.each(rows.flatMap((row) => [true, false].map((signed) => ({ ...row, signed }))))(
    "$title (signed: $signed) computes with integers, near the original",
    async (row) => {
      const model = modelOf(row);
      const original = await run(model, [["x", row.input]]);
      const result = await compressed(model, { signed: row.signed });
      expect(opTypes(result.model)).toContain(row.kernel);
      expect(opTypes(result.model)).not.toContain(row.nodes[0]!.opType);
      expect(sqnrDb(original, await run(result.model, [["x", row.input]]))).toBeGreaterThan(30);
    },
  );

  test("an activation that several nodes read is quantized once, behind the node that makes it", async () => {
    const model = makeModel({
      inputs: [["x", "float32", [2, 8]]],
      outputs: [["y", "float32", [2, 6]]],
      nodes: [
        makeNode("Relu", "relu", ["x"], ["h"]),
        makeNode("MatMul", "q", ["h", "v"], ["a"]),
        makeNode("MatMul", "k", ["h", "w"], ["b"]),
        makeNode("Add", "sum", ["a", "b"], ["y"]),
      ],
      // the later node's weight comes first
      initializers: [floats("w", [8, 6]), floats("v", [8, 6])],
    });
    const result = await compressed(model);
    const kinds = opTypes(result.model);
    expect(kinds.filter((kind) => kind === "DynamicQuantizeLinear")).toHaveLength(1);
    expect(kinds.slice(0, 2)).toEqual(["Relu", "DynamicQuantizeLinear"]);
    const feeds: Feed[] = [["x", [2, 8]]];
    expect(sqnrDb(await run(model, feeds), await run(result.model, feeds))).toBeGreaterThan(30);
  });

  test("works in the branches of an If with weights of their own and from outside", async () => {
    const branch = (weight: string, own: boolean) =>
      makeGraph({
        outputs: [[`${weight}_y`, "float32", [2, 6]]],
        nodes: [makeNode("MatMul", `${weight}_n`, ["x", weight], [`${weight}_y`])],
        initializers: own ? [floats(weight, [8, 6])] : [],
      });
    const flag = makeNode("Greater", "flag", ["first", "limit"], ["yes"]);
    const model = makeModel({
      inputs: [["x", "float32", [2, 8]]],
      outputs: [["y", "float32", [2, 6]]],
      nodes: [
        makeNode("ReduceMax", "max", ["x"], ["first"], { keepdims: 0 }),
        flag,
        withGraphs(makeNode("If", "if", ["yes"], ["y"]), {
          then_branch: branch("inner", true),
          else_branch: branch("outer", false),
        }),
      ],
      initializers: [floats("outer", [8, 6]), floats("limit", [], [0.5])],
    });
    const result = await compressed(model);
    expect(opTypes(result.model).filter((kind) => kind === "MatMulInteger")).toHaveLength(2);
    const feeds: Feed[] = [["x", [2, 8]]];
    expect(sqnrDb(await run(model, feeds), await run(result.model, feeds))).toBeGreaterThan(30);
  });

  test("what has no integer form is unpacked at load, with the reason", async () => {
    const model = makeModel({
      inputs: [["x", "float32", [8, 2]]],
      outputs: [["y", "float32", [6, 2]]],
      nodes: [makeNode("MatMul", "n", ["w", "x"], ["y"])],
      initializers: [floats("w", [6, 8])],
    });
    const { tensors } = await compressed(model);
    expect(tensors[0]).toMatchObject({
      scheme: "unpack",
      reason: expect.stringMatching(/not dynamic: the weight stands on the left/),
    });
  });

  test.each([
    ["is too small", {}, { minElements: 300 }],
    ["is told to stay", { overrides: [{ pattern: "w", scheme: "float" as const }] }, {}],
  ])("LSTM keeps its operator where one of its weights %s: the kernel takes no floats", async (_, one, two) => {
    const model = makeModel({
      opset: 14,
      inputs: [["x", "float32", [3, 1, 4]]],
      outputs: [["y", "float32", ["a"]]],
      nodes: [makeNode("LSTM", "n", ["x", "w", "r"], ["y"], { hidden_size: 16 })],
      initializers: [floats("w", [1, 64, 4]), floats("r", [1, 64, 16])],
    });
    const result = await compressed(model, { ...one, ...two });
    expect(result.tensors[1]).toMatchObject({ scheme: "unpack", reason: expect.stringMatching(/other weight/) });
    const feeds: Feed[] = [["x", [3, 1, 4]]];
    expect(sqnrDb(await run(model, feeds), await run(result.model, feeds))).toBeGreaterThan(30);
  });

  test("a product of a vector stays: onnxruntime would infer a wrong shape for what it makes of it", async () => {
    const model = makeModel({
      opset: 17,
      inputs: [["x", "float32", [11]]],
      outputs: [["y", "float32", [1, 15]]],
      nodes: [
        makeNode("MatMul", "m", ["x", "w"], ["h"]),
        makeNode("Add", "a", ["h", "k"], ["g"]),
        makeNode("BatchNormalization", "bn", ["g", "s", "s", "s", "s"], ["y"]),
      ],
      initializers: [floats("w", [11, 15]), floats("k", [1, 15]), floats("s", [15], Array(15).fill(1))],
    });
    const result = await compressed(model);
    expect(result.tensors[0]).toMatchObject({ scheme: "nbits", reason: expect.stringMatching(/input is a vector/) });
    const feeds: Feed[] = [["x", [11]]];
    expect(sqnrDb(await run(model, feeds), await run(result.model, feeds))).toBeGreaterThan(30);
  });
});
