import { create } from "@bufbuild/protobuf";
import { AttributeProto_AttributeType, AttributeProtoSchema, GraphProtoSchema } from "onnx-buf";
import type { ModelProto, NodeProto, TensorProto, ValueInfoProto } from "../../../src/formats/onnx.js";
import { assembleModel, type Port, portInfo } from "../../../src/graph/assemble.js";
import type { Form } from "../../../src/graph/builder.js";
import { createBuilder, type GraphBuilder, type Value } from "../../../src/graph/builder.js";
import { freshFrom } from "../../../src/graph/names.js";
import { makeNode } from "../../../src/graph/node.js";
import type { Parameter } from "../../../src/train/graph.js";
import type { OptimizerSettings } from "../../../src/train/task.js";

/** A tensor that trains in a graph, and the value that is its gradient. */
export interface Trained {
  readonly decays: boolean;
  readonly shape: readonly number[];
  readonly port: string;
  readonly gradient: string;
  /** The parameters whose elements it holds, one after another. */
  readonly members: readonly Parameter[];
}

/** The graph of a step with what trains in it. */
export interface TrainedGraph {
  readonly model: ModelProto;
  readonly tensors: readonly Trained[];
}

const floats = (name: string, shape: readonly number[]): Value => ({ name, dtype: "float32", shape });
const sizeOf = ({ data }: Parameter) => data.length;

/** Writes nodes of names that the graph does not have. */
function builderFor(model: ModelProto): GraphBuilder {
  const graph = model.graph!;
  const taken = new Set([...graph.input, ...graph.initializer, ...graph.output].map(({ name }) => name));
  for (const node of graph.node) for (const name of [node.name, ...node.input, ...node.output]) taken.add(name);
  return createBuilder(freshFrom(taken));
}

/** A model of other contents, with the operator sets it had. */
function rewritten(
  { opsetImport }: ModelProto,
  parts: {
    readonly nodes: readonly NodeProto[];
    readonly initializers: readonly TensorProto[];
    readonly inputs: readonly ValueInfoProto[];
    readonly outputs: readonly ValueInfoProto[];
  },
): ModelProto {
  const model = assembleModel({ nodes: parts.nodes, initializers: parts.initializers, inputs: [], outputs: [] });
  model.opsetImport = opsetImport;
  model.graph!.input = [...parts.inputs];
  model.graph!.output = [...parts.outputs];
  return model;
}

/**
 * The same step over one vector of all weights that decay and one of the others: so few arrays go in and out, and so few
 * nodes update them, that what each costs hardly counts.
 */
export function flattened({ model, tensors }: TrainedGraph): TrainedGraph {
  const b = builderFor(model);
  const graph = model.graph!;
  const groups = [true, false]
    .map((decays) => ({ decays, parts: tensors.filter((one) => one.decays === decays) }))
    .filter(({ parts }) => parts.length > 0)
    .map(({ decays, parts }) => {
      const members = parts.flatMap((one) => one.members);
      const length = members.reduce((sum, one) => sum + sizeOf(one), 0);
      return { decays, parts, members, all: floats(b.fresh("weights"), [length]) };
    });
  for (const { parts, members, all } of groups) {
    for (const [at, piece] of b.split(all, members.map(sizeOf), 0).entries()) {
      const { port, shape } = parts[at]!;
      b.node("Reshape", [piece, b.ints(shape)], [floats(port, shape)], {}, { names: [port] });
    }
  }
  const before = b.nodes.length;
  const made = groups.map(({ decays, parts, members, all }) => {
    const pieces = parts.map(({ gradient, shape }, at) => b.reshape(floats(gradient, shape), [sizeOf(members[at]!)]));
    return { decays, shape: all.shape, port: all.name, gradient: b.concat(pieces, 0).name, members };
  });
  const apart = new Set(tensors.flatMap(({ port, gradient }) => [port, gradient]));
  const ports = (name: (one: Trained) => string) => made.map((one) => portInfo(floats(name(one), one.shape)));
  return {
    model: rewritten(model, {
      nodes: [...b.nodes.slice(0, before), ...graph.node, ...b.nodes.slice(before)],
      initializers: [...graph.initializer, ...b.initializers],
      inputs: [...graph.input.filter(({ name }) => !apart.has(name)), ...ports(({ port }) => port)],
      outputs: [...graph.output.filter(({ name }) => !apart.has(name)), ...ports(({ gradient }) => gradient)],
    }),
    tensors: made,
  };
}

