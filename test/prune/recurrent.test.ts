import { expect, test } from "@jest/globals";
import { type ModelProto, makeTensor } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { floats, ints, makeModel } from "../onnx-model.js";
import { pruneHalf, storedShape } from "./prune-half.js";

const gatesOf = { LSTM: 4, GRU: 3, RNN: 1 } as const;
type Cell = keyof typeof gatesOf;

interface Settings {
  readonly directions?: 1 | 2;
  /** Inputs beyond W and R, by place. */
  readonly bias?: boolean;
  readonly states?: "stored" | "given";
  readonly peepholes?: boolean;
  readonly lengths?: boolean;
  readonly attributes?: Parameters<typeof makeNode>[4];
  /** Whether the last state is put out by the model. */
  readonly lastState?: boolean;
}

/** x [5, 2, 6] through MatMul to 8, a cell of 6 units, and MatMul to 3. */
function cellModel(
  cell: Cell,
  { directions = 1, bias, states, peepholes, lengths, attributes = {}, lastState }: Settings,
): ModelProto {
  const [gates, hidden] = [gatesOf[cell], 6];
  const stateNames = cell === "LSTM" ? ["h0", "c0"] : ["h0"];
  const inputs = ["z", "w", "r", bias ? "b" : "", lengths ? "lens" : ""];
  if (states) inputs.push(...stateNames);
  if (peepholes) inputs[7] = "p";
  for (let at = 0; at < inputs.length; at++) inputs[at] ??= "";
  const state = [directions, 2, hidden] as const;
  return makeModel({
    opset: 14,
    inputs: [
      ["x", "float32", [5, 2, 6]],
      ...(states === "given" ? stateNames.map((name) => [name, "float32", [...state]] as const) : []),
    ],
    outputs: [["y", "float32", [5, directions, 2, 3]], ...(lastState ? [["hn", "float32", [...state]] as const] : [])],
    nodes: [
      makeNode("MatMul", "before", ["x", "v"], ["z"]),
      makeNode(cell, "cell", inputs, ["states", lastState ? "hn" : ""], {
        hidden_size: hidden,
        ...(directions === 2 ? { direction: "bidirectional" } : {}),
        ...attributes,
      }),
      makeNode("MatMul", "after", ["states", "u"], ["y"]),
    ],
    initializers: [
      floats("v", [6, 8]),
      floats("w", [directions, gates * hidden, 8]),
      floats("r", [directions, gates * hidden, hidden]),
      floats("b", [directions, 2 * gates * hidden]),
      floats("p", [directions, 3 * hidden]),
      ...(states === "stored" ? stateNames.map((name) => floats(name, [...state])) : []),
      ...(lengths ? [makeTensor("lens", { dtype: "int32", shape: [2], data: Int32Array.of(5, 3) })] : []),
      floats("u", [hidden, 3]),
    ],
  });
}

const cases: readonly [string, Cell, Settings][] = [
  ["LSTM", "LSTM", {}],
  ["LSTM with bias, peepholes and stored states", "LSTM", { bias: true, peepholes: true, states: "stored" }],
  ["LSTM of both directions", "LSTM", { bias: true, directions: 2, states: "stored" }],
  ["LSTM over sequences of their own lengths", "LSTM", { bias: true, lengths: true, directions: 2 }],
  ["LSTM, backwards, input and forget gate tied", "LSTM", { attributes: { direction: "reverse", input_forget: 1 } }],
  ["GRU", "GRU", { bias: true }],
  ["GRU that resets after the product", "GRU", { bias: true, attributes: { linear_before_reset: 1 } }],
  ["GRU of both directions from stored states", "GRU", { bias: true, directions: 2, states: "stored" }],
  ["RNN", "RNN", { bias: true }],
  ["RNN of both directions", "RNN", { directions: 2, states: "stored" }],
];

