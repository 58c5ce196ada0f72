import { expect, test } from "@jest/globals";
import type { Batch } from "../../src/data/batch.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto, makeTensor } from "../../src/formats/onnx.js";
import { exposeValues } from "../../src/graph/expose.js";
import { makeNode } from "../../src/graph/node.js";
import { taylorScores } from "../../src/prune/taylor.js";
import { analysed, listed, noise, products } from "./data-models.js";

const batches: readonly Batch[] = Array.from({ length: 4 }, (_, at) => new Map([["x", noise([at + 3, 5], at + 1)]]));

const rowsOf = (model: ModelProto, rows: readonly number[]): void => {
  model.graph!.initializer[2] = makeTensor("w1", { dtype: "float32", shape: [8, 3], data: Float32Array.from(rows) });
};

test("scores of values are the noise over the signal that a removed channel makes", async () => {
  const model = products();
  const { structure, groups } = await analysed(model, batches[0]!);
  const [scores] = await taylorScores(structure, groups, listed(batches), {
    name: "products",
    outputs: [{ value: "y", kind: "values", axis: 1 }],
    seed: 1,
    draws: 400,
  });
  // the output is a sum over the neurons: what one of them adds is what goes
  const session = await openSession(encodeModel(exposeValues(model, ["h"])));
  const w = new Float32Array(model.graph!.initializer[2]!.rawData.slice().buffer);
  const noises = new Array<number>(8).fill(0);
  let power = 0;
  let rows = 0;
  for (const batch of batches) {
    const results = await session.run(batch);
    const [y, h] = [results.get("y")!.data as Float32Array, results.get("h")!];
    for (const value of y) power += value ** 2;
    rows += h.shape[0]!;
    for (let row = 0; row < h.shape[0]!; row++) {
      for (let c = 0; c < 8; c++) {
        for (let k = 0; k < 3; k++) {
          // samples count alike, not rows
          noises[c]! += (((h.data as Float32Array)[row * 8 + c]! * w[c * 3 + k]!) ** 2 / h.shape[0]!) * (1 / 4);
        }
      }
    }
  }
  await session.close();
  noises.forEach((sum, c) => {
    const expected = sum / (power / rows);
    expect(scores![c]! / expected).toBeGreaterThan(0.75);
    expect(scores![c]! / expected).toBeLessThan(1.35);
  });
});

test("a channel that moves all classes alike is worth nothing", async () => {
  const model = products();
  rowsOf(model, [...Array.from({ length: 21 }, (_, at) => Math.sin(7 * at)), 9, 9, 9]);
  model.graph!.node.at(-1)!.output[0] = "logits";
  model.graph!.node.push(makeNode("Softmax", "s", ["logits"], ["y"], { axis: -1 }));
  const { structure, groups } = await analysed(model, batches[0]!);
  const progress: number[] = [];
  const run = () =>
    taylorScores(structure, groups, listed(batches), {
      name: "products",
      outputs: [{ value: "logits", kind: "classes", axis: 1 }],
      seed: 3,
      onProgress: (done) => progress.push(done),
    });
  const [scores] = await run();
  const last = scores![7]!;
  expect(last).toBeLessThan(1e-9);
  expect(scores!.slice(0, 7).filter((score) => score > 100 * last).length).toBe(7);
  expect(progress).toEqual([1, 2, 3, 4]);
  // the same seed, the same scores
  expect((await run())[0]).toEqual(scores);
});
