// Training steps whose update is part of the graph: the form that updates.ts holds the package's own way against. AdamW
// with the norm and the clipping of all gradients together, numbers as src/tensor/kernels/optimizer-reference.ts has them.
import { create } from "@bufbuild/protobuf";
import { AttributeProto_AttributeType, AttributeProtoSchema, GraphProtoSchema } from "onnx-buf";
import type { ModelProto } from "../../../src/formats/onnx.js";
import { assembleModel, portInfo } from "../../../src/graph/assemble.js";
import { createBuilder, type GraphBuilder, type Value } from "../../../src/graph/builder.js";
import { freshFrom } from "../../../src/graph/names.js";
import { makeNode } from "../../../src/graph/node.js";
import type { Parameter } from "../../../src/train/graph.js";
import type { StepGraph } from "../../../src/train/step.js";

/** A step with tensors that train, each with its gradient. */
export interface Trained {
  readonly model: ModelProto;
  readonly loss: string;
  /** What is fed by the batch, by port. */
  readonly fed: ReadonlyMap<string, string>;
  readonly tensors: readonly { readonly parameter: Parameter; readonly port: string; readonly gradient: string }[];
}

/** The step as the package writes it. */
export function trainedOf(step: StepGraph, parameters: ReadonlyMap<string, Parameter>): Trained {
  const ports = [...step.ports];
  return {
    model: step.model,
    loss: step.loss,
    fed: new Map(ports.filter(([, name]) => !parameters.has(name))),
    tensors: ports.flatMap(([port, name]) => {
      const [parameter, gradient] = [parameters.get(name), step.gradients.get(name)];
      return parameter && gradient ? [{ parameter, port, gradient }] : [];
    }),
  };
}

function builderFor({ model }: Trained): GraphBuilder {
  const graph = model.graph!;
  const taken = new Set([...graph.input, ...graph.initializer, ...graph.output].map(({ name }) => name));
  for (const node of graph.node) for (const name of [node.name, ...node.input, ...node.output]) taken.add(name);
  return createBuilder(freshFrom(taken));
}

const floats = (name: string, shape: readonly number[]): Value => ({ name, dtype: "float32", shape });

/** The same step over one vector of all weights that decay and one of the others; the vectors hold their values now. */
export function flattened(step: Trained): Trained {
  const b = builderFor(step);
  const before: (typeof b.nodes)[number][] = [];
  const groups = [true, false].flatMap((decays) => {
    const members = step.tensors.filter(({ parameter }) => (parameter.kind === "weight") === decays);
    return members.length === 0 ? [] : [{ kind: decays ? ("weight" as const) : ("bias" as const), members }];
  });
  const tensors = groups.map(({ kind, members }) => {
    const sizes = members.map(({ parameter }) => parameter.data.length);
    const length = sizes.reduce((sum, size) => sum + size, 0);
    const data = new Float32Array(length);
    let place = 0;
    for (const { parameter } of members) {
      data.set(parameter.data, place);
      place += parameter.data.length;
    }
    const all = floats(b.fresh(`all_${kind}`), [length]);
    const from = b.nodes.length;
    for (const [at, part] of b.split(all, sizes, 0).entries()) {
      const { parameter, port } = members[at]!;
      b.node("Reshape", [part, b.ints(parameter.shape)], [floats(port, parameter.shape)], {}, { names: [port] });
    }
    before.push(...b.nodes.slice(from));
    return { kind, members, all, data, length };
  });
  const beforeCount = b.nodes.length;
  const made = tensors.map(({ kind, members, all, data, length }) => {
    const parts = members.map(({ parameter, gradient }) =>
      b.reshape(floats(gradient, parameter.shape), [parameter.data.length]),
    );
    const joined = b.concat(parts, 0);
    const parameter: Parameter = { name: all.name, kind, shape: [length], data };
    return { parameter, port: all.name, gradient: joined.name, all, joined };
  });
  const graph = step.model.graph!;
  const gone = new Set(step.tensors.map(({ port }) => port));
  const model = assembleModel({ nodes: [], initializers: [], inputs: [], outputs: [] });
  model.opsetImport = step.model.opsetImport;
  model.graph = create(GraphProtoSchema, {
    name: "flat",
    node: [...before, ...graph.node, ...b.nodes.slice(beforeCount)],
    initializer: [...graph.initializer, ...b.initializers],
    input: [...graph.input.filter(({ name }) => !gone.has(name)), ...made.map(({ all }) => portInfo(all))],
    output: [...graph.output.filter(({ name }) => name === step.loss), ...made.map(({ joined }) => portInfo(joined))],
  });
  return { ...step, model, tensors: made };
}

export interface GraphUpdate {
  readonly model: ModelProto;
  readonly loss: string;
  readonly norm: string;
  /** Feed [3]: the rate by the first moment's correction, the second's correction, what weights are multiplied by. */
  readonly numbers: string;
  readonly states: readonly State[];
}

/** An array that goes in and comes out. */
export interface State {
  readonly shape: readonly number[];
  /** What it starts with: a parameter's elements, or zeros. */
  readonly start: Float32Array | undefined;
  readonly into: string;
  readonly out: string;
}

export interface AdamwSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly clipNorm: number;
}

