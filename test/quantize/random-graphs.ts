import { create } from "@bufbuild/protobuf";
import { FunctionProtoSchema, OperatorSetIdProtoSchema } from "onnx-buf";
import {
  decodeModel,
  encodeModel,
  type ModelProto,
  makeTensor,
  type NodeProto,
  type TensorProto,
} from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { halfBits } from "../../src/tensor/numbers.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import { constant, makeGraph, makeModel, type Value, withGraphs } from "../onnx-model.js";

// Long because it draws every operator that has weights, in every way exporters write them.

/** A model drawn from a seed, and inputs for it. */
export interface RandomModel {
  readonly model: ModelProto;
  readonly feeds: ReadonlyMap<string, Tensor>;
  readonly opset: number;
  /** What was drawn, for messages. */
  readonly layers: readonly string[];
  /** How far the runtime's own rewrites may round: models of float16. */
  readonly half: boolean;
}

/** Seeded numbers in [0, 1). */
export type Random = () => number;

export function randomOf(seed: number): Random {
  let state = Math.imul(seed + 1, 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]!;
}

type Attributes = Parameters<typeof makeNode>[4];

/** A graph in the making; `shape` is that of the last value. */
interface Draft {
  readonly nodes: NodeProto[];
  readonly initializers: TensorProto[];
  value: string;
  shape: readonly number[];
}

interface World {
  readonly random: Random;
  readonly opset: number;
  readonly dtype: "float32" | "float16";
  readonly layers: string[];
  /** Weights that later layers may share, by their shape. */
  readonly known: Map<string, string>;
  readonly inputs: Value[];
  readonly main: Draft;
  count: number;
  conditional: boolean;
}

const chance = (world: World, share: number) => world.random() < share;
const between = (world: World, least: number, most: number) => least + Math.floor(world.random() * (most - least + 1));

function named(world: World, part: string): string {
  world.count += 1;
  return `${part}${world.count}`;
}

function put(
  world: World,
  draft: Draft,
  opType: string,
  inputs: readonly string[],
  attributes: Attributes = {},
): string {
  const output = named(world, "v");
  draft.nodes.push(makeNode(opType, chance(world, 0.8) ? named(world, "n") : "", inputs, [output], attributes));
  return output;
}

function tensorOf(world: World, name: string, shape: readonly number[], spread: number, middle = 0): TensorProto {
  const values = Array.from({ length: elementCount(shape) }, () => {
    const { random } = world;
    return middle + (random() + random() + random() - 1.5) * spread;
  });
  if (world.dtype === "float16")
    return makeTensor(name, { dtype: "float16", shape, data: Uint16Array.from(values, halfBits) });
  return makeTensor(name, { dtype: "float32", shape, data: Float32Array.from(values) });
}

/** A constant as exporters write one: an initializer, a Constant node, behind Identity, Transpose, Cast or Reshape, or shared. */
function weight(world: World, draft: Draft, shape: readonly number[], depth: number): string {
  const key = `${shape}`;
  const known = world.known.get(key);
  if (known && chance(world, 0.5)) {
    world.layers.push("(tied)");
    return known;
  }
  // weights of a body may stand in the main graph
  const holder = draft !== world.main && chance(world, 0.4) ? world.main : draft;
  const name = named(world, chance(world, 0.1) ? "weird name/:\u00e9 " : "w");
  const spread = 1.5 / Math.sqrt(Math.max(1, depth));
  const store = (tensor: TensorProto) => {
    if (chance(world, 0.2)) {
      const node = constant(tensor);
      if (holder === world.main) holder.nodes.unshift(node);
      else holder.nodes.push(node);
    } else holder.initializers.push(tensor);
    return tensor.name;
  };
  const tensor = tensorOf(world, name, shape, spread);
  if (chance(world, 0.06) && shape.length > 1) {
    // a channel of zeros, one of large values
    const data = tensor.rawData;
    data.fill(0, 0, Math.floor(data.length / shape[0]!));
  }
  if (holder === draft && holder === world.main) {
    const how = world.random();
    if (how < 0.08) return put(world, draft, "Identity", [store(tensor)]);
    if (how < 0.14 && shape.length === 2) {
      const turned = tensorOf(world, name, [shape[1]!, shape[0]!], spread);
      return put(world, draft, "Transpose", [store(turned)], { perm: [1, 0] });
    }
    if (how < 0.2) {
      const flat = tensorOf(world, name, [elementCount(shape)], spread);
      return put(world, draft, "Reshape", [store(flat), ints(world, draft, shape)]);
    }
    if (how < 0.25 && world.dtype === "float32") {
      const half = tensorOf({ ...world, dtype: "float16" }, name, shape, spread);
      return put(world, draft, "Cast", [store(half)], { to: 1 });
    }
    if (how < 0.3) {
      holder.initializers.push(tensor);
      world.inputs.push([name, world.dtype, shape]);
      return name;
    }
  }
  store(tensor);
  if (holder === world.main) world.known.set(key, name);
  return name;
}

