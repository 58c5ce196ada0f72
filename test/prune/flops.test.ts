import { describe, expect, it } from "@jest/globals";
import { makeNode } from "../../src/graph/node.js";
import { createCostModel } from "../../src/prune/costs.js";
import { floats, makeModel } from "../onnx-model.js";
import { type Operator, operatorModel } from "./attention-models.js";
import { structureOf } from "./structures.js";

/** Products of the linear layers around the operator, with so many heads of keys and values; 10 positions. */
const around = (groups: number) => 10 * (24 * 24 + 24 * 32 + 2 * 24 * 8 * groups + 32 * 24 + 24 * 6);
/** 2 sequences, 4 heads of 8, 5 queries, 5 keys: scores, or what is mixed by them. */
const each = 2 * 4 * 5 * 5 * 8;

describe("FLOPs of attention as one operator", () => {
  it.each<[Operator, number]>([
    ["com.microsoft Attention", around(4) + 10 * 24 * 96 + 2 * each],
    // queries and keys of 6 a head
    ["Attention of other widths", around(4) + 10 * 24 * 80 + (6 / 8) * each + each],
    ["MultiHeadAttention", around(4) + 2 * each],
    ["GroupQueryAttention", around(2) + 2 * each],
    ["grouped", around(2) + 2 * each],
    ["one for all", around(1) + 2 * each],
    ["four axes", around(4) + 2 * each],
  ])("counts scores and what they mix: %s", async (operator, products) => {
    const { structure } = await structureOf(operatorModel(operator), { x: [2, 5, 24] });
    expect(createCostModel(structure).whole.flops).toBe(2 * products);
  });

  it("halves them with half of the heads", async () => {
    const { structure, groups } = await structureOf(operatorModel("com.microsoft Attention"), { x: [2, 5, 24] });
    const heads = groups.find(({ axes }) => axes.some(({ tensor, axis }) => tensor.name === "qkv.w" && axis === 1))!;
    const { whole, without } = createCostModel(structure);
    const saved = whole.flops - without(new Set(heads.channels.slice(2).map(({ label }) => label))).flops;
    expect(saved).toBe(2 * (10 * 24 * 48 + each + 10 * 16 * 24));
  });

  it("counts keys of earlier runs", async () => {
    const model = makeModel({
      opset: 23,
      ir: 10,
      inputs: [
        ["q", "float32", [1, 3, 8]],
        ["k", "float32", [1, 3, 8]],
        ["pk", "float32", [1, 2, 7, 4]],
        ["pv", "float32", [1, 2, 7, 4]],
      ],
      outputs: [["y", "float32", [1, 3, 8]]],
      nodes: [makeNode("Attention", "", ["q", "k", "k", "", "pk", "pv"], ["y"], { q_num_heads: 2, kv_num_heads: 2 })],
    });
    const shapes = { q: [1, 3, 8], k: [1, 3, 8], pk: [1, 2, 7, 4], pv: [1, 2, 7, 4] };
    const { structure } = await structureOf(model, shapes);
    expect(createCostModel(structure).whole.flops).toBe(2 * 2 * 3 * 8 * 10);
  });
});

describe("FLOPs of Einsum", () => {
  it.each<[string, readonly (readonly number[])[], number]>([
    [
      "a product of matrices",
      [
        [2, 3, 4],
        [4, 5],
      ],
      2 * 3 * 4 * 5,
    ],
    [
      "bij,bjk->bik",
      [
        [2, 3, 4],
        [2, 4, 5],
      ],
      2 * 3 * 4 * 5,
    ],
    [
      "bij,bjk",
      [
        [2, 3, 4],
        [2, 4, 5],
      ],
      2 * 3 * 4 * 5,
    ],
    [
      "...ij,jk->...ik",
      [
        [2, 3, 4],
        [4, 5],
      ],
      2 * 3 * 4 * 5,
    ],
    // repeated along b
    [
      "bij,bjk->bik",
      [
        [2, 3, 4],
        [1, 4, 5],
      ],
      2 * 3 * 4 * 5,
    ],
    [
      "ij,jk,kl->il",
      [
        [2, 3],
        [3, 4],
        [4, 5],
      ],
      2 * 3 * 4 + 2 * 4 * 5,
    ],
    // nothing is summed
    ["i,j->ij", [[3], [4]], 0],
  ])("counts what is summed: %s %j", async (equation, [first, ...others], products) => {
    const written = equation.includes(",") ? equation : "bij,jk->bik";
    const model = makeModel({
      opset: 13,
      inputs: [["x", "float32", first!]],
      outputs: [["y", "float32", []]],
      nodes: [makeNode("Einsum", "", ["x", ...others.map((_, at) => `w${at}`)], ["z"], { equation: written })],
      initializers: others.map((shape, at) => floats(`w${at}`, shape)),
    });
    model.graph!.node.push(makeNode("ReduceSum", "", ["z"], ["y"], { keepdims: 0 }));
    const { structure } = await structureOf(model, { x: first! });
    expect(createCostModel(structure).whole.flops).toBe(2 * products);
  });

  it("counts less where an index of the sum goes", async () => {
    const model = makeModel({
      opset: 13,
      inputs: [["x", "float32", [3, 4]]],
      outputs: [["y", "float32", [3, 5]]],
      nodes: [
        makeNode("Einsum", "", ["x", "w"], ["h"], { equation: "ij,jk->ik" }),
        makeNode("Einsum", "", ["h", "v"], ["y"], { equation: "ik,kl->il" }),
      ],
      initializers: [floats("w", [4, 16]), floats("v", [16, 5])],
    });
    const { structure, groups } = await structureOf(model, { x: [3, 4] });
    const { whole, without } = createCostModel(structure);
    expect(whole.flops).toBe(2 * 16 * (3 * 4 + 3 * 5));
    const half = new Set(groups[0]!.channels.slice(8).map(({ label }) => label));
    expect(without(half).flops).toBe(whole.flops / 2);
  });
});
