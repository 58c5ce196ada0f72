import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, makeTensor } from "../../src/formats/onnx.js";
import { checkGraphs } from "../../src/graph/check.js";
import { toFloat32Inside } from "../../src/graph/float32-inside.js";
import { makeNode } from "../../src/graph/node.js";
import { halfBits, halfValue } from "../../src/tensor/numbers.js";
import { floats, makeModel, withGraphs } from "../onnx-model.js";

const none = () => {
  throw new Error("no files");
};
const halves = (values: readonly number[]) => Uint16Array.from(values, halfBits);

describe("a 16-bit model that computes in float32", () => {
  test("takes and gives what it did, also in graphs nested in it", async () => {
    const weight = makeTensor("w", { dtype: "float16", shape: [2], data: halves([2, 3]) });
    const branch = (opType: string) =>
      makeModel({ outputs: [["z", "float16", ["n", 2]]], nodes: [makeNode(opType, opType, ["x", "w"], ["z"])] }).graph!;
    const model = makeModel({
      inputs: [
        ["x", "float16", ["n", 2]],
        ["condition", "bool", []],
      ],
      outputs: [
        ["y", "float16", ["n", 2]],
        ["again", "float16", ["n", 2]],
        ["w2", "float16", [2]],
      ],
      nodes: [
        withGraphs(makeNode("If", "if", ["condition"], ["y"]), {
          then_branch: branch("Add"),
          else_branch: branch("Mul"),
        }),
        makeNode("Identity", "id", ["y"], ["again"]),
      ],
      initializers: [weight, makeTensor("w2", { dtype: "float16", shape: [2], data: halves([7, 8]) })],
    });
    expect(toFloat32Inside(model, none).tensors).toBe(2);
    checkGraphs(model, "m.onnx");
    expect(model.graph!.initializer.map(({ dataType }) => dataType)).toEqual([1, 1]);
    const session = await openSession(encodeModel(model));
    const feeds = (condition: boolean) =>
      new Map([
        ["x", { dtype: "float16", shape: [1, 2], data: halves([5, 0.5]) } as const],
        ["condition", { dtype: "bool", shape: [], data: Uint8Array.of(condition ? 1 : 0) } as const],
      ]);
    const result = await session.run(feeds(true));
    const numbers = (name: string, of = result) => Array.from(of.get(name)!.data as Uint16Array, halfValue);
    expect([...result.values()].map(({ dtype }) => dtype)).toEqual(["float16", "float16", "float16"]);
    expect([numbers("y"), numbers("again"), numbers("w2")]).toEqual([
      [7, 3.5],
      [7, 3.5],
      [7, 8],
    ]);
    expect(numbers("y", await session.run(feeds(false)))).toEqual([10, 1.5]);
    await session.close();
  });

  test("a float32 model stays as it is", () => {
    const model = makeModel({
      inputs: [["x", "float32", ["n", 2]]],
      outputs: [["y", "float32", ["n", 2]]],
      nodes: [makeNode("Add", "add", ["x", "w"], ["y"])],
      initializers: [floats("w", [2])],
    });
    const before = encodeModel(model);
    toFloat32Inside(model, none);
    expect(encodeModel(model)).toEqual(before);
  });
});
