import { expect, test } from "@jest/globals";
import type { Agreement } from "../../src/evaluate/agreement.js";
import { doubtsOf } from "../../src/evaluate/doubts.js";
import type { Drop } from "../../src/evaluate/drop.js";
import { topOneAccuracy } from "../../src/evaluate/metric.js";

const agreement = (samples: number, answers: number) =>
  ({ samples, total: { topOne: { agree: answers, total: answers } } }) as unknown as Agreement;
const drop = (kind: Drop["kind"], reference: number | null = null) => ({ kind, reference }) as Drop;

test("answers too few for the limit are doubted, with how many samples would do", () => {
  expect(doubtsOf(drop("disagreement"), agreement(3, 3), 0.02, undefined)).toEqual([
    "only 3 answers were compared: one that changes is 33 %, so a loss of 2 % cannot show; give 100 samples or more",
  ]);
  // ten answers a sample
  expect(doubtsOf(drop("metric", 0.9), agreement(2, 20), 0.01, topOneAccuracy)[0]).toMatch(/give 20 samples/);
  expect(doubtsOf(drop("disagreement"), agreement(3, 50), 0.02, undefined)).toEqual([]);
  // noise has no steps, and no loss is below 0
  expect(doubtsOf(drop("noise"), agreement(3, 3), 0.02, undefined)).toEqual([]);
  expect(doubtsOf(drop("disagreement"), agreement(3, 3), 0, undefined)).toEqual([]);
});

test("an original that gets nothing right is doubted, one without an error is not", () => {
  expect(doubtsOf(drop("metric", 0), agreement(100, 100), 0.02, topOneAccuracy)[0]).toMatch(
    /original itself scores 0 by top-1 accuracy, so the loss says nothing: labels/,
  );
  const errors = { ...topOneAccuracy, higherIsBetter: false };
  expect(doubtsOf(drop("metric", 0), agreement(100, 100), 0.02, errors)).toEqual([]);
});
