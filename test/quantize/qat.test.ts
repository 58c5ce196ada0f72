import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto, makeTensor } from "../../src/formats/onnx.js";
import { cloneModel } from "../../src/graph/clone.js";
import { makeNode } from "../../src/graph/node.js";
import { applyPlan } from "../../src/quantize/apply.js";
import { qatObjective, withTeacher } from "../../src/quantize/qat/objective.js";
import { defaultQat, type QatSettings, quantizationAwareTraining } from "../../src/quantize/qat.js";
import { train } from "../../src/train/loop.js";
import { prepareModel, writeBack } from "../../src/train/prepare.js";
import type { TrainingData, TrainingHooks, TrainingSettings } from "../../src/train/task.js";
import { makeModel } from "../onnx-model.js";
import { ptqParts } from "./qat/twins.js";
import { randomOf } from "./random-graphs.js";
import { noExternal } from "./static/observe.js";

const [features, hidden, classes] = [16, 32, 8];
const random = randomOf(11);
/** About normal. */
const normal = () => random() + random() + random() + random() - 2;
const normals = (count: number, size: number) => Float32Array.from({ length: count }, () => normal() * size);

/** Features of unlike size have weights of unlike size, and one scale fits few of them. */
const sizes = Float32Array.from({ length: features }, (_, i) => (i < 3 ? 0.15 : 1));

/** Two clouds of points for each class. */
const centres = normals(2 * classes * features, 0.9);
const points = Array.from({ length: 2800 }, (_, at) => {
  const cloud = Math.floor(random() * 2 * classes);
  const x = Float32Array.from({ length: features }, (_, i) => (centres[cloud * features + i]! + normal()) * sizes[i]!);
  return { x, label: cloud % classes, at };
});
const [seen, held] = [points.slice(0, 800), points.slice(800)];

const data: TrainingData = {
  count: seen.length,
  source: "clouds",
  nameOf: (at) => `point ${at}`,
  read: async (at) =>
    new Map([
      ["x", { dtype: "float32" as const, shape: [1, features], data: seen[at]!.x }],
      ["label", { dtype: "int64" as const, shape: [1], data: BigInt64Array.of(BigInt(seen[at]!.label)) }],
    ]),
};

const untrained = makeModel({
  inputs: [["x", "float32", ["n", features]]],
  outputs: [["logits", "float32", ["n", classes]]],
  nodes: [
    makeNode("MatMul", "first", ["x", "w1"], ["h1"]),
    makeNode("Add", "first_bias", ["h1", "b1"], ["a1"]),
    makeNode("Relu", "relu", ["a1"], ["r1"]),
    makeNode("MatMul", "second", ["r1", "w2"], ["h2"]),
    makeNode("Add", "second_bias", ["h2", "b2"], ["logits"]),
  ],
  initializers: [
    makeTensor("w1", {
      dtype: "float32",
      shape: [features, hidden],
      data: normals(features * hidden, 0.4).map((one, at) => one / sizes[Math.floor(at / hidden)]!),
    }),
    makeTensor("b1", { dtype: "float32", shape: [hidden], data: new Float32Array(hidden) }),
    makeTensor("w2", { dtype: "float32", shape: [hidden, classes], data: normals(hidden * classes, 0.3) }),
    makeTensor("b2", { dtype: "float32", shape: [classes], data: new Float32Array(classes) }),
  ],
});

