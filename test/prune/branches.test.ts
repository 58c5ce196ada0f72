import { expect, test } from "@jest/globals";
import type { Batch } from "../../src/data/batch.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { analyseModel } from "../../src/prune/analyse.js";
import { createCostModel } from "../../src/prune/costs.js";
import { numbersOf } from "../../src/tensor/numbers.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { floats, ints, makeGraph, makeModel, withGraphs } from "../onnx-model.js";
import { noise } from "./data-models.js";
import { pruneHalf } from "./prune-half.js";
import { nothingOutside } from "./structures.js";

const whole = (value: number): Tensor => ({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(value)) });
const flag = (value: boolean): Tensor => ({ dtype: "bool", shape: [], data: Uint8Array.of(value ? 1 : 0) });

const scalar = (name: string, value: number) => {
  const tensor = ints(name, [value]);
  tensor.dims = [];
  return tensor;
};

/** A branch that takes x of `width` numbers alone, through 16 channels of its own to the 8 that `into` takes. */
const branch = (name: string, width: number) =>
  makeGraph({
    outputs: [[`${name}_out`, "float32", [1, 8]]],
    nodes: [
      makeNode("MatMul", "", ["x", `${name}_a`], [`${name}_h`]),
      makeNode("Relu", "", [`${name}_h`], [`${name}_r`]),
      makeNode("MatMul", "", [`${name}_r`, `${name}_b`], [`${name}_out`]),
    ],
    initializers: [floats(`${name}_a`, [width, 16]), floats(`${name}_b`, [16, 8])],
  });

/** Which of two branches is taken depends on `rate`; the first takes 12 numbers, the second `other`. */
const branching = (other: number): ModelProto =>
  makeModel({
    inputs: [
      ["x", "float32", [1, "n"]],
      ["rate", "int64", []],
    ],
    outputs: [["y", "float32", [1, 3]]],
    nodes: [
      makeNode("Equal", "", ["rate", "usual"], ["is_usual"]),
      withGraphs(makeNode("If", "if", ["is_usual"], ["z"]), {
        then_branch: branch("fast", 12),
        else_branch: branch("slow", other),
      }),
      makeNode("MatMul", "", ["z", "into"], ["y"]),
    ],
    initializers: [scalar("usual", 16000), floats("into", [8, 3])],
  });

const usual = new Map<string, Tensor>([
  ["x", noise([1, 12], 1)],
  ["rate", whole(16000)],
]);

const shapeOf = (batch: Batch) => batch.get("x")!.shape;
const rateOf = (batch: Batch) => Number(batch.get("rate")!.data[0]);

async function expectSame(small: ModelProto, zeroed: ModelProto, feeds: readonly Batch[]): Promise<void> {
  const sessions = [await openSession(encodeModel(small)), await openSession(encodeModel(zeroed))] as const;
  for (const fed of feeds) {
    const [found, wanted] = [await sessions[0].run(fed), await sessions[1].run(fed)];
    const [p, q] = [numbersOf(found.get("y")!), numbersOf(wanted.get("y")!)];
    for (let at = 0; at < q.length; at++) expect(Math.abs(p[at]! - q[at]!)).toBeLessThan(1e-5);
  }
  for (const session of sessions) await session.close();
}

test("a branch for inputs of other sizes is looked at for such", async () => {
  for (const [fed, width] of [
    [usual, 6],
    [
      new Map([
        ["x", noise([1, 6], 2)],
        ["rate", whole(8000)],
      ]),
      12,
    ],
  ] as const) {
    const { structure, groups, small, zeroed } = await pruneHalf(branching(6), fed);
    expect(structure.feeds.map(shapeOf)).toEqual([fed.get("x")!.shape, [1, width]]);
    expect(structure.feeds.map((batch) => rateOf(batch) === 16000).sort()).toEqual([false, true]);
    expect(structure.untaken).toEqual([]);
    expect(groups.groups.map(({ channels }) => channels.length).sort()).toEqual([16, 16, 8]);
    // the three numbers of the output stay, and what a branch is given
    const { prunable, whole: all } = createCostModel(structure);
    expect(prunable).toBe(all.parameters);
    await expectSame(small, zeroed, structure.feeds);
  }
});

test("samples that take a branch come before made-up inputs", async () => {
  const own = new Map([
    ["x", noise([1, 6], 3)],
    ["rate", whole(12345)],
  ]);
  const structure = await analyseModel(branching(6), usual, nothingOutside, [usual, own, own]);
  expect(structure.feeds).toEqual([usual, own]);
});

test("a branch that nothing can be run on is told, and harms no other", async () => {
  const { structure, groups, small, zeroed } = await pruneHalf(branching(1009), usual);
  expect(structure.feeds).toEqual([usual]);
  expect(structure.untaken.map(({ path }) => path)).toEqual(["main/if.else_branch"]);
  expect(groups.groups.map(({ name }) => name)).toContain("fast_a");
  await expectSame(small, zeroed, [usual]);
});

test("branches inside branches are reached through those around them", async () => {
  const inner = makeGraph({
    outputs: [["inner_out", "float32", [1, 8]]],
    nodes: [
      makeNode("Less", "", ["rate", "few"], ["is_few"]),
      withGraphs(makeNode("If", "inner", ["is_few"], ["inner_out"]), {
        then_branch: branch("few", 4),
        else_branch: branch("many", 24),
      }),
    ],
    initializers: [scalar("few", 100)],
  });
  const model = makeModel({
    inputs: [
      ["x", "float32", [1, "n"]],
      ["rate", "int64", []],
      ["deep", "bool", []],
    ],
    outputs: [["y", "float32", [1, 3]]],
    nodes: [
      makeNode("Not", "", ["deep"], ["flat"]),
      withGraphs(makeNode("If", "outer", ["flat"], ["z"]), { then_branch: branch("plain", 12), else_branch: inner }),
      makeNode("MatMul", "", ["z", "into"], ["y"]),
    ],
    initializers: [floats("into", [8, 3])],
  });
  const { structure, groups, small, zeroed } = await pruneHalf(model, new Map([...usual, ["deep", flag(false)]]));
  expect(structure.feeds.map(shapeOf)).toEqual([
    [1, 12],
    [1, 24],
    [1, 4],
  ]);
  expect(structure.untaken).toEqual([]);
  expect(groups.groups).toHaveLength(4);
  await expectSame(small, zeroed, structure.feeds);
});
