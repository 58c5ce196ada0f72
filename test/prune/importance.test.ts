import { describe, expect, test } from "@jest/globals";
import { makeTensor } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { sumsAlong, weightScores } from "../../src/prune/importance.js";
import type { Reduction, WeightCriterion } from "../../src/prune/settings.js";
import { halfBits } from "../../src/tensor/numbers.js";
import { floats, makeModel } from "../onnx-model.js";
import { structureOf } from "./structures.js";

/** x [1, 2] through 3 hidden neurons to y [1, 2]. */
const neurons = (first = [1, 2, 3, 1, 2, -3], second = [1, 1, -1, 1, 0, 2]) =>
  makeModel({
    inputs: [["x", "float32", [1, 2]]],
    outputs: [["y", "float32", [1, 2]]],
    nodes: [
      makeNode("Gemm", "up", ["x", "w", "b"], ["h"]),
      makeNode("Relu", "relu", ["h"], ["r"]),
      makeNode("Gemm", "down", ["r", "v"], ["y"]),
    ],
    initializers: [floats("w", [2, 3], first), floats("b", [3], [100, 0, 0]), floats("v", [3, 2], second)],
  });

const scoresOf = async (model = neurons(), criterion: WeightCriterion = "l2", reduction: Reduction = "mean") => {
  const { structure, groups } = await structureOf(model, { x: [1, 2] });
  return weightScores(structure, groups, { criterion, reduction, seed: 3 });
};
/** As parts of the mean of the group. */
const rounded = (scores: readonly Float64Array[]) =>
  scores.map((own) => Array.from(own, (score) => Math.round(own.length * score * 1000) / 1000));

