import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { sqnrDb } from "../../src/evaluate/metrics.js";
import { decodeModel, encodeModel, type ModelProto, makeTensor, type NodeProto } from "../../src/formats/onnx.js";
import { intAttribute, makeNode } from "../../src/graph/node.js";
import { applyPlan } from "../../src/quantize/apply.js";
import { type PlannedTensor, planQuantization } from "../../src/quantize/plan.js";
import { runtimeUse } from "../../src/quantize/runtime.js";
import type { QuantizeSettings } from "../../src/quantize/settings.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import { floats, ints, makeGraph, makeModel, withGraphs } from "../onnx-model.js";
import { plainQuantizer } from "../plain-quantizer.js";

const settings: QuantizeSettings = { scheme: "qdq", signed: false, clip: "max", minElements: 16 };
const noExternal = () => {
  throw new Error("no external data here");
};
const planOf = (model: ModelProto, changed: Partial<QuantizeSettings> = {}): Map<string, PlannedTensor> =>
  new Map(planQuantization(model, { ...settings, ...changed }).tensors.map((tensor) => [tensor.name, tensor]));
const copyOf = (model: ModelProto) => decodeModel(encodeModel(model), "copy");

async function compressed(model: ModelProto, changed: Partial<QuantizeSettings> = {}): Promise<ModelProto> {
  const copy = copyOf(model);
  await applyPlan(copy, planQuantization(copy, { ...settings, ...changed }), {
    quantizer: plainQuantizer(),
    readExternal: noExternal,
  });
  return decodeModel(encodeModel(copy), "compressed");
}

async function run(model: ModelProto, feeds: readonly (readonly [string, readonly number[]])[]): Promise<Float32Array> {
  const session = await openSession(encodeModel(model));
  const tensors = feeds.map(([name, shape]): [string, Tensor] => {
    const data = Float32Array.from({ length: elementCount(shape) }, (_, at) => Math.cos(at * 0.7));
    return [name, { dtype: "float32", shape, data }];
  });
  const outputs = await session.run(new Map(tensors));
  await session.close();
  return outputs.get("y")!.data as Float32Array;
}

interface Row {
  readonly title: string;
  readonly node: NodeProto;
  readonly weight: readonly number[];
  readonly input: readonly number[];
  readonly axis: number;
  readonly stored?: readonly number[];
}

const rows: readonly Row[] = [
  { title: "MatMul", node: makeNode("MatMul", "n", ["x", "w"], ["y"]), weight: [8, 6], input: [2, 8], axis: 1 },
  {
    title: "MatMul of batches",
    node: makeNode("MatMul", "n", ["x", "w"], ["y"]),
    weight: [2, 8, 6],
    input: [2, 3, 8],
    axis: 2,
  },
  {
    title: "MatMul with the weight on the left",
    node: makeNode("MatMul", "n", ["w", "x"], ["y"]),
    weight: [6, 8],
    input: [8, 3],
    axis: 0,
  },
  { title: "Gemm", node: makeNode("Gemm", "n", ["x", "w"], ["y"]), weight: [8, 6], input: [2, 8], axis: 1 },
  {
    title: "Gemm with transB, stored transposed",
    node: makeNode("Gemm", "n", ["x", "w"], ["y"], { transB: 1, alpha: { float: 0.5 } }),
    weight: [6, 8],
    input: [2, 8],
    axis: 1,
    stored: [8, 6],
  },
  { title: "Conv", node: makeNode("Conv", "n", ["x", "w"], ["y"]), weight: [4, 3, 3, 3], input: [1, 3, 5, 5], axis: 0 },
  {
    title: "depthwise Conv",
    node: makeNode("Conv", "n", ["x", "w"], ["y"], { group: 4 }),
    weight: [4, 1, 3, 3],
    input: [1, 4, 5, 5],
    axis: 0,
  },
  {
    title: "ConvTranspose with groups",
    node: makeNode("ConvTranspose", "n", ["x", "w"], ["y"], { group: 2 }),
    weight: [4, 3, 2, 2],
    input: [1, 4, 5, 5],
    axis: 1,
  },
];

const modelOf = ({ node, weight, input }: Row) =>
  makeModel({
    inputs: [["x", "float32", input]],
    outputs: [
      ["y", "float32", [...Array(weight.length === 4 ? 4 : Math.max(2, input.length))].map((_, at) => `d${at}`)],
    ],
    nodes: [node],
    initializers: [floats("w", weight)],
  });