test.each(cases)("%s: without half of its units it is as if they were never read", async (_, cell, settings) => {
  const model = cellModel(cell, settings);
  const { small, error, moved, groups } = await pruneHalf(model);
  const { directions = 1 } = settings;
  expect(groups.groups.map(({ channels }) => channels.length)).toEqual([8, 6]);
  expect(storedShape(small, "v")).toEqual([6, 4]);
  expect(storedShape(small, "w")).toEqual([directions, gatesOf[cell] * 3, 4]);
  expect(storedShape(small, "r")).toEqual([directions, gatesOf[cell] * 3, 3]);
  expect(storedShape(small, "u")).toEqual([3, 3]);
  expect(error).toBeLessThan(1e-5);
  expect(moved).toBeGreaterThan(1e-3);
});

test("units whose states the model takes or puts out stay, its inputs go", async () => {
  for (const settings of [{ states: "given" }, { lastState: true }] as const) {
    const { small, error, groups } = await pruneHalf(cellModel("LSTM", { bias: true, ...settings }));
    expect(groups.groups.map(({ channels }) => channels.length)).toEqual([8]);
    expect(storedShape(small, "w")).toEqual([1, 24, 4]);
    expect(storedShape(small, "r")).toEqual([1, 24, 6]);
    expect(error).toBeLessThan(1e-5);
    const cause = groups.frozen.find(({ tensor, axis }) => tensor.name === "r" && axis === 2)!.cause;
    expect(cause.operator).toBe("states" in settings ? "graph input" : "graph output");
  }
});

test("a cell of one unit stays", async () => {
  const model = makeModel({
    opset: 14,
    inputs: [["x", "float32", [5, 2, 6]]],
    outputs: [["y", "float32", [5, 1, 2, 1]]],
    nodes: [
      makeNode("MatMul", "", ["x", "v"], ["z"]),
      makeNode("GRU", "cell", ["z", "w", "r"], ["y"], { hidden_size: 1 }),
    ],
    initializers: [floats("v", [6, 8]), floats("w", [1, 3, 8]), floats("r", [1, 3, 1])],
  });
  const { small, error } = await pruneHalf(model);
  expect(storedShape(small, "w")).toEqual([1, 3, 4]);
  expect(error).toBeLessThan(1e-5);
});

test("layers of both directions upon each other, the way exporters put them, lose their units", async () => {
  const layer = (name: string, inputs: number) => [
    floats(`w${name}`, [2, 24, inputs]),
    floats(`r${name}`, [2, 24, 6]),
    floats(`b${name}`, [2, 48]),
  ];
  const cell = (name: string, input: string, output: string) =>
    makeNode("LSTM", name, [input, `w${name}`, `r${name}`, `b${name}`], [output], {
      hidden_size: 6,
      direction: "bidirectional",
    });
  const flat = (input: string, output: string) => [
    makeNode("Transpose", "", [input], [`${output}_t`], { perm: [0, 2, 1, 3] }),
    makeNode("Reshape", "", [`${output}_t`, "flat"], [output]),
  ];
  const model = makeModel({
    opset: 14,
    inputs: [["x", "float32", [5, 2, 6]]],
    outputs: [["y", "float32", [5, 2, 3]]],
    nodes: [
      cell("1", "x", "s1"),
      ...flat("s1", "f1"),
      cell("2", "f1", "s2"),
      ...flat("s2", "f2"),
      makeNode("MatMul", "after", ["f2", "u"], ["y"]),
    ],
    initializers: [...layer("1", 6), ...layer("2", 12), floats("u", [12, 3]), ints("flat", [0, 0, -1])],
  });
  const { small, error, moved, groups } = await pruneHalf(model);
  expect(groups.groups.map(({ channels }) => channels.length)).toEqual([6, 6]);
  expect(storedShape(small, "w2")).toEqual([2, 12, 6]);
  expect(storedShape(small, "u")).toEqual([6, 3]);
  expect(error).toBeLessThan(1e-5);
  expect(moved).toBeGreaterThan(1e-3);
});
