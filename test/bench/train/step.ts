// What a training step costs and where its time goes: `npx tsx test/bench/train/step.ts [mlp|transformer|cnn ...]
// [--threads 1|2] [--seconds n]`. Forward and backward, then the update of AdamW; and the update alone on 10 million
// weights, the SIMD kernel against plain arithmetic. Medians in ms; by the clock.
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import type { Batch } from "../../../src/data/batch.js";
import { flushDenormals } from "../../../src/train/denormals.js";
import type { Parameter } from "../../../src/train/graph.js";
import type { Objective } from "../../../src/train/objective.js";
import { createOptimizer, type UpdateSettings } from "../../../src/train/optimizer.js";
import { bindShapes, prepareModel } from "../../../src/train/prepare.js";
import { compileStep } from "../../../src/train/step.js";
import { timedBatches, timedSteps } from "./batches.js";
import { cnn, mlp, transformer } from "./models/speed.js";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { threads: { type: "string", default: "1" }, seconds: { type: "string", default: "6" } },
});
const models = { mlp, transformer, cnn };
const settings: UpdateSettings = {
  optimizer: { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  ...{ weightDecay: 0, clipNorm: 0, ema: 0, accumulate: 1 },
};
const median = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1]!;

/** The mean over rows and positions of -log of the probability of the label. */
const crossEntropy: Objective = {
  parameters: [],
  watches: [],
  build({ b, graph, extras }) {
    const [logits] = graph.outputs;
    const labels = extras.get("labels")!;
    const classes = logits!.shape.at(-1)!;
    const off = { dtype: "int64" as const, shape: [...labels.shape, classes] };
    const flat = b.op(
      "OneHot",
      [labels, b.ints([classes]), b.constant({ dtype: "float32", shape: [2], data: Float32Array.of(0, 1) })],
      { dtype: "float32", shape: off.shape },
      { axis: -1 },
    );
    const picked = b.mul(b.logSoftmax(logits!, -1), flat);
    const rows = labels.shape.reduce((product, size) => product * size, 1);
    return { loss: b.mul(b.reduce("ReduceSum", picked, undefined, false), -1 / rows), terms: new Map() };
  },
};

await flushDenormals();
for (const name of (positionals.length > 0 ? positionals : Object.keys(models)) as (keyof typeof models)[]) {
  const { model } = models[name](1);
  const trainable = prepareModel(model, () => new Uint8Array(), { name, frozen: [], batchNorm: "frozen" });
  const parameters = [...trainable.parameters.values()];
  const { x, labels } = timedBatches(name);
  const batches = Array.from({ length: timedSteps }, (_, at): Batch => {
    const part = ({ dtype, shape, data }: typeof x) => {
      const size = data.length / timedSteps;
      return { dtype, shape: shape.slice(1), data: (data as Float32Array).slice(at * size, (at + 1) * size) };
    };
    return new Map([
      ["x", part(x)],
      ["labels", part(labels)],
    ]);
  });
  const before = performance.now();
  const graph = await bindShapes(trainable, new Map([["x", batches[0]!.get("x")!]]));
  const bound = performance.now();
  const step = await compileStep(graph, crossEntropy, parameters, batches[0]!, { threads: Number(options.threads) });
  const compiled = performance.now();
  const optimizer = createOptimizer(parameters, settings);
  const [runs, updates, all]: number[][] = [[], [], []];
  let [first, last] = [Number.NaN, Number.NaN];
  const end = performance.now() + 1000 * Number(options.seconds);
  for (let at = 0; performance.now() < end; at++) {
    const start = performance.now();
    const { loss, gradients } = await step.run(batches[at % timedSteps]!);
    const middle = performance.now();
    optimizer.add(gradients, 1);
    optimizer.update(1e-3);
    const stop = performance.now();
    runs!.push(middle - start);
    updates!.push(stop - middle);
    all!.push(stop - start);
    if (at === 0) first = loss;
    last = loss;
  }
  await step.close();
  const count = parameters.reduce((sum, { data }) => sum + data.length, 0);
  console.log(
    `${name}: ${count} weights in ${parameters.length} tensors; bound in ${(bound - before).toFixed(0)} ms, compiled in ${(compiled - bound).toFixed(0)} ms; ` +
      `${all!.length} steps, loss ${first.toFixed(4)} -> ${last.toFixed(4)}; run ${median(runs!).toFixed(3)}, update ${median(updates!).toFixed(3)}, step ${median(all!).toFixed(3)} ms (${(1000 / median(all!)).toFixed(0)} a second)`,
  );
}

const million = 10;
for (const how of ["plain", "simd"] as const) {
  const parameters = Array.from(
    { length: million },
    (_, at): Parameter => ({ name: `w${at}`, kind: "weight", shape: [1e6], data: new Float32Array(1e6).fill(0.1) }),
  );
  const gradients = new Map(parameters.map(({ name, data }) => [name, data.map((_, at) => Math.sin(at))]));
  const optimizer = createOptimizer(parameters, { ...settings, weightDecay: 0.01, clipNorm: 1 }, how);
  const times: number[] = [];
  for (let at = 0; at < 15; at++) {
    const start = performance.now();
    optimizer.add(gradients, 1);
    optimizer.update(1e-3);
    times.push(performance.now() - start);
  }
  console.log(`update of ${million} million weights, ${how}: ${median(times).toFixed(1)} ms`);
}
