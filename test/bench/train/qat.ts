// Quantization-aware training on real tasks: what PTQ loses, and what of it training brings back. `tsx test/bench/train/qat.ts
// fashion|ocr int8|static|int4|int4-matmul ...`; settings as environment variables (STEPS, BATCH, RATE, LINES, ...).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Batch } from "../../../src/data/batch.js";
import { openSession } from "../../../src/engine/session.js";
import { decodeModel, encodeModel, type ModelProto } from "../../../src/formats/onnx.js";
import { cloneModel } from "../../../src/graph/clone.js";
import { exposeValues } from "../../../src/graph/expose.js";
import { normalise } from "../../../src/graph/normalise/index.js";
import { raiseOpset } from "../../../src/graph/opset.js";
import { applyPlan } from "../../../src/quantize/apply.js";
import { planQuantization } from "../../../src/quantize/plan.js";
import { qatObjective, withTeacher } from "../../../src/quantize/qat/objective.js";
import type { PtqParts } from "../../../src/quantize/qat/twin.js";
import { defaultQat, type QatSettings, quantizationAwareTraining } from "../../../src/quantize/qat.js";
import type { QuantizeSettings } from "../../../src/quantize/settings.js";
import { applyStatic } from "../../../src/quantize/static/apply.js";
import { planStatic } from "../../../src/quantize/static/plan.js";
import { startWeights } from "../../../src/quantize/weights.js";
import { train } from "../../../src/train/loop.js";
import { prepareModel } from "../../../src/train/prepare.js";
import type { TrainingData, TrainingHooks, TrainingSettings } from "../../../src/train/task.js";
import { ocrRecognition } from "../../ocr-lines.js";
import { plainQuantizer } from "../../plain-quantizer.js";
import { noExternal, observe, settings as staticSettings } from "../../quantize/static/observe.js";
import { readFashion } from "./fashion.js";
import { work } from "./fetch.js";
import { fashionAccuracy, ocrErrors } from "./judge.js";
import { fashionCnn, fashionTeacher } from "./models/fashion.js";
import { trainingLines } from "./ocr.js";

const folder = join(work, "qat");
mkdirSync(folder, { recursive: true });
const env = (name: string, fallback: number) => Number(process.env[name] ?? fallback);

