import { describe, expect, test } from "@jest/globals";
import { UserError } from "../../src/errors.js";
import { listed, type Run } from "../../src/evaluate/agreement.js";
import { evaluateCandidate, rememberOutputs } from "../../src/evaluate/drop.js";
import { type Metric, metricOfModule, topOneAccuracy, topOneAccuracyOf } from "../../src/evaluate/metric.js";
import type { Tensor } from "../../src/tensor/tensor.js";

const floats = (shape: readonly number[], ...data: number[]): Tensor => ({
  dtype: "float32",
  shape,
  data: Float32Array.from(data),
});

/** A model that gives one row of scores after another. */
const giving = (...rows: readonly (readonly number[])[]): Run => {
  let at = 0;
  return async () => new Map([["y", floats([1, rows[0]!.length], ...rows[at++ % rows.length]!)]]);
};
const samples = (count: number) => listed(Array.from({ length: count }, () => new Map()));

describe("what a candidate lost", () => {
  test("with labels: the relative drop of the accuracy", async () => {
    const reference = giving([1, 0], [0, 1], [1, 0], [0, 1]);
    const candidate = giving([1, 0], [0, 1], [0, 1], [0, 1]);
    // the reference has 3 of 4 right, the candidate 2 of 4
    const measure = { metric: topOneAccuracy, labels: [0, 1, 0, 0] };
    const { drop, agreement } = await evaluateCandidate(reference, candidate, samples(4), measure);
    expect(drop).toMatchObject({ kind: "metric", name: "top-1 accuracy", reference: 0.75, candidate: 0.5 });
    expect(drop.value).toBeCloseTo(1 / 3, 12);
    expect(agreement.total.topOne).toEqual({ agree: 3, total: 4 });
  });

  test("accuracy of one of several outputs, with its classes along any axis", () => {
    // 3 classes at 2 places
    const tensor = { dtype: "float32", shape: [1, 3, 2], data: Float32Array.of(1, 0, 0, 0, 0, 5) } as const;
    const outputs = new Map([["other", floats([1, 2], 0, 1)], ["maps", tensor]]); // biome-ignore format: short
    const metric = topOneAccuracyOf("maps", 1, true);
    expect(metric.name).toBe('top-1 accuracy of "maps"');
    const scored = (label: readonly number[]) => metric.score({ at: 0, feeds: new Map(), outputs, label });
    expect(scored([0, 2])).toEqual({ value: 1, weight: 2 });
    expect(scored([2, 2])).toEqual({ value: 0.5, weight: 2 });
    expect(() => scored([0, 3])).toThrow("the model has classes 0 to 2");
  });

  test("an error rate counts in points, and samples by their weight", async () => {
    const metric: Metric = {
      name: "error rate",
      higherIsBetter: false,
      score: ({ outputs, at }) => ({ value: (outputs.get("y")!.data as Float32Array)[0]!, weight: at + 1 }),
    };
    const { drop } = await evaluateCandidate(giving([0, 1], [0.5, 1]), giving([1, 1], [0.5, 1]), samples(2), {
      metric,
      labels: [],
    });
    // (0 + 2 * 0.5) / 3 and (1 + 2 * 0.5) / 3
    expect(drop.reference).toBeCloseTo(1 / 3, 12);
    expect(drop.value).toBeCloseTo(1 / 3, 12);
  });

  test("without labels: the share of other classes, called by its name", async () => {
    const { drop } = await evaluateCandidate(giving([1, 0]), giving([1, 0], [0, 1]), samples(4), undefined);
    expect(drop).toEqual({
      kind: "disagreement",
      name: "top-1 disagreement with the original",
      reference: null,
      candidate: null,
      value: 0.5,
    });
  });

  test("without classes: the noise", async () => {
    const single =
      (value: number): Run =>
      async () =>
        new Map([["y", floats([1, 1], value)]]);
    const { drop } = await evaluateCandidate(single(10), single(11), samples(1), undefined);
    expect(drop).toMatchObject({ kind: "noise" });
    expect(drop.value).toBeCloseTo(0.01, 12);
  });

  test.each([
    ["a text", ["cat"], /sample 1 has the text "cat"; top-1 accuracy wants class numbers/],
    ["none", [], /sample 1 has no label/],
    ["another class", [7], /sample 1 has class 7; the model has classes 0 to 1/],
    ["too many", [[0, 1]], /sample 1 has 2 labels, the model gives scores for 1 rows of 2 classes/],
  ])("a label that does not fit is named: %s", async (_, labels, message) => {
    const run = evaluateCandidate(giving([1, 0]), giving([1, 0]), samples(1), { metric: topOneAccuracy, labels });
    await expect(run).rejects.toThrow(message);
  });

  test("a user's metric is checked when it is loaded and when it answers", async () => {
    expect(() => metricOfModule({}, "m.js")).toThrow(/--metric m.js: must export `metric`/);
    const metric = metricOfModule({ metric: { score: () => "good" } }, "m.js");
    const measure = { metric, labels: [] };
    await expect(evaluateCandidate(giving([1, 0]), giving([1, 0]), samples(1), measure)).rejects.toThrow(
      /score\(\) gave "good" for sample 1/,
    );
    expect(metricOfModule({ metric: { score: () => 0.5 } }, "m.js")).toMatchObject({ name: "m.js" });
  });

  test("outputs are remembered while they are few", async () => {
    let runs = 0;
    const run: Run = async () => {
      runs++;
      return new Map([["y", floats([1, 2], 1, 2)]]);
    };
    const remembered = rememberOutputs(run, 8);
    for (const at of [0, 0, 1, 1]) await remembered(new Map(), at);
    expect(runs).toBe(3);
  });
});

test("a metric that fails, or gives no number, is a mistake of its file, with the place in it", () => {
  const sample = { at: 1, feeds: new Map(), outputs: new Map(), label: 1 };
  const score = (given: () => unknown) => () => metricOfModule({ metric: { score: given } }, "m.js").score(sample);
  const failing = score(() => {
    throw new TypeError("label is missing");
  });
  expect(failing).toThrow(UserError);
  expect(failing).toThrow(
    /^--metric m\.js: score\(\) failed for sample 2: label is missing \(drop\.test\.ts:\d+:\d+\)$/,
  );
  expect(score(() => Number.NaN)).toThrow("score() gave NaN for sample 2");
});
