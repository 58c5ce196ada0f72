import { expect, test } from "@jest/globals";
import { makeTensor, type NodeProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { viewModel } from "../../src/graph/scope.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { floats, ints, makeGraph, makeModel, type Value, withGraphs } from "../onnx-model.js";
import { pruneHalf, storedShape } from "./prune-half.js";

const node = (opType: string, input: readonly string[], output: readonly string[], attributes = {}): NodeProto =>
  makeNode(opType, "", input, output, attributes);

const ramp = (shape: readonly number[]): Tensor => ({
  dtype: "float32",
  shape,
  data: Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, at) => Math.sin(at + 1)),
});

const flag = (value: boolean): Tensor => ({ dtype: "bool", shape: [], data: Uint8Array.of(value ? 1 : 0) });

const number = (name: string, value: number) =>
  makeTensor(name, { dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(value)) });
const yes = makeTensor("yes", { dtype: "bool", shape: [], data: Uint8Array.of(1) });

const unknown = (name: string): Value => [name, "float32", ["n", "m"]];

/** x [2, 6] times a [6, 8], an If that makes 8 of them from its condition, times b [8, 3]. */
const branching = (thenNodes: readonly NodeProto[], elseNodes: readonly NodeProto[]) =>
  makeModel({
    inputs: [
      ["x", "float32", [2, 6]],
      ["c", "bool", []],
    ],
    outputs: [["y", "float32", [2, 3]]],
    nodes: [
      node("MatMul", ["x", "a"], ["h"]),
      withGraphs(makeNode("If", "if", ["c"], ["z"]), {
        then_branch: makeGraph({ outputs: [["t", "float32", [2, 8]]], nodes: thenNodes }),
        else_branch: makeGraph({ outputs: [unknown("e")], nodes: elseNodes, initializers: [floats("inner", [8, 8])] }),
      }),
      node("MatMul", ["z", "b"], ["y"]),
    ],
    initializers: [floats("a", [6, 8]), floats("b", [8, 3]), floats("bias", [8]), ints("zero", [0])],
  });

test.each([true, false])(
  "branches that read and make the same channels lose the same ones (taken: %p)",
  async (taken) => {
    const model = branching(
      [node("Add", ["h", "bias"], ["t"])],
      [node("Relu", ["h"], ["r"]), node("MatMul", ["r", "inner"], ["e"])],
    );
    const feeds = new Map([
      ["x", ramp([2, 6])],
      ["c", flag(taken)],
    ]);
    const { small, error, moved, groups } = await pruneHalf(model, feeds);
    // what the second branch makes must fit what the first one passes on
    expect(groups.groups.map(({ channels }) => channels.length)).toEqual([8]);
    expect(storedShape(small, "a")).toEqual([6, 4]);
    expect(storedShape(small, "bias")).toEqual([4]);
    expect(storedShape(small, "inner")).toEqual([4, 4]);
    expect(storedShape(small, "b")).toEqual([4, 3]);
    expect(error).toBeLessThan(1e-5);
    expect(moved).toBeGreaterThan(1e-3);
    const stated = viewModel(small).scopes.find(({ path }) => path.endsWith("then_branch"))!.graph.output[0]!.type!;
    expect(stated.value).toMatchObject({ value: { shape: { dim: [{}, { value: { value: 4n } }] } } });
  },
);

test("a branch of another shape keeps what it touches, and says so", async () => {
  const model = branching([node("Add", ["h", "bias"], ["t"])], [node("ReduceSum", ["h"], ["e"], { keepdims: 1 })]);
  const feeds = new Map([
    ["x", ramp([2, 6])],
    ["c", flag(true)],
  ]);
  const { small, error, groups } = await pruneHalf(model, feeds);
  expect(groups.groups).toEqual([]);
  expect(groups.frozen.find(({ tensor, axis }) => tensor.name === "a" && axis === 1)!.cause).toEqual({
    operator: "If",
    node: "if",
    why: "joins branches of other shapes",
  });
  expect(storedShape(small, "a")).toEqual([6, 8]);
  expect(error).toBeLessThan(1e-5);
});

