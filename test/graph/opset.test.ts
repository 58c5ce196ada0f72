import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import {
  decodeModel,
  encodeModel,
  type ModelProto,
  makeTensor,
  type NodeProto,
  setExternal,
  type TensorProto,
} from "../../src/formats/onnx.js";
import { cloneModel } from "../../src/graph/clone.js";
import { isStandard, makeNode, setAttribute } from "../../src/graph/node.js";
import { defaultOpset, raiseOpset } from "../../src/graph/opset.js";
import type { DType, Tensor } from "../../src/tensor/tensor.js";
import { constant, floats, ints, makeGraph, makeModel, type Value, withGraphs } from "../onnx-model.js";

const feed = (shape: readonly number[], name = "x"): ReadonlyMap<string, Tensor> => {
  const count = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: count }, (_, at) => Math.sin(at * 1.7) * 3);
  return new Map([[name, { dtype: "float32", shape, data }]]);
};

async function outputsOf(model: ModelProto, shape: readonly number[]) {
  const session = await openSession(encodeModel(model), { graphOptimization: "disabled" });
  const outputs = await session.run(feed(shape));
  await session.close();
  return outputs;
}

interface Row {
  readonly title: string;
  readonly opset: number;
  readonly shape: readonly number[];
  readonly node: NodeProto;
  readonly initializers?: readonly TensorProto[];
  /** Number and types of the outputs y0, y1, ...; one float32 unless said. */
  readonly outputs?: readonly DType[];
  /** Leaves the input's rank out of the file. */
  readonly hideRank?: boolean;
}

const node = (
  opType: string,
  attributes: Record<string, number | string | readonly number[] | { float: number }> = {},
  inputs: readonly string[] = [],
  outputs = 1,
) =>
  makeNode(
    opType,
    "n",
    ["x", ...inputs],
    Array.from({ length: outputs }, (_, at) => `y${at}`),
    attributes,
  );

function withHalfScale(): ModelProto {
  const half = makeTensor("g", { dtype: "float16", shape: [1], data: Uint16Array.of(0x3c00) });
  const initializers = [half, floats("c", [1])];
  return modelOf({ title: "", opset: 18, shape: [1], node: node("GroupNormalization", {}, ["g", "c"]), initializers });
}

const bigEnds = (made: NodeProto): NodeProto => {
  made.attribute.find(({ name }) => name === "ends")!.ints = [2n ** 63n - 1n];
  return made;
};

const floatList = (name: string, values: readonly number[]) => (made: NodeProto) => {
  setAttribute(made, name, []);
  const attribute = made.attribute.find((entry) => entry.name === name)!;
  attribute.floats = [...values];
  attribute.type = 6;
  return made;
};

