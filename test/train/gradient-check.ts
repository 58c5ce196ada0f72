import { uniform } from "../../src/data/random.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto } from "../../src/formats/onnx.js";
import type { Value } from "../../src/graph/builder.js";
import { numbersOf, tensorOfNumbers } from "../../src/tensor/numbers.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import type { TrainingGraph } from "../../src/train/graph.js";
import type { Objective } from "../../src/train/objective.js";
import { bindShapes, prepareModel, type TrainableModel } from "../../src/train/prepare.js";
import { compileStep, writeStep } from "../../src/train/step.js";
import { modelOf, runBound, runModel, worstDifference } from "./bound-model.js";
import { type GradientError, type Kept, preciseErrors } from "./precise-check.js";

type Tensors = ReadonlyMap<string, Tensor>;

export interface GradientCheck {
  /** Tensors that train, their elements, and the names of those the loss reaches. */
  readonly parameters: number;
  readonly elements: number;
  readonly reached: readonly string[];
  /** Nodes of the step, those of the forward part. */
  readonly forward: number;
  readonly backward: number;
  /** Of outputs against the file's. */
  readonly forwardError: number;
  /** By tensor, of the length of its gradient against differences along it. */
  readonly errors: readonly GradientError[];
  /** The same in float64, where asked for. */
  readonly precise: readonly GradientError[];
  readonly notes: readonly string[];
}

export interface CheckSettings {
  /** Looks at this many tensors at most, evenly chosen. */
  readonly tensors?: number;
  /** With "train" the outputs are others than the file's, and not compared. */
  readonly batchNorm?: "frozen" | "train";
  /** In which precision differences are taken; default float32 alone. */
  readonly precision?: "float32" | "float64" | "both";
  /** Tensors that were looked at before. */
  readonly kept?: Kept;
}

const none = () => {
  throw new Error("nothing lies elsewhere");
};

/** Steps along the gradient, as shares of the length of the weight. */
const shares = [1e-2, 3e-3, 1e-3, 3e-2, 3e-4, 1e-4, 3e-5, 1e-5, 1e-1, 1];

/**
 * Holds a model's gradients against finite differences. The loss is the sum of the outputs times numbers by chance; a last
 * Softmax or Sigmoid is left out. Each tensor is moved along its gradient, and the best of ten step lengths counts: kinks
 * of Relu and MaxPool spoil some, and rounding others.
 */
export async function checkGradients(
  name: string,
  model: ModelProto,
  feeds: Tensors,
  { tensors = Number.POSITIVE_INFINITY, batchNorm = "frozen", precision = "float32", kept }: CheckSettings = {},
): Promise<GradientCheck> {
  const trainable = prepareModel(model, none, { name, frozen: [], batchNorm });
  const graph = await bindShapes(trainable, feeds);
  const outputs = await runBound(graph, trainable, feeds);
  const forwardError = batchNorm === "train" ? 0 : worstDifference(await runModel(model, feeds), outputs);
  const weights = lossWeights(graph);
  const objective: Objective = {
    parameters: [],
    watches: [],
    build({ b }) {
      const parts = weights.map(({ value, tensor }) =>
        b.reduce("ReduceSum", b.mul(value, b.constant(tensor)), undefined, false),
      );
      const loss = parts.reduce((sum, part) => b.add(sum, part));
      return { loss, terms: new Map() };
    },
  };
  const parameters = [...trainable.parameters.values()].filter(({ kind }) => kind !== "statistic");
  const step = writeStep(graph, objective, parameters, new Map());
  const compiled = await compileStep(graph, objective, parameters, feeds, { threads: 1 });
  const { gradients } = await compiled.run(feeds);
  await compiled.close();
  const loss = await lossOf(graph, trainable, weights, feeds);
  const names = [...gradients.keys()];
  const every = Math.max(1, Math.ceil(names.length / tensors));
  const looked = names.filter((_, at) => at % every === 0);
  const errors: GradientError[] = [];
  for (const tensor of precision === "float64" ? [] : looked) {
    const before = kept?.find("float32", tensor);
    const along = () => errorAlong(trainable.parameters.get(tensor)!.data, gradients.get(tensor)!, loss.run);
    const found = before ?? { name: tensor, ...(await along()) };
    if (!before) kept?.add("float32", found);
    errors.push(found);
  }
  await loss.close();
  const fed = new Map(feeds);
  for (const { name: port, shape, data } of parameters) fed.set(port, { dtype: "float32", shape, data });
  const precise = precision === "float32" ? [] : await preciseErrors(step, fed, gradients, looked, kept);
  const forward = new Set(graph.nodes.flatMap(({ output }) => output));
  const ahead = step.model.graph!.node.filter(({ output }) => output.some((value) => forward.has(value))).length;
  return {
    parameters: parameters.length,
    elements: parameters.reduce((sum, { data }) => sum + data.length, 0),
    reached: names,
    forward: ahead,
    backward: step.model.graph!.node.length - ahead,
    forwardError,
    errors,
    precise,
    notes: [...trainable.notes, ...(graph.notes ?? [])],
  };
}

interface Weighted {
  readonly value: Value;
  readonly tensor: Tensor;
}

/** What is summed, and by which numbers. */
function lossWeights(graph: TrainingGraph): readonly Weighted[] {
  const next = uniform(99);
  const makers = new Map(graph.nodes.flatMap((node) => node.output.map((name) => [name, node] as const)));
  return graph.outputs.flatMap((output) => {
    const maker = makers.get(output.name);
    const last = maker && ["Softmax", "Sigmoid"].includes(maker.opType) ? graph.values.get(maker.input[0]!) : undefined;
    const value = last ?? output;
    if (value.dtype !== "float32") return [];
    return [{ value, tensor: tensorOfNumbers("float32", value.shape, () => next() * 2 - 1) }];
  });
}

/** The loss at the present weights, summed in double precision. */
async function lossOf(graph: TrainingGraph, model: TrainableModel, weights: readonly Weighted[], feeds: Tensors) {
  const outputs = [...new Map(weights.map(({ value }) => [value.name, value])).values()];
  const session = await openSession(encodeModel(modelOf({ ...graph, outputs }, model)));
  const all = new Map<string, Tensor>(feeds);
  for (const { name, shape, data } of model.parameters.values()) all.set(name, { dtype: "float32", shape, data });
  const given = new Map(session.inputs.map(({ name }) => [name, all.get(name)!]));
  return {
    async run() {
      const result = await session.run(given);
      let sum = 0;
      for (const { value, tensor } of weights) {
        const [y, r] = [numbersOf(result.get(value.name)!), numbersOf(tensor)];
        for (let at = 0; at < y.length; at++) sum += y[at]! * r[at]!;
      }
      return sum;
    },
    close: () => session.close(),
  };
}

async function errorAlong(data: Float32Array, gradient: Float32Array, loss: () => Promise<number>) {
  const length = norm(gradient);
  let best = { length, error: Number.POSITIVE_INFINITY, share: 0 };
  // a bias before a Softmax, for example, has none
  if (length < 1e-6) return { ...best, error: 0 };
  const before = data.slice();
  const size = norm(before) || 1e-2 * Math.sqrt(data.length);
  for (const share of shares) {
    const step = share * size;
    const at = async (sign: number) => {
      for (let i = 0; i < data.length; i++) data[i] = before[i]! + (sign * step * gradient[i]!) / length;
      return loss();
    };
    const slope = ((await at(1)) - (await at(-1))) / (2 * step);
    const error = Math.abs(slope - length) / length;
    if (error < best.error) best = { length, error, share };
    if (best.error < 2e-4) break;
  }
  data.set(before);
  return best;
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
