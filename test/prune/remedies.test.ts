import { create } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import { SparseTensorProtoSchema } from "onnx-buf";
import { type ModelProto, makeTensor, type NodeProto, type TensorProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { normalise } from "../../src/graph/normalise/index.js";
import { createCostModel } from "../../src/prune/costs.js";
import { nothingPrunable } from "../../src/prune/refusals.js";
import { floats, makeModel } from "../onnx-model.js";
import { nothingOutside, structureOf } from "./structures.js";

/** x [2, 16] through some nodes to `h` [2, 32], and v. */
function modelOf(nodes: readonly NodeProto[], w?: TensorProto): ModelProto {
  return makeModel({
    opset: 18,
    ir: 8,
    inputs: [["x", "float32", [2, 16]]],
    outputs: [["y", "float32", [2, 4]]],
    nodes: [...nodes, makeNode("MatMul", "last", ["h", "v"], ["y"])],
    initializers: [...(w ? [w] : []), floats("v", [32, 4])],
  });
}

const product = [makeNode("MatMul", "first", ["x", "w"], ["h"])];

/** Why the first axis of the last weight stays; undefined where it can go. */
async function heldBy(model: ModelProto) {
  const { structure, groups, frozen } = await structureOf(model, { x: [2, 16] });
  const found = frozen.find(({ tensor, axis }) => tensor.name === "v" && axis === 0);
  return { structure, groups, frozen, cause: found?.cause };
}

test("a weight that is an input too says which option lets it go", async () => {
  const model = modelOf(product, floats("w", [16, 32]));
  const own = makeModel({ inputs: [["w", "float32", [16, 32]]], outputs: [], nodes: [] }).graph!.input;
  model.graph!.input.push(...own);
  const { structure, frozen, cause } = await heldBy(model);
  expect(cause).toEqual({
    operator: "graph input",
    node: "w",
    why: "callers may replace the weight; --freeze-inputs takes it for a constant",
  });
  expect(nothingPrunable(0.3, frozen).message).toContain("--freeze-inputs");
  // it counts as what cannot go
  expect(createCostModel(structure)).toMatchObject({ prunable: 0, whole: { parameters: 16 * 32 + 32 * 4 } });
  normalise(model, nothingOutside, { constantInputs: "freeze" });
  expect((await heldBy(model)).groups.map(({ channels }) => channels.length)).toEqual([32]);
});

test("a weight that is stored sparse is named, with what helps", async () => {
  const model = modelOf(product);
  model.graph!.sparseInitializer.push(
    create(SparseTensorProtoSchema, {
      dims: [16n, 32n],
      values: makeTensor("w", { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) }),
      indices: makeTensor("", { dtype: "int64", shape: [2], data: BigInt64Array.of(3n, 40n) }),
    }),
  );
  expect((await heldBy(model)).cause?.why).toBe(
    'the shape of its input "h" is not known ("w" is stored sparse; store it as an ordinary initializer)',
  );
});

test("bfloat16 weights that are cast go; what is computed in bfloat16 stays, with what helps", async () => {
  const w = makeTensor("w", { dtype: "bfloat16", shape: [32, 64], data: new Uint16Array(2048).fill(0x3f80) });
  const cast = [
    makeNode("Cast", "", ["w"], ["wide"], { to: 1 }),
    makeNode("Transpose", "", ["wide"], ["turned"]),
    makeNode("Concat", "", ["x", "x", "x", "x"], ["xx"], { axis: 1 }),
    makeNode("MatMul", "first", ["xx", "turned"], ["h"]),
  ];
  expect((await heldBy(modelOf(cast, w))).groups.map(({ channels }) => channels.length)).toContain(32);
  const narrow = makeTensor("w", { dtype: "bfloat16", shape: [16, 32], data: new Uint16Array(512).fill(0x3f80) });
  const computed = [
    makeNode("Cast", "", ["x"], ["xb"], { to: 16 }),
    makeNode("MatMul", "first", ["xb", "w"], ["hb"]),
    makeNode("Cast", "", ["hb"], ["h"], { to: 1 }),
  ];
  expect((await heldBy(modelOf(computed, narrow))).cause?.why).toMatch(
    /bfloat16; convert the model to float32 or float16\)$/,
  );
});