function bias(world: World, draft: Draft, shape: readonly number[]): string {
  const name = named(world, "b");
  draft.initializers.push(tensorOf(world, name, shape, 0.3));
  return name;
}

function ints(world: World, draft: Draft, values: readonly number[]): string {
  const name = named(world, "i");
  draft.initializers.push(
    makeTensor(name, { dtype: "int64", shape: [values.length], data: BigInt64Array.from(values, BigInt) }),
  );
  return name;
}

type Layer = (world: World, draft: Draft) => boolean;

function activation(world: World, draft: Draft): boolean {
  const { opset, dtype } = world;
  const kind = pick(world.random, [
    "Relu",
    "LeakyRelu",
    "Sigmoid",
    "Tanh",
    "Clip",
    "HardSwish",
    "HardSigmoid",
    "Softmax",
    "Elu",
  ]);
  world.layers.push(kind);
  const x = draft.value;
  if (kind === "HardSwish") {
    if (opset >= 14 && dtype === "float32") draft.value = put(world, draft, kind, [x]);
    else {
      const gate = put(world, draft, "HardSigmoid", [x], { alpha: { float: 1 / 6 } });
      draft.value = put(world, draft, "Mul", [x, gate]);
    }
  } else if (kind === "Clip") {
    if (opset < 11) draft.value = put(world, draft, kind, [x], { min: { float: 0 }, max: { float: 6 } });
    else {
      const [low, high] = [named(world, "c"), named(world, "c")];
      draft.initializers.push(tensorOf(world, low, [], 0, 0), tensorOf(world, high, [], 0, 6));
      draft.value = put(world, draft, kind, [x, low, chance(world, 0.3) ? "" : high]);
    }
  } else if (kind === "Softmax") {
    draft.value = put(world, draft, kind, [x], { axis: draft.shape.length - 1 });
  } else draft.value = put(world, draft, kind, [x]);
  return true;
}

function arithmetic(world: World, draft: Draft): boolean {
  const kind = pick(world.random, ["Add", "Mul", "Sub", "residual"]);
  world.layers.push(kind);
  if (kind === "residual") {
    const other = put(world, draft, pick(world.random, ["Relu", "Sigmoid", "Neg"]), [draft.value]);
    draft.value = put(world, draft, "Add", [draft.value, other]);
    return true;
  }
  const last = draft.shape.at(-1)!;
  const channels = draft.shape.length > 2 && chance(world, 0.5);
  const shape = channels
    ? [draft.shape[1]!, ...draft.shape.slice(2).map(() => 1)]
    : pick(world.random, [[last], [1, last], []]);
  const name = named(world, "k");
  draft.initializers.push(tensorOf(world, name, shape, 0.5, 1));
  draft.value = put(world, draft, kind, chance(world, 0.5) ? [draft.value, name] : [name, draft.value]);
  // a constant may have more axes than the value
  const rank = Math.max(draft.shape.length, shape.length);
  draft.shape = [...Array(rank - draft.shape.length).fill(1), ...draft.shape];
  return true;
}

