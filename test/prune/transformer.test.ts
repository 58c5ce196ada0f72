import { expect, test } from "@jest/globals";
import { makeTensor, setExternal } from "../../src/formats/onnx.js";
import { analyseModel } from "../../src/prune/analyse.js";
import { groupChannels } from "../../src/prune/groups.js";
import { elementCount } from "../../src/tensor/tensor.js";
import { pruneHalf, storedShape } from "./prune-half.js";
import { transformer } from "./transformer.js";

const ids = {
  dtype: "int64" as const,
  shape: [2, 5],
  data: BigInt64Array.from({ length: 10 }, (_, at) => BigInt(at)),
};

test("heads and inner units of an encoder with open axes go, and the result is exact", async () => {
  const model = transformer({ layers: 2, width: 16, heads: 4, inner: 24, words: 20 });
  const { small, error, moved } = await pruneHalf(model, new Map([["ids", ids]]));
  expect(storedShape(small, "l1.up.w")![1]).toBe(12);
  expect(storedShape(small, "l1.q.w")![1]).toBe(8);
  expect(storedShape(small, "l1.out.w")![0]).toBe(8);
  expect(error).toBeLessThan(1e-5);
  expect(moved).toBeGreaterThan(1e-3);
});

test("weights that lie elsewhere are not read to find what can be removed", async () => {
  let offset = 0;
  const model = transformer({ layers: 3, width: 64, heads: 4, inner: 256, words: 100 }, (name, shape) => {
    if (elementCount(shape) <= 1024) {
      return makeTensor(name, { dtype: "float32", shape, data: new Float32Array(elementCount(shape)) });
    }
    const tensor = makeTensor(name, { dtype: "float32", shape, data: new Float32Array(0) });
    setExternal(tensor, "weights", offset, 4 * elementCount(shape));
    offset += 4 * elementCount(shape);
    return tensor;
  });
  const structure = await analyseModel(model, new Map([["ids", ids]]), () => {
    throw new Error("weights were read");
  });
  expect(groupChannels(structure).groups.length).toBeGreaterThanOrEqual(6);
});
