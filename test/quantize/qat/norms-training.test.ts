import { describe, expect, test } from "@jest/globals";
import type { Batch } from "../../../src/data/batch.js";
import { decodeModel, encodeModel, makeTensor } from "../../../src/formats/onnx.js";
import { makeNode } from "../../../src/graph/node.js";
import { normalise } from "../../../src/graph/normalise/index.js";
import type { FoldedNorm } from "../../../src/graph/normalise/pass.js";
import { defaultQat, type QatJob, quantizationAwareTraining } from "../../../src/quantize/qat.js";
import type { Parameter } from "../../../src/train/graph.js";
import { train } from "../../../src/train/loop.js";
import type { Objective } from "../../../src/train/objective.js";
import { bindShapes } from "../../../src/train/prepare.js";
import { compileStep } from "../../../src/train/step.js";
import type { TrainingData, TrainingSettings } from "../../../src/train/task.js";
import { makeModel } from "../../onnx-model.js";
import { randomOf } from "../random-graphs.js";
import { noExternal } from "../static/observe.js";
import { ptqParts, runPlain } from "./twins.js";

const random = randomOf(9);
const noise = (count: number, size = 1) => Float32Array.from({ length: count }, () => size * (2 * random() - 1));
const tensor = (name: string, shape: readonly number[], data: Float32Array<ArrayBuffer>) =>
  makeTensor(name, { dtype: "float32", shape, data });
const [channels, side, classes] = [6, 4, 3];

