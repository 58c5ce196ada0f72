import { expect, test } from "@jest/globals";
import { timeSteps, type Work } from "../../src/commands/training-course.js";
import { trainingSettings } from "../../src/commands/training-options.js";
import { prepareModel } from "../../src/train/prepare.js";
import { madeUpData, squaredError } from "../train/small-network.js";
import { classifier } from "../training-models.js";

const noFiles = () => {
  throw new Error("nothing is outside");
};

test("what is asked of a teacher once for each sample does not count for every step of a plan", async () => {
  const data = madeUpData(40, 8, 4);
  const work: Work = {
    model: prepareModel(classifier(16, 1, 1), noFiles, { name: "small.onnx", frozen: [], batchNorm: "frozen" }),
    objective: squaredError,
    data: {
      ...data,
      // 10 samples of a step would be 300 ms
      read: (at) => new Promise((done) => setTimeout(() => done(data.read(at)), 30)),
    },
    gauge: undefined as never,
    settings: trainingSettings({ steps: 10_000, batch: 10, seed: 1, threads: 1 }, "distill", data.count),
    run: {},
  };
  const link = { say: () => {}, progress: () => {}, stopRequested: () => false };
  const time = await timeSteps(work, link);
  expect(time).toBeGreaterThan(0);
  expect(time).toBeLessThan(0.09);
});