function matMul(world: World, draft: Draft): boolean {
  const { shape } = draft;
  const depth = shape.at(-1)!;
  if (shape.length < 1 || depth > 400) return false;
  const columns = between(world, 1, 24);
  const kind = world.random();
  if (kind < 0.15 && shape.length > 1) {
    const rows = between(world, 1, 12);
    const sum = shape.at(-2)!;
    world.layers.push("MatMul left");
    draft.value = put(world, draft, "MatMul", [weight(world, draft, [rows, sum], sum), draft.value]);
    draft.shape = [...shape.slice(0, -2), rows, depth];
    return true;
  }
  const batched = kind < 0.3 && shape.length > 2;
  world.layers.push(batched ? "MatMul batched" : "MatMul");
  const sizes = batched ? [...shape.slice(0, -2), depth, columns] : [depth, columns];
  draft.value = put(world, draft, "MatMul", [draft.value, weight(world, draft, sizes, depth)]);
  draft.shape = [...shape.slice(0, -1), columns];
  if (chance(world, 0.5)) {
    const name = bias(world, draft, [columns]);
    draft.value = put(world, draft, "Add", chance(world, 0.5) ? [draft.value, name] : [name, draft.value]);
  }
  return true;
}

function gemm(world: World, draft: Draft): boolean {
  if (draft.shape.length !== 2) return false;
  const transA = chance(world, 0.2) ? 1 : 0;
  const transB = chance(world, 0.5) ? 1 : 0;
  const [rows, depth] = transA ? [draft.shape[1]!, draft.shape[0]!] : (draft.shape as [number, number]);
  const columns = between(world, 1, 24);
  const inputs = [draft.value, weight(world, draft, transB ? [columns, depth] : [depth, columns], depth)];
  const noBias = chance(world, 0.3) && world.opset >= 11;
  if (!noBias)
    inputs.push(bias(world, draft, pick(world.random, [[columns], [1, columns], [rows, columns], [1], [rows, 1]])));
  const attributes = {
    ...(transA || chance(world, 0.3) ? { transA } : {}),
    ...(transB || chance(world, 0.3) ? { transB } : {}),
    ...(chance(world, 0.3) ? { alpha: { float: 0.5 } } : {}),
    ...(chance(world, 0.3) ? { beta: { float: pick(world.random, [0, 2, -0.5]) } } : {}),
  };
  world.layers.push(`Gemm ${JSON.stringify(attributes)}`);
  draft.value = put(world, draft, "Gemm", inputs, attributes);
  draft.shape = [rows!, columns];
  return true;
}

function conv(world: World, draft: Draft): boolean {
  const { shape } = draft;
  if (shape.length < 3) return false;
  const [, channels] = shape as [number, number];
  const spatial = shape.slice(2);
  const groups = pick(world.random, [1, 1, channels, channels % 2 === 0 ? 2 : 1]);
  const outputs = groups * between(world, 1, groups === channels ? 2 : 6);
  const kernel = spatial.map((size) => Math.min(size, between(world, 1, 3)));
  const strides = spatial.map(() => between(world, 1, 2));
  const dilations = spatial.map((size, at) => (kernel[at]! > 1 && size > 4 ? between(world, 1, 2) : 1));
  const auto = chance(world, 0.3) && dilations.every((size) => size === 1);
  const mode = pick(world.random, ["SAME_UPPER", "SAME_LOWER", "VALID"]);
  const pads = spatial.map(() => between(world, 0, 1));
  const ends = spatial.map(() => between(world, 0, 1));
  const sizes = spatial.map((size, at) => {
    const reach = (kernel[at]! - 1) * dilations[at]! + 1;
    if (auto && mode !== "VALID") return Math.ceil(size / strides[at]!);
    return Math.floor((size + (auto ? 0 : pads[at]! + ends[at]!) - reach) / strides[at]!) + 1;
  });
  if (sizes.some((size) => size < 1)) return false;
  const depth = elementCount(kernel) * (channels / groups);
  const inputs = [draft.value, weight(world, draft, [outputs, channels / groups, ...kernel], depth)];
  if (chance(world, 0.6)) inputs.push(bias(world, draft, [outputs]));
  world.layers.push(`Conv${spatial.length}d/${groups}`);
  draft.value = put(world, draft, "Conv", inputs, {
    ...(chance(world, 0.7) ? { kernel_shape: kernel } : {}),
    strides,
    ...(auto ? { auto_pad: mode } : { pads: [...pads, ...ends], dilations }),
    ...(groups > 1 ? { group: groups } : {}),
  });
  draft.shape = [shape[0]!, outputs, ...sizes];
  return true;
}

