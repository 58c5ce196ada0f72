import { expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { decodeModel, encodeModel, type ModelProto, makeTensor, type TensorProto } from "../../src/formats/onnx.js";
import { checkGraphs } from "../../src/graph/check.js";
import { toFloat32 } from "../../src/graph/float32.js";
import { makeNode } from "../../src/graph/node.js";
import { normalise } from "../../src/graph/normalise/index.js";
import { raiseOpset } from "../../src/graph/opset.js";
import { summarizeModel } from "../../src/graph/summary.js";
import { halfBits, numbersOf } from "../../src/tensor/numbers.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { constant, floats, makeGraph, makeModel, withGraphs } from "../onnx-model.js";

const noExternal = () => {
  throw new Error("no external data here");
};

const halves = (name: string, shape: readonly number[]): TensorProto => {
  const source = new Float32Array(floats(name, shape).rawData.slice().buffer);
  return makeTensor(name, { dtype: "float16", shape, data: Uint16Array.from(source, halfBits) });
};

/** float16 throughout: initializers, Constant nodes, Casts, stated values, weights in branches. */
function halfModel(opset = 13): ModelProto {
  const branch = (name: string) =>
    makeGraph({
      outputs: [[`${name}_o`, "float16", ["n", 8]]],
      nodes: [constant(halves(name, [8, 8])), makeNode("MatMul", "m", ["h", name], [`${name}_o`])],
    });
  const model = makeModel({
    opset,
    inputs: [
      ["x", "float16", ["n", 8]],
      ["c", "bool", []],
    ],
    outputs: [["y", "float16", ["n", 8]]],
    nodes: [
      makeNode("MatMul", "m", ["x", "w"], ["g"]),
      makeNode("Cast", "up", ["g"], ["g32"], { to: 1 }),
      makeNode("Softmax", "s", ["g32"], ["s32"], { axis: 1 }),
      makeNode("Cast", "down", ["s32"], ["h"], { to: 10 }),
      withGraphs(makeNode("If", "if", ["c"], ["y"]), { then_branch: branch("p"), else_branch: branch("q") }),
    ],
    initializers: [halves("w", [8, 8])],
  });
  model.graph!.valueInfo.push(makeModel({ outputs: [["g", "float16", ["n", 8]]], nodes: [] }).graph!.output[0]!);
  return model;
}

async function run(model: ModelProto, dtype: "float16" | "float32"): Promise<ArrayLike<number>> {
  const session = await openSession(encodeModel(model));
  const numbers = Float32Array.from({ length: 16 }, (_, at) => Math.fround(Math.round(Math.sin(at) * 64) / 64));
  const data = dtype === "float16" ? Uint16Array.from(numbers, halfBits) : numbers;
  const results = await session.run(
    new Map<string, Tensor>([
      ["x", { dtype, shape: [2, 8], data }],
      ["c", { dtype: "bool", shape: [], data: Uint8Array.of(1) }],
    ]),
  );
  await session.close();
  const y = results.get("y")!;
  expect(y.dtype).toBe(dtype);
  return numbersOf(y);
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (value, at) => Math.abs(value - b[at]!)));

test("the float32 model of a float16 one computes the same, in more digits", async () => {
  const model = halfModel();
  const before = await run(model, "float16");
  const untouched = model.graph!.initializer[0]!;
  expect(toFloat32(model, noExternal)).toEqual({ tensors: 3, values: 5, nodes: 1 });
  expect(untouched.dataType).toBe(10);
  const wide = decodeModel(encodeModel(model), "m");
  const after = await run(wide, "float32");
  expect(worst(before, after)).toBeLessThan(4e-3);
  expect(worst(before, after)).toBeGreaterThan(0);
  expect(summarizeModel(wide).types.map(({ type }) => type)).toEqual(["float32"]);
});

test.each([9, 11, 13])(
  "float16 graphs of opset %d are checked, normalised, raised and counted like others",
  async (opset) => {
    const model = halfModel(opset);
    const before = await run(model, "float16");
    checkGraphs(model, "m");
    const summary = summarizeModel(model);
    expect(summary.types).toEqual([{ type: "float16", tensors: 3, elements: 192, bytes: 384 }]);
    expect(normalise(model, noExternal).passes.map(({ name }) => name)).toEqual(["constants"]);
    raiseOpset(model, "m");
    expect(worst(before, await run(model, "float16"))).toBe(0);
  },
);

test("bfloat16 weights become the float32 of the same value, large ones by table too", () => {
  const data = Uint16Array.from({ length: 70000 }, (_, at) => (at * 7) & 0x7f7f);
  const model = makeModel({
    outputs: [["y", "bfloat16", [70000]]],
    nodes: [makeNode("Identity", "i", ["w"], ["y"])],
    initializers: [makeTensor("w", { dtype: "bfloat16", shape: [70000], data })],
  });
  toFloat32(model, noExternal);
  const wide = new Uint32Array(model.graph!.initializer[0]!.rawData.slice().buffer);
  expect(wide.every((bits, at) => bits === data[at]! * 65536)).toBe(true);
  // halves: every value, against the definition
  const all = Uint16Array.from({ length: 1 << 17 }, (_, at) => at & 0xffff);
  const values = numbersOf({ dtype: "float16", shape: [all.length], data: all });
  const few = numbersOf({ dtype: "float16", shape: [65536], data: all.slice(0, 65536) });
  expect(
    Array.from(few).every((value, at) => Object.is(value, values[at]) && Object.is(value, values[at + 65536])),
  ).toBe(true);
  expect([values[0x3c01], values[0xfbff], values[1], values[0x7c00]]).toEqual([
    1 + 2 ** -10,
    -65504,
    2 ** -24,
    Infinity,
  ]);
});
