import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../src/data/batch.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { exposeValues } from "../../src/graph/expose.js";
import { measureActivations } from "../../src/prune/activations.js";
import { analysed, convolutions, listed, noise } from "./data-models.js";

const batches: readonly Batch[] = [
  new Map([["x", noise([1, 3, 5, 4], 1)]]),
  new Map([["x", noise([1, 3, 9, 7], 2)]]),
  new Map([["x", noise([1, 3, 2, 2], 3)]]),
];

describe.each([13, 18])("what a convolution takes in, at opset %i", (opset) => {
  test("every position counts alike, however long its sample is", async () => {
    const model = convolutions(opset);
    const { structure } = await analysed(model, batches[0]!);
    const moments = await measureActivations(structure, listed(batches));
    const session = await openSession(encodeModel(exposeValues(model, ["h0"])));
    const seen: number[][] = Array.from({ length: 8 }, () => []);
    for (const batch of batches) {
      const { shape, data } = (await session.run(batch)).get("h0")!;
      const inner = shape[2]! * shape[3]!;
      (data as Float32Array).forEach((value, at) => void seen[Math.floor(at / inner)]!.push(value));
    }
    await session.close();
    const found = moments.of("h0", 1)!;
    expect(found.positions).toBe(20 + 63 + 4);
    seen.forEach((values, channel) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const square = values.reduce((sum, value) => sum + value * value, 0) / values.length;
      expect(found.mean[channel]).toBeCloseTo(mean, 5);
      expect(found.meanAbs[channel]).toBeCloseTo(mean, 5);
      expect(found.meanSquare[channel]).toBeCloseTo(square, 5);
      expect(found.variance[channel]).toBeCloseTo(square - mean * mean, 5);
    });
    // nothing of what the model takes in can go
    expect(moments.of("x", 1)).toBeUndefined();
  });
});

test("several passes find the same as one", async () => {
  const { structure } = await analysed(convolutions(), batches[0]!);
  const steps: string[] = [];
  const one = await measureActivations(structure, listed(batches));
  const several = await measureActivations(structure, listed(batches), {
    passBytes: 1,
    onProgress: (done, total) => steps.push(`${done}/${total}`),
  });
  expect(several.of("h1", 1)).toEqual(one.of("h1", 1));
  expect(steps).toEqual(["1/6", "2/6", "3/6", "4/6", "5/6", "6/6"]);
});

test("an axis with values that are no numbers is not told of", async () => {
  const { structure } = await analysed(convolutions(), batches[0]!);
  const bad = noise([1, 3, 2, 2], 4);
  bad.data[0] = Number.POSITIVE_INFINITY;
  const moments = await measureActivations(structure, listed([...batches, new Map([["x", bad]])]));
  expect(moments.of("h0", 1)).toBeUndefined();
});