/** An array that goes into a step and comes out of it. */
export interface State {
  readonly kind: "weights" | "first" | "second";
  readonly of: Trained;
  readonly into: string;
  readonly out: string;
}

/** A graph whose weights and moments go in and come out. */
export interface UpdatingGraph {
  readonly model: ModelProto;
  /** float32: the global norm of the gradient before clipping. */
  readonly norm: string;
  /** float32 [3]: what `updateNumbers` gives. */
  readonly numbers: string;
  readonly states: readonly State[];
}

/** What of the settings is part of the graph. */
export interface UpdateRules {
  readonly optimizer: OptimizerSettings;
  readonly clipNorm: number;
}

/** What a graph is told of step number `step`, from 1: its rate, the correction of second moments, what weights keep. */
export function updateNumbers(
  { optimizer, weightDecay }: { readonly optimizer: OptimizerSettings; readonly weightDecay: number },
  rate: number,
  step: number,
): readonly [rate: number, correction: number, keep: number] {
  const keep = 1 - rate * weightDecay;
  if (optimizer.kind === "sgd") return [rate, 1, keep];
  return [rate / (1 - optimizer.beta1 ** step), 1 / Math.sqrt(1 - optimizer.beta2 ** step), keep];
}

/**
 * The step with its update, operation by operation as src/tensor/kernels/optimizer-reference.ts has it; the norm alone is
 * summed up in float32 here.
 */
export function withUpdate({ model, tensors }: TrainedGraph, { optimizer, clipNorm }: UpdateRules): UpdatingGraph {
  const b = builderFor(model);
  const numbers = floats(b.fresh("numbers"), [3]);
  const [rate, correction, keep] = b.split(numbers, [1, 1, 1], 0) as unknown as readonly [Value, Value, Value];
  const gradients = tensors.map(({ gradient, shape }) => floats(gradient, shape));
  const squares = gradients.map((one) => b.reduce("ReduceSumSquare", one, undefined, false));
  const norm = b.map("Sqrt", squares.length === 1 ? squares[0]! : b.op("Sum", squares, squares[0]!));
  // as torch.nn.utils.clip_grad_norm_
  const share = clipNorm > 0 && b.binary("Min", b.div(clipNorm, b.add(norm, 1e-6)), 1);
  const states: State[] = [];
  for (const [at, of] of tensors.entries()) {
    const state = (kind: State["kind"], write: (before: Value) => Value): Value => {
      const before = kind === "weights" ? floats(of.port, of.shape) : floats(b.fresh(kind), of.shape);
      const after = write(before);
      states.push({ kind, of, into: before.name, out: after.name });
      return after;
    };
    const gradient = share ? b.mul(gradients[at]!, share) : gradients[at]!;
    const written = moved(b, optimizer, gradient, correction, state);
    state("weights", (p) => b.sub(of.decays ? b.mul(p, keep) : p, b.mul(written, rate)));
  }
  const graph = model.graph!;
  const apart = new Set(tensors.map(({ gradient }) => gradient));
  const moments = states.filter(({ kind }) => kind !== "weights");
  return {
    model: rewritten(model, {
      nodes: [...graph.node, ...b.nodes],
      initializers: [...graph.initializer, ...b.initializers],
      inputs: [...graph.input, portInfo(numbers), ...moments.map(({ into, of }) => portInfo(floats(into, of.shape)))],
      outputs: [
        ...graph.output.filter(({ name }) => !apart.has(name)),
        portInfo(norm),
        ...states.map(({ out, of }) => portInfo(floats(out, of.shape))),
      ],
    }),
    norm: norm.name,
    numbers: numbers.name,
    states,
  };
}

