import { expect, test } from "@jest/globals";
import { exactnessOf } from "../../src/commands/prune-exactness.js";
import { makeNode } from "../../src/graph/node.js";
import { rows } from "../../src/prune/rows/index.js";
import { sliceModel } from "../../src/prune/slice.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { floats, makeModel } from "../onnx-model.js";
import { nothingOutside, structureOf } from "../prune/structures.js";

const model = makeModel({
  inputs: [["x", "float32", [2, 4]]],
  outputs: [["y", "float32", [2, 3]]],
  nodes: [makeNode("MatMul", "in", ["x", "w"], ["h"]), makeNode("MatMul", "out", ["h", "v"], ["y"])],
  initializers: [floats("w", [4, 16]), floats("v", [16, 3])],
});
const sample = new Map<string, Tensor>([
  ["x", { dtype: "float32", shape: [2, 4], data: Float32Array.from({ length: 8 }, (_, at) => at + 1) }],
]);

test("a pruned model that cannot be run or computes something else is refused", async () => {
  const { structure, groups } = await structureOf(model, { x: [2, 4] });
  const labels = groups[0]!.channels.map(({ label }) => label);
  const [some, others] = [new Set(labels.slice(0, 8)), new Set(labels.slice(4, 12))];
  const small = sliceModel(structure, some, rows, undefined);
  const exactness = (removed: ReadonlySet<number>, pruned = small) =>
    exactnessOf(structure, removed, pruned, nothingOutside, [sample]);
  expect((await exactness(some))!.relative).toBeLessThan(1e-5);
  await expect(exactness(others)).rejects.toThrow(/differs from the original .* not written/);
  small.graph!.initializer[0] = model.graph!.initializer[0]!;
  await expect(exactness(some)).rejects.toThrow(/cannot be run .* not written/);
});

test("probabilities near zero neither blow rounding up nor hide a fault", async () => {
  const wave = (size: number, seed: number) => Array.from({ length: size }, (_, at) => Math.sin(seed + at * 1.7));
  const bias = (value: number) => floats("b", [6], Array<number>(6).fill(value));
  const unlikely = makeModel({
    inputs: [["x", "float32", [4, 8]]],
    outputs: [["p", "float32", [4, 6]]],
    nodes: [
      makeNode("MatMul", "up", ["x", "w"], ["a"]),
      makeNode("Tanh", "", ["a"], ["h"]),
      makeNode("Gemm", "down", ["h", "v", "b"], ["logits"]),
      makeNode("Sigmoid", "", ["logits"], ["p"]),
    ],
    initializers: [
      bias(-14),
      floats("w", [8, 512], wave(8 * 512, 1)),
      // many terms, so that leaving some out rounds differently
      floats(
        "v",
        [512, 6],
        wave(512 * 6, 3).map((value) => value / 16),
      ),
    ],
  });
  const { structure, groups } = await structureOf(unlikely, { x: [4, 8] });
  const removed = new Set(groups[0]!.channels.filter((_, at) => at % 3 > 0).map(({ label }) => label));
  const small = sliceModel(structure, removed, rows, undefined);
  const input = new Map<string, Tensor>([
    ["x", { dtype: "float32", shape: [4, 8], data: Float32Array.from(wave(32, 5)) }],
  ]);
  const exactness = () => exactnessOf(structure, removed, small, nothingOutside, [input]);
  expect((await exactness())!.relative).toBeLessThan(1e-6);
  small.graph!.initializer[0] = bias(-13.9);
  expect((await exactness())!.relative).toBeGreaterThan(1e-3);
});