const training = (steps: number, rate: number): TrainingSettings => ({
  steps,
  batchSize: 40,
  accumulate: 1,
  optimizer: { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  schedule: { kind: "cosine", rate, warmUp: 5, floor: 0.01, at: [] },
  ...{
    weightDecay: 0,
    clipNorm: 1,
    ema: 0,
    seed: 3,
    threads: 1,
    evaluateEvery: 1000,
    patience: 0,
    checkpointEvery: 1000,
  },
});

const hooks: TrainingHooks = { log() {}, keep() {}, stopRequested: () => false, progress() {} };

const loss = { labels: 0, teacher: 1, features: 0, temperature: 1, logits: ["logits"] };

/** Rows of held-out data whose class is right. */
async function rightOf(model: ModelProto): Promise<number> {
  const session = await openSession(encodeModel(model));
  const x = Float32Array.from(held.flatMap((point) => [...point.x]));
  const results = await session.run(new Map([["x", { dtype: "float32", shape: [held.length, features], data: x }]]));
  await session.close();
  const logits = results.get("logits")!.data as Float32Array;
  return held.filter(({ label }, row) => {
    const own = [...logits.subarray(row * classes, (row + 1) * classes)];
    return own.indexOf(Math.max(...own)) === label;
  }).length;
}

/** The network, trained in floats. */
async function trained(): Promise<ModelProto> {
  const model = prepareModel(untrained, noExternal, { name: "clouds", frozen: [], batchNorm: "frozen" });
  const objective = qatObjective({ ...loss, labels: 1, teacher: 0 });
  await train({ model, objective, data, settings: training(250, 1e-2), hooks });
  const result = cloneModel(model.base);
  writeBack(result, model.parameters);
  return result;
}

describe("quantization-aware training", () => {
  test("brings back most of what 4 bits with one scale lose, from the original or from labels", async () => {
    const float = await trained();
    const parts = ptqParts(float, { scheme: "unpack", bits: 4, perTensor: true, clip: "max" });
    const ptq = cloneModel(float);
    await applyPlan(ptq, parts.plan, parts);
    const [before, after] = [await rightOf(float), await rightOf(ptq)];
    const lost = before - after;
    expect(lost).toBeGreaterThan(8);
    const teacher = await openSession(encodeModel(float));
    const run = async (changed: Partial<QatSettings>) => {
      const job = await quantizationAwareTraining(parts, { ...defaultQat, name: "clouds", loss, ...changed });
      await train({
        model: job.model,
        objective: job.objective,
        data: changed.loss ? data : withTeacher(data, teacher.run, ["x"]),
        beforeStep: (step) => job.beforeStep(step, 200),
        settings: training(200, 3e-3),
        hooks,
      });
      const { model, tensors } = await job.export();
      expect(tensors.map(({ name, scheme, form }) => ({ name, scheme, form }))).toEqual(
        parts.plan.tensors.map(({ name, scheme, form }) => ({ name, scheme, form })),
      );
      return rightOf(model);
    };
    const found = {
      original: await run({}),
      "original, fixed steps": await run({ weightSteps: "fixed" }),
      labels: await run({ loss: { ...loss, labels: 1, teacher: 0 } }),
    };
    await teacher.close();
    for (const [way, right] of Object.entries(found)) {
      expect({ way, back: (right - after) / lost > (way.endsWith("fixed steps") ? 0.15 : 0.5) }).toEqual({
        way,
        back: true,
      });
    }
  });

  test("moves small tensors by small steps: rates are in proportion to sizes, and zeros tell none", async () => {
    const unlike = cloneModel(untrained);
    const graph = unlike.graph!;
    graph.initializer = graph.initializer.map(({ dims, name }) => {
      const size = { w1: 0.2, w2: 0.002, b1: 0, b2: 1e-9 }[name]!;
      const count = dims.reduce((product, dim) => product * Number(dim), 1);
      const elements = Float32Array.from({ length: count }, (_, at) => (at % 2 ? size : -size));
      return makeTensor(name, { dtype: "float32", shape: dims.map(Number), data: elements });
    });
    const parts = ptqParts(unlike, { scheme: "unpack", bits: 4 });
    const { model } = await quantizationAwareTraining(parts, { ...defaultQat, name: "clouds", loss });
    const rates = ["w1", "w2", "b1", "b2"].map((name) => model.parameters.get(name)!.rateScale!);
    [2, 0.02, 1, 0.001].forEach((rate, at) => void expect(rates[at]).toBeCloseTo(rate, 6));
  });

  test("holds step sizes once so many steps are done, again after a resume, and learns only what it is told to", async () => {
    const parts = ptqParts(untrained, { scheme: "unpack", bits: 4 });
    const job = await quantizationAwareTraining(parts, {
      ...{ ...defaultQat, name: "clouds", loss, freezeAfter: 0.5, frozen: [/^w2$/] },
    });
    const { parameters } = job.model;
    const steps = [...parameters.values()].filter(({ kind }) => kind === "step");
    expect([...parameters.keys()].filter((name) => !name.includes("_step")).sort()).toEqual(["b1", "b2", "w1"]);
    const before = new Map([...parameters].map(([name, { data }]) => [name, data.slice()]));
    const teacher = await openSession(encodeModel(untrained));
    const settings = training(3, 1e-2);
    await train({
      model: job.model,
      objective: job.objective,
      data: withTeacher(data, teacher.run, ["x"]),
      // as if 97 of 100 steps were done before
      beforeStep: (step) => job.beforeStep(97 + step, 100),
      settings,
      hooks,
    });
    for (const { name, data: now } of steps) expect(now).toEqual(before.get(name));
    expect(parameters.get("w1")!.data).not.toEqual(before.get("w1"));
    await train({
      model: job.model,
      objective: job.objective,
      data: withTeacher(data, teacher.run, ["x"]),
      beforeStep: (step) => job.beforeStep(step, 100),
      settings,
      hooks,
    });
    await teacher.close();
    for (const { name, data: now } of steps) expect(now).not.toEqual(before.get(name));
  });
});