test("a branch that is shorter where nothing goes loses the same channels", async () => {
  const model = branching(
    [node("Add", ["h", "bias"], ["t"])],
    [node("ReduceSum", ["h", "zero"], ["e"], { keepdims: 1 })],
  );
  model.graph!.output[0] = makeGraph({ outputs: [["y", "float32", ["n", 3]]], nodes: [] }).output[0]!;
  for (const taken of [true, false]) {
    const feeds = new Map([
      ["x", ramp([2, 6])],
      ["c", flag(taken)],
    ]);
    const { small, error, moved } = await pruneHalf(model, feeds);
    expect(storedShape(small, "a")).toEqual([6, 4]);
    expect(storedShape(small, "bias")).toEqual([4]);
    expect(error).toBeLessThan(1e-5);
    expect(moved).toBeGreaterThan(1e-3);
  }
});

test("branches that differ in axes of one, by a condition on shapes, are followed", async () => {
  const model = makeModel({
    inputs: [["x", "float32", ["n", 6, 1]]],
    outputs: [["y", "float32", ["n", 3]]],
    nodes: [
      node("Conv", ["x", "a"], ["h"]),
      node("Shape", ["h"], ["s"]),
      node("Gather", ["s", "last"], ["length"]),
      node("Equal", ["length", "one"], ["c"]),
      withGraphs(makeNode("If", "if", ["c"], ["z"]), {
        then_branch: makeGraph({ outputs: [unknown("t")], nodes: [node("Squeeze", ["h", "axis"], ["t"])] }),
        else_branch: makeGraph({ outputs: [["e", "float32", ["n", 8, "m"]]], nodes: [node("Identity", ["h"], ["e"])] }),
      }),
      node("MatMul", ["z", "b"], ["y"]),
    ],
    initializers: [floats("a", [8, 6, 1]), floats("b", [8, 3]), number("last", 2), number("one", 1), ints("axis", [2])],
  });
  const { small, error, moved } = await pruneHalf(model, new Map([["x", ramp([2, 6, 1])]]));
  expect(storedShape(small, "a")).toEqual([4, 6, 1]);
  expect(storedShape(small, "b")).toEqual([4, 3]);
  expect(error).toBeLessThan(1e-5);
  expect(moved).toBeGreaterThan(1e-3);
});

const loopBody = (nodes: readonly NodeProto[]) =>
  makeGraph({
    inputs: [
      ["i", "int64", []],
      ["go", "bool", []],
      ["state", "float32", [2, 8]],
    ],
    outputs: [
      ["goes", "bool", []],
      ["next", "float32", [2, 8]],
      ["seen", "float32", [2, 5]],
    ],
    nodes: [node("Identity", ["go"], ["goes"]), ...nodes],
    initializers: [floats("inner", [8, 8])],
  });

const looping = (nodes: readonly NodeProto[], start = "h") =>
  makeModel({
    inputs: [["x", "float32", [2, 6]]],
    outputs: [
      ["y", "float32", [2, 3]],
      ["w", "float32", [4, 2, 3]],
    ],
    nodes: [
      node("MatMul", ["x", "a"], ["h"]),
      withGraphs(makeNode("Loop", "loop", ["rounds", "yes", start], ["last", "all"]), { body: loopBody(nodes) }),
      node("MatMul", ["last", "b"], ["y"]),
      node("MatMul", ["all", "d"], ["w"]),
    ],
    initializers: [
      floats("a", [6, 8]),
      floats("b", [8, 3]),
      floats("around", [8, 5]),
      floats("d", [5, 3]),
      number("rounds", 4),
      yes,
    ],
  });

const round = [
  node("MatMul", ["state", "inner"], ["m"]),
  node("Tanh", ["m"], ["next"]),
  node("MatMul", ["next", "around"], ["seen"]),
];

test("what a loop hands from round to round and collects loses channels", async () => {
  const { small, error, moved, groups } = await pruneHalf(looping(round));
  expect(groups.groups.map(({ channels }) => channels.length)).toEqual([8, 5]);
  expect(storedShape(small, "a")).toEqual([6, 4]);
  expect(storedShape(small, "inner")).toEqual([4, 4]);
  expect(storedShape(small, "around")).toEqual([4, 3]);
  expect(storedShape(small, "d")).toEqual([3, 3]);
  expect(error).toBeLessThan(1e-5);
  expect(moved).toBeGreaterThan(1e-3);
});

