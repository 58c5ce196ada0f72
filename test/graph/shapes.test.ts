import { describe, expect, test } from "@jest/globals";
import { makeNode } from "../../src/graph/node.js";
import { viewModel } from "../../src/graph/scope.js";
import { shapeLookup } from "../../src/graph/shapes.js";
import { floats, makeGraph, makeModel, withGraphs } from "../onnx-model.js";

function shapes(model: ReturnType<typeof makeModel>, names: readonly string[], nested = 0) {
  const view = viewModel(model);
  const lookup = shapeLookup(view);
  return names.map((name) => lookup(view.scopes[nested]!, name));
}

describe("the shape of a value", () => {
  test("follows from inputs and weights through the common operators", () => {
    const model = makeModel({
      inputs: [["x", "float32", ["n", 8]]],
      outputs: [["y", "float32", []]],
      nodes: [
        makeNode("MatMul", "m", ["x", "w"], ["h"]),
        makeNode("Add", "a", ["h", "b"], ["s"]),
        makeNode("Relu", "r", ["s"], ["g"]),
        makeNode("Gemm", "gm", ["g", "v"], ["k"], { transB: 1 }),
        makeNode("Transpose", "t", ["k"], ["kt"]),
        makeNode("Flatten", "f", ["u"], ["flat"]),
        makeNode("Mystery", "q", ["k"], ["z"]),
      ],
      initializers: [floats("w", [8, 6]), floats("b", [6]), floats("v", [4, 6]), floats("u", [2, 3, 4])],
    });
    expect(shapes(model, ["h", "s", "g", "k", "kt", "flat", "z", "none", ""])).toEqual([
      [null, 6],
      [null, 6],
      [null, 6],
      [null, 4],
      [4, null],
      [2, 12],
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("is what the file states, and what it leaves open is filled in", () => {
    const model = makeModel({
      inputs: [["x", "float32", [3, 8]]],
      outputs: [["y", "float32", ["n", 6]]],
      nodes: [makeNode("MatMul", "m", ["x", "w"], ["y"])],
      initializers: [floats("w", [8, 6])],
    });
    expect(shapes(model, ["y"])).toEqual([[3, 6]]);
  });

  test("is seen from nested graphs, unless a name means something else there", () => {
    const branch = makeGraph({
      outputs: [["r", "float32", ["n", 6]]],
      nodes: [makeNode("MatMul", "m", ["x", "w"], ["r"]), makeNode("Mystery", "q", ["x"], ["h"])],
      initializers: [floats("w", [8, 6])],
    });
    const model = makeModel({
      inputs: [
        ["x", "float32", [3, 8]],
        ["c", "bool", []],
      ],
      outputs: [["y", "float32", [3, 6]]],
      nodes: [
        makeNode("Relu", "h", ["x"], ["h"]),
        withGraphs(makeNode("If", "if", ["c"], ["y"]), { then_branch: branch, else_branch: branch }),
      ],
    });
    expect(shapes(model, ["x", "r", "h"], 1)).toEqual([[3, 8], [3, 6], undefined]);
  });

  test("of values in a circle is not known", () => {
    const model = makeModel({
      outputs: [["y", "float32", []]],
      nodes: [makeNode("Relu", "a", ["y"], ["h"]), makeNode("Relu", "b", ["h"], ["y"])],
    });
    expect(shapes(model, ["h"])).toEqual([[]]);
  });

  test("at the end of an endless chain does not exhaust the stack", () => {
    const nodes = Array.from({ length: 20_000 }, (_, at) =>
      makeNode("Relu", "", [at ? `h${at}` : "x"], [`h${at + 1}`]),
    );
    const model = makeModel({ inputs: [["x", "float32", [3, 8]]], outputs: [["y", "float32", []]], nodes });
    expect(shapes(model, ["h20000", "h500"])).toEqual([undefined, [3, 8]]);
  });

  test("where sizes meet, an open one may be stretched to the other", () => {
    const model = makeModel({
      inputs: [
        ["x", "float32", ["n", 1, 4]],
        ["z", "float32", [3, "m"]],
      ],
      outputs: [["y", "float32", []]],
      nodes: [makeNode("Mul", "a", ["x", "z"], ["h"])],
    });
    expect(shapes(model, ["h"])).toEqual([[null, 3, 4]]);
  });
});