const rows: readonly Row[] = [
  { title: "Softmax over the default axis of rank 3 flattens", opset: 9, shape: [2, 3, 4], node: node("Softmax") },
  { title: "Softmax axis 2 of rank 3", opset: 11, shape: [2, 3, 4], node: node("Softmax", { axis: 2 }) },
  { title: "Softmax axis 0", opset: 12, shape: [2, 3], node: node("Softmax", { axis: 0 }) },
  { title: "Softmax axis -2", opset: 11, shape: [2, 3, 4], node: node("Softmax", { axis: -2 }) },
  { title: "Softmax of unstated rank", opset: 9, shape: [2, 3, 4], node: node("Softmax", { axis: 2 }), hideRank: true },
  { title: "LogSoftmax", opset: 9, shape: [2, 3, 4], node: node("LogSoftmax", { axis: 1 }) },
  { title: "Hardmax", opset: 11, shape: [2, 3, 4], node: node("Hardmax", { axis: 1 }) },
  { title: "Squeeze with axes", opset: 9, shape: [1, 3, 1], node: node("Squeeze", { axes: [0, 2] }) },
  { title: "Squeeze without axes", opset: 11, shape: [1, 3, 1], node: node("Squeeze") },
  { title: "Unsqueeze", opset: 9, shape: [2, 3], node: node("Unsqueeze", { axes: [0, 3] }) },
  { title: "ReduceSum with axes", opset: 9, shape: [2, 3, 4], node: node("ReduceSum", { axes: [1], keepdims: 0 }) },
  { title: "ReduceSum of all", opset: 11, shape: [2, 3], node: node("ReduceSum") },
  {
    title: "Split with sizes",
    opset: 9,
    shape: [2, 6],
    node: node("Split", { axis: 1, split: [1, 5] }, [], 2),
    outputs: ["float32", "float32"],
  },
  {
    title: "Split in equal parts",
    opset: 11,
    shape: [2, 6],
    node: node("Split", { axis: 1 }, [], 3),
    outputs: ["float32", "float32", "float32"],
  },
  { title: "Dropout", opset: 7, shape: [2, 3], node: node("Dropout", { ratio: { float: 0.3 } }) },
  {
    title: "Dropout with a mask that nobody reads",
    opset: 10,
    shape: [2, 3],
    node: node("Dropout", { ratio: { float: 0.3 } }, [], 2),
  },
  { title: "Clip both sides", opset: 9, shape: [9], node: node("Clip", { min: { float: -1 }, max: { float: 0.5 } }) },
  { title: "Clip above only", opset: 6 + 1, shape: [9], node: node("Clip", { max: { float: 0.5 } }) },
  { title: "Clip without bounds", opset: 10, shape: [9], node: node("Clip") },
  { title: "Pad with zeros", opset: 9, shape: [2, 3], node: node("Pad", { pads: [0, 1, 1, 0] }) },
  {
    title: "Pad with a value",
    opset: 10,
    shape: [2, 3],
    node: node("Pad", { pads: [1, 0, 0, 2], value: { float: 7 } }),
  },
  { title: "Pad reflected", opset: 9, shape: [3, 3], node: node("Pad", { pads: [1, 1, 1, 1], mode: "reflect" }) },
  { title: "Slice with axes", opset: 9, shape: [3, 4], node: node("Slice", { starts: [1], ends: [3], axes: [1] }) },
  {
    title: "Slice to the end, the way PyTorch writes it (the largest 64-bit integer)",
    opset: 9,
    shape: [5, 2],
    node: bigEnds(node("Slice", { starts: [1], ends: [0], axes: [0] })),
  },
  { title: "Slice without axes", opset: 8, shape: [3, 4], node: node("Slice", { starts: [0, -2], ends: [2, 9] }) },
  {
    title: "TopK",
    opset: 9,
    shape: [2, 5],
    node: node("TopK", { k: 3, axis: 1 }, [], 2),
    outputs: ["float32", "int64"],
  },
  {
    title: "Scatter",
    opset: 10,
    shape: [3, 3],
    node: node("Scatter", { axis: 0 }, ["i", "u"]),
    initializers: [ints2("i", [1, 2], [0, 2]), floats("u", [1, 2], [8, 9])],
  },
  {
    title: "Upsample nearest by attribute",
    opset: 7,
    shape: [1, 1, 2, 3],
    node: floatList("scales", [1, 1, 2, 1.5])(node("Upsample", { mode: "nearest" })),
  },
  {
    title: "Upsample linear by input",
    opset: 9,
    shape: [1, 1, 3, 2],
    node: node("Upsample", { mode: "linear" }, ["s"]),
    initializers: [floats("s", [4], [1, 1, 2, 2.5])],
  },
  {
    title: "Resize 10 growing, nearest",
    opset: 10,
    shape: [1, 1, 3, 4],
    node: node("Resize", { mode: "nearest" }, ["s"]),
    initializers: [floats("s", [4], [1, 1, 2, 1.7])],
  },
  {
    title: "Resize 10 shrinking, nearest",
    opset: 10,
    shape: [1, 1, 7, 9],
    node: node("Resize", { mode: "nearest" }, ["s"]),
    initializers: [floats("s", [4], [1, 1, 0.6, 0.5])],
  },
  {
    title: "Resize 10 linear",
    opset: 10,
    shape: [1, 1, 4, 6],
    node: node("Resize", { mode: "linear" }, ["s"]),
    initializers: [floats("s", [4], [1, 1, 0.5, 2])],
  },
  {
    title: "BatchNormalization with spatial",
    opset: 7,
    shape: [1, 2, 3],
    node: node("BatchNormalization", { spatial: 1 }, ["a", "b", "m", "v"]),
    initializers: [
      floats("a", [2], [1, 2]),
      floats("b", [2], [0, 1]),
      floats("m", [2], [0.5, 0]),
      floats("v", [2], [1, 4]),
    ],
  },
];

