// How the models of the training tasks are trained: the product's engine on samples in memory.
import { readFileSync, writeFileSync } from "node:fs";
import type { Batch } from "../../../src/data/batch.js";
import { distillationObjective, type ObjectiveSettings, teacherExtra } from "../../../src/distill/objective.js";
import { openSession } from "../../../src/engine/session.js";
import { decodeModel, encodeModel, type ModelProto } from "../../../src/formats/onnx.js";
import { cloneModel } from "../../../src/graph/clone.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { train } from "../../../src/train/loop.js";
import { prepareModel, writeBack } from "../../../src/train/prepare.js";
import type { TrainingSettings } from "../../../src/train/task.js";

const plain = {
  temperature: 1,
  blankWeight: 1,
  topClasses: false,
  seed: 1,
} satisfies Partial<ObjectiveSettings>;

/** Cross-entropy with labels. */
export const hardLoss: ObjectiveSettings = { ...plain, mix: new Map([["hard", 1]]) };

/** Soft targets at a temperature, and labels by their weight. */
export function softLoss(temperature: number, hard = 0, mask?: string): ObjectiveSettings {
  const mix: ObjectiveSettings["mix"] =
    hard > 0
      ? new Map([
          ["soft", 1 - hard],
          ["hard", hard],
        ])
      : new Map([["soft", 1]]);
  return { ...plain, mix, temperature, mask };
}

/** Samples one row each, with what is right or what a teacher says. */
export interface Samples {
  readonly count: number;
  row(at: number): Batch;
  /** The class of a sample, for losses that look at labels. */
  label?(at: number): number;
  /** The teacher's logits, for losses that look at those. */
  logits?(at: number): Float32Array;
}

/** Settings in which the training tasks differ. */
export interface Course {
  readonly steps: number;
  readonly batchSize: number;
  readonly rate: number;
  readonly weightDecay?: number;
  readonly seed: number;
  readonly threads: number;
}

/** Trains the file `from` and writes the result to `to`; seconds and the last loss. */
export async function learn(
  from: string,
  to: string,
  samples: Samples,
  loss: ObjectiveSettings,
  course: Course,
): Promise<{ readonly seconds: number; readonly loss: number }> {
  const name = from.split("/").at(-1)!;
  const noFiles = (): never => {
    throw new Error(`${name} is one file`);
  };
  const model = prepareModel(decodeModel(new Uint8Array(readFileSync(from)), name), noFiles, {
    name,
    frozen: [],
    batchNorm: "frozen",
  });
  const objective = distillationObjective(
    [{ name: "logits", kind: "classes", student: softened(model.copy), teacher: "logits", axis: 1 }],
    [],
    loss,
  );
  const started = performance.now();
  let shown = started;
  const outcome = await train({
    model,
    objective,
    data: {
      count: samples.count,
      source: name,
      async read(at) {
        const batch = new Map<string, Tensor>(samples.row(at));
        if (loss.mix.has("hard")) {
          batch.set("label", { dtype: "int64", shape: [1], data: BigInt64Array.of(BigInt(samples.label!(at))) });
        }
        if (loss.mix.has("soft")) {
          const logits = samples.logits!(at);
          batch.set(teacherExtra("logits"), { dtype: "float32", shape: [1, logits.length], data: logits });
        }
        return batch;
      },
      nameOf: (at) => `sample ${at + 1}`,
    },
    settings: settingsOf(course),
    hooks: {
      log() {},
      keep() {},
      stopRequested: () => false,
      progress(done, total, loss) {
        if (performance.now() - shown < 30_000) return;
        shown = performance.now();
        console.log(
          `    step ${done} of ${total}, loss ${loss.toFixed(3)}, ${((shown - started) / 1000).toFixed(0)} s`,
        );
      },
    },
  });
  const trained = cloneModel(model.base);
  writeBack(trained, model.parameters);
  writeFileSync(to, encodeModel(trained));
  return { seconds: (performance.now() - started) / 1000, loss: outcome.finalLoss };
}

/** The value behind the softmax that makes the first output. */
function softened({ graph }: ModelProto): string {
  const maker = graph!.node.find(({ output }) => output.includes(graph!.output[0]!.name));
  if (maker?.opType !== "Softmax") throw new Error("the first output is not made by a softmax");
  return maker.input[0]!;
}

function settingsOf({ steps, batchSize, rate, weightDecay = 1e-4, seed, threads }: Course): TrainingSettings {
  return {
    steps,
    batchSize,
    accumulate: 1,
    optimizer: { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    schedule: { kind: "cosine", rate, warmUp: Math.min(100, Math.ceil(steps / 10)), floor: 0, at: [] },
    weightDecay,
    clipNorm: 0,
    ema: 0,
    seed,
    threads,
    evaluateEvery: 0,
    patience: 0,
    checkpointEvery: 0,
  };
}

/** What a model with the output `probabilities` says of each sample, as logits [count, classes] one after the other. */
export async function logitsOf(file: string, samples: Samples, classes: number, rows = 100): Promise<Float32Array> {
  const session = await openSession(file);
  const all = new Float32Array(samples.count * classes);
  try {
    for (let start = 0; start < samples.count; start += rows) {
      const some = Array.from({ length: Math.min(rows, samples.count - start) }, (_, at) => samples.row(start + at));
      const output = (await session.run(stacked(some))).get(session.outputs[0]!.name)!.data as Float32Array;
      // up to a constant, which no softmax sees
      for (const [at, share] of output.entries()) all[start * classes + at] = Math.log(Math.max(share, 1e-30));
    }
  } finally {
    await session.close();
  }
  return all;
}

/** Rows as one batch. */
function stacked(rows: readonly Batch[]): Batch {
  return new Map(
    [...rows[0]!].map(([name, { dtype, shape, data }]): [string, Tensor] => {
      const size = (data as Float32Array).length;
      const all = new (data.constructor as Float32ArrayConstructor)(rows.length * size);
      for (const [at, row] of rows.entries()) all.set(row.get(name)!.data as Float32Array, at * size);
      return [name, { dtype, shape: [rows.length, ...shape.slice(1)], data: all }];
    }),
  );
}
