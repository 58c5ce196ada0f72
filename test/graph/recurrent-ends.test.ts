import { expect, test } from "@jest/globals";
import { makeNode } from "../../src/graph/node.js";
import { stateOutputs } from "../../src/graph/recurrent-ends.js";
import { floats, ints, makeModel } from "../onnx-model.js";

/** A GRU of 4 units with a head; its last state goes out through a Reshape, and comes in as `h0` where it may. */
function voice(begins: boolean) {
  return makeModel({
    inputs: [
      ["x", "float32", [5, 1, 3]],
      ["h0", "float32", [1, 1, 4]],
    ],
    outputs: [
      ["y", "float32", [1, 2]],
      ["all", "float32", [5, 1, 1, 4]],
      ["hn", "float32", [1, 4]],
    ],
    nodes: [
      makeNode("GRU", "gru", ["x", "w", "r", "", "", begins ? "h0" : ""], ["all", "last"], { hidden_size: 4 }),
      makeNode("Reshape", "", ["last", "shape"], ["hn"]),
      makeNode("MatMul", "", ["hn", "head"], ["y"]),
    ],
    initializers: [floats("w", [1, 12, 3]), floats("r", [1, 12, 4]), floats("head", [4, 2]), ints("shape", [1, 4])],
  });
}

test("the last state of a recurrent operator that callers may begin with is a state; all else is not", () => {
  expect([...stateOutputs(voice(true))]).toEqual(["hn"]);
  // nobody can hand it back: it may be the answer
  expect([...stateOutputs(voice(false))]).toEqual([]);
});
