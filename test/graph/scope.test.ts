import { describe, expect, test } from "@jest/globals";
import { decodeModel, encodeModel } from "../../src/formats/onnx.js";
import { freshNames } from "../../src/graph/names.js";
import { makeNode } from "../../src/graph/node.js";
import { liftConstants } from "../../src/graph/normalise/constants.js";
import { viewModel } from "../../src/graph/scope.js";
import { summarizeModel } from "../../src/graph/summary.js";
import { constant, floats, makeGraph, makeModel, withGraphs } from "../onnx-model.js";

const branch = (own: string) =>
  makeGraph({
    outputs: [[`${own}_out`, "float32", [2]]],
    nodes: [
      constant(floats(`${own}_w`, [2, 2])),
      makeNode("MatMul", "m", ["x", `${own}_w`], [`${own}_m`]),
      makeNode("Add", "a", [`${own}_m`, "shared"], [`${own}_out`]),
    ],
  });

const nestedModel = () =>
  makeModel({
    inputs: [
      ["x", "float32", [1, 2]],
      ["c", "bool", []],
    ],
    outputs: [["y", "float32", [1, 2]]],
    nodes: [
      // two If nodes of one name: names need not be unique
      withGraphs(makeNode("If", "choice", ["c"], ["h"]), { then_branch: branch("t"), else_branch: branch("e") }),
      withGraphs(makeNode("If", "choice", ["c"], ["y"]), { then_branch: branch("t2"), else_branch: branch("e2") }),
    ],
    initializers: [floats("shared", [2])],
  });

describe("scopes", () => {
  test("a nested graph sees its own names and those around it; paths are unique", () => {
    const view = viewModel(nestedModel());
    expect(view.scopes.map(({ path }) => path)).toEqual([
      "main",
      "main/choice.then_branch",
      "main/choice.else_branch",
      "main/choice.then_branch#2",
      "main/choice.else_branch#2",
    ]);
    const inner = view.scopes[1]!;
    expect(view.initializerOf(inner, "shared")?.scope).toBe(view.root);
    expect(view.usesOf(view.root, "shared").map(({ scope }) => scope.path)).toHaveLength(4);
    expect(view.usesOf(inner, "t_w").map(({ node, input }) => [node.opType, input])).toEqual([["MatMul", 1]]);
    expect(view.initializerOf(view.root, "t_w")).toBeUndefined();
  });

  test("constants become initializers of the graph that held them, except those that are outputs", () => {
    const model = nestedModel();
    model.graph!.node.push(constant(floats("y2", [1])));
    model.graph!.output.push({ ...model.graph!.output[0]!, name: "y2" });
    expect(liftConstants(model)).toBe(4);
    const view = viewModel(model);
    expect(view.scopes.map(({ initializers }) => [...initializers.keys()])).toEqual([
      ["shared"],
      ["t_w"],
      ["e_w"],
      ["t2_w"],
      ["e2_w"],
    ]);
    expect(model.graph!.node.at(-1)!.opType).toBe("Constant");
    expect(() => decodeModel(encodeModel(model), "m")).not.toThrow();
  });

  test("fresh names avoid those of every graph", () => {
    const fresh = freshNames(nestedModel());
    expect([fresh("t_w"), fresh("t_w"), fresh("new"), fresh("new")]).toEqual(["t_w_1", "t_w_2", "new", "new_1"]);
  });

  test("a summary counts nested graphs and names constants by their output", () => {
    const summary = summarizeModel(nestedModel());
    expect(summary).toMatchObject({
      irVersion: 8,
      opsets: [{ domain: "ai.onnx", version: 13 }],
      nestedGraphs: 4,
      inConstantNodes: 4,
      parameters: { elements: 18, bytes: 72 },
      types: [{ type: "float32", tensors: 5, elements: 18, bytes: 72 }],
    });
    expect(summary.operators).toContainEqual({ operator: "MatMul", nodes: 4 });
    expect(summary.largest.map(({ name }) => name)).toEqual(["t_w", "e_w", "t2_w", "e2_w", "shared"]);
    expect(summary.inputs).toEqual([
      { name: "x", type: "float32", shape: [1, 2] },
      { name: "c", type: "bool", shape: [] },
    ]);
  });
});
