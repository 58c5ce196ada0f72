import { describe, expect, test } from "@jest/globals";
import { trainWith } from "../../src/train/loop.js";
import { madeUpData, perceptron, taskOf } from "./small-network.js";

describe("training", () => {
  test("lowers the loss of a perceptron", async () => {
    const { binding, parameters } = perceptron([4, 16, 2]);
    const { task, records } = taskOf(parameters, madeUpData(64, 4, 2), { steps: 100 });
    const outcome = await trainWith(binding, task);
    const losses = records.flatMap((record) => (record.kind === "step" ? [record.loss] : []));
    expect(outcome).toMatchObject({ steps: 100, ended: "done" });
    expect(losses).toHaveLength(100);
    expect(outcome.finalLoss).toBeLessThan(0.2 * losses[0]!);
  });
});
