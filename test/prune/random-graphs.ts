import { uniform } from "../../src/data/random.js";
import { type ModelProto, makeTensor, type NodeProto, type TensorProto } from "../../src/formats/onnx.js";
import { type AttributeValue, makeNode } from "../../src/graph/node.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import { makeModel } from "../onnx-model.js";

/** A float value on its way through a graph: channels are axis 1 of an image, the last axis of a sequence. */
export interface Flow {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Makes nodes and weights of one graph; the same seed makes the same ones. */
export interface GraphBuilder {
  /** A node; the domain in front of the operator, as in the table of rows. Returns its first output. */
  node(operator: string, inputs: readonly string[], attributes?: Attributes): string;
  /** As `node`, with all of these outputs. */
  nodes(operator: string, inputs: readonly string[], outputs: number, attributes?: Attributes): readonly string[];
  /** Random float32 numbers around 0 with this deviation; `free` are the axes of which something can surely go. */
  weight(shape: readonly number[], deviation?: number, free?: readonly number[]): string;
  /** Random numbers around 1. */
  scale(shape: readonly number[]): string;
  number(value: number): string;
  ints(...values: readonly number[]): string;
  constant(tensor: Tensor): string;
  /** A number from 0 to below `count`. */
  pick(count: number): number;
  /** Says that what was made here keeps some channels, by what its operator is. */
  freezes(): void;
  /** Needs at least this opset. */
  since(opset: number): void;
  readonly opset: number;
  /** Another value of the same shape: an earlier one, or one made of this. */
  other(flow: Flow): Flow;
  image(flow: Flow): Flow;
  sequence(flow: Flow): Flow;
  /** The same places with other, new channels. */
  project(flow: Flow, channels: number): Flow;
}

type Attributes = Readonly<Record<string, AttributeValue>>;

/** Applies an operator somewhere in a graph. */
export type Block = (b: GraphBuilder, flow: Flow) => Flow;

export interface RandomGraph {
  readonly model: ModelProto;
  readonly feeds: ReadonlyMap<string, Tensor>;
  /** Axes of stored tensors of which something can surely go; none where an operator in it keeps channels. */
  readonly free: readonly { readonly tensor: string; readonly axis: number }[];
}

export const isImage = ({ shape }: Flow): boolean => shape.length === 4;
export const channelAxis = (flow: Flow): number => (isImage(flow) ? 1 : 2);
export const channelsOf = (flow: Flow): number => flow.shape[channelAxis(flow)]!;

/** The shape of a tensor with one number a channel that broadcasts to a flow. */
export const perChannel = (flow: Flow): readonly number[] =>
  isImage(flow) ? [channelsOf(flow), 1, 1] : [channelsOf(flow)];

/** A graph of these blocks, each applied to what was made before it. */
export function randomGraph(blocks: readonly Block[], seed: number): RandomGraph {
  const next = uniform(seed);
  const pick = (count: number) => Math.min(count - 1, Math.floor(next() * count));
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const pool: Flow[] = [];
  const free: { tensor: string; axis: number }[] = [];
  let [count, frozen, opset] = [0, false, pick(2) === 0 ? 18 : 21];
  const name = (base: string) => `${base}_${count++}`;
  const constant = (tensor: Tensor): string => {
    const made = name("c");
    initializers.push(makeTensor(made, tensor));
    return made;
  };
  const random = (shape: readonly number[], mean: number, deviation: number): Tensor => ({
    dtype: "float32",
    shape,
    data: Float32Array.from(
      { length: elementCount(shape) },
      () => mean + deviation * 2 * (next() + next() + next() - 1.5),
    ),
  });
  const b: GraphBuilder = {
    node: (operator, inputs, attributes) => b.nodes(operator, inputs, 1, attributes)[0]!,
    nodes(operator, inputs, outputs, attributes = {}) {
      const [domain, opType] = operator.includes(":") ? operator.split(":") : ["", operator];
      const made = Array.from({ length: outputs }, () => name(opType!));
      const node = makeNode(opType!, name("node"), inputs, made, attributes);
      node.domain = domain!;
      nodes.push(node);
      return made;
    },
    weight(shape, deviation = 1, axes = []) {
      const made = constant(random(shape, 0, deviation));
      free.push(...axes.map((axis) => ({ tensor: made, axis })));
      return made;
    },
    scale: (shape) => constant(random(shape, 1, 0.3)),
    number: (value) => constant({ dtype: "float32", shape: [], data: Float32Array.of(value) }),
    ints: (...values) => constant({ dtype: "int64", shape: [values.length], data: BigInt64Array.from(values, BigInt) }),
    constant,
    pick,
    freezes() {
      frozen = true;
    },
    since(needed) {
      opset = Math.max(opset, needed);
    },
    get opset() {
      return opset;
    },
    other(flow) {
      const alike = pool.filter(({ shape, name: own }) => shape.join() === flow.shape.join() && own !== flow.name);
      return alike[pick(alike.length + 1)] ?? b.project(flow, channelsOf(flow));
    },
    image(flow) {
      if (isImage(flow)) return flow;
      const [batch, length, channels] = flow.shape as [number, number, number];
      const turned = b.node("Transpose", [flow.name], { perm: [0, 2, 1] });
      if (length % 2 === 0 && pick(2) === 0) {
        const shape = [batch, channels, length / 2, 2];
        // zeros copy the size of the input
        return { name: b.node("Reshape", [turned, b.ints(0, pick(2) * channels, length / 2, 2)]), shape };
      }
      return { name: b.node("Unsqueeze", [turned, b.ints(3)]), shape: [batch, channels, length, 1] };
    },
    sequence(flow) {
      if (!isImage(flow)) return flow;
      const [batch, channels, height, width] = flow.shape as [number, number, number, number];
      const flat = b.node("Reshape", [flow.name, b.ints(batch, pick(2) === 0 ? channels : 0, height * width)]);
      return { name: b.node("Transpose", [flat], { perm: [0, 2, 1] }), shape: [batch, height * width, channels] };
    },
    project(flow, channels) {
      const from = channelsOf(flow);
      const shape = flow.shape.map((size, axis) => (axis === channelAxis(flow) ? channels : size));
      const deviation = 1 / Math.sqrt(from);
      if (!isImage(flow)) {
        const made = b.node("MatMul", [flow.name, b.weight([from, channels], deviation, [1])]);
        return { name: b.node("Add", [made, b.weight([channels], 0.2)]), shape };
      }
      const weight = b.weight([channels, from, 1, 1], deviation, [0]);
      return { name: b.node("Conv", [flow.name, weight, b.weight([channels], 0.2)]), shape };
    },
  };
  const given = pick(2) === 0 ? [2, 3, 6, 6] : [2, 8, 5];
  let flow = b.project({ name: "x", shape: given }, 8);
  pool.push(flow);
  for (const block of blocks) {
    // taken from anywhere at times; wide ones are made narrow, narrow ones wide, large ones small
    if (pick(4) === 0) flow = pool[pick(pool.length)]!;
    if (channelsOf(flow) > 32 || channelsOf(flow) < 4) flow = b.project(flow, 8);
    if (isImage(flow) && flow.shape[2]! * flow.shape[3]! > 150) {
      const [batch, channels] = flow.shape as [number, number];
      const smaller = b.node("AveragePool", [flow.name], { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 0 });
      const [height, width] = [Math.floor(flow.shape[2]! / 2), Math.floor(flow.shape[3]! / 2)];
      flow = { name: smaller, shape: [batch, channels, height, width] };
    }
    flow = block(b, flow);
    pool.push(flow);
  }
  const read = new Set(nodes.flatMap(({ input }) => input));
  const ends = pool.filter(({ name: own }) => !read.has(own)).map((end) => b.project(end, 3));
  const model = makeModel({
    opset,
    ir: 10,
    inputs: [["x", "float32", given]],
    outputs: ends.map((end) => [end.name, "float32", end.shape]),
    nodes,
    initializers,
  });
  if (nodes.some(({ domain }) => domain)) {
    const own = makeModel({ nodes: [], outputs: [], opset: 1 }).opsetImport[0]!;
    own.domain = "com.microsoft";
    model.opsetImport.push(own);
  }
  // the last projections end in the outputs
  const outputs = new Set(
    nodes.slice().flatMap((node) => (ends.some((end) => node.output[0] === end.name) ? node.input : [])),
  );
  const last = nodes.filter(({ output }) => outputs.has(output[0]!)).flatMap(({ input }) => input);
  const kept = new Set([...outputs, ...last]);
  return {
    model,
    feeds: new Map([["x", random(given, 0, 1)]]),
    free: frozen ? [] : free.filter(({ tensor }) => !kept.has(tensor)),
  };
}