/** By how much a weight goes down, at a rate of 1. */
function moved(
  b: GraphBuilder,
  optimizer: OptimizerSettings,
  gradient: Value,
  correction: Value,
  state: (kind: "first" | "second", write: (before: Value) => Value) => Value,
): Value {
  if (optimizer.kind === "sgd") {
    const { momentum, nesterov } = optimizer;
    if (momentum === 0) return gradient;
    const mean = state("first", (m) => b.add(b.mul(m, momentum), gradient));
    return nesterov ? b.add(gradient, b.mul(mean, momentum)) : mean;
  }
  const { beta1, beta2, epsilon } = optimizer;
  const mean = state("first", (m) => b.add(m, b.mul(b.sub(gradient, m), 1 - beta1)));
  const square = state("second", (v) => b.add(b.mul(v, beta2), b.mul(b.mul(gradient, gradient), 1 - beta2)));
  return b.div(mean, b.add(b.mul(b.map("Sqrt", square), correction), epsilon));
}

/** Several steps in one run. */
export interface LoopedGraph {
  readonly model: ModelProto;
  /** int64 scalar: how many. */
  readonly turns: string;
  /** What is fed for all steps, one more axis before, by what it is for one. */
  readonly stacked: ReadonlyMap<string, string>;
  /** What each step gives, one more axis before, in the order it was asked for. */
  readonly seen: readonly string[];
  readonly states: readonly State[];
}

/**
 * The step as the body of a Loop: weights and moments go from turn to turn inside onnxruntime, what a batch feeds is
 * gathered from what is fed for all, and the `seen` scalars are lined up.
 */
export function looped(
  { model, numbers, states }: UpdatingGraph,
  fed: ReadonlyMap<string, Form>,
  seen: readonly string[],
): LoopedGraph {
  const { fresh } = builderFor(model);
  const inner = model.graph!;
  const [turns, turn, go, goOn] = [fresh("turns"), fresh("turn"), fresh("go"), fresh("go_on")];
  const forms = new Map<string, Form>([[numbers, floats(numbers, [3])], ...fed]);
  const stacked = new Map([...forms.keys()].map((name) => [name, fresh(`${name}_all`)]));
  const port = (name: string, dtype: Port["dtype"], shape: Port["shape"] = []) => portInfo({ name, dtype, shape });
  const outer = states.map((state) => ({ ...state, into: fresh(state.into), out: fresh(state.out) }));
  const lined = seen.map((name) => fresh(`${name}_all`));
  const statePorts = (list: readonly State[], name: "into" | "out") =>
    list.map((state) => port(state[name], "float32", state.of.shape));
  const body = create(GraphProtoSchema, {
    name: "step",
    node: [
      makeNode("Identity", fresh("go_node"), [go], [goOn]),
      ...[...stacked].map(([name, all]) => makeNode("Gather", fresh("gather_node"), [all, turn], [name], { axis: 0 })),
      ...inner.node,
    ],
    input: [port(turn, "int64"), port(go, "bool"), ...statePorts(states, "into")],
    output: [port(goOn, "bool"), ...statePorts(states, "out"), ...seen.map((name) => port(name, "float32"))],
  });
  const outputs = [...outer.map(({ out }) => out), ...lined];
  const loop = makeNode("Loop", fresh("loop"), [turns, "", ...outer.map(({ into }) => into)], outputs);
  loop.attribute.push(
    create(AttributeProtoSchema, { name: "body", type: AttributeProto_AttributeType.GRAPH, g: body }),
  );
  return {
    model: rewritten(model, {
      nodes: [loop],
      initializers: inner.initializer,
      inputs: [
        port(turns, "int64"),
        ...[...forms].map(([name, { dtype, shape }]) => port(stacked.get(name)!, dtype, ["steps", ...shape])),
        ...statePorts(outer, "into"),
      ],
      outputs: [...statePorts(outer, "out"), ...lined.map((name) => port(name, "float32", ["steps"]))],
    }),
    turns,
    stacked,
    seen: lined,
    states: outer,
  };
}
