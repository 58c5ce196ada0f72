import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { sqnrDb } from "../../src/evaluate/metrics.js";
import {
  decodeModel,
  encodeModel,
  graphsOf,
  type ModelProto,
  makeTensor,
  type NodeProto,
  type TensorProto,
} from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { applyPlan } from "../../src/quantize/apply.js";
import { planQuantization } from "../../src/quantize/plan.js";
import { halvesOf, leastHalved } from "../../src/quantize/schemes/unpack.js";
import type { QuantizeSettings } from "../../src/quantize/settings.js";
import { dequantize } from "../../src/tensor/dequantize.js";
import { quantizeReference } from "../../src/tensor/kernels/reference.js";
import { halfBits, halfValue, numbersOf } from "../../src/tensor/numbers.js";
import type { QuantizedWeight, Quantizer } from "../../src/tensor/quantized.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import { floats, ints, makeGraph, makeModel, type Value, withGraphs } from "../onnx-model.js";

const settings: QuantizeSettings = { scheme: "qdq", clip: "max", minElements: 1 };
const readExternal = () => {
  throw new Error("no external data here");
};

/** Compresses a copy; `float` is the same model with the floats that the integers stand for. */
async function compressed(model: ModelProto, changed: Partial<QuantizeSettings>) {
  const copy = decodeModel(encodeModel(model), "copy");
  const plan = planQuantization(copy, { ...settings, ...changed });
  const made: QuantizedWeight[] = [];
  const quantizer: Quantizer = {
    quantize: async (source, form, clip) => {
      made.push(quantizeReference(source, form, clip));
      return made.at(-1)!;
    },
    close: async () => {},
  };
  const tensors = await applyPlan(copy, plan, { quantizer, readExternal });
  return { model: decodeModel(encodeModel(copy), "compressed"), tensors, made, plan };
}

async function run(model: ModelProto, feeds: readonly Value[], graphOptimization: "all" | "disabled" = "all") {
  const session = await openSession(encodeModel(model), { graphOptimization });
  const tensors = feeds.map(([name, dtype, sizes]): [string, Tensor] => {
    const shape = sizes as readonly number[];
    const values = Array.from({ length: elementCount(shape) }, (_, at) => Math.cos(at * 0.7 + name.length));
    if (dtype === "int64")
      return [name, { dtype, shape, data: BigInt64Array.from(values, (v) => BigInt(Math.round(v * 3) - 1)) }];
    if (dtype === "bool") return [name, { dtype, shape, data: Uint8Array.of(1) }];
    const data = dtype === "float16" ? Uint16Array.from(values, halfBits) : Float32Array.from(values);
    return [name, { dtype, shape, data }];
  });
  const outputs = await session.run(new Map(tensors));
  await session.close();
  return Float32Array.from(numbersOf(outputs.get("y")!));
}

const opTypes = (model: ModelProto) => [...graphsOf(model.graph!)].flatMap(({ node }) => node.map((n) => n.opType));
const storedBytes = (model: ModelProto) =>
  [...graphsOf(model.graph!)].flatMap(({ initializer }) => initializer).reduce((sum, t) => sum + t.rawData.length, 0);

interface Row {
  readonly title: string;
  readonly node: NodeProto;
  readonly weights: Readonly<Record<string, readonly number[]>>;
  readonly input?: readonly number[];
  readonly inputs?: readonly Value[];
  /** Schemes that refuse it. */
  readonly not?: readonly string[];
}