function ints2(name: string, shape: readonly number[], values: readonly number[]) {
  const tensor = ints(name, values);
  tensor.dims = shape.map(BigInt);
  return tensor;
}

function modelOf(row: Row): ModelProto {
  const shape: Value[2] = row.hideRank ? [] : row.shape;
  const model = makeModel({
    opset: row.opset,
    ir: 4,
    inputs: [["x", "float32", shape]],
    outputs: (row.outputs ?? ["float32" as const]).map((dtype, at) => [`y${at}`, dtype, []] as const),
    nodes: [row.node],
    initializers: row.initializers ?? [],
  });
  // the rank of results is onnxruntime's business here
  const values = [...model.graph!.output, ...(row.hideRank ? model.graph!.input : [])];
  for (const value of values) {
    if (value.type?.value.case === "tensorType") delete (value.type.value.value as { shape?: unknown }).shape;
  }
  // raising changes nodes, which are the rows'
  return decodeModel(encodeModel(model), row.title);
}

/** What changes between 13 and 21 only. */
const laterRows: readonly Row[] = [
  ...["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"].map(
    (kind): Row => ({
      title: `Reduce${kind}`,
      opset: 13,
      shape: [2, 3, 4],
      // logarithms want positive sums
      node: node(`Reduce${kind}`, kind === "LogSum" ? { axes: [1], keepdims: 1 } : { axes: [0, 2], keepdims: 0 }),
    }),
  ),
  { title: "ReduceMean of all", opset: 11, shape: [2, 3], node: node("ReduceMean") },
  {
    title: "Split into equal parts",
    opset: 13,
    shape: [2, 6],
    node: node("Split", { axis: 1 }, [], 3),
    outputs: ["float32", "float32", "float32"],
  },
  {
    title: "AveragePool",
    opset: 11,
    shape: [1, 2, 5, 5],
    node: node("AveragePool", { kernel_shape: [2, 2], pads: [1, 1, 0, 0] }),
  },
  {
    title: "BatchNormalization",
    opset: 9,
    shape: [1, 2, 3],
    node: node("BatchNormalization", {}, ["a", "b", "c", "d"]),
    initializers: [
      floats("a", [2], [1, 2]),
      floats("b", [2], [0.5, -1]),
      floats("c", [2], [0.1, 0.2]),
      floats("d", [2], [1, 4]),
    ],
  },
  {
    title: "RoiAlign",
    opset: 10,
    shape: [1, 1, 6, 6],
    node: node("RoiAlign", { output_height: 2, output_width: 2, sampling_ratio: 2 }, ["r", "i"]),
    initializers: [floats("r", [1, 4], [0.3, 0.7, 4.2, 3.9]), ints("i", [0])],
  },
  ...[2, 3, 6].map(
    (groups): Row => ({
      title: `GroupNormalization, ${groups} groups`,
      opset: 18,
      shape: [2, 6, 3, 4],
      node: node("GroupNormalization", { num_groups: groups, epsilon: { float: 1e-3 } }, ["g", "c"]),
      initializers: [
        floats("g", [groups], [1, -2, 0.5, 3, 0.2, 1.5].slice(0, groups)),
        floats("c", [groups], [0.5, -1, 0, 2, 0.3, -0.7].slice(0, groups)),
      ],
    }),
  ),
  ...(["bilinear", "bicubic", "nearest"] as const).map(
    (mode): Row => ({
      title: `GridSample ${mode}`,
      opset: 16,
      shape: [1, 1, 4, 4],
      node: node("GridSample", { mode }, ["g"]),
      initializers: [floats("g", [1, 2, 2, 2], [-0.5, 0.2, 0.1, 0.9, 0.4, -0.3, 0.8, -0.9])],
    }),
  ),
];