function convTranspose(world: World, draft: Draft): boolean {
  const { shape } = draft;
  // onnxruntime has none for float16
  if (shape.length < 3 || shape.length > 4 || world.dtype === "float16") return false;
  const [, channels] = shape as [number, number];
  const spatial = shape.slice(2);
  const groups = channels % 2 === 0 && chance(world, 0.4) ? 2 : 1;
  const perGroup = between(world, 1, 4);
  const kernel = spatial.map(() => between(world, 1, 3));
  const strides = spatial.map(() => between(world, 1, 2));
  const inputs = [draft.value, weight(world, draft, [channels, perGroup, ...kernel], elementCount(kernel) * channels)];
  if (chance(world, 0.5)) inputs.push(bias(world, draft, [perGroup * groups]));
  world.layers.push(`ConvTranspose${spatial.length}d/${groups}`);
  draft.value = put(world, draft, "ConvTranspose", inputs, { kernel_shape: kernel, strides, group: groups });
  draft.shape = [shape[0]!, perGroup * groups, ...spatial.map((size, at) => (size - 1) * strides[at]! + kernel[at]!)];
  return true;
}

function pool(world: World, draft: Draft): boolean {
  const { shape } = draft;
  if (shape.length < 3) return false;
  const kind = pick(world.random, ["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"]);
  world.layers.push(kind);
  const spatial = shape.slice(2);
  if (kind.startsWith("Global")) {
    draft.value = put(world, draft, kind, [draft.value]);
    draft.shape = [...shape.slice(0, 2), ...spatial.map(() => 1)];
    return true;
  }
  const kernel = spatial.map((size) => Math.min(2, size));
  const strides = spatial.map(() => between(world, 1, 2));
  draft.value = put(world, draft, kind, [draft.value], { kernel_shape: kernel, strides });
  draft.shape = [
    ...shape.slice(0, 2),
    ...spatial.map((size, at) => Math.floor((size - kernel[at]!) / strides[at]!) + 1),
  ];
  return true;
}

function batchNorm(world: World, draft: Draft): boolean {
  const { shape } = draft;
  if (shape.length < 2 || world.dtype === "float16") return false;
  const channels = shape[1]!;
  world.layers.push("BatchNormalization");
  const names = ["scale", "shift", "mean", "var"].map((part) => named(world, part));
  names.forEach(
    (name, at) => void draft.initializers.push(tensorOf(world, name, [channels], 0.5, at % 3 === 0 ? 1 : 0)),
  );
  draft.value = put(world, draft, "BatchNormalization", [draft.value, ...names]);
  return true;
}