describe("scores by weights", () => {
  // w: columns hold 2, 4, 6 (|w|) or 2, 8, 18 (squares); v: rows hold 2, 2, 2 or 2, 2, 4; the bias has no say
  test.each<[WeightCriterion, Reduction, number[]]>([
    ["l1", "mean", [(2 / 4 + 1) / 2, (1 + 1) / 2, (6 / 4 + 1) / 2]],
    ["l2", "mean", [(6 / 28 + 6 / 8) / 2, (24 / 28 + 6 / 8) / 2, (54 / 28 + 12 / 8) / 2]],
    ["l2", "sum", [6 / 28 + 6 / 8, 24 / 28 + 6 / 8, 54 / 28 + 12 / 8]],
    ["l2", "max", [6 / 8, 24 / 28, 54 / 28]],
  ])("%s, %s of the tensors", async (criterion, reduction, expected) => {
    const { scores } = await scoresOf(neurons(), criterion, reduction);
    expect(scores).toHaveLength(1);
    expected.forEach((score, at) => void expect(scores[0]![at]).toBeCloseTo(score / 3, 12));
  });

  test("do not depend on how large a layer's weights are", async () => {
    const scaled = neurons(
      [1, 2, 3, 1, 2, -3].map((w) => 1e-3 * w),
      [1, 1, -1, 1, 0, 2].map((w) => 50 * w),
    );
    expect(rounded((await scoresOf(scaled)).scores)).toEqual(rounded((await scoresOf()).scores));
  });

  test("count a tensor once, where both of its axes are the group's", async () => {
    // r = h + h W: rows and columns of W are the channels of h
    const model = makeModel({
      inputs: [["x", "float32", [1, 2]]],
      outputs: [["y", "float32", [1, 2]]],
      nodes: [
        makeNode("Gemm", "up", ["x", "u"], ["h"]),
        makeNode("MatMul", "mix", ["h", "w"], ["m"]),
        makeNode("Add", "add", ["h", "m"], ["r"]),
        makeNode("Gemm", "down", ["r", "v"], ["y"]),
      ],
      initializers: [
        floats("u", [2, 2], [1, 3, 0, 0]),
        floats("w", [2, 2], [1, 2, 0, 1]),
        floats("v", [2, 2], [1, 1, 1, 1]),
      ],
    });
    const { scores } = await scoresOf(model, "l1", "sum");
    // u: 1/2, 3/2; w: rows 3/2, 1/2 and columns 1/2, 3/2, so 1 and 1; v: 1 and 1
    expect(rounded(scores)).toEqual([[2.5, 3.5]]);
  });

  test("take the scales of normalisations, and squares where there are none", async () => {
    const model = makeModel({
      inputs: [["x", "float32", [1, 1, 2, 2]]],
      outputs: [["y", "float32", [1, 1, 2, 2]]],
      nodes: [
        makeNode("Conv", "c", ["x", "w"], ["h"]),
        makeNode("BatchNormalization", "bn", ["h", "scale", "shift", "mean", "var"], ["n"]),
        makeNode("Conv", "d", ["n", "v"], ["m"]),
        makeNode("Conv", "e", ["m", "u"], ["y"]),
      ],
      initializers: [
        floats("w", [2, 1, 1, 1], [5, 1]),
        ...["shift", "mean", "var"].map((name) => floats(name, [2], [1, 9])),
        floats("scale", [2], [-0.1, 0.3]),
        floats("v", [2, 2, 1, 1], [1, 2, 3, 0]),
        floats("u", [1, 2, 1, 1], [1, 1]),
      ],
    });
    const { structure, groups } = await structureOf(model, { x: [1, 1, 2, 2] });
    // until normalisations are in the table, BatchNormalization keeps the first group
    const { scores, notes } = weightScores(structure, groups, { criterion: "bn", reduction: "mean", seed: 1 });
    const byName = new Map(groups.map(({ name }, at) => [name, rounded(scores)[at]]));
    if (byName.has("w")) expect(byName.get("w")).toEqual([0.5, 1.5]);
    expect(byName.get("v")).toEqual([(5 / 7 + 1) / 2, (9 / 7 + 1) / 2].map((score) => Math.round(score * 1000) / 1000));
    expect(notes.join()).toMatch(/scale of a normalisation: their channels are scored by l2$/);
  });

  test("by chance are the same for the same seed", async () => {
    const { structure, groups } = await structureOf(neurons(), { x: [1, 2] });
    const by = (seed: number) => weightScores(structure, groups, { criterion: "random", reduction: "mean", seed });
    expect(by(1)).toEqual(by(1));
    expect(by(1)).not.toEqual(by(2));
  });

  test("of weights that tell nothing are alike", async () => {
    const zeros = new Array(6).fill(0);
    expect(rounded((await scoresOf(neurons(zeros, zeros))).scores)).toEqual([[1, 1, 1]]);
    const broken = [Number.NaN, 1, 2, Number.POSITIVE_INFINITY, 0, 0];
    expect(rounded((await scoresOf(neurons(broken, broken))).scores)).toEqual([[1, 1, 1]]);
  });

  test("read halves as the numbers they stand for", async () => {
    const model = neurons();
    const tensor = model.graph!.initializer.find(({ name }) => name === "v")!;
    const halves = Uint16Array.from([1, 1, -1, 1, 0, 2], halfBits);
    const { structure, groups } = await structureOf(model, { x: [1, 2] });
    const before = weightScores(structure, groups, { criterion: "l2", reduction: "mean", seed: 1 });
    Object.assign(tensor, makeTensor("v", { dtype: "float16", shape: [3, 2], data: halves }));
    expect(weightScores(structure, groups, { criterion: "l2", reduction: "mean", seed: 1 })).toEqual(before);
  });

  test("add up any axis", () => {
    const data = Float32Array.from([1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12]);
    const sums = (axis: number) => [...sumsAlong(data, [2, 3, 2], axis, true)];
    expect([sums(0), sums(1), sums(2)]).toEqual([
      [21, 57],
      [18, 26, 34],
      [36, 42],
    ]);
    expect([...sumsAlong(data, [2, 3, 2], 0, false)]).toEqual([91, 559]);
  });
});
