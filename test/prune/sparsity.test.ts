import { describe, expect, test } from "@jest/globals";
import { type ModelProto, makeTensor, readTensor } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { sparsify } from "../../src/prune/sparsity.js";
import { floats, makeModel } from "../onnx-model.js";
import { runModel } from "../train/bound-model.js";
import { convolutions, noExternal, noise } from "./data-models.js";

const elements = (model: ModelProto, name: string) => {
  const { data } = readTensor(model.graph!.initializer.find((one) => one.name === name)!, noExternal);
  return [...(data as Float32Array)];
};

/** A product whose weight has these rows of the axis that is summed over. */
function product(opType: "MatMul" | "Gemm", shape: readonly number[], values: readonly number[], attributes = {}) {
  return makeModel({
    inputs: [["x", "float32", ["n", attributes && "transB" in attributes ? shape[1]! : shape[0]!]]],
    outputs: [["y", "float32", ["n", "m"]]],
    nodes: [makeNode(opType, "n", ["x", "w"], ["y"], attributes)],
    initializers: [floats("w", shape, values)],
  });
}

describe("blocks", () => {
  test("lie along the axis that is summed over", () => {
    const { model, zeros } = sparsify(
      product("MatMul", [5, 2], [1, -8, -4, 7, 3, 6, 2, 5, 9, 1]),
      { kind: "blocks", keep: 2, of: 4 },
      [],
      noExternal,
      undefined,
    );
    // columns 1 -4 3 2 | 9 and -8 7 6 5 | 1
    expect(elements(model, "w")).toEqual([0, -8, -4, 7, 3, 0, 0, 0, 9, 1]);
    expect(zeros).toBe(4);
    const transposed = product("Gemm", [2, 4], [1, -4, 3, 2, -8, 7, 6, 5], { transB: 1 });
    const found = sparsify(transposed, { kind: "blocks", keep: 1, of: 2 }, [], noExternal, undefined);
    expect(elements(found.model, "w")).toEqual([0, -4, 3, 0, -8, 0, 6, 0]);
  });

  test("an axis shorter than a block is left alone, as are names to keep", () => {
    const found = sparsify(convolutions(), { kind: "blocks", keep: 2, of: 4 }, [/^w2$/], noExternal, undefined);
    // three channels go into the first one
    expect(found).toMatchObject({ tensors: 1, elements: 48, zeros: 24 });
  });
});

describe("the smallest", () => {
  test("are a share of the whole model", async () => {
    const model = convolutions();
    const found = sparsify(model, { kind: "smallest", share: 0.6, over: "model" }, [], noExternal, undefined);
    const names = ["w0", "w1", "w2"];
    const before = names.flatMap((name) => elements(model, name));
    const after = names.flatMap((name) => elements(found.model, name));
    expect(found).toMatchObject({ tensors: 3, elements: before.length, zeros: Math.round(0.6 * before.length) });
    const gone = before.filter((_, at) => after[at] === 0).map(Math.abs);
    const left = after.filter((value) => value !== 0).map(Math.abs);
    expect(Math.max(...gone)).toBeLessThanOrEqual(Math.min(...left));
    expect(after.every((value, at) => value === 0 || value === before[at])).toBe(true);
    const y = (await runModel(found.model, new Map([["x", noise([1, 3, 4, 4], 1)]]))).get("y")!;
    expect(y.shape).toEqual([1, 4, 4, 4]);
  });

  test("or of each tensor, of equal ones just as many", () => {
    const model = product("MatMul", [2, 4], [1, 1, -1, 1, 1, -1, 1, 5]);
    const found = sparsify(model, { kind: "smallest", share: 0.5, over: "tensor" }, [], noExternal, undefined);
    expect(elements(found.model, "w")).toEqual([0, 0, 0, 0, 1, -1, 1, 5]);
  });
});

test("halves stay halves", () => {
  const model = product("MatMul", [2, 2], [0, 0, 0, 0]);
  const bits = Uint16Array.from([0x3c00, 0x4000, 0xc200, 0x3800]);
  model.graph!.initializer[0] = makeTensor("w", { dtype: "float16", shape: [2, 2], data: bits });
  const found = sparsify(model, { kind: "smallest", share: 0.25, over: "tensor" }, [], noExternal, undefined);
  expect(elements(found.model, "w")).toEqual([0x3c00, 0x4000, 0xc200, 0]);
});