const rows: readonly Row[] = [
  { title: "MatMul", node: makeNode("MatMul", "n", ["x", "w"], ["y"]), weights: { w: [70, 24] }, input: [2, 70] },
  {
    title: "MatMul of batches",
    node: makeNode("MatMul", "n", ["x", "w"], ["y"]),
    weights: { w: [2, 64, 6] },
    input: [2, 3, 64],
    not: ["nbits"],
  },
  {
    title: "MatMul with the weight on the left",
    node: makeNode("MatMul", "n", ["w", "x"], ["y"]),
    weights: { w: [6, 64] },
    input: [64, 3],
    not: ["nbits"],
  },
  {
    title: "Gemm with bias, alpha and beta",
    node: makeNode("Gemm", "n", ["x", "w", "b"], ["y"], { alpha: { float: 0.5 }, beta: { float: 2 } }),
    weights: { w: [64, 6], b: [6] },
    input: [2, 64],
  },
  {
    title: "Gemm with transB and bias",
    node: makeNode("Gemm", "n", ["x", "w", "b"], ["y"], { transB: 1 }),
    weights: { w: [5, 33], b: [5] },
    input: [2, 33],
  },
  {
    title: "Gemm with transA",
    node: makeNode("Gemm", "n", ["x", "w"], ["y"], { transA: 1 }),
    weights: { w: [33, 5] },
    input: [33, 2],
    not: ["nbits"],
  },
  {
    title: "Conv",
    node: makeNode("Conv", "n", ["x", "w"], ["y"]),
    weights: { w: [4, 3, 3, 3] },
    input: [1, 3, 5, 5],
    not: ["nbits"],
  },
  {
    title: "depthwise Conv",
    node: makeNode("Conv", "n", ["x", "w"], ["y"], { group: 4 }),
    weights: { w: [4, 1, 3, 3] },
    input: [1, 4, 5, 5],
    not: ["nbits"],
  },
  {
    title: "ConvTranspose with groups",
    node: makeNode("ConvTranspose", "n", ["x", "w"], ["y"], { group: 2 }),
    weights: { w: [4, 3, 2, 2] },
    input: [1, 4, 5, 5],
    not: ["nbits"],
  },
  ...(
    [
      ["LSTM", 4],
      ["GRU", 3],
      ["RNN", 1],
    ] as const
  ).flatMap(([opType, gates]) =>
    [1, 2].map(
      (directions): Row => ({
        title: `${opType}, ${directions} direction${directions > 1 ? "s" : ""}`,
        node: makeNode(opType, "n", ["x", "w", "r"], ["y"], {
          hidden_size: 8,
          ...(directions > 1 ? { direction: "bidirectional" } : {}),
        }),
        weights: { w: [directions, gates * 8, 12], r: [directions, gates * 8, 8] },
        input: [4, 1, 12],
        not: ["nbits"],
      }),
    ),
  ),
  {
    title: "Gather of rows",
    node: makeNode("Gather", "n", ["w", "i"], ["y"]),
    weights: { w: [40, 12] },
    inputs: [["i", "int64", [2, 3]]],
    not: ["nbits", "qdq"],
  },
  {
    title: "Gather along the last axis",
    node: makeNode("Gather", "n", ["w", "i"], ["y"], { axis: -1 }),
    weights: { w: [12, 40] },
    inputs: [["i", "int64", [5]]],
    not: ["nbits", "qdq"],
  },
];

const inputsOf = ({ input, inputs }: Row): readonly Value[] => inputs ?? [["x", "float32", input!]];

function modelOf(row: Row, opset = 13): ModelProto {
  const model = makeModel({
    opset,
    inputs: inputsOf(row),
    outputs: [["y", "float32", []]],
    nodes: [decodeNode(row.node)],
    initializers: Object.entries(row.weights).map(([name, shape]) => floats(name, shape)),
  });
  forgetShape(model);
  return model;
}

/** The rank of results is onnxruntime's business here. */
function forgetShape(model: ModelProto) {
  for (const { type } of model.graph!.output) {
    if (type?.value.case === "tensorType") delete (type.value.value as { shape?: unknown }).shape;
  }
}

/** A copy: applying a plan changes nodes. */
const decodeNode = (node: NodeProto) =>
  decodeModel(encodeModel(makeModel({ outputs: [], nodes: [node] })), "node").graph!.node[0]!;

/** A weight whose scales are the ones that are stored: many of them lie in a file as float16. */
function asStored(weight: QuantizedWeight): QuantizedWeight {
  if (weight.scales.length < leastHalved) return weight;
  const { bits, exponent } = halvesOf(weight.scales);
  return { ...weight, scales: Float32Array.from(bits, (half) => halfValue(half) * 2 ** exponent) };
}

