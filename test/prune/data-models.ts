import type { Batch } from "../../src/data/batch.js";
import { uniform } from "../../src/data/random.js";
import type { ModelProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { analyseModel } from "../../src/prune/analyse.js";
import { type ChannelGroup, groupChannels } from "../../src/prune/groups.js";
import type { Structure } from "../../src/prune/structure.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import { floats, makeModel } from "../onnx-model.js";

export const noExternal = (): never => {
  throw new Error("no external data here");
};

/** Three convolutions; the channels of the first two, `w0` and `w1`, can go. */
export function convolutions(opset = 13): ModelProto {
  return makeModel({
    opset,
    inputs: [["x", "float32", [1, 3, "h", "w"]]],
    outputs: [["y", "float32", [1, 4, "h", "w"]]],
    nodes: [
      makeNode("Conv", "c0", ["x", "w0", "b0"], ["a"], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      makeNode("Relu", "r0", ["a"], ["h0"]),
      makeNode("Conv", "c1", ["h0", "w1"], ["b"]),
      makeNode("Relu", "r1", ["b"], ["h1"]),
      makeNode("Conv", "c2", ["h1", "w2", "b2"], ["y"]),
    ],
    initializers: [
      floats("w0", [8, 3, 3, 3]),
      floats("b0", [8]),
      floats("w1", [6, 8, 1, 1]),
      floats("w2", [4, 6, 1, 1]),
      floats("b2", [4]),
    ],
  });
}

/** Two products with a bias between and none behind; the neurons between, of `w0`, can go. */
export function products(): ModelProto {
  return makeModel({
    inputs: [["x", "float32", ["n", 5]]],
    outputs: [["y", "float32", ["n", 3]]],
    nodes: [
      makeNode("MatMul", "m0", ["x", "w0"], ["a"]),
      makeNode("Add", "a0", ["a", "b0"], ["b"]),
      makeNode("Relu", "r0", ["b"], ["h"]),
      makeNode("MatMul", "m1", ["h", "w1"], ["y"]),
    ],
    initializers: [floats("w0", [5, 8]), floats("b0", [8]), floats("w1", [8, 3])],
  });
}

/** Seeded values between -1 and 1. */
export function noise(shape: readonly number[], seed: number): Tensor & { readonly data: Float32Array } {
  const next = uniform(seed);
  return { dtype: "float32", shape, data: Float32Array.from({ length: elementCount(shape) }, () => 2 * next() - 1) };
}

export function listed(batches: readonly Batch[]) {
  return { count: batches.length, read: async (at: number) => batches[at]! };
}

export async function analysed(
  model: ModelProto,
  feeds: Batch,
): Promise<{ readonly structure: Structure; readonly groups: readonly ChannelGroup[] }> {
  const structure = await analyseModel(model, feeds, noExternal);
  return { structure, groups: groupChannels(structure).groups };
}
