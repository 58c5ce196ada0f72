// Where the update of weights is done: `npm run bench:updates -- [model ...] [--threads 1|2] [--rounds n] [--seconds n]`.
// The package's way (gradients fetched, AdamW by SIMD kernels) beside the same arithmetic in the graph of the step (arrays
// returned, or written in place), over one flat vector of weights, and as a Loop of steps in one run. All in one process,
// in turn, from the same weights; the losses of the first steps are compared before anything is timed. Batches are joined
// from samples as training does it; with --ready they are there before, so that the step alone is timed.
import { parseArgs } from "node:util";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { Batch } from "../../../src/data/batch.js";
import { distillationObjective } from "../../../src/distill/objective.js";
import { encodeModel, type ModelProto } from "../../../src/formats/onnx.js";
import type { Form } from "../../../src/graph/builder.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { createBatches } from "../../../src/train/batches.js";
import { blockSize } from "../../../src/train/block-size.js";
import { denormalsAsZero, flushDenormals } from "../../../src/train/denormals.js";
import type { Parameter } from "../../../src/train/graph.js";
import { createOptimizer } from "../../../src/train/optimizer.js";
import { bindShapes, prepareModel } from "../../../src/train/prepare.js";
import { compileStep, writeStep } from "../../../src/train/step.js";
import { type TimedBatches, timedBatches } from "./batches.js";
import { hardLoss } from "./learn.js";
import { type Authored, mlp } from "./models/speed.js";
import { perceptron, recurrent, tinyBatches } from "./models/tiny.js";
import { table } from "./result.js";
import {
  flattened,
  looped,
  type State,
  type TrainedGraph,
  type UpdatingGraph,
  updateNumbers,
  withUpdate,
} from "./update-graph.js";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "1" },
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "0.3" },
    ready: { type: "boolean", default: false },
  },
});
const threads = Number(options.threads);
/** Steps of one run of a Loop, and batches that there are. */
const turns = 25;
const optimizer = { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
const settings = { optimizer, weightDecay: 0.01, clipNorm: 1, ema: 0, accumulate: 1 };
const rate = 1e-3;

const tasks: Readonly<Record<string, () => readonly [Authored, TimedBatches]>> = {
  "logistic 20-3, batch 32": () => [perceptron([20, 3], 1), tinyBatches(turns, 32, [20], 3)],
  "MLP 16-32-4, batch 16": () => [perceptron([16, 32, 4], 1), tinyBatches(turns, 16, [16], 4)],
  "MLP 32-64-64-64-8, batch 32": () => [perceptron([32, 64, 64, 64, 8], 1), tinyBatches(turns, 32, [32], 8)],
  "MLP 64-192-96-10, batch 32": () => [perceptron([64, 192, 96, 10], 1), tinyBatches(turns, 32, [64], 10)],
  "GRU 8-16-4, length 10, batch 16": () => [recurrent(10, 8, 16, 4, 1), tinyBatches(turns, 16, [10, 8], 4)],
  "MLP 784-256-10, batch 64": () => [mlp(1), repeated(timedBatches("mlp"))],
};

/** As many batches as a Loop takes. */
function repeated({ x, labels }: TimedBatches): TimedBatches {
  const wrap = ({ dtype, shape, data }: Tensor): Tensor => {
    const size = data.length / shape[0]!;
    const all = new (data.constructor as Float32ArrayConstructor)(size * turns);
    for (let at = 0; at < turns; at++) {
      const from = (at % shape[0]!) * size;
      all.set((data as Float32Array).subarray(from, from + size), at * size);
    }
    return { dtype, shape: [turns, ...shape.slice(1)], data: all };
  };
  return { x: wrap(x), labels: wrap(labels) };
}

async function open(model: ModelProto): Promise<InferenceSession> {
  return InferenceSession.create(encodeModel(model), {
    executionProviders: ["cpu"],
    executionMode: "sequential",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    enableMemPattern: false,
    logSeverityLevel: 4,
    extra: {
      ...denormalsAsZero,
      "session.intra_op.allow_spinning": threads > 1 ? "1" : "0",
      "session.inter_op.allow_spinning": "0",
      ...(threads > 1 ? { "session.force_spinning_stop": "1" } : {}),
    },
  });
}

const toOrt = ({ dtype, shape, data }: Tensor) => new OrtTensor(dtype as "float32", data as Float32Array, shape);

/** A way to train: does a step with each of `turns` batches, and says their losses. */
interface Way {
  readonly name: string;
  run(batches: readonly Batch[]): Promise<readonly number[]>;
  /** The weights, one after another. */
  weights(): Float32Array;
  close(): Promise<void>;
}

const copied = (parameters: readonly Parameter[]) => parameters.map((one) => ({ ...one, data: one.data.slice() }));
const joined = (arrays: readonly Float32Array[]) => Float32Array.from(arrays.flatMap((one) => [...one]));

/** A step, what its batches feed by port, and its loss. */
interface Step extends TrainedGraph {
  readonly fed: ReadonlyMap<string, string>;
  readonly loss: string;
}

/** Gradients fetched, tensors made once, the package's optimizer: what its own way could save at most. */
async function fetching(name: string, step: Step): Promise<Way> {
  const session = await open(step.model);
  const parameters = step.tensors.map(
    ({ port, shape, decays, members }): Parameter => ({
      name: port,
      kind: decays ? "weight" : "bias",
      shape,
      data: joined(members.map(({ data }) => data)),
    }),
  );
  const optimizer = createOptimizer(parameters, settings);
  const fixed = Object.fromEntries(
    step.tensors.map(({ port }, at) => [port, toOrt({ dtype: "float32", ...parameters[at]! })]),
  );
  const wanted = [step.loss, ...new Set(step.tensors.map(({ gradient }) => gradient))];
  return {
    name,
    async run(batches) {
      const losses: number[] = [];
      for (const batch of batches) {
        const feed = { ...fixed };
        for (const [port, from] of step.fed) feed[port] = toOrt(batch.get(from)!);
        const results = await session.run(feed, wanted);
        const gradients = new Map<string, Float32Array>();
        for (const [at, { gradient }] of step.tensors.entries()) {
          gradients.set(parameters[at]!.name, results[gradient]!.data as Float32Array);
        }
        optimizer.add(gradients, 1);
        optimizer.update(rate);
        losses.push((results[step.loss]!.data as Float32Array)[0]!);
      }
      return losses;
    },
    weights: () => joined(parameters.map(({ data }) => data)),
    close: () => session.release(),
  };
}

/** The update in the graph, a run for each step; `alias` writes where it reads. */
async function updating(name: string, step: Step, alias: boolean): Promise<Way> {
  const update = withUpdate(step, settings);
  const session = await open(update.model);
  const feed = startOf(update);
  const wanted = [step.loss, update.norm, ...update.states.map(({ out }) => out)];
  const places: Record<string, OrtTensor | null> = { [step.loss]: null, [update.norm]: null };
  if (alias) for (const { into, out } of update.states) places[out] = feed[into]!;
  let done = 0;
  return {
    name,
    async run(batches) {
      const losses: number[] = [];
      for (const batch of batches) {
        for (const [port, from] of step.fed) feed[port] = toOrt(batch.get(from)!);
        done += 1;
        feed[update.numbers] = new OrtTensor("float32", Float32Array.from(updateNumbers(settings, rate, done)), [3]);
        const results = await (alias ? session.run(feed, places) : session.run(feed, wanted));
        if (!alias) for (const { into, out } of update.states) feed[into] = results[out] as OrtTensor;
        losses.push((results[step.loss]!.data as Float32Array)[0]!);
      }
      return losses;
    },
    weights: () => weightsIn(update, feed),
    close: () => session.release(),
  };
}

/** All batches in one run. */
async function looping(name: string, step: Step, [first]: readonly Batch[]): Promise<Way> {
  const updating = withUpdate(step, settings);
  const forms = new Map([...step.fed].map(([port, from]): [string, Form] => [port, first!.get(from)!]));
  const loop = looped(updating, forms, [step.loss, updating.norm]);
  const session = await open(loop.model);
  const feed = startOf(loop);
  feed[loop.turns] = new OrtTensor("int64", BigInt64Array.of(BigInt(turns)), []);
  const wanted = [...loop.seen, ...loop.states.map(({ out }) => out)];
  let done = 0;
  return {
    name,
    async run(batches) {
      for (const [port, from] of step.fed) {
        const { dtype, shape, data } = batches[0]!.get(from)!;
        const all = new (data.constructor as Float32ArrayConstructor)(turns * data.length);
        for (const [at, batch] of batches.entries()) all.set(batch.get(from)!.data as Float32Array, at * data.length);
        feed[loop.stacked.get(port)!] = toOrt({ dtype, shape: [turns, ...shape], data: all });
      }
      const numbers = Array.from({ length: turns }, (_, at) => updateNumbers(settings, rate, done + at + 1)).flat();
      feed[loop.stacked.get(updating.numbers)!] = new OrtTensor("float32", Float32Array.from(numbers), [turns, 3]);
      done += turns;
      const results = await session.run(feed, wanted);
      for (const { into, out } of loop.states) feed[into] = results[out] as OrtTensor;
      return [...(results[loop.seen[0]!]!.data as Float32Array)];
    },
    weights: () => weightsIn(loop, feed),
    close: () => session.release(),
  };
}

function startOf({ states }: { readonly states: readonly State[] }): Record<string, OrtTensor> {
  return Object.fromEntries(
    states.map(({ into, kind, of }) => {
      const start = joined(of.members.map(({ data }) => data));
      return [into, toOrt({ dtype: "float32", shape: of.shape, data: kind === "weights" ? start : start.fill(0) })];
    }),
  );
}

function weightsIn({ states }: Pick<UpdatingGraph, "states">, feed: Readonly<Record<string, OrtTensor>>): Float32Array {
  return joined(states.filter(({ kind }) => kind === "weights").map(({ into }) => feed[into]!.data as Float32Array));
}

/** The samples of batches, and where the batches of training come from. */
async function sourceOf({ x, labels }: TimedBatches): Promise<() => Promise<readonly Batch[]>> {
  const rows = turns * x.shape[1]!;
  const row = ({ dtype, shape, data }: Tensor, at: number): Tensor => {
    const size = data.length / rows;
    return { dtype, shape: [1, ...shape.slice(2)], data: (data as Float32Array).slice(at * size, (at + 1) * size) };
  };
  const samples = Array.from({ length: rows }, (_, at): Batch => {
    return new Map([
      ["x", row(x, at)],
      ["label", row(labels, at)],
    ]);
  });
  const source = await createBatches(
    { count: rows, source: "samples", read: async (at) => samples[at]!, nameOf: (at) => `sample ${at}` },
    [{ name: "x", dtype: "float32", shape: ["batch", ...x.shape.slice(2)] }],
    { batchSize: x.shape[1]!, seed: 1 },
  );
  return async () => {
    const batches: Batch[] = [];
    for (let at = 0; at < turns; at++) batches.push(await source.next());
    return batches;
  };
}

async function waysFor(authored: ModelProto, [first]: readonly Batch[]): Promise<readonly Way[]> {
  const noFiles = (): never => {
    throw new Error("the model is one file");
  };
  const model = prepareModel(authored, noFiles, { name: "model", frozen: [], batchNorm: "frozen" });
  const objective = distillationObjective(
    [{ name: "logits", kind: "classes", student: "logits", teacher: "", axis: 1 }],
    [],
    hardLoss,
  );
  const graph = await bindShapes(model, new Map([["x", first!.get("x")!]]));
  const start = [...model.parameters.values()];
  const extras = new Map([["label", first!.get("label")!]]);
  const written = writeStep(graph, objective, start, extras, [], await blockSize());
  const step: Step = {
    model: written.model,
    loss: written.loss,
    fed: new Map([...written.ports].filter(([, name]) => !model.parameters.has(name))),
    tensors: [...written.gradients].map(([name, gradient]) => {
      const parameter = model.parameters.get(name)!;
      const { kind, shape } = parameter;
      return { decays: kind === "weight", shape, port: name, gradient, members: [parameter] };
    }),
  };
  const own = copied(start);
  const compiled = await compileStep(graph, objective, own, first!, { threads });
  const optimizer = createOptimizer(own, settings);
  const present: Way = {
    name: "present",
    async run(batches) {
      const losses: number[] = [];
      for (const batch of batches) {
        const result = await compiled.run(batch);
        optimizer.add(result.gradients, result.weight);
        optimizer.update(rate);
        losses.push(result.loss);
      }
      return losses;
    },
    weights: () => joined(own.map(({ data }) => data)),
    close: () => compiled.close(),
  };
  const flat: Step = { ...step, ...flattened(step) };
  return [
    present,
    await fetching("present, tensors made once", step),
    await fetching("present, flat", flat),
    await updating("graph, returned", step, false),
    await updating("graph, in place", step, true),
    await updating("graph, flat, returned", flat, false),
    await updating("graph, flat, in place", flat, true),
    await looping(`Loop of ${turns}`, step, [first!]),
    await looping(`Loop of ${turns}, flat`, flat, [first!]),
  ];
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

await flushDenormals();
const chosen = Object.keys(tasks).filter(
  (name) => positionals.length === 0 || positionals.some((one) => name.includes(one)),
);
for (const name of chosen) {
  const [{ model }, data] = tasks[name]!();
  const next = await sourceOf(data);
  const ready = await next();
  const ways = await waysFor(model, ready);
  const first = await ways[0]!.run(ready);
  const found: number[] = [0];
  for (const way of ways.slice(1)) {
    const losses = await way.run(ready);
    found.push(Math.max(...losses.map((loss, at) => Math.abs(loss - first[at]!) / first[at]!)));
  }
  const times = ways.map(() => [] as number[]);
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const [at, way] of ways.entries()) {
      const started = performance.now();
      const end = started + 1000 * Number(options.seconds);
      let steps = 0;
      while (performance.now() < end) {
        await way.run(options.ready ? ready : await next());
        steps += turns;
      }
      times[at]!.push((1000 * (performance.now() - started)) / steps);
    }
  }
  const base = median(times[0]!);
  console.log(`\n${name}: ${ways[0]!.weights().length} weights, ${threads} thread${threads > 1 ? "s" : ""}`);
  console.log(
    table(
      [
        "way",
        "us a step, median",
        "best",
        "rounds' speed against present, lowest and highest",
        "speed",
        "losses off by",
      ],
      ways.map((way, at) => {
        const shares = times[at]!.map((time, round) => times[0]![round]! / time);
        return [
          way.name,
          median(times[at]!).toFixed(1),
          Math.min(...times[at]!).toFixed(1),
          `${Math.min(...shares).toFixed(2)} to ${Math.max(...shares).toFixed(2)}`,
          (base / median(times[at]!)).toFixed(2),
          found[at]!.toExponential(1),
        ];
      }),
    ),
  );
  for (const way of ways) await way.close();
}
