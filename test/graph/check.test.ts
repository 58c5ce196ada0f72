import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { FunctionProtoSchema } from "onnx-buf";
import type { ModelProto, NodeProto } from "../../src/formats/onnx.js";
import { graphsOf } from "../../src/formats/onnx.js";
import { checkGraphs, sortNodes } from "../../src/graph/check.js";
import { makeNode as node } from "../../src/graph/node.js";
import { floats, makeGraph, makeModel, type Value, withGraphs } from "../onnx-model.js";

const y: Value = ["y", "float32", [2]];
const model = (nodes: readonly NodeProto[], initializers = [floats("w", [2])]): ModelProto =>
  makeModel({ inputs: [["x", "float32", [2]]], outputs: [y], nodes, initializers });
const inIf = (nodes: readonly NodeProto[]) =>
  withGraphs(node("If", "if", ["x"], ["y"]), {
    then_branch: makeGraph({ outputs: [["o", "float32", [2]]], nodes }),
    else_branch: makeGraph({ outputs: [["p", "float32", [2]]], nodes: [node("Abs", "abs", ["x"], ["p"])] }),
  });

function recursive(): ModelProto {
  const call = (to: string, name: string) => {
    const made = node(to, name, ["a"], ["b"]);
    made.domain = "d";
    return made;
  };
  const made = model([node("Abs", "abs", ["x"], ["y"])]);
  for (const [name, to] of [
    ["F", "G"],
    ["G", "F"],
  ] as const) {
    made.functions.push(
      create(FunctionProtoSchema, { name, domain: "d", input: ["a"], output: ["b"], node: [call(to, `to_${to}`)] }),
    );
  }
  return made;
}

describe("graphs that no runtime could make sense of", () => {
  const rows: readonly [what: string, model: ModelProto, message: string][] = [
    [
      "a circle of nodes",
      model([
        node("Add", "first", ["x", "c"], ["a"]),
        node("Neg", "second", ["a"], ["b"]),
        node("Abs", "third", ["b"], ["c"]),
        node("Abs", "last", ["c"], ["y"]),
      ]),
      "m.onnx: nodes wait for each other in a circle: second (Neg) -> third (Abs) -> first (Add) -> second (Neg)",
    ],
    [
      "a node that reads its own output",
      model([node("Add", "n", ["x", "y"], ["y"])]),
      "m.onnx: nodes wait for each other in a circle: n (Add) -> n (Add)",
    ],
    [
      "a circle through a branch",
      model([node("Abs", "a", ["y"], ["h"]), inIf([node("Neg", "n", ["h"], ["o"])])]),
      "m.onnx: nodes wait for each other in a circle: if (If) -> a (Abs) -> if (If)",
    ],
    [
      "a value made by two nodes",
      model([node("Abs", "a", ["x"], ["y"]), node("Neg", "", ["x"], ["y"])]),
      'm.onnx: value "y" is made twice: by node a (Abs) and by node y (Neg)',
    ],
    [
      "a node that makes an initializer's value",
      model([node("Abs", "a", ["x"], ["w"]), node("Abs", "b", ["w"], ["y"])]),
      'm.onnx: value "w" is made twice: by an initializer and by node a (Abs)',
    ],
    [
      "two initializers of one name",
      model([node("Add", "a", ["x", "w"], ["y"])], [floats("w", [2]), floats("w", [2])]),
      'm.onnx: there are two initializers "w"',
    ],
    [
      "an input that nothing makes, in a branch",
      model([inIf([node("Neg", "n", ["nowhere"], ["o"])])]),
      'm.onnx: node n (Neg) reads "nowhere", which nothing makes',
    ],
    [
      "an output that nothing makes",
      model([node("Abs", "a", ["x"], ["z"])]),
      `m.onnx: nothing makes the graph's output "y"`,
    ],
    ["functions that call each other", recursive(), "m.onnx: function F calls itself"],
  ];
  test.each(rows)("%s", (_, bad, message) => {
    expect(() => checkGraphs(bad, "m.onnx")).toThrow(new Error(message));
  });
});

test("nodes out of order are sound, and put in order with no more moves than needed", () => {
  const unsorted = model([
    node("Neg", "c", ["b"], ["y"]),
    node("Abs", "a", ["x"], ["a"]),
    node("Abs", "b", ["a"], ["b"]),
    node("Abs", "free", ["x"], ["z"]),
  ]);
  expect(() => checkGraphs(unsorted, "m")).not.toThrow();
  expect(sortNodes(graphsOf(unsorted.graph!))).toBe(1);
  expect(unsorted.graph!.node.map(({ name }) => name)).toEqual(["a", "b", "c", "free"]);
  expect(sortNodes(graphsOf(unsorted.graph!))).toBe(0);
});

test("a chain of 200,000 nodes is no trouble", () => {
  const length = 200_000;
  const nodes = Array.from({ length }, (_, at) =>
    node("Abs", "", [at === 0 ? "x" : `v${at}`], [at === length - 1 ? "y" : `v${at + 1}`]),
  );
  expect(() => checkGraphs(model(nodes.reverse()), "m")).not.toThrow();
});