const training = (changed: Partial<TrainingSettings>): TrainingSettings => ({
  steps: 300,
  batchSize: 64,
  accumulate: 1,
  optimizer: { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  schedule: { kind: "cosine", rate: env("RATE", 5e-4), warmUp: 10, floor: 0.01, at: [] },
  weightDecay: 0,
  clipNorm: env("CLIP", 1),
  ema: 0,
  seed: 1,
  threads: 1,
  evaluateEvery: 1e9,
  patience: 0,
  checkpointEvery: 1e9,
  ...changed,
});

const started = performance.now();
const hooks = (every: number): TrainingHooks => ({
  log(record) {
    if (record.kind !== "step" || record.step % every) return;
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    console.log(
      `  step ${record.step} loss ${record.loss.toFixed(4)} norm ${record.gradientNorm.toFixed(3)} (${seconds} s)`,
    );
  },
  keep() {},
  stopRequested: () => false,
  progress() {},
});

interface Task {
  readonly file: string;
  readonly data: TrainingData;
  readonly calibration: readonly Batch[];
  readonly logits: readonly string[];
  judge(file: string): Promise<number>;
}

function pictures(set: { count: number; images: Float32Array; labels: Uint8Array }): TrainingData {
  return {
    count: set.count,
    source: "Fashion-MNIST",
    nameOf: (at) => `picture ${at}`,
    async read(at) {
      return new Map([
        ["x", { dtype: "float32" as const, shape: [1, 1, 28, 28], data: set.images.slice(at * 784, (at + 1) * 784) }],
        ["label", { dtype: "int64" as const, shape: [1], data: BigInt64Array.of(BigInt(set.labels[at]!)) }],
      ]);
    },
  };
}

async function fashionTask(): Promise<Task> {
  const { train: seen, test } = readFashion()!;
  const file = join(folder, "fashion-teacher.onnx");
  const data = pictures(seen);
  if (!existsSync(file)) {
    const model = fashionCnn(fashionTeacher, 1);
    const prepared = prepareModel(model, noExternal, { name: "teacher", frozen: [], batchNorm: "frozen" });
    const objective = qatObjective({ labels: 1, teacher: 0, features: 0, temperature: 1, logits: ["logits"] });
    const changed = {
      steps: env("TEACHER_STEPS", 1800),
      schedule: { kind: "cosine", rate: 1e-3, warmUp: 50, floor: 0.01, at: [] },
    } as const;
    await train({ model: prepared, objective, data, settings: training(changed), hooks: hooks(100) });
    const { writeBack } = await import("../../../src/train/write-back.js");
    writeBack(prepared.base, prepared.parameters);
    writeFileSync(file, encodeModel(prepared.base));
  }
  const calibration = [0, 1].map(
    (at): Batch =>
      new Map([
        [
          "x",
          {
            dtype: "float32" as const,
            shape: [128, 1, 28, 28],
            data: seen.images.slice(at * 128 * 784, (at + 1) * 128 * 784),
          },
        ],
      ]),
  );
  return { file, data, calibration, logits: ["logits"], judge: fashionAccuracy(test) };
}

async function ocrTask(): Promise<Task> {
  const widest = env("WIDEST", 640);
  const lines = trainingLines(env("LINES", 512))!.filter((line) => line.get("x")!.shape[3]! <= widest);
  const data: TrainingData = {
    count: lines.length,
    source: "lines",
    nameOf: (at) => `line ${at}`,
    read: async (at) => lines[at]!,
  };
  return {
    file: ocrRecognition,
    data,
    calibration: lines.slice(0, 16),
    logits: [],
    judge: (file) => ocrErrors(file, env("JUDGED", 240)),
  };
}

const ways: Readonly<Record<string, Partial<QuantizeSettings> & { readonly static?: true }>> = {
  int8: { scheme: "unpack" },
  static: { scheme: "auto", static: true },
  int4: { scheme: "unpack", bits: 4, convolutions4: true, clip: "mse" },
  "int4-matmul": { scheme: "unpack", bits: 4, clip: "mse" },
};

async function main([taskName, ...names]: readonly string[]): Promise<void> {
  const task = await (taskName === "ocr" ? ocrTask() : fashionTask());
  const original = decodeModel(new Uint8Array(readFileSync(task.file)), task.file);
  const base = cloneModel(original);
  normalise(base, noExternal);
  raiseOpset(base, "base", 13, noExternal);
  console.log(`float: ${(await task.judge(task.file)).toFixed(2)}`);
  const save = async (model: ModelProto, name: string) => {
    const path = join(folder, `${taskName}-${name}.onnx`);
    const bytes = encodeModel(model);
    writeFileSync(path, bytes);
    return { path, bytes: bytes.length };
  };
  for (const name of names) {
    const { static: isStatic, ...rest } = ways[name]!;
    const all: QuantizeSettings = { scheme: "auto", clip: "max", minElements: 64, ...rest };
    const activations =
      isStatic && planStatic(base, await observe(base, task.calibration), staticSettings(), noExternal);
    const quantizer = plainQuantizer();
    const parts: PtqParts = {
      base,
      plan: planQuantization(base, all, new Map(), activations?.weights),
      activations,
      weights: startWeights(quantizer, noExternal, all.clip, { keep: true }),
      quantizer,
      readExternal: noExternal,
    };
    const ptq = cloneModel(base);
    await applyPlan(ptq, parts.plan, parts);
    if (activations) applyStatic(ptq, activations, noExternal);
    const saved = await save(ptq, `${name}-ptq`);
    console.log(`${name} PTQ: ${(await task.judge(saved.path)).toFixed(2)} (${saved.bytes} bytes)`);
    if (env("STEPS", 300) === 0) continue;
    const settings: QatSettings = {
      ...defaultQat,
      name: "model",
      stepRate: env("STEP_RATE", 1),
      freezeAfter: env("FREEZE", 0.8),
      weightSteps: process.env["FIXED"] ? "fixed" : "learned",
      loss: {
        features: env("FEATURES", 1),
        labels: env("LABELS", 0),
        teacher: env("TEACHER", 1),
        temperature: env("T", 1),
        logits: task.logits,
      },
    };
    const job = await quantizationAwareTraining(parts, settings);
    const teacher = await openSession(encodeModel(exposeValues(base, job.inside)));
    const inputs = teacher.inputs.map((input) => input.name);
    const changed = { steps: env("STEPS", 300), batchSize: env("BATCH", 64) };
    await train({
      model: job.model,
      objective: job.objective,
      data: withTeacher(task.data, teacher.run, inputs),
      beforeStep: (step) => job.beforeStep(step, changed.steps),
      settings: training(changed),
      hooks: hooks(env("EVERY", 50)),
    });
    await teacher.close();
    const made = await save((await job.export()).model, `${name}-qat`);
    console.log(`${name} QAT: ${(await task.judge(made.path)).toFixed(2)} (${made.bytes} bytes)`);
  }
}

await main(process.argv.slice(2));