describe("raising the opset keeps what the model computes", () => {
  test.each([...rows, ...laterRows])("$title (opset $opset), up to 21", async (row) => {
    const before = await outputsOf(modelOf(row), row.shape);
    const model = modelOf(row);
    raiseOpset(model, "m.onnx", 21);
    expect(defaultOpset(model)).toBe(21);
    expect(Number(model.irVersion)).toBe(10);
    const after = await outputsOf(model, row.shape);
    for (const [name, { shape, data }] of before) {
      expect(after.get(name)!.shape).toEqual(shape);
      // another version may be another kernel, which may add up in another order
      [...data].forEach((value, at) => {
        const got = after.get(name)!.data[at];
        if (!Object.is(got, value)) expect(Number(got)).toBeCloseTo(Number(value), 5);
      });
    }
  });

  test.each(rows)("$title (opset $opset)", async (row) => {
    const before = await outputsOf(modelOf(row), row.shape);
    const model = modelOf(row);
    raiseOpset(model, "m.onnx");
    expect(defaultOpset(model)).toBe(13);
    expect(Number(model.irVersion)).toBeGreaterThanOrEqual(7);
    expect(await outputsOf(model, row.shape)).toEqual(before);
  });

  test("scales in an external file are read", () => {
    const build = () =>
      modelOf({
        title: "",
        opset: 10,
        shape: [1, 1, 3, 4],
        node: node("Resize", { mode: "nearest" }, ["s"]),
        initializers: [floats("s", [4], [1, 1, 2, 1.7])],
      });
    const [inline, external] = [build(), build()];
    const [scales] = external.graph!.initializer;
    const bytes = scales!.rawData;
    setExternal(scales!, "s.data", 0, bytes.length);
    expect(() => raiseOpset(cloneModel(external), "m.onnx")).toThrow(/^m\.onnx: scales in an external file/);
    raiseOpset(inline, "m.onnx");
    raiseOpset(external, "m.onnx", 13, () => bytes);
    expect(external.graph!.node).toEqual(inline.graph!.node);
  });

  test("nodes of nested graphs are raised too", async () => {
    const branch = (start: number) =>
      makeGraph({
        outputs: [["r", "float32", [2]]],
        nodes: [makeNode("Slice", "s", ["x"], ["r"], { starts: [start], ends: [start + 2], axes: [0] })],
      });
    const build = () =>
      makeModel({
        opset: 9,
        inputs: [["x", "float32", [4]]],
        outputs: [["y", "float32", [2]]],
        nodes: [withGraphs(makeNode("If", "if", ["c"], ["y"]), { then_branch: branch(1), else_branch: branch(0) })],
        initializers: [],
      });
    const withCondition = () => {
      const model = build();
      const condition = ints("c", [1]);
      condition.dataType = 9;
      condition.dims = [];
      condition.rawData = Uint8Array.of(1);
      model.graph!.node.unshift(constant(condition));
      return model;
    };
    const model = withCondition();
    expect(raiseOpset(model, "m.onnx").rewritten).toEqual({ Slice: 2 });
    expect(await outputsOf(model, [4])).toEqual(await outputsOf(withCondition(), [4]));
  });

  test("operators of other domains and models at 13 or later are left alone", () => {
    const foreign = makeNode("Softmax", "n", ["x"], ["y0"]);
    foreign.domain = "com.example";
    expect(isStandard(foreign)).toBe(false);
    const old = modelOf({ title: "", opset: 9, shape: [2, 3], node: foreign });
    expect(raiseOpset(old, "m").rewritten).toEqual({});
    const recent = modelOf({ title: "", opset: 17, shape: [2, 3], node: node("Relu") });
    const bytes = encodeModel(recent);
    recent.irVersion = 8n;
    expect(raiseOpset(recent, "m")).toMatchObject({ from: 17, to: 17 });
    expect(defaultOpset(recent)).toBe(17);
    expect(bytes.length).toBeGreaterThan(0);
  });

  test("a default operator set imported twice is refused", () => {
    const model = modelOf({ title: "", opset: 9, shape: [1], node: node("Relu") });
    model.opsetImport.push({ ...model.opsetImport[0]!, domain: "ai.onnx", version: 13n });
    expect(() => raiseOpset(model, "m")).toThrow(/imports the default operator set twice/);
  });

  test("bounds take the type of the model's values where it has only one", async () => {
    const build = () => {
      const model = makeModel({
        opset: 9,
        inputs: [["x", "float64", [3]]],
        outputs: [["y0", "float64", [3]]],
        nodes: [makeNode("Identity", "i", ["x"], ["h"]), makeNode("Clip", "n", ["h"], ["y0"], { max: { float: 0.5 } })],
      });
      return model;
    };
    const model = build();
    raiseOpset(model, "m");
    const bound = model.graph!.initializer[0]!;
    expect(bound.dataType).toBe(11);
  });

  test("initializers that old IR versions list as inputs stop being inputs", () => {
    const model = makeModel({
      opset: 9,
      ir: 3,
      inputs: [
        ["x", "float32", [2]],
        ["w", "float32", [2]],
      ],
      outputs: [["y0", "float32", [2]]],
      nodes: [makeNode("Add", "n", ["x", "w"], ["y0"])],
      initializers: [floats("w", [2])],
    });
    raiseOpset(model, "m");
    expect(model.graph!.input.map(({ name }) => name)).toEqual(["x"]);
  });
});

