import { describe, expect, test } from "@jest/globals";
import { makeTensor } from "../../src/formats/onnx.js";
import type { AxisMoments, Moments } from "../../src/prune/activations.js";
import { dataScores } from "../../src/prune/data-scores.js";
import { analysed, convolutions, noise, products } from "./data-models.js";

const feeds = new Map([["x", noise([1, 3, 4, 4], 1)]]);

function seen(mean: readonly number[], variance: readonly number[]): AxisMoments {
  return {
    mean: Float64Array.from(mean),
    variance: Float64Array.from(variance),
    meanSquare: Float64Array.from(variance, (one, at) => one + mean[at]! ** 2),
    meanAbs: Float64Array.from(mean, Math.abs),
    positions: 100,
  };
}

const only = (value: string, moments: AxisMoments): Moments => ({
  of: (name) => (name === value ? moments : undefined),
});

async function productGroups() {
  const model = products();
  // what the second product does with the eight neurons: rows of one number
  const rows = [1, 2, 1, 1, -3, 1, 0, 1];
  const data = Float32Array.from(rows.flatMap((row) => [row, row, row]));
  model.graph!.initializer[2] = makeTensor("w1", { dtype: "float32", shape: [8, 3], data });
  return analysed(model, new Map([["x", noise([4, 5], 1)]]));
}

const moments = only("h", seen([0, 1, 5, 0, 0, 1, 9, 0], [1, 3, 0, 1, 4, 8, 9, 1]));

describe("scores by what a product takes in", () => {
  test("wanda is the norm of the input times the weight", async () => {
    const { structure, groups } = await productGroups();
    const [scores] = dataScores(structure, groups, moments, { criterion: "wanda", reduction: "sum" });
    const expected = [1, 4, 5, 1, 6, 3, 0, 1];
    const mean = expected.reduce((sum, one) => sum + one) / 8;
    expected.forEach((one, at) => void expect(scores![at]).toBeCloseTo(one / mean / 8));
  });

  test("flap is how much the input fluctuates, times the square of the weight, in standard deviations", async () => {
    const { structure, groups } = await productGroups();
    const [scores] = dataScores(structure, groups, moments, { criterion: "flap", reduction: "sum" });
    const expected = [1, 12, 0, 1, 36, 8, 0, 1];
    const mean = expected.reduce((sum, one) => sum + one) / 8;
    const deviation = Math.sqrt(expected.reduce((sum, one) => sum + (one - mean) ** 2, 0) / 8);
    expected.forEach((one, at) => void expect(scores![at]).toBeCloseTo(one / deviation / 8));
  });

  test("mean looks at the input alone", async () => {
    const { structure, groups } = await productGroups();
    const [scores] = dataScores(structure, groups, moments, { criterion: "mean", reduction: "sum" });
    [0, 0.5, 2.5, 0, 0, 0.5, 4.5, 0].forEach((one, at) => void expect(8 * scores![at]!).toBeCloseTo(one));
  });
});

test("a group that nothing was seen of is scored by its weights", async () => {
  const { structure, groups } = await analysed(convolutions(), feeds);
  expect(groups.map(({ name }) => name)).toEqual(["w0", "w1"]);
  const half = only("h0", seen(new Array(8).fill(0), new Array(8).fill(1)));
  const scores = dataScores(structure, groups, half, { criterion: "wanda", reduction: "sum" });
  for (const list of scores) {
    expect(list.every((score) => score > 0)).toBe(true);
    expect(list.reduce((sum, score) => sum + score, 0)).toBeCloseTo(1);
  }
});