function movement(world: World, draft: Draft): boolean {
  const { shape } = draft;
  const kind = pick(world.random, ["Transpose", "Flatten", "Reshape", "Split", "Slice", "Concat", "Unsqueeze", "Pad"]);
  const x = draft.value;
  if (shape.length < 1) return false;
  const axis = between(world, 0, shape.length - 1);
  const size = shape[axis]!;
  const old = world.opset;
  if (kind === "Transpose") {
    const perm = shape.map((_, at) => at);
    if (shape.length < 2) return false;
    perm.push(...perm.splice(Math.floor(world.random() * (shape.length - 1)), 1));
    draft.value = put(world, draft, kind, [x], { perm });
    draft.shape = perm.map((at) => shape[at]!);
  } else if (kind === "Flatten") {
    if (shape.length < 2) return false;
    draft.value = put(world, draft, kind, [x], { axis: 1 });
    draft.shape = [shape[0]!, elementCount(shape.slice(1))];
  } else if (kind === "Reshape") {
    if (shape.length > 4) return false;
    const last = shape.at(-1)!;
    const cut = [6, 4, 3, 2].find((part) => last % part === 0);
    if (!cut) return false;
    draft.shape = [...shape.slice(0, -1), cut, last / cut];
    draft.value = put(world, draft, kind, [x, ints(world, draft, draft.shape)]);
  } else if (kind === "Unsqueeze") {
    if (shape.length > 3) return false;
    draft.value =
      old < 13 ? put(world, draft, kind, [x], { axes: [1] }) : put(world, draft, kind, [x, ints(world, draft, [1])]);
    draft.shape = [shape[0]!, 1, ...shape.slice(1)];
  } else if (kind === "Split") {
    if (size < 2) return false;
    const parts = [1, size - 1];
    const outputs = [named(world, "v"), named(world, "v")];
    const node =
      old < 13
        ? makeNode(kind, "", [x], outputs, { axis, split: parts })
        : makeNode(kind, "", [x, ints(world, draft, parts)], outputs, { axis });
    draft.nodes.push(node);
    if (chance(world, 0.5)) {
      draft.value = put(world, draft, "Concat", [outputs[1]!, outputs[0]!], { axis });
    } else {
      draft.value = outputs[1]!;
      draft.shape = shape.map((length, at) => (at === axis ? size - 1 : length));
    }
  } else if (kind === "Slice") {
    if (size < 2) return false;
    draft.value =
      old < 10
        ? put(world, draft, kind, [x], { axes: [axis], starts: [1], ends: [size] })
        : put(world, draft, kind, [x, ints(world, draft, [1]), ints(world, draft, [size]), ints(world, draft, [axis])]);
    draft.shape = shape.map((length, at) => (at === axis ? size - 1 : length));
  } else if (kind === "Concat") {
    if (elementCount(shape) > 1500) return false;
    const other = chance(world, 0.5) ? put(world, draft, "Relu", [x]) : bias(world, draft, shape);
    draft.value = put(world, draft, kind, [x, other], { axis });
    draft.shape = shape.map((length, at) => (at === axis ? 2 * size : length));
  } else {
    if (shape.length !== 4 || world.dtype === "float16") return false;
    const pads = [0, 0, 1, 0, 0, 0, 1, 1];
    draft.value =
      old < 11 ? put(world, draft, kind, [x], { pads }) : put(world, draft, kind, [x, ints(world, draft, pads)]);
    draft.shape = [shape[0]!, shape[1]!, shape[2]! + 2, shape[3]! + 1];
  }
  world.layers.push(kind);
  return true;
}

