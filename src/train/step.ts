import type { Batch } from "../data/batch.js";
import { openSession } from "../engine/session.js";
import { UserError } from "../errors.js";
import { encodeModel, type ModelProto, makeTensor, type NodeProto } from "../formats/onnx.js";
import { assembleModel } from "../graph/assemble.js";
import { createBuilder, type Form, type GraphBuilder, type Value } from "../graph/builder.js";
import { type FreshName, freshFrom } from "../graph/names.js";
import type { Tensor } from "../tensor/tensor.js";
import { blockSize } from "./block-size.js";
import { blockConvolutions } from "./blocked.js";
import { denormalsAsZero } from "./denormals.js";
import { gradient } from "./gradient.js";
import type { Parameter, TrainingGraph } from "./graph.js";
import { lowerNodes } from "./lower.js";
import type { Objective } from "./objective.js";
import { readsOf } from "./variation.js";
import { productsIn, threadsFor } from "./work.js";

/** What one batch gives. The arrays are the caller's. */
interface StepResult {
  readonly loss: number;
  readonly terms: ReadonlyMap<string, number>;
  /** How much of the batch counts. */
  readonly weight: number;
  /** By parameter; none where the loss does not depend on it. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** The watched statistics of the batch, by value. */
  readonly statistics: ReadonlyMap<string, Float32Array>;
}

/** Forward and backward for batches of one set of shapes. Reads the parameters' data at every run. */
export interface CompiledStep {
  /** Parameters the loss does not depend on. */
  readonly unreached: readonly string[];
  run(batch: Batch): Promise<StepResult>;
  close(): Promise<void>;
}

/** The graph of a training step, and which of its values are what. */
export interface StepGraph {
  readonly model: ModelProto;
  /** What is fed: an input of the model, an extra or a parameter, by the name of the port it goes to. */
  readonly ports: ReadonlyMap<string, string>;
  readonly loss: string;
  readonly terms: ReadonlyMap<string, string>;
  /** Undefined where every row counts 1. */
  readonly weight: string | undefined;
  readonly gradients: ReadonlyMap<string, string>;
  readonly statistics: ReadonlyMap<string, string>;
  readonly unreached: readonly string[];
  /** Products of two numbers that the forward part sums up. */
  readonly products: number;
}

/**
 * Writes the graph of a training step: loss, its terms, the gradient of every parameter the loss depends on, and these
 * `statistics`. Extras and parameters are inputs; what no output needs is left out. Throws a UserError where no parameter is reached, or where
 * an operator on the way has no gradient.
 */
export function writeStep(
  graph: TrainingGraph,
  objective: Objective,
  parameters: readonly Parameter[],
  extras: ReadonlyMap<string, Form>,
  statistics: readonly string[] = [],
  block = 0,
): StepGraph {
  const b = createBuilder(freshNamesOf(graph));
  const float32 = ({ shape }: Parameter): Form => ({ dtype: "float32", shape });
  const ports = new Map<string, string>(graph.inputs.map(({ name }) => [name, name]));
  const declared: Value[] = [...graph.inputs];
  // extras and the objective's parameters may be called like a value of the model
  const declare = (name: string, form: Form): Value => {
    const value = { name: b.fresh(name), dtype: form.dtype, shape: form.shape };
    declared.push(value);
    ports.set(value.name, name);
    return value;
  };
  for (const parameter of parameters) {
    ports.set(parameter.name, parameter.name);
    declared.push({ name: parameter.name, ...float32(parameter) });
  }
  const own = new Map(objective.parameters.map((one) => [one.name, declare(one.name, float32(one))]));
  const brought = new Map([...extras].map(([name, form]) => [name, declare(name, form)]));
  for (const name of objective.watches) {
    if (!graph.values.has(name)) throw new UserError(`the model has no value "${name}", which the loss looks at`);
  }
  const known: TrainingGraph = {
    ...graph,
    values: new Map([...graph.values, ...declared.map((one) => [one.name, one] as const)]),
  };
  const { loss, terms, weight } = objective.build({ b, graph: known, extras: brought, parameters: own });
  if (loss.shape.length > 0 || loss.dtype !== "float32") throw new Error("the loss is no float32 scalar");

  const wrt = new Map<string, string>([
    ...parameters.filter(({ kind }) => kind !== "statistic").map(({ name }) => [name, name] as const),
    ...[...own].map(([name, value]) => [name, value.name] as const),
  ]);
  const found = gradient(known, loss, wrt.values(), b);
  const reached = [...wrt].flatMap(([name, value]) => {
    const of = found.get(value);
    return of ? [[name, of] as const] : [];
  });
  if (reached.length === 0) throw new UserError("the loss depends on no weight that trains");
  const made = new Set([...graph.nodes, ...b.nodes].flatMap(({ output }) => output));
  const out = (value: Value): Value => (made.has(value.name) ? value : b.map("Identity", value));
  const scalarOut = (value: Value): Value => out(b.cast(value, "float32"));
  const lossOut = scalarOut(loss);
  const termsOut = [...terms].map(([name, value]) => [name, scalarOut(value)] as const);
  const weightOut = weight && scalarOut(weight);
  const gradientsOut = reached.map(([name, value]) => [name, out(value)] as const);
  const statisticsOut = statistics.map((name) => [name, out(known.values.get(name)!)] as const);
  const outputs = [
    lossOut,
    ...(weightOut ? [weightOut] : []),
    ...[...termsOut, ...gradientsOut, ...statisticsOut].map(([, value]) => value),
  ];
  const names = (list: readonly (readonly [string, Value])[]) =>
    new Map(list.map(([name, value]) => [name, value.name]));
  const { model, used } = assembleNeeded(known, b, declared, outputs, block);
  return {
    model,
    ports: new Map([...ports].filter(([port]) => used.has(port))),
    loss: lossOut.name,
    terms: names(termsOut),
    weight: weightOut?.name,
    gradients: names(gradientsOut),
    statistics: names(statisticsOut),
    unreached: [...wrt.keys()].filter((name) => !found.get(wrt.get(name)!)),
    products: productsIn(graph),
  };
}

