import { describe, expect, test } from "@jest/globals";
import { makeNode } from "../../src/graph/node.js";
import { comparableValues } from "../../src/prune/comparable.js";
import { makeModel } from "../onnx-model.js";

const model = (...nodes: readonly ReturnType<typeof makeNode>[]) =>
  makeModel({
    inputs: [["x", "float32", [1, 4]]],
    outputs: [["y", "float32", [1, 4]]],
    nodes: [...nodes],
  });

describe("the values by which two models are told apart", () => {
  test("are the outputs, before a last sigmoid or softmax", () => {
    expect(comparableValues(model(makeNode("Neg", "", ["x"], ["n"]), makeNode("Exp", "", ["n"], ["y"])))).toEqual([
      "y",
    ]);
    expect(comparableValues(model(makeNode("Neg", "", ["x"], ["n"]), makeNode("Sigmoid", "", ["n"], ["y"])))).toEqual([
      "n",
    ]);
    // an input is no value that differs
    expect(comparableValues(model(makeNode("Sigmoid", "", ["x"], ["y"])))).toEqual(["y"]);
  });

  test("are what goes into a comparison, where an output depends on one", () => {
    const peaks = model(
      makeNode("Neg", "", ["x"], ["n"]),
      makeNode("Sigmoid", "", ["n"], ["heat"]),
      makeNode("Abs", "", ["heat"], ["most"]),
      makeNode("Equal", "", ["heat", "most"], ["is"]),
      makeNode("Cast", "", ["is"], ["mask"], { to: 1 }),
      makeNode("Mul", "", ["heat", "mask"], ["y"]),
    );
    expect(comparableValues(peaks)).toEqual(["n", "most"]);
  });
});
