import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { decodeModel, encodeModel, type ModelProto, type NodeProto, type TensorProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { type AppliedTensor, applyPlan } from "../../src/quantize/apply.js";
import { planQuantization } from "../../src/quantize/plan.js";
import { runtimeUse } from "../../src/quantize/runtime.js";
import type { QuantizeSettings } from "../../src/quantize/settings.js";
import { floats, ints, makeGraph, makeModel, type Value, withGraphs } from "../onnx-model.js";
import { plainQuantizer } from "../plain-quantizer.js";

const auto: QuantizeSettings = { scheme: "auto", clip: "max", minElements: 1 };
const planned = (model: ModelProto, changed: Partial<QuantizeSettings> = {}, name = "w") =>
  planQuantization(model, { ...auto, ...changed }).tensors.find((tensor) => tensor.name === name)!;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "choose-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Compresses, loads, and tells what the runtime made of it. */
async function loaded(model: ModelProto, changed: Partial<QuantizeSettings>) {
  const plan = planQuantization(model, { ...auto, ...changed });
  const readExternal = () => {
    throw new Error("no external data here");
  };
  const tensors: readonly AppliedTensor[] = await applyPlan(model, plan, { quantizer: plainQuantizer(), readExternal });
  const optimizedModelPath = join(folder, "optimized.onnx");
  const session = await openSession(encodeModel(model), { optimizedModelPath });
  await session.close();
  const optimized = decodeModel(new Uint8Array(readFileSync(optimizedModelPath)), "optimized");
  return { use: runtimeUse(optimized, tensors), optimized };
}

const K = 64;
const N = 32;
const matmul = (output: string) => makeNode("MatMul", "mm", ["x", "w"], [output]);
const gemm = (output: string, attributes = {}, bias = "b") =>
  makeNode("Gemm", "gm", ["x", "w", bias], [output], attributes);
const op = (opType: string, input: readonly string[], output: string) => makeNode(opType, output, input, [output]);

function modelOf(
  nodes: readonly NodeProto[],
  {
    rows = 1,
    weight = [K, N],
    more = [],
  }: { rows?: number | string; weight?: readonly number[]; more?: readonly TensorProto[] } = {},
) {
  const x: Value = ["x", "float32", [rows, K]];
  return makeModel({
    inputs: [x, ["r", "float32", [rows, N]], ["x3", "float32", [2, rows, K]], ["r3", "float32", [2, rows, N]]],
    outputs: [["y", "float32", []]],
    nodes,
    initializers: [
      floats("w", weight),
      floats("b", [N]),
      floats("row", [1, N]),
      floats("zero", [], [0]),
      floats("six", [], [6]),
      floats("v", [N, N]),
      ...more,
    ],
  });
}

describe("whether DequantizeLinear fuses is known beforehand, as onnxruntime shows", () => {
  const cases: readonly [
    title: string,
    nodes: () => readonly NodeProto[],
    reason: RegExp | null,
    weight?: readonly number[],
  ][] = [
    ["MatMul", () => [matmul("y")], null],
    ["MatMul and a bias", () => [matmul("h"), op("Add", ["h", "b"], "y")], null],
    ["a bias and MatMul", () => [matmul("h"), op("Add", ["b", "h"], "y")], null],
    ["MatMul and a residual", () => [matmul("h"), op("Add", ["h", "r"], "y")], /no constant vector/],
    ["MatMul and a row", () => [matmul("h"), op("Add", ["h", "row"], "y")], /no constant vector/],
    ["MatMul of batches and a residual", () => [op("MatMul", ["x3", "w"], "h"), op("Add", ["h", "r3"], "y")], null],
    ["Gemm", () => [gemm("y")], null],
    ["Gemm with transB", () => [gemm("y", { transB: 1 })], null, [N, K]],
    ["Gemm with alpha", () => [gemm("y", { alpha: { float: 0.5 } })], /alpha/],
    ["Gemm with beta", () => [gemm("y", { beta: { float: 0.5 } })], /beta/],
    ["Gemm with a row for a bias", () => [gemm("y", {}, "row")], /no constant vector/],
    [
      "Relu behind, read once",
      () => [matmul("h"), op("Relu", ["h"], "g"), op("MatMul", ["g", "v"], "y")],
      /Relu follows/,
    ],
    ["Relu behind Gemm, read once", () => [gemm("h"), op("Relu", ["h"], "g"), op("Neg", ["g"], "y")], /Relu follows/],
    [
      "Relu behind MatMul and bias",
      () => [matmul("h"), op("Add", ["h", "b"], "s"), op("Relu", ["s"], "g"), op("Neg", ["g"], "y")],
      /Relu follows/,
    ],
    [
      "Relu behind Identity",
      () => [matmul("h"), op("Identity", ["h"], "s"), op("Relu", ["s"], "g"), op("Neg", ["g"], "y")],
      /Relu follows/,
    ],
    [
      "Clip behind, read once",
      () => [matmul("h"), op("Clip", ["h", "zero", "six"], "g"), op("Neg", ["g"], "y")],
      /Clip follows/,
    ],
    ["Relu at the end", () => [matmul("h"), op("Relu", ["h"], "y")], null],
    ["Relu read twice", () => [matmul("h"), op("Relu", ["h"], "g"), op("Mul", ["g", "g"], "y")], null],
    ["Relu beside another reader", () => [matmul("h"), op("Relu", ["h"], "g"), op("Mul", ["g", "h"], "y")], null],
    ["Sigmoid behind", () => [matmul("h"), op("Sigmoid", ["h"], "g"), op("Neg", ["g"], "y")], null],
  ];
  test.each(cases)("%s", async (_, nodes, reason, weight = [K, N]) => {
    const build = () => modelOf(nodes(), { weight });
    const plan = planned(build());
    expect(plan.scheme).toBe(reason ? "nbits" : "qdq");
    if (reason) expect(plan.reason).toMatch(reason);
    // only w, so that what else is there cannot fuse in its place
    const others = ["v", "b", "row", "x"].map((pattern) => ({ pattern, scheme: "float" as const }));
    const { use } = await loaded(build(), { scheme: "qdq", overrides: others });
    expect(use).toMatchObject(reason ? { eightBit: 0, dequantizedEachRun: 1 } : { eightBit: 1, dequantizedEachRun: 0 });
    const chosen = await loaded(build(), { overrides: others });
    expect(chosen.use).toMatchObject({ eightBit: 1, dequantizedEachRun: 0 });
  });

  test("weights that two operators read are given MatMulNBits", async () => {
    const build = () =>
      modelOf(
        [
          op("MatMul", ["x", "w"], "a"),
          op("MatMul", ["r2", "w"], "c"),
          op("Sub", ["a", "c"], "y"),
          op("Neg", ["x"], "r2"),
        ].sort((p, q) => (p.opType === "Neg" ? -1 : q.opType === "Neg" ? 1 : 0)),
      );
    expect(planned(build())).toMatchObject({ scheme: "nbits", reason: expect.stringMatching(/several operators/) });
    expect((await loaded(build(), {})).use.eightBit).toBe(1);
  });
});

describe("the choice", () => {
  test("depends on the rows that are known", () => {
    expect(planned(modelOf([matmul("y")], { rows: 8 }))).toMatchObject({
      scheme: "qdq",
      reason: /8 rows at a time: 8-bit/,
    });
    expect(planned(modelOf([matmul("y")], { rows: 9 }))).toMatchObject({
      scheme: "unpack",
      reason: /9 rows at a time/,
    });
    expect(planned(modelOf([matmul("y")], { rows: "n" }))).toMatchObject({
      scheme: "unpack",
      reason: expect.stringMatching(
        /how many rows come is not known, and 8-bit kernels are slower than floats from 9 rows on/,
      ),
    });
  });

  test("depends on the goal and the target", () => {
    const many = () => modelOf([matmul("y")], { rows: "n" });
    expect(planned(many(), { goal: "latency" }).scheme).toBe("nbits");
    expect(planned(many(), { goal: "latency", ortMin: "1.20" }).scheme).toBe("unpack");
    expect(planned(many(), { goal: "latency", ortMin: "1.20" }).reason).toMatch(/not nbits: .*needs onnxruntime 1\.22/);
    expect(planned(many(), { goal: "throughput" }).scheme).toBe("dynamic");
    expect(planned(modelOf([matmul("y")]), { goal: "latency", target: "web" }).scheme).toBe("unpack");
  });

  test("depends on the oldest runtime: before 1.25 DequantizeLinear does not fuse", () => {
    expect(planned(modelOf([matmul("y")]), { ortMin: "1.24" })).toMatchObject({
      scheme: "nbits",
      reason: expect.stringMatching(/from 1\.25 on only/),
    });
    expect(planned(modelOf([matmul("y")]), { ortMin: "1.20", bits: 4 }).scheme).toBe("nbits");
    expect(planned(modelOf([matmul("y")]), { ortMin: "1.20" }).scheme).toBe("unpack");
  });

  test("knows convolutions, tables and recurrent weights", () => {
    const model = makeModel({
      inputs: [
        ["x", "float32", [1, 4, 8, 8]],
        ["i", "int64", [3]],
        ["s", "float32", [5, 1, 8]],
      ],
      outputs: [["y", "float32", []]],
      nodes: [
        makeNode("Conv", "c", ["x", "conv"], ["a"]),
        makeNode("Conv", "d", ["x", "deep"], ["b"], { group: 4 }),
        makeNode("Gather", "g", ["table", "i"], ["t"]),
        makeNode("LSTM", "l", ["s", "lw", "lr"], ["y"], { hidden_size: 8 }),
      ],
      initializers: [
        floats("conv", [4, 4, 3, 3]),
        floats("deep", [4, 1, 3, 3]),
        floats("table", [30, 16]),
        floats("lw", [1, 32, 8]),
        floats("lr", [1, 32, 8]),
      ],
    });
    const schemes = planQuantization(model, auto).tensors.map(({ name, scheme, reason }) => [
      name,
      scheme,
      reason !== "",
    ]);
    expect(schemes).toEqual([
      ["conv", "unpack", true],
      ["deep", "unpack", true],
      ["table", "gather", true],
      ["lw", "unpack", true],
      ["lr", "unpack", true],
    ]);
  });

  test("is the user's, by tensor, by node and by class", () => {
    const model = modelOf([matmul("y")]);
    const override = (pattern: string, scheme: "unpack" | "float") => ({ overrides: [{ pattern, scheme }] });
    expect(planned(model, override("w", "unpack"))).toMatchObject({ scheme: "unpack", reason: "as told for w" });
    expect(planned(model, override("main:*", "unpack")).scheme).toBe("unpack");
    expect(planned(model, override("m?", "float"))).toMatchObject({ action: "leave", reason: "as told for m?" });
    expect(planned(model, override("w.", "unpack")).scheme).toBe("qdq");
    expect(planned(model, { classes: { matmul: "unpack" } })).toMatchObject({
      scheme: "unpack",
      reason: "the fastest when measured",
    });
    expect(planned(model, { classes: { conv: "qdq" } }).scheme).toBe("qdq");
  });
});

describe("what the runtime made of each weight", () => {
  test("is told by operator, with what is left and why", async () => {
    const nodes = [
      makeNode("MatMul", "a", ["x", "w"], ["h"]),
      makeNode("Relu", "r", ["h"], ["g"]),
      makeNode("MatMul", "c", ["g", "v"], ["y"]),
    ];
    const { use } = await loaded(modelOf(nodes), { scheme: "qdq" });
    expect(use.weights.map(({ name, became, kernels }) => [name, became, kernels])).toEqual([
      ["w", "unpacked on every run", ["MatMul"]],
      ["v", "integers", []],
    ]);
    expect(use.words).toEqual([
      "1 of 2 weights of MatMul are computed with as integers; 1 unpacked on every run for MatMul (w)",
    ]);
  });

  test("unpacked weights are folded at load: in bodies, from outer graphs, in blocks and in 4 bits", async () => {
    const body = makeGraph({
      inputs: [
        ["t", "int64", []],
        ["go", "bool", []],
        ["state", "float32", [1, 64]],
      ],
      outputs: [
        ["go_out", "bool", []],
        ["state_out", "float32", [1, 64]],
      ],
      nodes: [
        makeNode("Identity", "id", ["go"], ["go_out"]),
        makeNode("MatMul", "m", ["state", "inner"], ["s"]),
        makeNode("MatMul", "m2", ["s", "outer"], ["state_out"]),
      ],
      initializers: [floats("inner", [64, 64])],
    });
    const trips = ints("trips", [3]);
    trips.dims = [];
    const build = () =>
      makeModel({
        inputs: [
          ["x", "float32", [1, 64]],
          ["c", "bool", []],
        ],
        outputs: [["y", "float32", [1, 64]]],
        nodes: [withGraphs(makeNode("Loop", "loop", ["trips", "c", "x"], ["y"]), { body })],
        initializers: [trips, floats("outer", [64, 64])],
      });
    for (const changed of [{}, { blockSize: 24 }, { bits: 4 }, { bits: 4, asymmetric: true }] as const) {
      const copy = decodeModel(encodeModel(build()), "copy");
      const { use } = await loaded(copy, { scheme: "unpack", ...changed });
      expect(use).toMatchObject({ eightBit: 0, floatsAtLoad: 2, dequantizedEachRun: 0 });
    }
  });

  test("rows of a table stay integers", async () => {
    const model = makeModel({
      inputs: [["i", "int64", [3]]],
      outputs: [["y", "float32", [3, 16]]],
      nodes: [makeNode("Gather", "g", ["table", "i"], ["y"])],
      initializers: [floats("table", [30, 16])],
    });
    const { use } = await loaded(model, {});
    expect(use.weights).toMatchObject([{ became: "integers", kernels: ["Gather"] }]);
  });
});

test("what a forced scheme does not fit gets the one that the rules choose, and the plan says why", () => {
  const model = modelOf([matmul("m"), makeNode("Conv", "cv", ["img", "k"], ["c"])], {
    more: [floats("k", [8, 8, 3, 3])],
  });
  expect(planned(model, { scheme: "nbits" })).toMatchObject({ scheme: "nbits", reason: "" });
  const kernel = planned(model, { scheme: "nbits" }, "k");
  expect(kernel).toMatchObject({ action: "quantize", scheme: "unpack" });
  expect(kernel.reason).toMatch(/^convolutions .*; not nbits: /);
  // the forced one is refused once, though the rules would try it as well
  const turned = planned(modelOf([makeNode("MatMul", "mm", ["w", "x"], ["m"])]), { scheme: "qdq", bits: 4 });
  expect(turned.reason.split("not qdq").length).toBeLessThan(3);
});