/** A model of what the outputs need. */
function assembleNeeded(
  graph: TrainingGraph,
  b: GraphBuilder,
  declared: readonly Value[],
  outputs: readonly Value[],
  block: number,
): { readonly model: ModelProto; readonly used: ReadonlySet<string> } {
  const used = new Set(outputs.map(({ name }) => name));
  const nodes: NodeProto[] = [];
  for (const node of [...graph.nodes, ...b.nodes].reverse()) {
    if (!node.output.some((name) => used.has(name))) continue;
    nodes.push(node);
    for (const name of readsOf(node)) used.add(name);
  }
  const constants = [...graph.constants]
    .filter(([name]) => used.has(name))
    .map(([name, tensor]) => makeTensor(name, tensor));
  const fed = new Set(declared.map(({ name }) => name));
  const formOf = (name: string) => graph.values.get(name) ?? b.values.get(name);
  const wanted = new Set(outputs.map(({ name }) => name));
  const lowered = lowerNodes(nodes.reverse(), formOf, b.fresh);
  const laidOut =
    block > 0
      ? blockConvolutions(lowered.nodes, formOf, wanted, b.fresh, block)
      : { nodes: lowered.nodes, initializers: [] };
  const model = assembleModel({
    nodes: laidOut.nodes,
    initializers: [
      ...lowered.initializers,
      ...laidOut.initializers,
      ...constants.filter(({ name }) => !fed.has(name)),
      ...b.initializers.filter(({ name }) => used.has(name)),
    ],
    inputs: declared.filter(({ name }) => used.has(name)),
    outputs: [...new Map(outputs.map((value) => [value.name, value])).values()],
    name: "training step",
  });
  return { model, used };
}

/** Names that nothing in the graph has. */
function freshNamesOf(graph: TrainingGraph): FreshName {
  const taken = new Set<string>([...graph.values.keys(), ...graph.constants.keys()]);
  for (const node of graph.nodes) for (const name of [node.name, ...node.input, ...node.output]) taken.add(name);
  return freshFrom(taken);
}

export interface StepSettings {
  /** At most; small steps run in one. */
  readonly threads: number;
  /** Values of the graph that are wanted beside: statistics of the batch. */
  readonly statistics?: readonly string[];
}

/** A training step for batches of the shapes of `sample`, ready to run. */
export async function compileStep(
  graph: TrainingGraph,
  objective: Objective,
  parameters: readonly Parameter[],
  sample: Batch,
  settings: StepSettings,
): Promise<CompiledStep> {
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const extras = new Map([...sample].filter(([name]) => !inputs.has(name)));
  const step = writeStep(graph, objective, parameters, extras, settings.statistics, await blockSize());
  const threads = threadsFor(step.products, settings.threads);
  const all = new Map([...parameters, ...objective.parameters].map((one) => [one.name, one]));
  const fixed = new Map<string, Tensor>();
  const varying: (readonly [port: string, name: string])[] = [];
  for (const [port, name] of step.ports) {
    const parameter = all.get(name);
    if (parameter && !sample.has(name))
      fixed.set(port, { dtype: "float32", shape: parameter.shape, data: parameter.data });
    else varying.push([port, name]);
  }
  const session = await openSession(encodeModel(step.model), {
    threads,
    config: {
      ...denormalsAsZero,
      // threads that wait for each other's parts of thousands of short nodes are woken too slowly; none spins between runs
      ...(threads > 1 ? { "session.intra_op.allow_spinning": "1", "session.force_spinning_stop": "1" } : {}),
    },
    // memory that is reused as it becomes free stays in the cache, and the first run has taken what it needs already
    memoryPattern: false,
    fixed,
  });
  const rows = sample.values().next().value?.shape[0] ?? 1;
  return {
    unreached: step.unreached,
    async run(batch) {
      const results = await session.run(new Map(varying.map(([port, name]) => [port, batch.get(name)!])));
      const floats = (name: string) => results.get(name)!.data as Float32Array;
      const read = (names: ReadonlyMap<string, string>) =>
        new Map([...names].map(([name, value]) => [name, floats(value)]));
      return {
        loss: floats(step.loss)[0]!,
        terms: new Map([...step.terms].map(([name, value]) => [name, floats(value)[0]!])),
        weight: step.weight === undefined ? rows : floats(step.weight)[0]!,
        gradients: read(step.gradients),
        statistics: read(step.statistics),
      };
    },
    close: () => session.close(),
  };
}