const model = makeModel({
  opset: 13,
  inputs: [["x", "float32", ["n", 2, side, side]]],
  outputs: [["y", "float32", ["n", classes]]],
  nodes: [
    makeNode("Conv", "conv", ["x", "w"], ["c"], { pads: [1, 1, 1, 1] }),
    makeNode("BatchNormalization", "norm", ["c", "scale", "shift", "mean", "variance"], ["a"]),
    makeNode("Relu", "relu", ["a"], ["r"]),
    makeNode("Flatten", "flat", ["r"], ["f"]),
    makeNode("Gemm", "dense", ["f", "v", "u"], ["y"]),
  ],
  initializers: [
    tensor("w", [channels, 2, 3, 3], noise(channels * 18)),
    tensor(
      "scale",
      [channels],
      noise(channels).map((one) => one + Math.sign(one) * 0.3),
    ),
    tensor("shift", [channels], noise(channels)),
    tensor("mean", [channels], noise(channels, 0.5)),
    tensor(
      "variance",
      [channels],
      noise(channels).map((one) => one + 2),
    ),
    tensor("v", [channels * side * side, classes], noise(channels * side * side * classes, 0.3)),
    tensor("u", [classes], noise(classes)),
  ],
});
const samples = Array.from({ length: 48 }, () => noise(2 * side * side));
const data: TrainingData = {
  count: samples.length,
  source: "noise",
  nameOf: (at) => `sample ${at}`,
  read: async (at) =>
    new Map([
      ["x", { dtype: "float32" as const, shape: [1, 2, side, side], data: samples[at]! }],
      ["label", { dtype: "int64" as const, shape: [1], data: BigInt64Array.of(BigInt(at % classes)) }],
    ]),
};
const settings: TrainingSettings = {
  steps: 12,
  batchSize: 8,
  accumulate: 1,
  optimizer: { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  schedule: { kind: "constant", rate: 3e-3, warmUp: 0, floor: 0, at: [] },
  ...{ weightDecay: 0, clipNorm: 1, ema: 0, seed: 3, threads: 1, evaluateEvery: 4, patience: 0, checkpointEvery: 1 },
};

async function begin(steps: number): Promise<QatJob> {
  const base = decodeModel(encodeModel(model), "base");
  const folded = new Map<string, FoldedNorm>();
  normalise(base, noExternal, { constantInputs: "keep", norms: folded });
  const parts = ptqParts(base, { scheme: "unpack", bits: 4, convolutions4: true });
  const loss = { labels: 1, teacher: 0, features: 0, temperature: 1, logits: ["y"] };
  return quantizationAwareTraining(parts, { ...defaultQat, name: "model", loss, norms: { folded, steps } });
}

interface Course {
  readonly changed?: Partial<TrainingSettings>;
  readonly stopAt?: number;
  readonly resume?: Uint8Array;
}

async function run(job: QatJob, { changed = {}, stopAt = 1e9, resume }: Course = {}) {
  let last: Uint8Array | undefined;
  let done = 0;
  const statistics: number[][] = [];
  await train({
    model: job.model,
    ...(job.early ? { early: job.early } : {}),
    objective: job.objective,
    data,
    beforeStep: (step) => job.beforeStep(step, settings.steps),
    settings: { ...settings, ...changed },
    hooks: {
      log(record) {
        if (record.kind === "step") statistics.push([...of(job, "w_mean"), ...of(job, "w_variance")]);
      },
      keep(kind, bytes) {
        if (kind === "last") last = bytes;
      },
      stopRequested: () => done >= stopAt,
      progress: (at) => {
        done = at;
      },
    },
    ...(resume ? { resume } : {}),
  });
  return { statistics, last: last! };
}

const of = (job: QatJob, name: string) => job.model.parameters.get(name)!.data;
const all = (job: QatJob) => [...job.model.parameters].map(([name, { data }]) => [name, [...data]] as const);

describe("BatchNormalization alive in the first steps", () => {
  test("running statistics move by the batch's, and stand still from the step on that is said", async () => {
    const job = await begin(5);
    expect(job.early).toMatchObject({ steps: 5, norms: 1 });
    const before = [...of(job, "w_mean")];
    const { statistics } = await run(job);
    expect(statistics[0]).not.toEqual(before);
    for (let at = 1; at < 5; at++) expect(statistics[at]).not.toEqual(statistics[at - 1]);
    for (let at = 5; at < 12; at++) expect(statistics[at]).toEqual(statistics[4]);
    const ratio = [...of(job, "w_variance")].map((one, at) =>
      Math.sqrt((elements("variance")[at]! + 1e-5) / (one + 1e-5)),
    );
    ratio.forEach((one, at) => void expect(of(job, "w_factor")[at]).toBeCloseTo(one, 5));
  });

  test("one step moves them by the share of the momentum towards what the batch has", async () => {
    const job = await begin(5);
    const [mean, variance] = [of(job, "w_mean").slice(), of(job, "w_variance").slice()];
    await run(job, { changed: { steps: 1, batchSize: samples.length } });
    // products of the rounded weights over their factors, as the twin rounds them at first
    const first = await begin(0);
    const rounded = (await first.export()).model;
    const { exposeValues } = await import("../../../src/graph/expose.js");
    const x = Float32Array.from(samples.flatMap((one) => [...one]));
    const feeds: Batch = new Map([["x", { dtype: "float32", shape: [samples.length, 2, side, side], data: x }]]);
    const product = rounded.graph!.node.find(({ opType }) => opType === "Conv")!.output[0]!;
    const c = (await runPlain(exposeValues(rounded, [product]), feeds)).get(product)!.data as Float32Array;
    for (let channel = 0; channel < channels; channel++) {
      const factor = elements("scale")[channel]! / Math.sqrt(elements("variance")[channel]! + 1e-5);
      const bias = elements("shift")[channel]! - elements("mean")[channel]! * factor;
      const own = [...c]
        .filter((_, at) => Math.floor(at / side ** 2) % channels === channel)
        .map((one) => (one - bias) / factor);
      const average = own.reduce((sum, one) => sum + one, 0) / own.length;
      const spread = own.reduce((sum, one) => sum + (one - average) ** 2, 0) / own.length;
      expect(of(job, "w_mean")[channel]).toBeCloseTo(0.9 * mean[channel]! + 0.1 * average, 4);
      expect(of(job, "w_variance")[channel]).toBeCloseTo(0.9 * variance[channel]! + 0.1 * spread, 4);
    }
  });

  test.each([3, 5, 7])("a run that is stopped after step %i goes on to the same bits", async (stopAt) => {
    const [whole, first, second] = [await begin(5), await begin(5), await begin(5)];
    const changed = { ema: 0.9 };
    await run(whole, { changed });
    const { last } = await run(first, { changed, stopAt });
    await run(second, { changed, resume: last });
    expect(all(second)).toEqual(all(whole));
  });

  test("a checkpoint of a run with another number of such steps is refused", async () => {
    const { last } = await run(await begin(5), { stopAt: 3 });
    await expect(run(await begin(6), { resume: last })).rejects.toThrow(/number of early steps is 5, here it is 6/);
  });

  test("gradients through the factor, the batch's statistics and the gain equal finite differences", async () => {
    const { model: early } = (await begin(5)).early!;
    // without the rounding, whose gradient goes straight through, and without kinks
    const smooth: Readonly<Record<string, string>> = { Round: "Identity", Relu: "Tanh" };
    for (const node of early.copy.graph!.node) node.opType = smooth[node.opType] ?? node.opType;
    for (const { kind, data } of early.parameters.values()) if (kind === "step") data.fill(4);
    const parts = samples.slice(0, 5).flatMap((one) => [...one]);
    const feeds: Batch = new Map([
      ["x", { dtype: "float32", shape: [5, 2, side, side], data: Float32Array.from(parts) }],
    ]);
    const weights = noise(5 * classes);
    const objective: Objective = {
      parameters: [],
      watches: [],
      build({ b, graph }) {
        const by = b.constant({ dtype: "float32", shape: [5, classes], data: weights });
        return { loss: b.reduce("ReduceSum", b.mul(graph.outputs[0]!, by), undefined, false), terms: new Map() };
      },
    };
    const trained: readonly Parameter[] = [...early.parameters.values()];
    const step = await compileStep(await bindShapes(early, feeds), objective, trained, feeds, { threads: 1 });
    const found = await step.run(feeds);
    const gradients = new Map([...found.gradients].map(([name, one]) => [name, one.slice()]));
    expect([...gradients.keys()].filter((name) => !name.includes("_step")).sort()).toEqual(
      ["conv_bias", "u", "v", "w", "w_gain"].sort(),
    );
    for (const name of ["w", "w_gain", "conv_bias"]) {
      const { data: own } = early.parameters.get(name)!;
      const peak = gradients.get(name)!.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
      for (let at = 0; at < own.length; at += name === "w" ? 7 : 1) {
        const kept = own[at]!;
        const loss = async (by: number) => {
          own[at] = kept + by;
          return (await step.run(feeds)).loss;
        };
        const slope = ((await loss(3e-3)) - (await loss(-3e-3))) / 6e-3;
        own[at] = kept;
        expect(Math.abs(slope - gradients.get(name)![at]!) / peak).toBeLessThan(5e-3);
      }
    }
    await step.close();
  });
});

function elements(name: string): Float32Array {
  const { rawData } = model.graph!.initializer.find((one) => one.name === name)!;
  return new Float32Array(rawData.slice().buffer);
}