test("a loop state that starts from an input stays, what is collected goes", async () => {
  const model = looping(round, "x");
  const [body] = model.graph!.node[1]!.attribute;
  const six: Value = ["state", "float32", [2, 6]];
  const next: Value = ["next", "float32", [2, 6]];
  const parts = makeGraph({ inputs: [six], outputs: [next], nodes: [], initializers: [floats("inner", [6, 6])] });
  body!.g!.input[2] = parts.input[0]!;
  body!.g!.output[1] = parts.output[0]!;
  body!.g!.initializer = parts.initializer;
  model.graph!.initializer = [
    floats("a", [6, 8]),
    floats("b", [6, 3]),
    floats("around", [6, 5]),
    floats("d", [5, 3]),
    number("rounds", 4),
    yes,
  ];
  const { small, error, groups } = await pruneHalf(model);
  expect(storedShape(small, "inner")).toEqual([6, 6]);
  expect(storedShape(small, "around")).toEqual([6, 3]);
  expect(groups.frozen.map(({ tensor }) => tensor.name)).toContain("b");
  expect(error).toBeLessThan(1e-5);
});

test("a scan over slices loses channels of states, slices and what it collects", async () => {
  const model = makeModel({
    inputs: [["x", "float32", [2, 4, 6]]],
    outputs: [
      ["y", "float32", [2, 3]],
      ["w", "float32", [2, 4, 3]],
    ],
    nodes: [
      node("MatMul", ["x", "a"], ["h"]),
      withGraphs(
        makeNode("Scan", "scan", ["start", "h"], ["last", "all"], {
          num_scan_inputs: 1,
          scan_input_axes: [1],
          scan_output_axes: [-2],
        }),
        {
          body: makeGraph({
            inputs: [
              ["state", "float32", [2, 8]],
              ["slice", "float32", [2, 7]],
            ],
            outputs: [
              ["next", "float32", [2, 8]],
              ["seen", "float32", [2, 8]],
            ],
            nodes: [
              node("MatMul", ["state", "r"], ["m"]),
              node("MatMul", ["slice", "s"], ["n"]),
              node("Add", ["m", "n"], ["sum"]),
              node("Tanh", ["sum"], ["next"]),
              node("Identity", ["next"], ["seen"]),
            ],
          }),
        },
      ),
      node("MatMul", ["last", "b"], ["y"]),
      node("MatMul", ["all", "d"], ["w"]),
    ],
    initializers: [
      floats("a", [6, 7]),
      floats("start", [2, 8]),
      floats("r", [8, 8]),
      floats("s", [7, 8]),
      floats("b", [8, 3]),
      floats("d", [8, 3]),
    ],
  });
  const { small, error, moved, groups } = await pruneHalf(model);
  expect(groups.groups.map(({ channels }) => channels.length)).toEqual([7, 8]);
  expect(storedShape(small, "start")).toEqual([2, 4]);
  expect(storedShape(small, "s")).toEqual([4, 4]);
  expect(storedShape(small, "r")).toEqual([4, 4]);
  expect(error).toBeLessThan(1e-5);
  expect(moved).toBeGreaterThan(1e-3);
});

test("a loop state that grows from round to round keeps what it holds", async () => {
  const model = makeModel({
    inputs: [["x", "float32", [2, 6]]],
    outputs: [["y", "float32", ["n", 3]]],
    nodes: [
      node("MatMul", ["x", "a"], ["h"]),
      withGraphs(makeNode("Loop", "loop", ["rounds", "yes", "h"], ["last"]), {
        body: makeGraph({
          inputs: [
            ["i", "int64", []],
            ["go", "bool", []],
            ["state", "float32", ["n", 8]],
          ],
          outputs: [
            ["goes", "bool", []],
            ["next", "float32", ["m", 8]],
          ],
          nodes: [node("Identity", ["go"], ["goes"]), node("Concat", ["state", "h"], ["next"], { axis: 0 })],
        }),
      }),
      node("MatMul", ["last", "b"], ["y"]),
    ],
    initializers: [floats("a", [6, 8]), floats("b", [8, 3]), number("rounds", 3), yes],
  });
  const { small, error } = await pruneHalf(model);
  expect(storedShape(small, "a")).toEqual([6, 8]);
  expect(error).toBeLessThan(1e-5);
});