describe("what cannot be raised is refused with its node and the remedy", () => {
  const refusals: readonly [what: string, model: () => ModelProto, message: RegExp][] = [
    ["opset 6", () => modelOf({ title: "", opset: 6, shape: [1], node: node("Relu") }), /opset 6, which is too old/],
    [
      "Dropout whose mask is used",
      () =>
        modelOf({ title: "", opset: 7, shape: [1], node: node("Dropout", {}, [], 2), outputs: ["float32", "float32"] }),
      /node n \(Dropout\).*its mask output/,
    ],
    [
      "normalisation per activation",
      () => modelOf({ title: "", opset: 8, shape: [1], node: node("BatchNormalization", { spatial: 0 }) }),
      /spatial = 0/,
    ],
    ...["Affine", "Crop", "ImageScaler", "ScaledTanh", "ParametricSoftplus", "Scale", "DynamicSlice"].map(
      (opType): [string, () => ModelProto, RegExp] => [
        `${opType}, which ONNX dropped`,
        () => modelOf({ title: "", opset: 7, shape: [1], node: node(opType) }),
        new RegExp(`node n \\(${opType}\\).*dropped this experimental operator`),
      ],
    ),
    [
      "the old attributes of MeanVarianceNormalization",
      () =>
        modelOf({ title: "", opset: 7, shape: [1], node: node("MeanVarianceNormalization", { across_channels: 1 }) }),
      /attributes were replaced/,
    ],
    [
      "bounds whose type could be float or double",
      () => {
        const model = modelOf({
          title: "",
          opset: 9,
          shape: [1],
          node: makeNode("Clip", "n", ["h"], ["y0"], { min: { float: 0 } }),
        });
        model.graph!.node.unshift(makeNode("Cast", "c", ["x"], ["h"], { to: 11 }));
        return model;
      },
      /does not say which element type/,
    ],
    ["Scan-8", () => modelOf({ title: "", opset: 8, shape: [1], node: node("Scan") }), /Scan of opset 8/],
    [
      "nearest Resize-10 with computed scales",
      () => modelOf({ title: "", opset: 10, shape: [1], node: node("Resize", {}, ["computed"]) }),
      /computed at run time/,
    ],
    [
      "nearest Resize-10 both ways",
      () =>
        modelOf({
          title: "",
          opset: 10,
          shape: [1],
          node: node("Resize", {}, ["s"]),
          initializers: [floats("s", [2], [0.5, 2])],
        }),
      /shrinks one axis and grows another/,
    ],
  ];
  test.each<[string, ModelProto, RegExp]>([
    ["DFT", modelOf({ title: "", opset: 17, shape: [1], node: node("DFT") }), /its axis became an input/],
    ["GroupNormalization", withHalfScale(), /per group, in float16/],
    [
      "BatchNormalization in training",
      modelOf({ title: "", opset: 13, shape: [1], node: node("BatchNormalization", {}, [], 3) }),
      /training mode/,
    ],
    [
      "AveragePool whose windows hang over the edge",
      modelOf({
        title: "",
        opset: 13,
        shape: [1],
        node: node("AveragePool", { kernel_shape: [2], ceil_mode: 1, count_include_pad: 1 }),
      }),
      /hang over the edge/,
    ],
  ])("up to 21: %s", (_, model, message) => {
    expect(() => raiseOpset(model, "m.onnx", 21)).toThrow(message);
    expect(() => raiseOpset(model, "m.onnx", 21)).toThrow(/export it again with opset 21 or later$/);
  });

  test.each(refusals)("%s", (_, model, message) => {
    expect(() => raiseOpset(model(), "m.onnx")).toThrow(message);
    expect(() => raiseOpset(model(), "m.onnx")).toThrow(/^m\.onnx: .*export it again with opset 13 or later$/);
  });
});
