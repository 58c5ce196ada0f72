import { describe, expect, test } from "@jest/globals";
import type { Parameter } from "../../src/train/graph.js";
import { trainWith } from "../../src/train/loop.js";
import type { Score, TrainingRecord, TrainingSettings } from "../../src/train/task.js";
import { madeUpData, perceptron, squaredError, taskOf } from "./small-network.js";

const data = madeUpData(30, 4, 2);
const copy = (parameters: readonly Parameter[]) => parameters.map(({ data }) => Array.from(data));
const losses = (records: readonly TrainingRecord[]) =>
  records.flatMap((record) => (record.kind === "step" ? [record.loss] : []));
const score = (value: number): Score => ({ value, higherIsBetter: false, details: {} });

async function run(settings: Partial<TrainingSettings>, more: Parameters<typeof taskOf>[3] = {}) {
  const { binding, parameters } = perceptron([4, 16, 2]);
  const told = taskOf(parameters, data, settings, more);
  const outcome = await trainWith(binding, told.task);
  return { ...told, parameters, outcome, weights: copy(parameters) };
}

describe("training", () => {
  test("lowers the loss, the same way each time", async () => {
    const first = await run({ steps: 100 });
    expect(first.outcome).toMatchObject({ steps: 100, ended: "done", best: undefined, notes: [] });
    expect(losses(first.records)).toHaveLength(100);
    expect(first.outcome.finalLoss).toBeLessThan(0.2 * losses(first.records)[0]!);
    const again = await run({ steps: 100 });
    expect(again.weights).toEqual(first.weights);
    expect(again.records).toEqual(first.records);
    const other = await run({ steps: 100, seed: 2 });
    expect(losses(other.records)[0]).not.toBe(losses(first.records)[0]);
  });

  test("gives the same with two threads, but for rounding", async () => {
    const one = await run({ steps: 10 });
    const two = await run({ steps: 10, threads: 2 });
    losses(one.records).forEach((loss, at) => void expect(losses(two.records)[at]).toBeCloseTo(loss, 5));
  });

  test("gradients of several batches make the step of one batch of all their rows", async () => {
    const settings = { steps: 3, optimizer: { kind: "sgd", momentum: 0.9, nesterov: false } } as const;
    const big = await run({ ...settings, batchSize: 12 });
    const parts = await run({ ...settings, batchSize: 4, accumulate: 3 });
    for (const [at, values] of big.weights.entries()) {
      for (const [i, value] of values.entries()) expect(Math.abs(value - parts.weights[at]![i]!)).toBeLessThan(1e-6);
    }
    losses(big.records).forEach((loss, at) => void expect(losses(parts.records)[at]).toBeCloseTo(loss, 5));
  });

  test("weighs batches by what counts in them", async () => {
    // only rows whose first target is above 0 count: a mean over them
    const counted = {
      ...squaredError,
      build(context: Parameters<typeof squaredError.build>[0]) {
        const { b, graph, extras } = context;
        const y = extras.get("y")!;
        const first = b.slice(y, [1], [0], [1]);
        const mask = b.cast(b.compare("Greater", first, 0), "float32");
        const weight = b.reduce("ReduceSum", mask, undefined, false);
        const off = b.mul(b.sub(graph.outputs[0]!, y), mask);
        const loss = b.div(b.reduce("ReduceSum", b.mul(off, off), undefined, false), weight);
        return { loss, terms: new Map(), weight };
      },
    };
    const settings = { steps: 2, optimizer: { kind: "sgd", momentum: 0, nesterov: false } } as const;
    const big = await run({ ...settings, batchSize: 15 }, { objective: counted });
    const parts = await run({ ...settings, batchSize: 5, accumulate: 3 }, { objective: counted });
    for (const [at, values] of big.weights.entries()) {
      for (const [i, value] of values.entries()) expect(Math.abs(value - parts.weights[at]![i]!)).toBeLessThan(1e-6);
    }
    losses(big.records).forEach((loss, at) => void expect(losses(parts.records)[at]).toBeCloseTo(loss, 5));
  });

  test("ends with an error where nothing in the data counts", async () => {
    const nothing = {
      ...squaredError,
      build(context: Parameters<typeof squaredError.build>[0]) {
        const { loss, terms } = squaredError.build(context);
        return { loss: context.b.mul(loss, 0), terms, weight: context.b.scalar(0) };
      },
    };
    const ended = run({ steps: 5, batchSize: 10, evaluateEvery: 1 }, { objective: nothing });
    await expect(ended).rejects.toThrow("nothing counts in the last 60 samples");
  });

  test("goes on from any checkpoint bit for bit", async () => {
    const settings = { steps: 40, ema: 0.9, clipNorm: 1, weightDecay: 0.1, evaluateEvery: 3, checkpointEvery: 7 };
    // a score that is best in the middle, so that the best weights come through the checkpoint too
    const evaluation = () => {
      let calls = 0;
      return { evaluate: async () => score(Math.abs(calls++ - 4)) };
    };
    const whole = await run(settings, evaluation());
    expect(whole.outcome.best?.step).toBe(15);
    for (const stopAfter of [1, 16, 23]) {
      let asked = 0;
      const stopped = await run(settings, { ...evaluation(), stopRequested: () => ++asked > stopAfter });
      expect(stopped.outcome).toMatchObject({ ended: "stopped", steps: stopAfter });
      const resume = stopped.last.at(-1)!;
      const calls = Math.floor(stopAfter / 3);
      let more = calls;
      const rest = await run(settings, { resume, evaluate: async () => score(Math.abs(more++ - 4)) });
      expect(rest.outcome).toEqual(whole.outcome);
      expect(rest.weights).toEqual(whole.weights);
      expect([...stopped.records, ...rest.records]).toEqual(whole.records);
      expect(Buffer.from(rest.last.at(-1)!).equals(Buffer.from(whole.last.at(-1)!))).toBe(true);
    }
  });

  test("refuses checkpoints of other runs, best weights and rubbish, and changes nothing", async () => {
    const { last, best } = await run({ steps: 4 }, { evaluate: async () => score(1) });
    const { binding, parameters } = perceptron([4, 16, 2]);
    const before = copy(parameters);
    const resumed = (resume: Uint8Array, settings: Partial<TrainingSettings> = {}) =>
      trainWith(binding, taskOf(parameters, data, { steps: 4, ...settings }, { resume }).task);
    await expect(resumed(last[0]!, { seed: 7 })).rejects.toThrow("its seed is 1, here it is 7");
    const linear = { kind: "linear", rate: 0.5, warmUp: 0, floor: 0, at: [] } as const;
    await expect(resumed(last[0]!, { schedule: linear })).rejects.toThrow(
      /its learning rate is [\d.]+, here it is 0\.5;/,
    );
    await expect(resumed(best[0]!)).rejects.toThrow("best weights alone");
    await expect(resumed(last[0]!.subarray(0, 900))).rejects.toThrow("the checkpoint: ");
    const other = perceptron([4, 16, 2], 9);
    const elsewhere = taskOf(other.parameters, data, { steps: 4 }, { resume: last[0]! }).task;
    await expect(trainWith(other.binding, elsewhere)).rejects.toThrow("other weights train here, or they start from");
    expect(copy(parameters)).toEqual(before);
  });

  test("stops early, with the best weights", async () => {
    const scores = [3, 2, 2.5, 2.2, 2.1, 0];
    const seen: number[][][] = [];
    const { binding, parameters } = perceptron([4, 16, 2]);
    const evaluate = async () => {
      seen.push(copy(parameters));
      return score(scores[seen.length - 1]!);
    };
    const told = taskOf(parameters, data, { steps: 100, evaluateEvery: 4, patience: 3 }, { evaluate });
    const outcome = await trainWith(binding, told.task);
    expect(outcome).toMatchObject({ ended: "early", steps: 20, best: { step: 8, score: { value: 2 } } });
    expect(copy(parameters)).toEqual(seen[1]);
    expect(told.best).toHaveLength(2);
  });

  test("of equal scores the one with the larger tie counts as better", async () => {
    const ties = [1, 3, 2, 3];
    const { binding, parameters } = perceptron([4, 16, 2]);
    let seen = 0;
    const evaluate = async (): Promise<Score> => ({ ...score(0.9), tie: ties[seen++]! });
    const told = taskOf(parameters, data, { steps: 16, evaluateEvery: 4 }, { evaluate });
    expect((await trainWith(binding, told.task)).best?.step).toBe(8);
  });

  test("evaluates the moving average and leaves it, while the weights themselves train on", async () => {
    const { binding, parameters } = perceptron([4, 16, 2]);
    const start = copy(parameters);
    const seen: number[][][] = [];
    const evaluate = async () => {
      seen.push(copy(parameters));
      return score(-seen.length);
    };
    const rate = { kind: "constant", rate: 0.1, warmUp: 0, floor: 0, at: [] } as const;
    const sgd = { kind: "sgd", momentum: 0, nesterov: false } as const;
    const settings = { steps: 2, evaluateEvery: 1, schedule: rate, optimizer: sgd };
    await trainWith(binding, taskOf(parameters, data, { ...settings, ema: 0.999 }, { evaluate }).task);
    expect(copy(parameters)).toEqual(seen[1]);
    const plain = await run({ ...settings, steps: 1 });
    const second = await run({ ...settings, steps: 2 });
    // decays (1 + t) / (10 + t): 2/11 and 3/12
    const [w0, w1, w2] = [start[0]![0]!, plain.weights[0]![0]!, second.weights[0]![0]!];
    const first = (2 / 11) * w0 + (9 / 11) * w1;
    expect(seen[0]![0]![0]).toBeCloseTo(first, 6);
    expect(seen[1]![0]![0]).toBeCloseTo(0.25 * first + 0.75 * w2, 6);
  });

  test.each([1e30, 1e16])("stops where numbers are not finite any more, and keeps what was good", async (rate) => {
    // a rate that makes weights so large that squares of the outputs overflow
    const { binding, parameters } = perceptron([4, 16, 2]);
    const schedule = { kind: "step", rate: 0.01, warmUp: 0, floor: rate, at: [0.5] } as const;
    const sgd = { kind: "sgd", momentum: 0, nesterov: false } as const;
    let evaluated: number[][] = [];
    const evaluate = async () => {
      evaluated = copy(parameters);
      return score(1);
    };
    const told = taskOf(
      parameters,
      data,
      { steps: 12, schedule, optimizer: sgd, evaluateEvery: 5, checkpointEvery: 2 },
      { evaluate },
    );
    await expect(trainWith(binding, told.task)).rejects.toThrow(/^step (8|9): (the loss|the gradient|weights) /);
    expect(copy(parameters)).toEqual(evaluated);
    expect(told.last).toHaveLength(3);
  });

  test("tells of weights the loss does not depend on, and leaves them alone", async () => {
    const { binding, parameters } = perceptron([4, 16, 2]);
    const idle: Parameter = { name: "idle", kind: "weight", shape: [2], data: Float32Array.of(1, 2) };
    const told = taskOf([...parameters, idle], data, { steps: 3, weightDecay: 0.1 });
    const bind = async (feeds: Parameters<typeof binding.bind>[0]) => {
      const graph = await binding.bind(feeds);
      return { ...graph, values: new Map([...graph.values, ["idle", { ...idle, dtype: "float32" as const }]]) };
    };
    const outcome = await trainWith({ ...binding, bind }, told.task);
    expect(outcome.notes).toEqual(["the loss does not depend on: idle"]);
    expect([...idle.data]).toEqual([1, 2]);
    const only = taskOf([idle], data, { steps: 3 });
    await expect(trainWith({ ...binding, bind }, only.task)).rejects.toThrow("depends on no weight");
  });
});
