import { describe, expect, test } from "@jest/globals";
import type { ModelProto } from "../../src/formats/onnx.js";
import { makeNode, setAttribute } from "../../src/graph/node.js";
import { allowancesOf } from "../../src/prune/limits.js";
import type { Limits } from "../../src/prune/settings.js";
import { floats, ints, makeModel } from "../onnx-model.js";
import { groupOn, structureOf } from "./structures.js";

const usual: Limits = { round: 8, minChannels: 1, limit: 0.95, limits: [], keep: [], only: [], hidden: false };

async function levelsOn(
  model: ModelProto,
  x: readonly number[],
  tensor: string,
  limits: Partial<Limits> = {},
): Promise<{ readonly levels: readonly number[]; readonly bound: string }> {
  const { structure, groups } = await structureOf(model, { x });
  const { allowances } = allowancesOf(structure, groups, { ...usual, ...limits });
  const { levels, bound } = allowances[groupOn(groups, tensor).index]!;
  return { levels, bound };
}

const softmax = (input: string, output: string) => {
  const node = makeNode("Softmax", "softmax", [input], [output]);
  setAttribute(node, "axis", 3);
  return node;
};

/** Heads of a width, made by a MatMul and read by another. */
const heads = (count: number, width: number) =>
  makeModel({
    inputs: [["x", "float32", [1, 4, 5]]],
    outputs: [["y", "float32", [1, 4, 5]]],
    nodes: [
      makeNode("MatMul", "up", ["x", "w"], ["h"]),
      makeNode("Reshape", "split", ["h", "to"], ["s"]),
      softmax("s", "p"),
      makeNode("Reshape", "join", ["p", "back"], ["j"]),
      makeNode("MatMul", "down", ["j", "v"], ["y"]),
    ],
    initializers: [
      floats("w", [5, count * width]),
      ints("to", [1, 4, count, width]),
      ints("back", [1, 4, count * width]),
      floats("v", [count * width, 5]),
    ],
  });

describe("numbers of channels that may go", () => {
  test.each<[number, number, Partial<Limits>, number[]]>([
    [6, 8, {}, [0, 1, 2, 3, 4, 5]],
    [6, 8, { minChannels: 20 }, [0, 1, 2, 3]],
    [6, 4, {}, [0, 2, 4]],
    [6, 6, {}, [0, 2]],
    [6, 64, { limit: 0.5 }, [0, 1, 2, 3]],
  ])("%i heads of %i, %j", async (count, width, limits, levels) => {
    expect((await levelsOn(heads(count, width), [1, 4, 5], "w", limits)).levels).toEqual(levels);
  });

  test("what the group has for itself is rounded, before what it shares with indices that stay", async () => {
    // of 16 channels 11 are used on, 5 are put out
    const model = makeModel({
      inputs: [["x", "float32", [1, 3, 2, 2]]],
      outputs: [
        ["y", "float32", [1, 2, 2, 2]],
        ["z", "float32", [1, 5, 2, 2]],
      ],
      nodes: [
        makeNode("Conv", "c", ["x", "w"], ["h"]),
        makeNode("Slice", "first", ["h", "zero", "eleven", "one"], ["a"]),
        makeNode("Slice", "last", ["h", "eleven", "end", "one"], ["z"]),
        makeNode("Relu", "relu", ["a"], ["r"]),
        makeNode("Slice", "again", ["r", "zero", "end", "one"], ["b"]),
        makeNode("Conv", "d", ["b", "v"], ["y"]),
      ],
      initializers: [
        floats("w", [16, 3, 1, 1]),
        floats("v", [2, 11, 1, 1]),
        ...[ints("zero", [0]), ints("one", [1]), ints("eleven", [11]), ints("end", [16])],
      ],
    });
    // 5 + 3 = 8; but what v reads, the group has for itself: 8 of 11
    expect(await levelsOn(model, [1, 3, 2, 2], "v")).toEqual({ levels: [0, 3], bound: "round" });
  });
});
