// The same training by this package: ours.ts JOB, as for peer.py, with `file` as the model.
import { readFileSync } from "node:fs";
import type { Batch } from "../../../src/data/batch.js";
import { distillationObjective } from "../../../src/distill/objective.js";
import { decodeNpz } from "../../../src/formats/npz.js";
import { decodeModel } from "../../../src/formats/onnx.js";
import { elementCount, type Tensor } from "../../../src/tensor/tensor.js";
import { flushDenormals } from "../../../src/train/denormals.js";
import type { TrainingGraph } from "../../../src/train/graph.js";
import { createOptimizer } from "../../../src/train/optimizer.js";
import { bindShapes, prepareModel } from "../../../src/train/prepare.js";
import { compileStep } from "../../../src/train/step.js";
import { createSteps } from "../../../src/train/steps.js";
import { hardLoss } from "./learn.js";
import { peakBytes } from "./peak.js";

const job = JSON.parse(process.argv[2]!) as {
  readonly file: string;
  readonly data: string;
  /** The axis of the logits that classes are on. */
  readonly classAxis: number;
  readonly threads: number;
  readonly seconds: number;
  readonly rate: number;
};
await flushDenormals();
const model = prepareModel(decodeModel(new Uint8Array(readFileSync(job.file)), job.file), noFiles, {
  name: job.file,
  frozen: [],
  batchNorm: "frozen",
});
function noFiles(): never {
  throw new Error("the model is one file");
}
const parameters = [...model.parameters.values()];
const objective = distillationObjective(
  [{ name: "logits", kind: "classes", student: "logits", teacher: "", axis: job.classAxis }],
  [],
  hardLoss,
);
let graph: TrainingGraph | undefined;
const bind = async (batch: Batch): Promise<TrainingGraph> => {
  graph = await bindShapes(model, new Map([["x", batch.get("x")!]]));
  return graph;
};
const steps = createSteps(bind, (bound, batch) =>
  compileStep(bound, objective, parameters, batch, { threads: job.threads }),
);
const optimizer = createOptimizer([...parameters, ...objective.parameters], {
  optimizer: { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  weightDecay: 0,
  clipNorm: 0,
  ema: 0,
  accumulate: 1,
});

const data = decodeNpz(new Uint8Array(readFileSync(job.data)));
/** Batch `at` of an array of batches. */
function part({ dtype, shape, data: all }: Tensor, at: number): Tensor {
  const [, ...sizes] = shape;
  const size = elementCount(sizes);
  return { dtype, shape: sizes, data: (all as Float32Array).slice(at * size, (at + 1) * size) };
}
const count = data.get("x")!.shape[0]!;
const batches = Array.from(
  { length: count },
  (_, at): Batch =>
    new Map([
      ["x", part(data.get("x")!, at)],
      ["label", part(data.get("labels")!, at)],
    ]),
);
async function step(at: number): Promise<number> {
  const batch = batches[at]!;
  const result = await (await steps.stepFor(batch)).run(batch);
  optimizer.add(result.gradients, result.weight);
  optimizer.update(job.rate);
  return result.loss;
}

const losses: number[] = [];
for (let at = 0; at < count; at++) losses.push(await step(at));
let done = 0;
const [wall, cpu] = [performance.now(), process.cpuUsage()];
while (performance.now() - wall < 1000 * job.seconds) await step(done++ % count);
const seconds = (performance.now() - wall) / 1000;
const { user, system } = process.cpuUsage(cpu);
const weights = new Set(model.parameters.keys());
console.log(
  JSON.stringify({
    losses,
    parameters: parameters.reduce((sum, { data }) => sum + data.length, 0),
    stepsPerSecond: done / seconds,
    cpuMs: (user + system) / 1000 / done,
    peakBytes: peakBytes(),
    // what the forward part of a step makes
    activationBytes: [...graph!.values.values()]
      .filter(({ name, dtype }) => dtype === "float32" && !weights.has(name) && !graph!.constants.has(name))
      .reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0),
  }),
);
