import { expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto, makeTensor, type NodeProto } from "../../src/formats/onnx.js";
import { cloneModel } from "../../src/graph/clone.js";
import { fuseNormalisations } from "../../src/graph/fuse-normalisations.js";
import { makeNode } from "../../src/graph/node.js";
import { floats, ints, makeModel } from "../onnx-model.js";

const noExternal = () => {
  throw new Error("no external data here");
};

/** Nodes written as `y = Operator a b`; a mean runs over the last axis. */
function model(lines: string, output = "y", shape: readonly number[] = [2, 3, 8]): ModelProto {
  const nodes = lines.split(";").map((line): NodeProto => {
    const [result = "", , opType = "", ...inputs] = line.trim().split(" ");
    return makeNode(opType, `node_${result}`, opType === "ReduceMean" ? [...inputs, "last"] : inputs, [result]);
  });
  const number = (name: string, value: number) =>
    makeTensor(name, { dtype: "float32", shape: [], data: Float32Array.of(value) });
  return makeModel({
    opset: 18,
    inputs: [["x", "float32", shape]],
    outputs: [[output, "float32", shape]],
    nodes,
    initializers: [
      ints("last", [-1]),
      ...Object.entries({ two: 2, half: 0.5, minusHalf: -0.5, one: 1, zero: 0, eps: 1e-5 }).map(([name, value]) =>
        number(name, value),
      ),
      floats("g", [8]),
      floats("b", [8]),
      floats("wide", [1, 1, 8]),
    ],
  });
}

async function run(proto: ModelProto): Promise<Float32Array> {
  const session = await openSession(encodeModel(proto));
  const [input] = session.inputs;
  const shape = input!.shape as number[];
  const data = Float32Array.from({ length: 48 }, (_, at) => 3 * Math.sin(at * at) + 1);
  const results = await session.run(new Map([["x", { dtype: "float32", shape, data }]]));
  await session.close();
  return [...results.values()][0]!.data as Float32Array;
}

async function fusedOf(proto: ModelProto): Promise<string[]> {
  const fused = cloneModel(proto);
  fuseNormalisations(fused, noExternal);
  const [before, after] = [await run(proto), await run(fused)];
  for (const [at, value] of before.entries()) expect(Math.abs(after[at]! - value)).toBeLessThan(1e-5);
  return fused.graph!.node.map(({ opType }) => opType);
}

const centre = "m = ReduceMean x; d = Sub x m";

test.each([
  [
    "PyTorch",
    `${centre}; s = Pow d two; v = ReduceMean s; e = Add v eps; r = Sqrt e; n = Div d r; w = Mul n g; y = Add w b`,
  ],
  [
    "scale first",
    `${centre}; s = Mul d d; v = ReduceMean s; e = Add eps v; r = Sqrt e; n = Div d r; w = Mul g n; y = Add b w`,
  ],
  ["no scale", `${centre}; s = Pow d two; v = ReduceMean s; e = Add v eps; r = Sqrt e; y = Div d r`],
  ["no bias", `${centre}; s = Pow d two; v = ReduceMean s; e = Add v eps; r = Sqrt e; n = Div d r; y = Mul n wide`],
  [
    "no scale, but a bias",
    `${centre}; s = Pow d two; v = ReduceMean s; e = Add v eps; r = Sqrt e; n = Div d r; y = Add n b`,
  ],
  [
    "reciprocal",
    `${centre}; s = Mul d d; v = ReduceMean s; e = Add v eps; q = Sqrt e; r = Reciprocal q; n = Mul d r; w = Mul n g; y = Add w b`,
  ],
  [
    "one by the root",
    `${centre}; s = Mul d d; v = ReduceMean s; e = Add v eps; q = Sqrt e; r = Div one q; n = Mul r d; w = Mul n g; y = Add w b`,
  ],
  [
    "two differences",
    `m = ReduceMean x; d = Sub x m; c = Sub x m; s = Pow d two; v = ReduceMean s; e = Add v eps; r = Pow e half; n = Div c r; w = Mul n g; y = Add w b`,
  ],
  [
    "TensorFlow",
    `${centre}; s = Mul d d; v = ReduceMean s; e = Add v eps; q = Sqrt e; r = Reciprocal q; f = Mul r g; u = Mul x f; o = Mul m f; c = Sub b o; y = Add u c`,
  ],
  [
    "JAX",
    `m = ReduceMean x; s = Mul x x; v = ReduceMean s; mm = Mul m m; vv = Sub v mm; p = Max vv zero; e = Add p eps; r = Pow e minusHalf; f = Mul r wide; d = Sub x m; n = Mul d f; y = Add n b`,
  ],
])("layer normalisation as %s writes it becomes one node with the same outputs", async (_, lines) => {
  expect(await fusedOf(model(lines))).toEqual(["LayerNormalization"]);
});

test.each([
  ["Llama", "s = Pow x two; v = ReduceMean s; e = Add v eps; q = Sqrt e; r = Reciprocal q; n = Mul x r; y = Mul g n"],
  ["division", "s = Mul x x; v = ReduceMean s; e = Add v eps; q = Sqrt e; n = Div x q; y = Mul n g"],
  ["scaled inverse", "s = Mul x x; v = ReduceMean s; e = Add v eps; r = Pow e minusHalf; f = Mul r g; y = Mul x f"],
  ["no scale", "s = Mul x x; v = ReduceMean s; e = Add v eps; r = Pow e minusHalf; y = Mul x r"],
])("root-mean-square normalisation by %s becomes the node that onnxruntime knows it by", async (_, lines) => {
  expect(await fusedOf(model(lines))).toEqual(["SimplifiedLayerNormalization"]);
});

const torch = `${centre}; s = Pow d two; v = ReduceMean s; e = Add v eps; r = Sqrt e; n = Div d r; w = Mul n g; y = Add w b`;

test("two in a row become two, and what lies between stays", async () => {
  const second = torch.replace(/\b([mdsvernwy])\b/g, "$12").replace(/\bx\b/g, "a");
  expect(await fusedOf(model(`${torch}; a = Relu y; ${second}`, "y2"))).toEqual([
    "LayerNormalization",
    "Relu",
    "LayerNormalization",
  ]);
});

test.each([
  ["a part of it is used elsewhere", `${torch}; z = Add y v`, "z"],
  [
    "the root is padded, not the spread",
    `${centre}; s = Pow d two; v = ReduceMean s; q = Sqrt v; r = Add q eps; y = Div d r`,
    "y",
  ],
  [
    "another value is divided",
    `${centre}; s = Pow d two; v = ReduceMean s; e = Add v eps; r = Sqrt e; y = Div x r`,
    "y",
  ],
])("nothing is fused where %s", async (_, lines, output) => {
  const proto = model(lines, output);
  expect(fuseNormalisations(proto, noExternal)).toBe(0);
});

test("the mean of another axis is left alone", () => {
  const proto = model(torch);
  proto.graph!.initializer[0] = ints("last", [1]);
  expect(fuseNormalisations(proto, noExternal)).toBe(0);
});

test("an axis counted from the front is the last one where the file says how many there are", async () => {
  const proto = model(torch);
  proto.graph!.initializer[0] = ints("last", [2]);
  expect(await fusedOf(proto)).toEqual(["LayerNormalization"]);
});