describe("every quantizable operator", () => {
  test.each(rows.flatMap((row) => (["uint8", "int8"] as const).map((type) => ({ ...row, type }))))(
    "$title, $type: one scale per output channel, and onnxruntime agrees with the original",
    async (row) => {
      const model = modelOf(row);
      expect(planOf(model, { signed: row.type === "int8" }).get("w")).toMatchObject({
        action: "quantize",
        form: { axis: row.axis },
      });
      const result = await compressed(model, { signed: row.type === "int8" });
      const [head] = result.graph!.node;
      expect(head).toMatchObject({ opType: "DequantizeLinear", output: ["w"] });
      expect(intAttribute(head!, "axis", -9)).toBe(row.axis);
      const stored = row.stored ?? row.weight;
      const [quantized, scale, zero] = head!.input.map((name) =>
        result.graph!.initializer.find((t) => t.name === name),
      );
      expect(quantized!.dims.map(Number)).toEqual(stored);
      expect(scale!.dims.map(Number)).toEqual([stored[row.axis]]);
      expect(zero ? [...new Set(zero.rawData)] : undefined).toEqual(row.type === "uint8" ? [128] : undefined);
      expect(result.graph!.initializer.some(({ name }) => name === "w")).toBe(false);
      const feeds = [["x", row.input]] as const;
      expect(sqnrDb(await run(model, feeds), await run(result, feeds))).toBeGreaterThan(34);
    },
  );
});

describe("weights in nested graphs", () => {
  const weightOf = (name: string, scale: number) =>
    floats(
      name,
      [8, 8],
      Array.from({ length: 64 }, (_, at) => Math.sin(at) * scale),
    );
  const branch = (name: string, scale: number) =>
    makeGraph({
      outputs: [[`${name}_y`, "float32", [1, 8]]],
      nodes: [
        makeNode("MatMul", "m", ["x", name], [`${name}_h`]),
        makeNode("MatMul", "m2", [`${name}_h`, "shared"], [`${name}_y`]),
      ],
      initializers: [weightOf(name, scale)],
    });
  const condition = () => makeTensor("c", { dtype: "bool", shape: [], data: Uint8Array.of(1) });

  test("If: each branch dequantizes its own weight, and both read the outer one", async () => {
    const model = makeModel({
      inputs: [["x", "float32", [1, 8]]],
      outputs: [["y", "float32", [1, 8]]],
      nodes: [
        withGraphs(makeNode("If", "if", ["c"], ["y"]), { then_branch: branch("a", 1), else_branch: branch("b", 3) }),
      ],
      initializers: [condition(), weightOf("shared", 2)],
    });
    const result = await compressed(model);
    const inner = result.graph!.node.at(-1)!.attribute.map(({ g }) => g!);
    expect(inner.map(({ node }) => node.map(({ opType }) => opType))).toEqual([
      ["DequantizeLinear", "MatMul", "MatMul"],
      ["DequantizeLinear", "MatMul", "MatMul"],
    ]);
    expect(result.graph!.node.map(({ opType }) => opType)).toEqual(["DequantizeLinear", "If"]);
    expect(sqnrDb(await run(model, [["x", [1, 8]]]), await run(result, [["x", [1, 8]]]))).toBeGreaterThan(30);
  });

  test("two branches that hold different weights under one name keep each its own", async () => {
    const model = makeModel({
      inputs: [["x", "float32", [1, 8]]],
      outputs: [["y", "float32", [1, 8]]],
      nodes: [
        withGraphs(makeNode("If", "if", ["c"], ["y"]), {
          then_branch: makeGraph({
            outputs: [["t", "float32", [1, 8]]],
            nodes: [makeNode("MatMul", "m", ["x", "w"], ["t"])],
            initializers: [weightOf("w", 1)],
          }),
          else_branch: makeGraph({
            outputs: [["e", "float32", [1, 8]]],
            nodes: [makeNode("MatMul", "m", ["x", "w"], ["e"])],
            initializers: [weightOf("w", 100)],
          }),
        }),
      ],
      initializers: [condition()],
    });
    const result = await compressed(model);
    expect(sqnrDb(await run(model, [["x", [1, 8]]]), await run(result, [["x", [1, 8]]]))).toBeGreaterThan(34);
  });

  test("Loop bodies", async () => {
    const body = makeGraph({
      inputs: [
        ["i", "int64", []],
        ["go", "bool", []],
        ["state", "float32", [1, 8]],
      ],
      outputs: [
        ["go_out", "bool", []],
        ["state_out", "float32", [1, 8]],
      ],
      nodes: [makeNode("Identity", "id", ["go"], ["go_out"]), makeNode("MatMul", "m", ["state", "w"], ["state_out"])],
      // near the identity, so that the state neither vanishes nor cancels out over the trips
      initializers: [
        floats(
          "w",
          [8, 8],
          Array.from({ length: 64 }, (_, at) => (at % 9 === 0 ? 1 : 0) + 0.1 * Math.sin(at)),
        ),
      ],
    });
    const trips = ints("trips", [3]);
    trips.dims = [];
    const model = makeModel({
      inputs: [["x", "float32", [1, 8]]],
      outputs: [["y", "float32", [1, 8]]],
      nodes: [withGraphs(makeNode("Loop", "loop", ["trips", "c", "x"], ["y"]), { body })],
      initializers: [condition(), trips],
    });
    const result = await compressed(model);
    expect(sqnrDb(await run(model, [["x", [1, 8]]]), await run(result, [["x", [1, 8]]]))).toBeGreaterThan(30);
  });
});

