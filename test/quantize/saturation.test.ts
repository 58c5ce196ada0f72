import { expect, test } from "@jest/globals";
import { makeNode } from "../../src/graph/node.js";
import { applyPlan } from "../../src/quantize/apply.js";
import { planQuantization } from "../../src/quantize/plan.js";
import { floats, makeModel } from "../onnx-model.js";
import { plainQuantizer } from "../plain-quantizer.js";

const readExternal = () => {
  throw new Error("no external data here");
};

test.each([
  // neighbours of one sign and full size, in one column of two
  ["signed weights of one sign", true, [1, -1, 1, 1], 1],
  ["unsigned weights", false, [1, -1, 1, 1], undefined],
  ["signs that cancel out", true, [1, 1, -1, -1], undefined],
])("outputs that saturate without VNNI are counted: %s", async (_, signed, values, expected) => {
  const model = makeModel({
    inputs: [["x", "float32", [3, 2]]],
    outputs: [["y", "float32", [3, 2]]],
    nodes: [makeNode("MatMul", "n", ["x", "w"], ["y"])],
    initializers: [floats("w", [2, 2], values)],
  });
  const plan = planQuantization(model, { scheme: "dynamic", signed, clip: "max", minElements: 0 });
  const [tensor] = await applyPlan(model, { ...plan }, { quantizer: plainQuantizer(), readExternal });
  expect(tensor?.saturating).toBe(expected);
});
