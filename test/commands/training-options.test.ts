import { expect, test } from "@jest/globals";
import { trainingSettings } from "../../src/commands/training-options.js";

const usual = { seed: 1, threads: 1 };
const rate = (options: Readonly<Record<string, unknown>>, ...more: readonly ["distill" | "qat", ("apart" | "near")?]) =>
  trainingSettings({ ...usual, ...options }, more[0], 10_000, more[1]).schedule.rate;

test("the usual rate follows the square root of the samples of a step", () => {
  expect(rate({}, "distill")).toBe(1e-3);
  expect(rate({ batch: 128 }, "distill")).toBe(2e-3);
  expect(rate({ batch: 16, accumulate: 8 }, "distill")).toBe(2e-3);
  expect(rate({ batch: 8 }, "distill", "near")).toBe(1.5e-5);
  expect(rate({ batch: 8 }, "qat")).toBe(3.5e-5);
  // no batch is larger than the data
  expect(trainingSettings({ ...usual, batch: 512 }, "distill", 8).schedule.rate).toBe(5e-4);
});

test("a rate that is given is taken", () => {
  expect(rate({ batch: 4, rate: 0.01 }, "distill")).toBe(0.01);
});