describe("what is left alone, and why", () => {
  const matmul = makeNode("MatMul", "n", ["x", "w"], ["y"]);
  const base = {
    inputs: [["x", "float32", [2, 8]] as const],
    outputs: [["y", "float32", [2, 6]] as const],
  };
  const planned = (model: ModelProto) => planOf(model).get("w")!;

  test("small tensors", () => {
    const model = makeModel({ ...base, nodes: [matmul], initializers: [floats("w", [8, 6])] });
    expect(planOf(model, { minElements: 49 }).get("w")).toMatchObject({
      action: "leave",
      reason: "fewer than 49 elements",
      bytesAfter: 192,
    });
  });

  test("tensors no listed operator takes as a weight", () => {
    const model = makeModel({
      ...base,
      nodes: [makeNode("Add", "n", ["x", "w"], ["y"])],
      initializers: [floats("w", [8, 6])],
    });
    expect(planned(model)).toMatchObject({ action: "leave", reason: "no weight: read by Add" });
  });

  test("weights a caller may replace", () => {
    const model = makeModel({
      ...base,
      inputs: [...base.inputs, ["w", "float32", [8, 6]]],
      nodes: [matmul],
      initializers: [floats("w", [8, 6])],
    });
    expect(planned(model).reason).toBe("is also a graph input, so a caller may replace it");
  });

  test("weights whose uses disagree on the channel axis", () => {
    const model = makeModel({
      ...base,
      nodes: [matmul, makeNode("MatMul", "n2", ["w", "z"], ["y2"])],
      initializers: [floats("w", [8, 6]), floats("z", [6, 2])],
    });
    expect(planned(model).reason).toContain("not qdq: its uses need scales along different axes");
  });

  test("weights of other precisions", () => {
    const double = makeTensor("w", { dtype: "float64", shape: [8, 6], data: new Float64Array(48) });
    const model = makeModel({ ...base, nodes: [matmul], initializers: [double] });
    expect(planned(model).reason).toBe("is float64; float32, float16 and bfloat16 weights are quantized");
  });

  test("operators of that name in another domain", () => {
    const foreign = makeNode("MatMul", "n", ["x", "w"], ["y"]);
    foreign.domain = "com.example";
    expect(planned(makeModel({ ...base, nodes: [foreign], initializers: [floats("w", [8, 6])] })).action).toBe("leave");
  });

  test("the integers of large weights wait in a store, the bytes of the model are the same", async () => {
    const build = () =>
      makeModel({
        inputs: [["x", "float32", [1, 1024]]],
        outputs: [["y", "float32", [1, 1100]]],
        nodes: [matmul],
        initializers: [
          makeTensor("w", { dtype: "float32", shape: [1024, 1100], data: new Float32Array(1126400).fill(3) }),
        ],
      });
    const [inMemory, stored] = [build(), build()];
    const kept: Uint8Array<ArrayBuffer>[] = [];
    const context = { quantizer: plainQuantizer(), readExternal: noExternal };
    await applyPlan(inMemory, planQuantization(inMemory, settings), context);
    await applyPlan(stored, planQuantization(stored, settings), {
      ...context,
      store(bytes) {
        kept.push(bytes);
        return { location: "kept", offset: 0, length: bytes.length };
      },
    });
    expect(stored.graph!.initializer.map(({ rawData }) => rawData.length > 1e6)).not.toContain(true);
    expect(kept.map(({ length }) => length)).toEqual([1126400]);
    expect(
      Buffer.compare(
        encodeModel(stored, () => kept[0]!),
        encodeModel(inMemory),
      ),
    ).toBe(0);
  });

  test("weights with NaN, found when they are read", async () => {
    const values = Array.from({ length: 48 }, (_, at) => (at === 5 ? Number.NaN : at));
    const model = makeModel({ ...base, nodes: [matmul], initializers: [floats("w", [8, 6], values)] });
    const applied = await applyPlan(model, planQuantization(model, settings), {
      quantizer: plainQuantizer(),
      readExternal: noExternal,
    });
    expect(applied).toMatchObject([{ action: "leave", reason: "holds NaN or infinite elements", bytesAfter: 192 }]);
    expect(model.graph!.node).toHaveLength(1);
  });

  test("a weight that something else reads too is quantized, and the other use gets the dequantized values", async () => {
    const model = makeModel({
      inputs: [["x", "float32", [2, 8]]],
      outputs: [["y", "float32", [8, 6]]],
      nodes: [
        makeNode("MatMul", "n", ["x", "w"], ["h"]),
        makeNode("ReduceMax", "r", ["h"], ["m"], { keepdims: 0 }),
        makeNode("Mul", "s", ["w", "m"], ["y"]),
      ],
      initializers: [floats("w", [8, 6])],
    });
    expect(planned(model)).toMatchObject({ action: "quantize", reason: "1 other use read the dequantized values" });
    const result = await compressed(model);
    expect(sqnrDb(await run(model, [["x", [2, 8]]]), await run(result, [["x", [2, 8]]]))).toBeGreaterThan(34);
  });

  test("a transposed Gemm weight that is an output too is not turned round, and keeps its stated shape", async () => {
    const build = () =>
      makeModel({
        ...base,
        outputs: [...base.outputs, ["w", "float32", [6, 8]]],
        nodes: [makeNode("Gemm", "n", ["x", "w"], ["y"], { transB: 1 })],
        initializers: [floats("w", [6, 8])],
      });
    expect(planned(build())).toMatchObject({
      action: "quantize",
      form: { axis: 0 },
      reason: expect.stringMatching(/is an output too/),
    });
    expect(planned(build()).transpose).toBeUndefined();
  });

  test("what the file states of the shape of a weight goes when the weight is turned round", async () => {
    const model = makeModel({
      ...base,
      nodes: [makeNode("Gemm", "n", ["x", "w"], ["y"], { transB: 1 })],
      initializers: [floats("w", [6, 8])],
    });
    model.graph!.valueInfo.push({ ...model.graph!.input[0]!, name: "w" });
    expect((await compressed(model)).graph!.valueInfo).toEqual([]);
  });

  test("a transposed Gemm weight that another operator reads is not turned round", () => {
    const model = makeModel({
      ...base,
      nodes: [makeNode("Gemm", "n", ["x", "w"], ["y"], { transB: 1 }), makeNode("Abs", "a", ["w"], ["z"])],
      initializers: [floats("w", [6, 8])],
    });
    expect(planned(model)).toMatchObject({ action: "quantize", form: { axis: 0 } });
    expect(planned(model).transpose).toBeUndefined();
  });
});