/** The step with its update: parameters and moments are inputs and outputs. */
export function withUpdate(step: Trained, settings: AdamwSettings): GraphUpdate {
  const { beta1, beta2, epsilon, clipNorm } = settings;
  const b = builderFor(step);
  const numbers = floats(b.fresh("numbers"), [3]);
  const [rate, correction, keep] = b.split(numbers, [1, 1, 1], 0);
  const gradients = step.tensors.map(({ parameter, gradient }) => floats(gradient, parameter.shape));
  const squares = gradients.map((one) => b.reduce("ReduceSumSquare", one, undefined, false));
  const total = squares.length === 1 ? squares[0]! : b.op("Sum", squares, squares[0]!);
  const norm = b.map("Sqrt", total);
  const share = clipNorm > 0 && b.binary("Min", b.div(clipNorm, b.add(norm, 1e-6)), 1);
  const states: State[] = [];
  const ports: Value[] = [];
  for (const [at, { parameter, port }] of step.tensors.entries()) {
    const shape = parameter.shape;
    const p = floats(port, shape);
    const [m, v] = [floats(b.fresh("first"), shape), floats(b.fresh("second"), shape)];
    const gradient = share ? b.mul(gradients[at]!, share) : gradients[at]!;
    const mean = b.add(m, b.mul(b.sub(gradient, m), 1 - beta1));
    const square = b.add(b.mul(v, beta2), b.mul(b.mul(gradient, gradient), 1 - beta2));
    const size = b.add(b.mul(b.map("Sqrt", square), correction!), epsilon);
    const kept = parameter.kind === "weight" ? b.mul(p, keep!) : p;
    const next = b.sub(kept, b.mul(b.div(mean, size), rate!));
    ports.push(m, v);
    states.push(
      { shape, start: parameter.data, into: port, out: next.name },
      { shape, start: undefined, into: m.name, out: mean.name },
      { shape, start: undefined, into: v.name, out: square.name },
    );
  }
  const graph = step.model.graph!;
  const model = assembleModel({ nodes: [], initializers: [], inputs: [], outputs: [] });
  model.opsetImport = step.model.opsetImport;
  model.graph = create(GraphProtoSchema, {
    name: "step with update",
    node: [...graph.node, ...b.nodes],
    initializer: [...graph.initializer, ...b.initializers],
    input: [...graph.input, ...[numbers, ...ports].map(portInfo)],
    output: [
      ...graph.output.filter(({ name }) => name === step.loss),
      portInfo(norm),
      ...states.map(({ out, shape }) => portInfo(floats(out, shape))),
    ],
  });
  return { model, loss: step.loss, norm: norm.name, numbers: numbers.name, states };
}

/**
 * Several such steps in one run: the step is the body of a Loop, `count` of them; what batches feed and the numbers have
 * one more axis before, losses and norms come as [count].
 */
export function looped(update: GraphUpdate, fed: Iterable<string>, count: number): GraphUpdate {
  const inner = update.model.graph!;
  const infoOf = new Map(inner.input.map((info) => [info.name, info]));
  const stacked = [update.numbers, ...fed];
  const wide = (name: string) => {
    const info = structuredClone(infoOf.get(name)!);
    const type = info.type!.value;
    if (type.case !== "tensorType") throw new Error("no tensor");
    const sizes = type.value.shape!.dim.map(({ value }) => Number(value.value));
    return { elem: type.value.elemType, sizes };
  };
  const dtypes = new Map<number, "float32" | "int64">([
    [1, "float32"],
    [7, "int64"],
  ]);
  const all = (name: string) => `${name}/all`;
  const inputs = stacked.map((name) => {
    const { elem, sizes } = wide(name);
    return portInfo({ name: all(name), dtype: dtypes.get(elem)!, shape: [count, ...sizes] });
  });
  const body = create(GraphProtoSchema, {
    name: "body",
    node: [
      makeNode("Identity", "", ["go"], ["go on"]),
      ...stacked.map((name) => makeNode("Gather", "", [all(name), "turn"], [name], { axis: 0 })),
      ...inner.node,
    ],
    input: [
      portInfo({ name: "turn", dtype: "int64", shape: [] }),
      portInfo({ name: "go", dtype: "bool", shape: [] }),
      ...update.states.map(({ into, shape }) => portInfo(floats(into, shape))),
    ],
    output: [
      portInfo({ name: "go on", dtype: "bool", shape: [] }),
      ...update.states.map(({ out, shape }) => portInfo(floats(out, shape))),
      portInfo(floats(update.loss, [])),
      portInfo(floats(update.norm, [])),
    ],
  });
  const states = update.states.map((state) => ({ ...state, into: `${state.into}/in`, out: `${state.out}/out` }));
  const outs = [...states.map(({ out }) => out), "losses", "norms"];
  const loop = makeNode("Loop", "", ["turns", "", ...states.map(({ into }) => into)], outs);
  loop.attribute.push(
    create(AttributeProtoSchema, { name: "body", type: AttributeProto_AttributeType.GRAPH, g: body }),
  );
  const model = assembleModel({ nodes: [], initializers: [], inputs: [], outputs: [] });
  model.opsetImport = update.model.opsetImport;
  model.graph = create(GraphProtoSchema, {
    name: "steps",
    node: [loop],
    initializer: inner.initializer,
    input: [
      portInfo({ name: "turns", dtype: "int64", shape: [] }),
      ...inputs,
      ...states.map(({ into, shape }) => portInfo(floats(into, shape))),
    ],
    output: [
      ...states.map(({ out, shape }) => portInfo(floats(out, shape))),
      portInfo(floats("losses", [count])),
      portInfo(floats("norms", [count])),
    ],
  });
  return { model, loss: "losses", norm: "norms", numbers: all(update.numbers), states };
}
