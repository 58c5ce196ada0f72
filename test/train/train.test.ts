import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../src/data/batch.js";
import { makeTensor } from "../../src/formats/onnx.js";
import { assembleModel } from "../../src/graph/assemble.js";
import { createBuilder, type Value } from "../../src/graph/builder.js";
import { train } from "../../src/train/loop.js";
import { prepareModel } from "../../src/train/prepare.js";
import { madeUpData, plainNames, taskOf } from "./small-network.js";

const noFiles = () => {
  throw new Error("the model is one file");
};

/** x [rows, 3] -> BatchNormalization -> a product with `w` [3, 2]. */
function normalizingModel() {
  const b = createBuilder(plainNames());
  const weight = (name: string, shape: readonly number[], values: readonly number[]) => ({
    value: { name, dtype: "float32", shape } satisfies Value,
    tensor: makeTensor(name, { dtype: "float32", shape, data: Float32Array.from(values) }),
  });
  const held = [
    weight("scale", [3], [1, 1, 1]),
    weight("shift", [3], [0, 0, 0]),
    weight("mean", [3], [1, 2, 3]),
    weight("variance", [3], [4, 4, 4]),
    weight("w", [3, 2], [1, -1, 0.5, 2, -0.5, 1]),
  ];
  const x: Value = { name: "x", dtype: "float32", shape: [1, 3] };
  const parts = held.slice(0, 4).map(({ value }) => value);
  const normal = b.op("BatchNormalization", [x, ...parts], x, { momentum: { float: 0.75 } });
  const y = b.matmul(normal, held[4]!.value);
  return assembleModel({
    nodes: b.nodes,
    initializers: held.map(({ tensor }) => tensor),
    inputs: [{ ...x, shape: ["rows", 3] }],
    outputs: [{ ...y, shape: ["rows", 2] }],
  });
}

describe("training a model file", () => {
  test("moves running statistics with those of the batches", async () => {
    const data = madeUpData(10, 3, 2);
    const model = prepareModel(normalizingModel(), noFiles, { name: "m", frozen: [], batchNorm: "train" });
    const settings = { steps: 1, batchSize: 10 };
    const told = taskOf([], data, settings, { model });
    const outcome = await train(told.task);
    expect(outcome).toMatchObject({ ended: "done", steps: 1, notes: [] });
    const rows = await Promise.all(Array.from({ length: 10 }, (_, at) => data.read(at)));
    const column = (at: number) => rows.map((row: Batch) => Number(row.get("x")!.data[at]));
    const mean = [0, 1, 2].map((at) => column(at).reduce((sum, value) => sum + value, 0) / 10);
    mean.forEach((value, at) => {
      expect(model.parameters.get("mean")!.data[at]).toBeCloseTo(0.75 * (at + 1) + 0.25 * value, 5);
      const variance = column(at).reduce((sum, one) => sum + (one - value) ** 2, 0) / 10;
      expect(model.parameters.get("variance")!.data[at]).toBeCloseTo(0.75 * 4 + 0.25 * variance, 5);
    });
  });

  test("learns, and goes on from a checkpoint bit for bit, statistics too", async () => {
    const run = async (more: Parameters<typeof taskOf>[3] = {}) => {
      const model = prepareModel(normalizingModel(), noFiles, { name: "m", frozen: [], batchNorm: "train" });
      const told = taskOf([], madeUpData(24, 3, 2), { steps: 60, ema: 0.99 }, { model, ...more });
      const outcome = await train(told.task);
      const weights = [...model.parameters.values()].map(({ name, data }) => [name, ...data]);
      return { ...told, outcome, weights };
    };
    const whole = await run();
    const losses = whole.records.flatMap((record) => (record.kind === "step" ? [record.loss] : []));
    expect(losses.at(-1)!).toBeLessThan(0.5 * losses[0]!);
    let asked = 0;
    const { last } = await run({ stopRequested: () => ++asked > 25 });
    const rest = await run({ resume: last.at(-1)! });
    expect(rest.weights).toEqual(whole.weights);
    expect(rest.outcome).toEqual(whole.outcome);
  });
});
