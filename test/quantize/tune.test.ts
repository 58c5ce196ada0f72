import { expect, test } from "@jest/globals";
import { makeNode } from "../../src/graph/node.js";
import type { QuantizeSettings } from "../../src/quantize/settings.js";
import { alternatives, tuned } from "../../src/quantize/tune.js";
import { floats, makeModel } from "../onnx-model.js";

const settings: QuantizeSettings = { scheme: "auto", clip: "max", minElements: 1 };
const model = () =>
  makeModel({
    inputs: [["x", "float32", ["n", 1, 8, 8]]],
    outputs: [["y", "float32", ["n", 10]]],
    nodes: [
      makeNode("Conv", "c", ["x", "conv"], ["h"]),
      makeNode("Flatten", "f", ["h"], ["g"]),
      makeNode("MatMul", "m", ["g", "w"], ["y"]),
    ],
    initializers: [floats("conv", [4, 1, 3, 3]), floats("w", [144, 10])],
  });

test("alternatives change one class each, and only those that change something are named", () => {
  expect(alternatives(model(), settings).map(({ kind, scheme, changed }) => [kind, scheme, changed])).toEqual([
    ["matmul", "qdq", 1],
    ["matmul", "nbits", 1],
    ["matmul", "dynamic", 1],
    ["conv", "dynamic", 1],
  ]);
  expect(alternatives(model(), { ...settings, scheme: "qdq" })).toEqual([]);
});

test("the fastest of each class is taken, unless it gains next to nothing", () => {
  const [qdq, nbits, dynamic, conv] = alternatives(model(), settings) as [never, never, never, never];
  const measured = [
    { alternative: qdq, ms: 9 },
    { alternative: nbits, ms: 5 },
    { alternative: dynamic, ms: 7 },
    { alternative: conv, ms: 9.8 },
  ];
  expect(tuned(settings, 10, measured).classes).toEqual({ matmul: "nbits" });
  expect(tuned(settings, 4, measured).classes).toEqual({});
});