/** The model with other floats in the place of its weights. */
function withWeights(
  model: ModelProto,
  made: readonly QuantizedWeight[],
  tensors: readonly { name: string; action: string; transpose?: true }[],
) {
  const copy = decodeModel(encodeModel(model), "copy");
  const quantized = tensors.filter(({ action }) => action === "quantize");
  quantized.forEach(({ name, transpose }, at) => {
    const weight = made[at]!;
    const values = dequantize(weight);
    const [rows, columns] = weight.shape as [number, number];
    const data = transpose
      ? Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!)
      : values;
    const tensor = copy.graph!.initializer.find((entry) => entry.name === name)!;
    tensor.rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  });
  return copy;
}

interface Form {
  readonly title: string;
  readonly settings: Partial<QuantizeSettings>;
  /** The least SQNR of outputs in dB. */
  readonly least: number;
}

const forms: readonly Form[] = [
  { title: "int8 per channel", settings: {}, least: 32 },
  { title: "uint8 per channel", settings: { signed: false }, least: 32 },
  { title: "int8 with one scale", settings: { perTensor: true }, least: 28 },
  { title: "asymmetric 8 bits", settings: { asymmetric: true }, least: 32 },
  { title: "int8 in blocks of 32", settings: { blockSize: 32 }, least: 32 },
  { title: "asymmetric 8 bits in blocks of 16", settings: { blockSize: 16, asymmetric: true }, least: 32 },
  { title: "int4", settings: { bits: 4 }, least: 12 },
  { title: "uint4 in blocks of 16", settings: { bits: 4, blockSize: 16, signed: false }, least: 12 },
  { title: "asymmetric 4 bits in blocks of 16", settings: { bits: 4, blockSize: 16, asymmetric: true }, least: 12 },
];

describe.each(["qdq", "unpack", "nbits", "gather"] as const)("%s", (scheme) => {
  const fitting = rows.filter(
    ({ not = [], node }) => !not.includes(scheme) && (scheme !== "gather" || node.opType === "Gather"),
  );
  const cases = fitting.flatMap((row) => forms.map((form) => ({ row, form, title: `${row.title}, ${form.title}` })));
  test.each(cases)("$title", async ({ row, form }) => {
    const original = modelOf(row);
    const { model, tensors, made } = await compressed(original, { ...form.settings, scheme, minElements: 24 });
    const quantized = tensors.filter(({ action }) => action === "quantize");
    expect(quantized.map(({ name }) => name)).toEqual(Object.keys(row.weights).filter((name) => name !== "b"));
    const feeds = inputsOf(row);
    const result = await run(model, feeds);
    expect(sqnrDb(await run(original, feeds), result)).toBeGreaterThan(form.least);
    const same = withWeights(original, scheme === "unpack" ? made.map(asStored) : made, tensors);
    if (scheme === "nbits") {
      // the kernel rounds activations to 8 bits
      expect(sqnrDb(await run(same, feeds), result)).toBeGreaterThan(32);
    } else {
      // recurrent kernels add up in another order where weights are no initializers
      const exact = sqnrDb(await run(same, feeds, "disabled"), await run(model, feeds, "disabled"));
      expect(exact ?? Number.POSITIVE_INFINITY).toBeGreaterThan(/LSTM|GRU/.test(row.title) ? 120 : 1000);
    }
    const planned = tensors.reduce((sum, { bytesAfter }) => sum + bytesAfter, 0);
    const shared = model.graph!.initializer.filter(({ name }) => /^(unpack_|nibbles)/.test(name));
    expect(storedBytes(model)).toBe(planned + shared.reduce((sum, { rawData }) => sum + rawData.length, 0));
    expect(shared.length).toBeLessThan(10);
  });
});

