import { expect, test } from "@jest/globals";
import { exactnessOf } from "../../src/commands/prune-exactness.js";
import { describeOutputs } from "../../src/distill/outputs.js";
import { cloneModel } from "../../src/graph/clone.js";
import { makeNode } from "../../src/graph/node.js";
import { analyseModel } from "../../src/prune/analyse.js";
import { groupChannels } from "../../src/prune/groups.js";
import { rows } from "../../src/prune/rows/index.js";
import { sliceModel } from "../../src/prune/slice.js";
import { floats, makeModel } from "../onnx-model.js";

const nothingElsewhere = () => {
  throw new Error("nothing lies elsewhere");
};

const wave = (size: number, seed: number) => Array.from({ length: size }, (_, at) => Math.sin(seed + at * 1.7));

const bias = (value: number) => floats("b1", [6], Array<number>(6).fill(value));
const low = -14;

/** x [4, 8] through 512 units to probabilities that are all near zero. */
const model = makeModel({
  inputs: [["x", "float32", [4, 8]]],
  outputs: [["p", "float32", [4, 6]]],
  nodes: [
    makeNode("Gemm", "up", ["x", "w0"], ["a"]),
    makeNode("Tanh", "", ["a"], ["h"]),
    makeNode("Gemm", "down", ["h", "w1", "b1"], ["logits"]),
    makeNode("Sigmoid", "", ["logits"], ["p"]),
  ],
  initializers: [
    floats("w0", [8, 512], wave(8 * 512, 1)),
    floats(
      "w1",
      [512, 6],
      wave(512 * 6, 3).map((value) => value / 16),
    ),
    bias(low),
  ],
});
const sample = new Map([["x", { dtype: "float32" as const, shape: [4, 8], data: Float32Array.from(wave(32, 5)) }]]);

async function exactness(damage: number) {
  const structure = await analyseModel(cloneModel(model), sample, nothingElsewhere);
  const { channels } = groupChannels(structure).groups[0]!;
  const removed = new Set(channels.filter((_, at) => at % 3 > 0).map(({ label }) => label));
  const small = sliceModel(structure, removed, rows, undefined);
  const at = small.graph!.initializer.findIndex(({ name }) => name === "b1");
  small.graph!.initializer[at] = bias(low + damage);
  const outputs = describeOutputs(model, new Map([["p", [4, 6]]]), undefined);
  return (await exactnessOf(structure, removed, small, nothingElsewhere, sample, outputs)).relative;
}

test("probabilities near zero neither blow rounding up nor hide a fault", async () => {
  expect(await exactness(0)).toBeLessThan(1e-6);
  expect(await exactness(0.1)).toBeGreaterThan(1e-3);
});
