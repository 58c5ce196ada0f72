import { expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { decodeModel, encodeModel, type ModelProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { shortenNames } from "../../src/graph/short-names.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { floats, makeGraph, makeModel, withGraphs } from "../onnx-model.js";

async function run(model: ModelProto, condition: boolean) {
  const session = await openSession(encodeModel(model));
  const feeds: [string, Tensor][] = [
    ["x", { dtype: "float32", shape: [2], data: Float32Array.of(1, -2) }],
    ["0", { dtype: "bool", shape: [], data: Uint8Array.of(condition ? 1 : 0) }],
  ];
  const outputs = await session.run(new Map(feeds));
  await session.close();
  return [...(outputs.get("y")!.data as Float32Array)];
}

// both branches have a "g" and a "factor" of their own
const branch = (factor: number, inner: string) =>
  makeGraph({
    outputs: [["a very long name", "float32", [2]]],
    nodes: [
      makeNode("Mul", "m", ["h", "factor"], [inner]),
      makeNode("Add", "p", [inner, "shift"], ["a very long name"]),
    ],
    initializers: [floats("factor", [1], [factor])],
  });
const build = () =>
  makeModel({
    inputs: [
      ["x", "float32", [2]],
      // what a short name would be
      ["0", "bool", []],
    ],
    outputs: [["y", "float32", [2]]],
    nodes: [
      makeNode("Neg", "a node", ["x"], ["h"]),
      withGraphs(makeNode("If", "if", ["0"], ["y"]), { then_branch: branch(3, "g"), else_branch: branch(5, "g") }),
    ],
    initializers: [floats("shift", [1], [0.5])],
  });

test("values get short names in every graph, and the model means the same", async () => {
  const model = build();
  const renamed = shortenNames(model);
  expect(model.graph!.input.map(({ name }) => name)).toEqual(["x", "0"]);
  expect(model.graph!.output.map(({ name }) => name)).toEqual(["y"]);
  expect(model.graph!.initializer.map(({ name }) => name)).toEqual([renamed.get("shift")]);
  expect(Buffer.from(encodeModel(model)).includes("long name")).toBe(false);
  expect(encodeModel(model).length).toBeLessThan(encodeModel(build()).length);
  for (const condition of [true, false]) {
    expect(await run(decodeModel(encodeModel(model), "m"), condition)).toEqual(await run(build(), condition));
  }
});

test("tensors that another model shares keep their names there", () => {
  const model = build();
  const [tensor] = model.graph!.initializer;
  shortenNames(model);
  expect(tensor!.name).toBe("shift");
});