describe("what a scheme refuses", () => {
  test.each([
    ["nbits", rows[1]!, /has 3 axes/],
    ["nbits", rows[2]!, /on the left/],
    ["nbits", rows[5]!, /turns its input round/],
    ["nbits", rows[6]!, /Conv|axes/],
    ["qdq", rows.at(-1)!, /would unpack the whole table on every run/],
    ["gather", rows[0]!, /no Gather reads rows of it/],
  ] as const)("%s: %#", (scheme, row, reason) => {
    const [weight] = planQuantization(modelOf(row), { ...settings, scheme }).tensors;
    expect(weight).toMatchObject({ action: "quantize", reason: expect.stringMatching(reason) });
    expect(weight!.scheme).not.toBe(scheme);
    expect(weight!.reason).toContain(`not ${scheme}: `);
  });

  test("MatMulNBits with 8 bits before onnxruntime 1.22, and blocks it does not have", () => {
    const planned = (changed: Partial<QuantizeSettings>) =>
      planQuantization(modelOf(rows[0]!), { ...settings, scheme: "nbits", ...changed }).tensors[0]!;
    expect(planned({ ortMin: "1.21" }).reason).toMatch(/needs onnxruntime 1\.22/);
    expect(planned({ ortMin: "1.21", bits: 4 }).action).toBe("quantize");
    expect(planned({ blockSize: 48 }).reason).toMatch(/takes blocks of 16, 32, 64, 128, 256/);
  });
});

describe("float16", () => {
  const half = (name: string, shape: readonly number[]): TensorProto => {
    const { rawData } = floats(name, shape);
    const values = new Float32Array(rawData.slice().buffer);
    return makeTensor(name, { dtype: "float16", shape, data: Uint16Array.from(values, halfBits) });
  };
  test.each(["qdq", "unpack"] as const)("%s gives the operator float16 again", async (scheme) => {
    const inputs: readonly Value[] = [["x", "float16", [2, 64]]];
    const model = makeModel({
      inputs,
      outputs: [["y", "float16", [2, 24]]],
      nodes: [makeNode("MatMul", "n", ["x", "w"], ["y"])],
      initializers: [half("w", [64, 24])],
    });
    const { model: result, tensors } = await compressed(model, { scheme });
    expect(tensors[0]!.bytesAfter).toBe(64 * 24 + 24 * (scheme === "qdq" ? 2 : 4));
    expect(storedBytes(result)).toBe(tensors[0]!.bytesAfter);
    expect(sqnrDb(await run(model, inputs), await run(result, inputs))).toBeGreaterThan(34);
  });

  test("rows of a table", async () => {
    const inputs: readonly Value[] = [["i", "int64", [2, 3]]];
    const model = makeModel({
      inputs,
      outputs: [["y", "float16", [2, 3, 24]]],
      nodes: [makeNode("Gather", "n", ["w", "i"], ["y"])],
      initializers: [half("w", [64, 24])],
    });
    const { model: result } = await compressed(model, { scheme: "gather" });
    expect(sqnrDb(await run(model, inputs), await run(result, inputs))).toBeGreaterThan(34);
  });

  test("bfloat16 is unpacked to bfloat16, and DequantizeLinear refuses it", async () => {
    const data = Uint16Array.from(
      { length: 64 * 24 },
      (_, at) => 0x3e00 + ((at * 7) % 300) + (at % 3 === 0 ? 0x8000 : 0),
    );
    const inputs: readonly Value[] = [["x", "float32", [2, 64]]];
    const model = makeModel({
      inputs,
      outputs: [["y", "float32", [2, 64]]],
      nodes: [
        makeNode("Cast", "c", ["w"], ["f"], { to: 1 }),
        makeNode("MatMul", "n", ["x", "f"], ["h"]),
        makeNode("Cast", "c2", ["h"], ["hb"], { to: 16 }),
        makeNode("MatMul", "never", ["hb", "w"], ["z"]),
        makeNode("MatMul", "m", ["h", "v"], ["y"]),
      ],
      initializers: [makeTensor("w", { dtype: "bfloat16", shape: [64, 24], data }), floats("v", [24, 64])],
    });
    expect(planQuantization(model, settings).tensors[0]).toMatchObject({
      scheme: "unpack",
      reason: expect.stringContaining("not qdq: onnxruntime has no DequantizeLinear that gives bfloat16"),
    });
    const { model: result } = await compressed(model, { scheme: "unpack" });
    // onnxruntime has no MatMul of bfloat16 either: what reads it another way shows the values
    for (const { graph } of [model, result])
      graph!.node = graph!.node.filter(({ name }) => name !== "never" && name !== "c2");
    expect(sqnrDb(await run(model, inputs), await run(result, inputs))).toBeGreaterThan(34);
  });

  test("infinities and NaN are found in the bits", async () => {
    for (const dtype of ["float16", "bfloat16"] as const) {
      const data = new Uint16Array(64).fill(0x3c00);
      data[7] = dtype === "float16" ? 0x7c00 : 0x7f80;
      const model = makeModel({
        inputs: [["x", dtype, [2, 8]]],
        outputs: [["y", dtype, [2, 8]]],
        nodes: [makeNode("MatMul", "n", ["x", "w"], ["y"])],
        initializers: [makeTensor("w", { dtype, shape: [8, 8], data })],
      });
      const { tensors } = await compressed(model, { scheme: "unpack" });
      expect(tensors[0]!.reason).toBe("holds NaN or infinite elements");
    }
  });
});