function recurrent(world: World, draft: Draft): boolean {
  if (draft.shape.length !== 3 || world.dtype === "float16") return false;
  const [steps, batch, width] = draft.shape as [number, number, number];
  if (steps > 16) return false;
  const opType = pick(world.random, ["LSTM", "LSTM", "GRU", "RNN"]);
  const gates = { LSTM: 4, GRU: 3, RNN: 1 }[opType]!;
  const direction = pick(world.random, ["forward", "reverse", "bidirectional"]);
  const directions = direction === "bidirectional" ? 2 : 1;
  const hidden = between(world, 1, 10);
  const inputs = [
    draft.value,
    weight(world, draft, [directions, gates * hidden, width], width),
    weight(world, draft, [directions, gates * hidden, hidden], hidden),
    chance(world, 0.6) ? bias(world, draft, [directions, 2 * gates * hidden]) : "",
  ];
  if (chance(world, 0.4)) {
    const lens = named(world, "lens");
    draft.initializers.push(
      makeTensor(lens, {
        dtype: "int32",
        shape: [batch],
        data: Int32Array.from({ length: batch }, () => between(world, 1, steps)),
      }),
    );
    inputs.push(lens);
  } else inputs.push("");
  if (chance(world, 0.4)) inputs.push(bias(world, draft, [directions, batch, hidden]));
  if (opType === "LSTM" && inputs.length === 6 && chance(world, 0.6)) {
    inputs.push(bias(world, draft, [directions, batch, hidden]));
    if (chance(world, 0.5)) inputs.push(bias(world, draft, [directions, 3 * hidden]));
  }
  while (inputs.at(-1) === "") inputs.pop();
  world.layers.push(`${opType} ${direction}`);
  const attributes = {
    hidden_size: hidden,
    ...(direction === "forward" && chance(world, 0.5) ? {} : { direction }),
    ...(opType === "GRU" && chance(world, 0.5) ? { linear_before_reset: 1 } : {}),
  };
  const node = makeNode(opType, "", inputs, [], attributes);
  draft.nodes.push(node);
  const output = named(world, "v");
  if (chance(world, 0.3)) {
    node.output.push("", output);
    draft.shape = [directions, batch, hidden];
    draft.value = output;
    return true;
  }
  node.output.push(output);
  const turned = put(world, draft, "Transpose", [output], { perm: [0, 2, 1, 3] });
  draft.shape = [steps, batch, directions * hidden];
  draft.value = put(world, draft, "Reshape", [turned, ints(world, draft, draft.shape)]);
  return true;
}

/** Layers that keep the shape, drawn into a body of their own. */
function body(world: World, value: string, shape: readonly number[], known: boolean): Draft {
  const draft: Draft = { nodes: [], initializers: [], value, shape };
  const width = shape.at(-1)!;
  for (let count = between(world, 1, 2); count > 0; count--) {
    draft.value = put(world, draft, "MatMul", [draft.value, weight(world, draft, [width, width], width)]);
    if (chance(world, 0.5)) draft.value = put(world, draft, "Add", [draft.value, bias(world, draft, [width])]);
    if (chance(world, 0.5)) draft.value = put(world, draft, "Tanh", [draft.value]);
  }
  if (known && chance(world, 0.3)) branches(world, draft);
  return draft;
}

function branches(world: World, draft: Draft): boolean {
  if (draft.shape.length < 2 || draft.shape.at(-1)! > 40) return false;
  world.layers.push("If");
  world.conditional = true;
  const graphs = ["then_branch", "else_branch"].map((branch) => {
    const inner = body(world, draft.value, draft.shape, world.layers.filter((layer) => layer === "If").length < 3);
    const { nodes, initializers } = inner;
    return [branch, makeGraph({ outputs: [[inner.value, world.dtype, inner.shape]], nodes, initializers })] as const;
  });
  const output = named(world, "v");
  draft.nodes.push(withGraphs(makeNode("If", named(world, "if"), ["condition"], [output]), Object.fromEntries(graphs)));
  draft.value = output;
  return true;
}

function loop(world: World, draft: Draft): boolean {
  if (draft.shape.length < 2 || draft.shape.at(-1)! > 40) return false;
  world.layers.push("Loop");
  const [step, go, state, trips, on] = ["step", "go", "state", "trips", "on"].map((part) => named(world, part)) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const inner = body(world, state, draft.shape, false);
  const same = named(world, "v");
  const graph = makeGraph({
    inputs: [
      [step, "int64", []],
      [go, "bool", []],
      [state, world.dtype, draft.shape],
    ],
    outputs: [
      [same, "bool", []],
      [inner.value, world.dtype, draft.shape],
    ],
    nodes: [...inner.nodes, makeNode("Identity", "", [go], [same])],
    initializers: inner.initializers,
  });
  draft.initializers.push(
    makeTensor(trips, { dtype: "int64", shape: [], data: BigInt64Array.of(2n) }),
    makeTensor(on, { dtype: "bool", shape: [], data: Uint8Array.of(1) }),
  );
  const output = named(world, "v");
  draft.nodes.push(
    withGraphs(makeNode("Loop", named(world, "loop"), [trips, on, draft.value], [output]), { body: graph }),
  );
  draft.value = output;
  return true;
}

