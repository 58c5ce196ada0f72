import type { Batch } from "../../src/data/batch.js";
import { normal } from "../../src/data/random.js";
import { createBuilder, type Value } from "../../src/graph/builder.js";
import type { Parameter, ParameterKind, TrainingGraph } from "../../src/train/graph.js";
import type { Binding } from "../../src/train/loop.js";
import type { Objective } from "../../src/train/objective.js";
import type { TrainableModel } from "../../src/train/prepare.js";
import type { TrainingData, TrainingRecord, TrainingSettings, TrainingTask } from "../../src/train/task.js";

/** Names that are free, as a model gives them. */
export function plainNames(): (base: string) => string {
  const taken = new Set<string>();
  return (base) => {
    let name = base;
    for (let at = 1; taken.has(name); at++) name = `${base}_${at}`;
    taken.add(name);
    return name;
  };
}

function parameter(name: string, kind: ParameterKind, shape: readonly number[], next: () => number): Parameter {
  const count = shape.reduce((product, size) => product * size, 1);
  return { name, kind, shape, data: Float32Array.from({ length: count }, next) };
}

/** A perceptron x [rows, sizes[0]] -> logits [rows, sizes.at(-1)], its weights drawn with the seed. */
export function perceptron(
  sizes: readonly number[],
  seed = 1,
): { readonly binding: Binding; readonly parameters: readonly Parameter[] } {
  const next = normal(seed);
  const parameters = sizes
    .slice(1)
    .flatMap((out, at) => [
      parameter(`w${at}`, "weight", [sizes[at]!, out], () => next() * Math.sqrt(2 / sizes[at]!)),
      parameter(`b${at}`, "bias", [out], () => 0),
    ]);
  const bind = async (feeds: Batch): Promise<TrainingGraph> => {
    const b = createBuilder(plainNames());
    const x: Value = { name: "x", dtype: "float32", shape: feeds.get("x")!.shape };
    const given = parameters.map(({ name, shape }): Value => ({ name, dtype: "float32", shape }));
    let y = x;
    for (let at = 0; at < given.length; at += 2) {
      const sum = b.add(b.matmul(y, given[at]!), given[at + 1]!);
      y = at + 2 < given.length ? b.map("Relu", sum) : sum;
    }
    const values = new Map([...b.values, ...[x, ...given].map((one) => [one.name, one] as const)]);
    return { nodes: b.nodes, values, constants: b.constants, inputs: [x], outputs: [y] };
  };
  return {
    binding: {
      name: "the network",
      statistics: [],
      inputs: [{ name: "x", dtype: "float32", shape: ["rows", sizes[0]!] }],
      bind,
    },
    parameters,
  };
}

/** Half the mean over rows of the squared distance to the extra `y`. */
export const squaredError: Objective = {
  parameters: [],
  watches: [],
  build({ b, graph, extras }) {
    const [logits] = graph.outputs;
    const off = b.sub(logits!, extras.get("y")!);
    const loss = b.mul(b.reduce("ReduceSum", b.mul(off, off), undefined, false), 0.5 / logits!.shape[0]!);
    return { loss, terms: new Map([["squares", loss]]) };
  },
};

/** Rows whose target is a fixed nonlinear function of x. */
export function madeUpData(count: number, inputs: number, outputs: number, seed = 2): TrainingData {
  const next = normal(seed);
  const samples = Array.from({ length: count }, (): Batch => {
    const x = Float32Array.from({ length: inputs }, next);
    const y = Float32Array.from({ length: outputs }, (_, at) =>
      Math.sin(x[at % inputs]! + 0.5 * x[(at + 1) % inputs]!),
    );
    return new Map([
      ["x", { dtype: "float32", shape: [1, inputs], data: x }],
      ["y", { dtype: "float32", shape: [1, outputs], data: y }],
    ]);
  });
  return { count, source: "made up", read: async (at) => samples[at]!, nameOf: (at) => `row ${at}` };
}

const plainSettings: TrainingSettings = {
  steps: 20,
  batchSize: 8,
  accumulate: 1,
  optimizer: { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  schedule: { kind: "constant", rate: 0.01, warmUp: 0, floor: 0, at: [] },
  weightDecay: 0,
  clipNorm: 0,
  ema: 0,
  seed: 1,
  threads: 1,
  evaluateEvery: 5,
  patience: 0,
  checkpointEvery: 5,
};

/** A task, and what it told around it. */
export interface Told {
  readonly task: TrainingTask;
  readonly records: TrainingRecord[];
  readonly last: Uint8Array[];
  readonly best: Uint8Array[];
}

export function taskOf(
  parameters: readonly Parameter[],
  data: TrainingData,
  settings: Partial<TrainingSettings>,
  more: Partial<Omit<TrainingTask, "hooks">> & { readonly stopRequested?: () => boolean } = {},
): Told {
  const told = { records: [] as TrainingRecord[], last: [] as Uint8Array[], best: [] as Uint8Array[] };
  const { stopRequested = () => false, ...rest } = more;
  const task: TrainingTask = {
    model: { parameters: new Map(parameters.map((one) => [one.name, one])) } as unknown as TrainableModel,
    objective: squaredError,
    data,
    settings: { ...plainSettings, ...settings },
    hooks: {
      log: (record) => told.records.push(record),
      keep: (kind, bytes) => told[kind].push(bytes),
      stopRequested,
      progress: () => {},
    },
    ...rest,
  };
  return { task, ...told };
}