describe("weights of nested graphs", () => {
  const inputs: readonly Value[] = [
    ["x", "float32", [1, 32]],
    ["i", "int64", [2]],
    ["c", "bool", []],
  ];
  const branch = (name: string) =>
    makeGraph({
      outputs: [[`${name}_y`, "float32", [1, 32]]],
      nodes: [
        makeNode("MatMul", `${name}_m`, ["x", name], [`${name}_h`]),
        makeNode("MatMul", `${name}_m2`, [`${name}_h`, "outer"], [`${name}_g`]),
        makeNode("Gather", `${name}_t`, ["table", "i"], [`${name}_e`]),
        makeNode("ReduceSum", `${name}_s`, [`${name}_e`, "axes"], [`${name}_r`], { keepdims: 1 }),
        makeNode("Add", `${name}_a`, [`${name}_g`, `${name}_r`], [`${name}_y`]),
      ],
      initializers: [floats(name, [32, 32])],
    });
  const build = () =>
    makeModel({
      inputs,
      outputs: [["y", "float32", [1, 32]]],
      nodes: [withGraphs(makeNode("If", "if", ["c"], ["y"]), { then_branch: branch("a"), else_branch: branch("bb") })],
      initializers: [floats("outer", [32, 32]), floats("table", [50, 32]), ints("axes", [0])],
    });
  test.each([
    ["qdq", ["DequantizeLinear", "MatMul"]],
    ["unpack", ["Cast", "Mul", "MatMul"]],
    ["nbits", ["MatMulNBits", "MatMulNBits"]],
    ["auto", ["Gather", "Gather", "Cast", "Mul"]],
  ] as const)("%s", async (scheme, kinds) => {
    const { model, tensors } = await compressed(build(), { scheme, minElements: 100 });
    const quantized = tensors.filter(({ action }) => action === "quantize");
    expect(quantized.length).toBe(4);
    for (const kind of kinds) expect(opTypes(model)).toContain(kind);
    expect(sqnrDb(await run(build(), inputs), await run(model, inputs))).toBeGreaterThan(30);
  });
});

test("a table that is also read as a matrix keeps one copy: rows gathered as integers, the matrix unpacked", async () => {
  const inputs: readonly Value[] = [["i", "int64", [1, 3]]];
  const model = makeModel({
    inputs,
    outputs: [["y", "float32", [3, 40]]],
    nodes: [
      makeNode("Gather", "e", ["w", "i"], ["h3"]),
      makeNode("Reshape", "r", ["h3", "shape"], ["h"]),
      makeNode("Gemm", "g", ["h", "w"], ["y"], { transB: 1 }),
    ],
    initializers: [floats("w", [40, 24]), ints("shape", [3, 24])],
  });
  const { model: result, tensors } = await compressed(model, { scheme: "auto" });
  expect(tensors[0]).toMatchObject({ scheme: "gather", bytesAfter: 40 * 24 + 40 * 4 * 2 });
  expect(storedBytes(result)).toBe(tensors[0]!.bytesAfter + 16);
  expect(sqnrDb(await run(model, inputs), await run(result, inputs))).toBeGreaterThan(34);
});

test("an odd number of 4-bit values is unpacked without the half byte too much", async () => {
  const inputs: readonly Value[] = [["x", "float32", [2, 17]]];
  const model = makeModel({
    inputs,
    outputs: [["y", "float32", [2, 9]]],
    nodes: [makeNode("MatMul", "n", ["x", "w"], ["y"])],
    initializers: [floats("w", [17, 9])],
  });
  for (const scheme of ["unpack", "qdq", "nbits"] as const) {
    const { model: result } = await compressed(model, { scheme, bits: 4 });
    expect(sqnrDb(await run(model, inputs), await run(result, inputs))).toBeGreaterThan(12);
  }
});

