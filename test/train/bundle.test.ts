import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../src/data/batch.js";
import { canBundle } from "../../src/train/bundle.js";
import type { Parameter } from "../../src/train/graph.js";
import { trainWith } from "../../src/train/loop.js";
import type { Objective } from "../../src/train/objective.js";
import type { TrainingData, TrainingRecord, TrainingSettings } from "../../src/train/task.js";
import { madeUpData, perceptron, squaredError, taskOf } from "./small-network.js";

const data = madeUpData(30, 4, 2);
const adamw = { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
const sgd = { kind: "sgd", momentum: 0, nesterov: false } as const;
const losses = (records: readonly TrainingRecord[]) =>
  records.flatMap((record) => (record.kind === "step" ? [record.loss] : []));
const norms = (records: readonly TrainingRecord[]) =>
  records.flatMap((record) => (record.kind === "step" ? [record.gradientNorm] : []));

/** A loss that says what counts: such steps are run one by one, their updates outside of the graph. */
const oneByOne: Objective = {
  ...squaredError,
  build: (context) => ({
    ...squaredError.build(context),
    weight: context.b.scalar(context.graph.outputs[0]!.shape[0]!),
  }),
};

async function run(settings: Partial<TrainingSettings>, more: Parameters<typeof taskOf>[3] = {}, given = data) {
  const { binding, parameters } = perceptron([4, 16, 2]);
  let asked = 0;
  const { stopRequested = () => false, ...rest } = more;
  const counted = () => {
    asked += 1;
    return stopRequested();
  };
  const told = taskOf(parameters, given, settings, { ...rest, stopRequested: counted });
  const outcome = await trainWith(binding, told.task).catch((error: Error) => error.message);
  return { ...told, outcome, asked, weights: parameters.map(({ data }) => [...data]) };
}

function expectClose(found: readonly number[], expected: readonly number[], digits = 5) {
  expect(found).toHaveLength(expected.length);
  for (const [at, value] of found.entries()) expect(value).toBeCloseTo(expected[at]!, digits);
}

describe("steps that run together", () => {
  test.each([
    { optimizer: adamw, weightDecay: 0.1, clipNorm: 0.5 },
    { optimizer: adamw, weightDecay: 0, clipNorm: 0 },
    { optimizer: { ...sgd, momentum: 0.9 }, weightDecay: 0.1, clipNorm: 0.5 },
    { optimizer: { ...sgd, momentum: 0.9, nesterov: true }, weightDecay: 0, clipNorm: 0.5 },
    { optimizer: sgd, weightDecay: 0.1, clipNorm: 0 },
  ])("learn what single steps learn: $optimizer.kind, decay $weightDecay, clipping $clipNorm", async (how) => {
    const schedule = { kind: "cosine", rate: 0.02, warmUp: 5, floor: 0, at: [] } as const;
    const settings = { ...how, schedule, steps: 60, evaluateEvery: 40, checkpointEvery: 40 };
    const together = await run(settings);
    const single = await run(settings, { objective: oneByOne });
    // asked for a stop between runs
    expect(together.asked).toBeLessThan(10);
    expect(single.asked).toBeGreaterThanOrEqual(60);
    expectClose(losses(together.records), losses(single.records));
    expectClose(norms(together.records), norms(single.records));
    expectClose(together.weights.flat(), single.weights.flat(), 4);
    const rates = (records: readonly TrainingRecord[]) => records.map((one) => "rate" in one && one.rate);
    expect(rates(together.records)).toEqual(rates(single.records));
  });

  test("give the same bits however many run at a time, and wherever training goes on from", async () => {
    const settings = { steps: 60, clipNorm: 0.5, weightDecay: 0.1, evaluateEvery: 1000, checkpointEvery: 0 };
    const whole = await run(settings);
    const single = await run({ ...settings, checkpointEvery: 1 });
    expect(single.last).toHaveLength(60);
    expect(single.weights).toEqual(whole.weights);
    expect(single.records).toEqual(whole.records);
    for (const stopAfter of [1, 2]) {
      let asked = 0;
      const stopped = await run({ ...settings, checkpointEvery: 7 }, { stopRequested: () => ++asked > stopAfter });
      expect(stopped.outcome).toMatchObject({ ended: "stopped", steps: 7 * stopAfter });
      const rest = await run(settings, { resume: stopped.last.at(-1)! });
      expect(rest.weights).toEqual(whole.weights);
      expect([...stopped.records, ...rest.records]).toEqual(whole.records);
      expect(Buffer.from(rest.last.at(-1)!).equals(Buffer.from(whole.last.at(-1)!))).toBe(true);
    }
  });

  test("end where single steps end when numbers are not finite any more", async () => {
    // the loss overflows a few steps after the rate jumps, in the middle of a run
    const schedule = { kind: "step", rate: 0.01, warmUp: 0, floor: 1e16, at: [0.5] } as const;
    const settings = { steps: 20, schedule, optimizer: sgd, evaluateEvery: 1000, checkpointEvery: 0 };
    const together = await run(settings);
    const single = await run(settings, { objective: oneByOne });
    expect(single.outcome).toMatch(/^step 1\d: the (loss|gradient) is /);
    expect(together.outcome).toBe(single.outcome);
    expectClose(losses(together.records).slice(0, 10), losses(single.records).slice(0, 10));
    expect(together.records).toHaveLength(single.records.length);
    for (const [at, value] of together.weights.flat().entries()) {
      expect(value / single.weights.flat()[at]!).toBeCloseTo(1, 4);
    }
  });

  test("keep the order of batches whose shapes change", async () => {
    const samples = await Promise.all(Array.from({ length: 24 }, (_, at) => data.read(at)));
    // rows of one position and rows of two
    const wide = ({ dtype, shape, data }: NonNullable<ReturnType<Batch["get"]>>, count: number) => {
      const all = new Float32Array(count * data.length);
      for (let at = 0; at < count; at++) all.set(data as Float32Array, at * data.length);
      return { dtype, shape: [1, count, shape[1]!], data: all };
    };
    const uneven: TrainingData = {
      ...data,
      count: samples.length,
      read: async (at) => new Map([...samples[at]!].map(([name, one]) => [name, wide(one, 1 + (at % 2))])),
    };
    const settings = { steps: 40, batchSize: 3, evaluateEvery: 1000, checkpointEvery: 0 };
    const together = await run(settings, {}, uneven);
    const single = await run(settings, { objective: oneByOne }, uneven);
    expectClose(losses(together.records), losses(single.records));
    const interrupted = await run({ ...settings, checkpointEvery: 11 }, {}, uneven);
    expect(interrupted.weights).toEqual(together.weights);
  });

  test("are few weights that are all updated alike", () => {
    const weight: Parameter = { name: "w", kind: "weight", shape: [4], data: new Float32Array(4) };
    const settings = { optimizer: adamw, weightDecay: 0, clipNorm: 0, ema: 0, accumulate: 1 };
    expect(canBundle([weight], settings)).toBe(true);
    const others: Partial<Parameter>[] = [
      { mask: Uint8Array.of(1, 0, 1, 1) },
      { lowerBound: 0 },
      { rateScale: 2 },
      { kind: "statistic" },
      { shape: [20_000], data: new Float32Array(20_000) },
    ];
    for (const other of others) expect(canBundle([weight, { ...weight, ...other }], settings)).toBe(false);
    expect(canBundle([weight], { ...settings, ema: 0.9 })).toBe(false);
    expect(canBundle([weight], { ...settings, accumulate: 2 })).toBe(false);
  });
});