function embedding(world: World, draft: Draft): boolean {
  const axis = pick(world.random, [0, 0, 0, 1, -1]);
  const table = [between(world, 2, 40), between(world, 2, 24)];
  const along = table[axis < 0 ? axis + 2 : axis]!;
  const shape = pick(world.random, [[3], [2, 3], [1, 4]]);
  const indices = named(world, "indices");
  const data = BigInt64Array.from({ length: elementCount(shape) }, () =>
    BigInt(between(world, world.opset >= 11 ? -along : 0, along - 1)),
  );
  draft.initializers.push(makeTensor(`${indices}_c`, { dtype: "int64", shape, data }));
  // not a constant for the runtime
  const zero = named(world, "zero");
  world.inputs.push([zero, "int64", shape]);
  const index = put(world, draft, "Add", [`${indices}_c`, zero]);
  world.layers.push(`Gather ${axis}`);
  const rows = put(
    world,
    draft,
    "Gather",
    [weight(world, draft, table, 1), index],
    axis === 0 && chance(world, 0.5) ? {} : { axis },
  );
  const flat = put(world, draft, "Reshape", [rows, ints(world, draft, [-1])]);
  const count = elementCount(shape) * table[axis === 0 ? 1 : 0]!;
  const total = put(world, draft, world.opset >= 13 ? "ReduceSum" : "ReduceMean", [flat], { keepdims: 1 });
  void count;
  draft.value = put(world, draft, "Add", [draft.value, total]);
  return true;
}

const layers: readonly Layer[] = [
  ...[matMul, matMul, gemm, gemm, conv, conv, conv, convTranspose, recurrent, recurrent],
  ...[
    activation,
    activation,
    arithmetic,
    arithmetic,
    pool,
    batchNorm,
    movement,
    movement,
    movement,
    branches,
    loop,
    embedding,
  ],
];

/** A function of the model's own: y = x W + x, with the weight handed in. */
function addFunction(world: World, model: ModelProto, draft: Draft): void {
  const width = draft.shape.at(-1)!;
  world.layers.push("function");
  const version = create(OperatorSetIdProtoSchema, { domain: "", version: BigInt(world.opset) });
  const nodes = [makeNode("MatMul", "m", ["a", "b"], ["h"]), makeNode("Add", "s", ["h", "a"], ["c"])];
  model.functions.push(
    create(FunctionProtoSchema, {
      name: "Own",
      domain: "own",
      input: ["a", "b"],
      output: ["c"],
      node: nodes,
      opsetImport: [version],
    }),
  );
  model.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: "own", version: 1n }));
  const output = named(world, "v");
  const call = makeNode("Own", "call", [draft.value, weight(world, draft, [width, width], width)], [output]);
  call.domain = "own";
  draft.nodes.push(call);
  draft.value = output;
}