test("Gemm nodes that scale one weight differently each get their scales", async () => {
  const inputs: readonly Value[] = [["x", "float32", [2, 32]]];
  const gemm = (output: string, alpha: number) =>
    makeNode("Gemm", output, ["x", "w"], [output], { alpha: { float: alpha } });
  const model = makeModel({
    inputs,
    outputs: [["y", "float32", [2, 8]]],
    nodes: [gemm("a", 1), gemm("b", 3), makeNode("Add", "s", ["a", "b"], ["y"])],
    initializers: [floats("w", [32, 8])],
  });
  const { model: result } = await compressed(model, { scheme: "nbits" });
  expect(sqnrDb(await run(model, inputs), await run(result, inputs))).toBeGreaterThan(34);
});

test("a weight whose pieces reach an LSTM in another order is unpacked, pieces and all, at load", async () => {
  const inputs: readonly Value[] = [["x", "float32", [4, 1, 12]]];
  const slice = (from: number, to: number) =>
    makeNode("Slice", `s${from}`, ["w", `i${from}`, `i${to}`, "i0"], [`p${from}`]);
  const build = () => {
    const model = makeModel({
      inputs,
      outputs: [["y", "float32", []]],
      nodes: [
        slice(0, 8),
        slice(8, 24),
        slice(24, 32),
        makeNode("Concat", "c", ["p0", "p24", "p8"], ["order"], { axis: 0 }),
        makeNode("Unsqueeze", "u", ["order", "i0"], ["lw"]),
        makeNode("LSTM", "l", ["x", "lw", "r"], ["y"], { hidden_size: 8 }),
      ],
      initializers: [
        floats("w", [32, 12]),
        floats("r", [1, 32, 8]),
        ...[0, 8, 24, 32].map((at) => ints(`i${at}`, [at])),
      ],
    });
    forgetShape(model);
    return model;
  };
  const { model, tensors } = await compressed(build(), { scheme: "auto" });
  expect(tensors.find(({ name }) => name === "w")).toMatchObject({
    scheme: "unpack",
    reason: "its pieces reach LSTM; all of it is carried out at load",
  });
  expect(sqnrDb(await run(build(), inputs), await run(model, inputs))).toBeGreaterThan(32);
  const forced = planQuantization(build(), { ...settings, scheme: "qdq" });
  expect(forced.tensors.find(({ name }) => name === "w")).toMatchObject({
    scheme: "unpack",
    reason: expect.stringContaining("not qdq: reaches LSTM through Slice only"),
  });
});

test("scales that are too small or far apart for float16 are stored with a power of two", async () => {
  for (const sizes of [
    [1e-6, 1e-3],
    [1, 1],
    [3e4, 1e2],
  ]) {
    const scales = Float32Array.from(
      { length: 100 },
      (_, at) => (sizes[0]! + (sizes[1]! - sizes[0]!) * (at / 99)) * 1.003,
    );
    const { bits, exponent } = halvesOf(scales);
    scales.forEach((scale, at) => {
      expect(Math.abs((halfValue(bits[at]!) * 2 ** exponent) / scale - 1)).toBeLessThan(1 / 2000);
    });
  }
  const inputs: readonly Value[] = [["x", "float32", [2, 16]]];
  const model = makeModel({
    inputs,
    outputs: [["y", "float32", [2, 80]]],
    nodes: [makeNode("MatMul", "n", ["x", "w"], ["y"])],
    initializers: [
      floats(
        "w",
        [16, 80],
        Array.from({ length: 16 * 80 }, (_, at) => Math.sin(at) * 1e-5),
      ),
    ],
  });
  const { model: result } = await compressed(model, { scheme: "unpack" });
  expect(result.graph!.initializer.some(({ name }) => name.startsWith("unpack_2e-"))).toBe(true);
  expect(sqnrDb(await run(model, inputs), await run(result, inputs))).toBeGreaterThan(34);
});
