import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto, type NodeProto, type TensorProto } from "../../src/formats/onnx.js";
import { type AttributeValue, makeNode } from "../../src/graph/node.js";
import { numbersOf } from "../../src/tensor/numbers.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { floats, ints, makeGraph, makeModel, type Value, withGraphs } from "../onnx-model.js";
import fc from "../property.js";
import { noise } from "./data-models.js";
import { type Halved, pruneHalf, storedShape } from "./prune-half.js";

const gatesOf = { LSTM: 4, GRU: 3, RNN: 1 } as const;
type Cell = keyof typeof gatesOf;

interface Settings {
  readonly cell: Cell;
  readonly layers: number;
  readonly directions: 1 | 2;
  readonly hidden: number;
  readonly batch: number;
  readonly opset: number;
  readonly peepholes: boolean;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

const usual: Settings = {
  ...{ cell: "LSTM", layers: 1, directions: 1, hidden: 6, batch: 2, opset: 14, peepholes: false, attributes: {} },
};

const statesOf = (cell: Cell) => (cell === "LSTM" ? ["h", "c"] : ["h"]);

/** x [3, batch, 5] through layers of cells, which start from h0 (and c0) and end with hn (and cn), to y. */
function recurrent(settings: Partial<Settings>, more: Partial<Parameters<typeof makeModel>[0]> = {}): ModelProto {
  const { cell, layers, directions, hidden, batch, opset, peepholes, attributes } = { ...usual, ...settings };
  const state = [layers * directions, batch, hidden] as const;
  const names = statesOf(cell);
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [ints("flat", [0, 0, -1])];
  let x = "x";
  let width = 5;
  for (let layer = 0; layer < layers; layer++) {
    const own = names.map((name) => {
      if (layers === 1) return `${name}0`;
      initializers.push(ints(`from${layer}${name}`, [layer * directions]));
      initializers.push(ints(`to${layer}${name}`, [(layer + 1) * directions]));
      nodes.push(
        makeNode("Slice", "", [`${name}0`, `from${layer}${name}`, `to${layer}${name}`], [`${name}${layer}own`]),
      );
      return `${name}${layer}own`;
    });
    const last = names.map((name) => (layers === 1 ? `${name}n` : `${name}${layer}n`));
    const given = [x, `w${layer}`, `r${layer}`, `b${layer}`, "", ...own];
    if (peepholes) given[7] = `p${layer}`;
    nodes.push(
      makeNode(cell, `cell${layer}`, given, [`seen${layer}`, ...last], {
        hidden_size: hidden,
        ...(directions === 2 ? { direction: "bidirectional" } : {}),
        ...attributes,
      }),
      makeNode("Transpose", "", [`seen${layer}`], [`turned${layer}`], { perm: [0, 2, 1, 3] }),
      makeNode("Reshape", "", [`turned${layer}`, "flat"], [`flat${layer}`]),
    );
    const gates = gatesOf[cell];
    initializers.push(
      floats(`w${layer}`, [directions, gates * hidden, width]),
      floats(`r${layer}`, [directions, gates * hidden, hidden]),
      floats(`b${layer}`, [directions, 2 * gates * hidden]),
      ...(peepholes ? [floats(`p${layer}`, [directions, 3 * hidden])] : []),
    );
    x = `flat${layer}`;
    width = directions * hidden;
  }
  if (layers > 1) {
    for (const name of names) {
      const parts = Array.from({ length: layers }, (_, layer) => `${name}${layer}n`);
      nodes.push(makeNode("Concat", "", parts, [`${name}n`], { axis: 0 }));
    }
  }
  nodes.push(makeNode("MatMul", "out", [x, "v"], ["y"]));
  return makeModel({
    opset,
    inputs: [["x", "float32", [3, batch, 5]], ...names.map((name): Value => [`${name}0`, "float32", [...state]])],
    outputs: [
      ["y", "float32", [3, batch, 4]],
      ...names.map((name): Value => [`${name}n`, "float32", [...state]]),
      ...(more.outputs ?? []),
    ],
    nodes: [...nodes, ...(more.nodes ?? [])],
    initializers: [...initializers, floats("v", [width, 4]), ...(more.initializers ?? [])],
  });
}

/** What a caller gets that hands states back, step by step. */
async function listen(model: ModelProto, settings: Settings): Promise<readonly ReadonlyMap<string, Tensor>[]> {
  const session = await openSession(encodeModel(model));
  const { cell, layers, directions, batch, hidden } = settings;
  const names = statesOf(cell);
  // a start of its own: what it has at places that are gone counts for nothing
  let states: readonly Tensor[] = names.map((_, at) => noise([layers * directions, batch, hidden], 9 + at));
  const found: ReadonlyMap<string, Tensor>[] = [];
  for (let step = 0; step < 3; step++) {
    const carried = names.map((name, at) => [`${name}0`, states[at]!] as const);
    const outputs = await session.run(new Map([["x", noise([3, batch, 5], step)], ...carried]));
    found.push(outputs);
    states = names.map((name) => outputs.get(`${name}n`)!);
  }
  await session.close();
  return found;
}

async function expectSame(halved: Halved, settings: Settings): Promise<void> {
  const [wanted, found] = [await listen(halved.zeroed, settings), await listen(halved.small, settings)];
  for (const [step, outputs] of wanted.entries()) {
    for (const [name, tensor] of outputs) {
      const other = found[step]!.get(name)!;
      expect(other.shape).toEqual(tensor.shape);
      const [p, q] = [numbersOf(tensor), numbersOf(other)];
      for (let at = 0; at < p.length; at++) expect(Math.abs(p[at]! - q[at]!)).toBeLessThan(1e-5);
    }
  }
}

const zerosIn = ({ data }: Tensor) => Array.from(data as Float32Array).filter((value) => value === 0).length;

const cases: readonly (readonly [string, Partial<Settings>])[] = [
  ["LSTM", {}],
  ["LSTM with peepholes", { peepholes: true }],
  ["LSTM of both directions", { directions: 2 }],
  ["LSTM of three layers in one state", { layers: 3 }],
  ["LSTM of two layers of both directions in one state", { layers: 2, directions: 2 }],
  ["GRU", { cell: "GRU" }],
  ["GRU that resets after the product", { cell: "GRU", attributes: { linear_before_reset: 1 } }],
  ["GRU of two layers", { cell: "GRU", layers: 2, batch: 1 }],
  ["RNN of both directions", { cell: "RNN", directions: 2 }],
  ["LSTM of an old operator set", { opset: 10 }],
];

describe("states that the caller hands back", () => {
  test.each(cases)("%s: lose units inside and keep their length outside", async (_, some) => {
    const settings = { ...usual, ...some };
    const halved = await pruneHalf(recurrent(some));
    const { small, error, moved, groups } = halved;
    const { cell, directions } = settings;
    expect(groups.groups.map(({ channels }) => channels.length)).toEqual([6]);
    expect(groups.groups[0]!.states.map(({ name }) => name)).toEqual(
      statesOf(cell)
        .flatMap((name) => [`${name}0`])
        .concat(statesOf(cell).map((name) => `${name}n`)),
    );
    expect(storedShape(small, "w0")).toEqual([directions, gatesOf[cell] * 3, 5]);
    expect(storedShape(small, "r0")).toEqual([directions, gatesOf[cell] * 3, 3]);
    expect(error).toBeLessThan(1e-5);
    expect(moved).toBeGreaterThan(1e-3);
    await expectSame(halved, settings);
    const [first] = await listen(small, settings);
    for (const name of statesOf(cell)) {
      const state = first!.get(`${name}n`)!;
      expect(zerosIn(state)).toBe(state.data.length / 2);
    }
    expect(zerosIn(first!.get("y")!)).toBe(0);
  });

  test("whatever the cell, its layers and the share that goes", async () => {
    const settings = fc.record({
      cell: fc.constantFrom<Cell>("LSTM", "GRU", "RNN"),
      layers: fc.integer({ min: 1, max: 3 }),
      directions: fc.constantFrom<1 | 2>(1, 2),
      hidden: fc.integer({ min: 2, max: 9 }),
      batch: fc.integer({ min: 1, max: 3 }),
      opset: fc.constantFrom(10, 13, 17),
    });
    await fc.assert(
      fc.asyncProperty(settings, fc.constantFrom(0.3, 0.5, 0.9), async (some, share) => {
        const whole = { ...usual, ...some };
        const halved = await pruneHalf(recurrent(whole), undefined, whole.hidden, share);
        expect(halved.groups.groups.map(({ channels }) => channels.length)).toEqual([whole.hidden]);
        expect(halved.error).toBeLessThan(1e-5);
        await expectSame(halved, whole);
      }),
      { numRuns: 15, seed: 7 },
    );
  });

  test("what is pruned can be pruned again", async () => {
    const settings = { ...usual, hidden: 16, layers: 2 };
    const once = await pruneHalf(recurrent(settings));
    const twice = await pruneHalf(once.small, undefined, 2);
    expect(twice.groups.groups.map(({ channels }) => channels.length)).toEqual([8]);
    expect(storedShape(twice.small, "r0")).toEqual([1, 16, 4]);
    expect(twice.error).toBeLessThan(1e-5);
    await expectSame(twice, settings);
    const [first] = await listen(twice.small, settings);
    expect(zerosIn(first!.get("hn")!)).toBe(2 * 2 * 12);
  });

  test("a state may be read for the result too, and be read again behind the output", async () => {
    const model = recurrent(
      {},
      {
        outputs: [["z", "float32", [1, 2, 3]]],
        nodes: [
          makeNode("Relu", "", ["hn"], ["active"]),
          makeNode("Concat", "", ["active", "c0"], ["both"], { axis: 2 }),
          makeNode("MatMul", "", ["both", "u"], ["z"]),
        ],
        initializers: [floats("u", [12, 3])],
      },
    );
    const halved = await pruneHalf(model);
    expect(storedShape(halved.small, "u")).toEqual([6, 3]);
    expect(storedShape(halved.small, "r0")).toEqual([1, 12, 3]);
    expect(halved.error).toBeLessThan(1e-5);
    await expectSame(halved, usual);
  });

  test.each([
    ["what is seen on the way", ["seen0", "float32", [3, 1, 2, 6]], []],
    ["the state without an axis", ["f", "float32", [2, 6]], [makeNode("Squeeze", "", ["hn", "zero"], ["f"])]],
    ["the state once more", ["f", "float32", [1, 2, 6]], [makeNode("Identity", "", ["hn"], ["f"])]],
    ["something made of the state", ["f", "float32", [1, 2, 6]], [makeNode("Relu", "", ["hn"], ["f"])]],
  ] as const)("units stay where they are a result: %s", async (_, output, nodes) => {
    const { small, error, groups } = await pruneHalf(
      recurrent({}, { outputs: [output as unknown as Value], nodes, initializers: [ints("zero", [0])] }),
    );
    expect(groups.groups).toEqual([]);
    const cause = groups.frozen.find(({ tensor, axis }) => tensor.name === "r0" && axis === 2)!.cause;
    expect(cause).toMatchObject({ operator: "graph output", why: "what the model puts out keeps its shape" });
    expect(storedShape(small, "r0")).toEqual([1, 24, 6]);
    expect(error).toBeLessThan(1e-5);
  });

  test("branches that start from one state lose the same units of it", async () => {
    const branch = (name: string) => {
      const [w, r, gathered] = [`${name}w`, `${name}r`, `${name}h`];
      return makeGraph({
        outputs: [
          [`${name}y`, "float32", [3, 1, 2, 6]],
          [`${name}next`, "float32", [2, 1, 2, 6]],
        ],
        nodes: [
          makeNode("Gather", "", ["state", "zeroth"], [gathered], { axis: 0 }),
          makeNode("Gather", "", ["state", "first"], [`${name}c`], { axis: 0 }),
          makeNode("LSTM", name, ["x", w, r, "", "", gathered, `${name}c`], [`${name}y`, `${name}hn`, `${name}cn`], {
            hidden_size: 6,
          }),
          makeNode("Unsqueeze", "", [`${name}hn`, "front"], [`${name}hu`]),
          makeNode("Unsqueeze", "", [`${name}cn`, "front"], [`${name}cu`]),
          makeNode("Concat", "", [`${name}hu`, `${name}cu`], [`${name}next`], { axis: 0 }),
        ],
        initializers: [floats(w, [1, 24, 5]), floats(r, [1, 24, 6])],
      });
    };
    const scalar = (name: string, value: number) => {
      const tensor = ints(name, [value]);
      tensor.dims = [];
      return tensor;
    };
    const model = makeModel({
      inputs: [
        ["x", "float32", [3, 2, 5]],
        ["state", "float32", [2, 1, 2, 6]],
        ["wide", "bool", []],
      ],
      outputs: [
        ["y", "float32", [3, 1, 2, 4]],
        ["next", "float32", [2, 1, 2, 6]],
      ],
      nodes: [
        withGraphs(makeNode("If", "if", ["wide"], ["seen", "made"]), {
          then_branch: branch("t"),
          else_branch: branch("e"),
        }),
        makeNode("Identity", "", ["made"], ["next"]),
        makeNode("MatMul", "", ["seen", "v"], ["y"]),
      ],
      initializers: [floats("v", [6, 4]), scalar("zeroth", 0), scalar("first", 1), ints("front", [0])],
    });
    for (const wide of [0, 1]) {
      const feeds = new Map<string, Tensor>([
        ["x", noise([3, 2, 5], 1)],
        ["state", noise([2, 1, 2, 6], 2)],
        ["wide", { dtype: "bool", shape: [], data: Uint8Array.of(wide) }],
      ]);
      const { small, error, moved, groups } = await pruneHalf(model, feeds);
      expect(groups.groups.map(({ channels }) => channels.length)).toEqual([6]);
      expect([storedShape(small, "tr"), storedShape(small, "er")]).toEqual([
        [1, 12, 3],
        [1, 12, 3],
      ]);
      expect(error).toBeLessThan(1e-5);
      expect(moved).toBeGreaterThan(1e-3);
    }
  });

  test("zeros that a cell starts from instead of the state get shorter with it", async () => {
    const model = makeModel({
      opset: 14,
      inputs: [["x", "float32", [3, "b", 5]]],
      outputs: [["y", "float32", [3, 1, "b", 4]]],
      nodes: [
        makeNode("Shape", "", ["x"], ["sizes"]),
        makeNode("Gather", "", ["sizes", "one"], ["batch"]),
        makeNode("Concat", "", ["one", "batch", "six"], ["size"], { axis: 0 }),
        makeNode("ConstantOfShape", "", ["size"], ["h0"]),
        makeNode("GRU", "cell", ["x", "w", "r", "", "", "h0"], ["seen"], { hidden_size: 6 }),
        makeNode("MatMul", "", ["seen", "v"], ["y"]),
      ],
      initializers: [
        ...[ints("one", [1]), ints("six", [6]), floats("v", [6, 4]), floats("w", [1, 18, 5]), floats("r", [1, 18, 6])],
      ],
    });
    const { small, error, moved } = await pruneHalf(model, new Map([["x", noise([3, 2, 5], 1)]]));
    expect(storedShape(small, "r")).toEqual([1, 9, 3]);
    expect(error).toBeLessThan(1e-5);
    expect(moved).toBeGreaterThan(1e-3);
  });
});
