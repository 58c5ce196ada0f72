import { describe, expect, test } from "@jest/globals";
import type { Tensor } from "../../src/tensor/tensor.js";
import { labelLoss } from "../../src/train/losses.js";
import type { Objective } from "../../src/train/objective.js";
import { compileStep, writeStep } from "../../src/train/step.js";
import { perceptron } from "./small-network.js";

const objective: Objective = {
  parameters: [],
  watches: [],
  build: ({ b, graph, extras }) => ({
    loss: labelLoss(b, graph.outputs[0]!, extras.get("label")!),
    terms: new Map(),
  }),
};

describe("cross-entropy with labels", () => {
  const { binding, parameters } = perceptron([4, 3]);
  const x = Array.from({ length: 12 }, (_, at) => Math.sin(at));
  const labels = [2, 0, -1];
  const batch = new Map<string, Tensor>([
    ["x", { dtype: "float32", shape: [3, 4], data: Float32Array.from(x) }],
    ["label", { dtype: "int64", shape: [3], data: BigInt64Array.from(labels, BigInt) }],
  ]);

  test("loss and gradient, where a label is no class as well", async () => {
    const [weight] = parameters;
    let loss = 0;
    const slopes = [0, 0, 0];
    for (const [row, label] of labels.entries()) {
      const logits = slopes.map((_, out) =>
        x.slice(4 * row, 4 * row + 4).reduce((sum, v, i) => sum + v * weight!.data[3 * i + out]!, 0),
      );
      const total = logits.reduce((sum, v) => sum + Math.exp(v), 0);
      if (label < 0) continue;
      loss += (Math.log(total) - logits[label]!) / 3;
      for (const [out, v] of logits.entries()) {
        slopes[out]! += (Math.exp(v) / total - (out === label ? 1 : 0)) / 3;
      }
    }
    const graph = await binding.bind(batch);
    const step = await compileStep(graph, objective, parameters, batch, { threads: 1 });
    const found = await step.run(batch);
    await step.close();
    expect(found.loss).toBeCloseTo(loss, 5);
    found.gradients.get("b0")!.forEach((value, at) => void expect(value).toBeCloseTo(slopes[at]!, 5));
  });

  test("makes no one-hot labels, and leaves no operator that onnxruntime takes apart badly", async () => {
    const graph = await binding.bind(batch);
    const { model } = writeStep(graph, objective, parameters, new Map([["label", batch.get("label")!]]));
    const operators = model.graph!.node.map(({ opType }) => opType);
    expect(operators).toContain("GatherElements");
    for (const slow of ["SoftmaxCrossEntropyLoss", "OneHot", "Equal"]) expect(operators).not.toContain(slow);
  });
});