test("the plan states the bytes that result", async () => {
  const model = makeModel({
    inputs: [["x", "float32", [2, 8]]],
    outputs: [["y", "float32", [2, 6]]],
    nodes: [makeNode("MatMul", "n", ["x", "w"], ["y"])],
    initializers: [floats("w", [8, 6])],
  });
  const result = await compressed(model);
  const stored = result.graph!.initializer.reduce((sum, { rawData }) => sum + rawData.length, 0);
  expect(planOf(model).get("w")).toMatchObject({ bytes: 192, bytesAfter: stored });
});

test("the runtime's use counts weights, not the nodes that read them", async () => {
  const model = makeModel({
    inputs: [["x", "float32", [1, 4, 5, 5]]],
    outputs: [["y", "float32", [1, 4, 3, 3]]],
    nodes: [
      makeNode("Conv", "a", ["x", "w"], ["p"]),
      makeNode("Conv", "b", ["x", "w"], ["q"]),
      makeNode("Add", "s", ["p", "q"], ["y"]),
    ],
    initializers: [floats("w", [4, 4, 3, 3])],
  });
  const applied = await applyPlan(model, planQuantization(model, settings), {
    quantizer: plainQuantizer(),
    readExternal: noExternal,
  });
  // as onnxruntime leaves it: each use with a DequantizeLinear of its own
  model.graph!.node.unshift(
    makeNode("DequantizeLinear", "again", [...model.graph!.node[0]!.input], ["w2"], { axis: 0 }),
  );
  expect(runtimeUse(model, applied)).toMatchObject({ eightBit: 0, floatsAtLoad: 0, dequantizedEachRun: 1 });
  model.graph!.node = model.graph!.node.filter(({ opType }) => opType !== "DequantizeLinear");
  expect(runtimeUse(model, applied)).toMatchObject({ eightBit: 1, floatsAtLoad: 0, dequantizedEachRun: 0 });
});