/** Draws a model of a few layers. */
export function randomModel(seed: number): RandomModel {
  const random = randomOf(seed);
  const opset = pick(random, [9, 10, 11, 12, 13, 13, 14, 15, 16, 17, 18, 19, 20, 21]);
  const dtype = random() < 0.12 ? "float16" : "float32";
  const shape = pick<readonly number[]>(random, [
    [2, 16],
    [1, 33],
    [24],
    [3, 4, 8],
    [2, 5, 7],
    [1, 4, 8, 9],
    [2, 3, 7, 7],
    [1, 6, 5, 5],
    [1, 2, 4, 5, 4],
    [5, 1, 12],
  ]);
  const main: Draft = { nodes: [], initializers: [], value: "x", shape };
  const inputs: Value[] = [["x", dtype, shape]];
  const world: World = {
    random,
    opset,
    dtype,
    layers: [],
    known: new Map(),
    inputs,
    main,
    count: 0,
    conditional: false,
  };
  const middle: string[] = [];
  for (let count = between(world, 2, 8), tries = 0; count > 0 && tries < 60; tries++) {
    if (elementCount(main.shape) > 4000) break;
    if (!pick(random, layers)(world, main)) continue;
    count -= 1;
    if (chance(world, 0.08)) middle.push(main.value);
  }
  if (!world.layers.some((layer) => /MatMul|Gemm|Conv|LSTM|GRU|RNN|Gather/.test(layer))) {
    main.shape = [1, elementCount(main.shape)];
    main.value = put(world, main, "Reshape", [main.value, ints(world, main, main.shape)]);
    if (!gemm(world, main)) throw new Error("a matrix fits Gemm");
  }
  // before IR version 4 initializers are inputs too, which bodies of onnxruntime do not have
  const nested = world.layers.some((layer) => layer === "If" || layer === "Loop");
  const early = opset === 9 && !nested && chance(world, 0.5);
  const model = makeModel({
    opset,
    ir: early ? 3 : opset < 13 ? 6 : opset < 15 ? 7 : opset < 21 ? 8 : 10,
    outputs: [],
    nodes: [],
  });
  if (opset >= 13 && dtype === "float32" && main.shape.length > 1 && main.shape.at(-1)! < 64 && chance(world, 0.1))
    addFunction(world, model, main);
  main.nodes.push(makeNode("Identity", "last", [main.value], ["y"]));
  const outputs = [...new Set(middle)].filter((name) => name !== "x");
  if (world.conditional) inputs.push(["condition", "bool", []]);
  const graph = makeGraph({
    inputs,
    outputs: ["y", ...outputs].map((name): Value => [name, dtype, []]),
    nodes: main.nodes,
    initializers: main.initializers,
  });
  if (chance(world, 0.08)) {
    const first = main.initializers.find(({ dims }) => dims.length === 2 && !inputs.some(([name]) => name === ""));
    if (first && !inputs.some(([name]) => name === first.name))
      graph.output.push(makeGraph({ outputs: [[first.name, dtype, first.dims.map(Number)]], nodes: [] }).output[0]!);
  }
  if (early) {
    const have = new Set(inputs.map(([name]) => name));
    for (const tensor of main.initializers) {
      if (have.has(tensor.name)) continue;
      const type = ({ 1: "float32", 6: "int32", 7: "int64", 9: "bool", 10: "float16" } as const)[tensor.dataType as 1]!;
      graph.input.push(
        makeGraph({ inputs: [[tensor.name, type, tensor.dims.map(Number)]], outputs: [], nodes: [] }).input[0]!,
      );
    }
  }
  // the rank of results is the runtime's business
  for (const { name, type } of graph.output) {
    const known = main.initializers.some((tensor) => tensor.name === name);
    if (type?.value.case === "tensorType" && !known) delete (type.value.value as { shape?: unknown }).shape;
  }
  model.graph = graph;
  const held = new Set(main.initializers.map(({ name }) => name));
  const feeds = new Map(
    inputs
      .filter(([name]) => !held.has(name))
      .map(([name, type, sizes]): [string, Tensor] => {
        const of = sizes as readonly number[];
        const count = elementCount(of);
        if (type === "int64") return [name, { dtype: type, shape: of, data: new BigInt64Array(count) }];
        if (type === "bool") return [name, { dtype: type, shape: of, data: Uint8Array.of(random() < 0.5 ? 1 : 0) }];
        const values = Array.from({ length: count }, () => (random() + random() + random() - 1.5) * 2);
        if (type === "float16") return [name, { dtype: type, shape: of, data: Uint16Array.from(values, halfBits) }];
        return [name, { dtype: "float32", shape: of, data: Float32Array.from(values) }];
      }),
  );
  return {
    model: decodeModel(encodeModel(model), `seed ${seed}`),
    feeds,
    opset,
    layers: world.layers,
    half: dtype === "float16",
  };
}
