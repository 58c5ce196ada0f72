import { type ModelProto, type NodeProto, type ReadExternal, readTensor, tensorInfo } from "../formats/onnx.js";
import { onnxType } from "../formats/onnx-types.js";
import { freshNames } from "../graph/names.js";
import { floatAttribute, intAttribute, makeNode, removeAttributes } from "../graph/node.js";
import { viewModel } from "../graph/scope.js";
import { type StoreBytes, storedTensor } from "../graph/stored.js";
import { castTensor } from "../tensor/cast.js";
import { numbersOf } from "../tensor/numbers.js";
import { type DType, elementCount } from "../tensor/tensor.js";
import { operatorOf } from "./node-names.js";

/** A node whose output can be scaled and shifted, index by index of one axis, by what it has stored. */
export interface AffineLayer {
  readonly node: NodeProto;
  /** The node's output as it was found, by which it is known in the model before. */
  readonly made: string;
  /** What is scaled and shifted: that, or the output of the Add that is its bias. */
  readonly output: string;
  readonly axis: "channels" | "last";
  /** Indices of the axis. */
  readonly size: number;
  /** Not where others read the same weight. */
  readonly canScale: boolean;
  readonly canShift: boolean;
}

/** Edits layers of a model in place; its tensors are replaced, never changed. */
export interface AffineEditor {
  /** In the order of the graph; those of nested graphs are left alone. */
  readonly layers: readonly AffineLayer[];
  /** y becomes scale * y + shift, each with one number an index; undefined for no scale, or no shift. */
  change(layer: AffineLayer, scale: Float64Array | undefined, shift: Float64Array | undefined): void;
  /** Scales y without its bias. */
  scaleWeight(layer: AffineLayer, scale: Float64Array): void;
}

/** By which axis of its second input an operator makes which axis, and where its bias is. */
interface Kind {
  readonly ranks: readonly number[];
  weightAxis(node: NodeProto): number;
  /** `input`: the third input, which may be left out where `optional`; `add`: an Add behind it. */
  readonly bias: "input" | "optional" | "add" | "none";
  readonly axis: AffineLayer["axis"];
}

const convolved = [3, 4, 5];
const first = () => 0;

const kinds: Readonly<Record<string, Kind>> = {
  Conv: { ranks: convolved, weightAxis: first, bias: "optional", axis: "channels" },
  ConvTranspose: { ranks: convolved, weightAxis: () => 1, bias: "optional", axis: "channels" },
  Gemm: { ranks: [2], weightAxis: (node) => (intAttribute(node, "transB", 0) ? 0 : 1), bias: "optional", axis: "last" },
  MatMul: { ranks: [2], weightAxis: () => 1, bias: "add", axis: "last" },
  BatchNormalization: { ranks: [1], weightAxis: first, bias: "input", axis: "channels" },
  // before opset 21 it has one scale a group, which no channel is as long as
  GroupNormalization: { ranks: [1], weightAxis: first, bias: "input", axis: "channels" },
  InstanceNormalization: { ranks: [1], weightAxis: first, bias: "input", axis: "channels" },
  LayerNormalization: { ranks: [1], weightAxis: first, bias: "optional", axis: "last" },
  RMSNormalization: { ranks: [1], weightAxis: first, bias: "none", axis: "last" },
  SimplifiedLayerNormalization: { ranks: [1], weightAxis: first, bias: "none", axis: "last" },
};

/** A stored input of a node. */
interface Slot {
  readonly node: NodeProto;
  readonly input: number;
}

interface Known {
  readonly layer: AffineLayer;
  readonly kind: Kind;
  readonly dtype: DType;
  /** Undefined while there is none. */
  bias: Slot | undefined;
}

const floats: ReadonlySet<DType> = new Set<DType>(["float32", "float16", "float64"]);

/** Finds what can be edited of a model, which nobody else may change meanwhile. */
export function createAffineEditor(
  model: ModelProto,
  readExternal: ReadExternal,
  store: StoreBytes | undefined,
): AffineEditor {
  const graph = model.graph!;
  const view = viewModel(model);
  const fresh = freshNames(model);
  const stored = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const outputs = new Set(graph.output.map(({ name }) => name));
  /** Tensors that one node alone reads, since they were made for it. */
  const own = new Set<string>();

  /** Shape of a stored tensor of floats that nobody outside can replace. */
  const shapeOf = (name: string | undefined): readonly number[] | undefined => {
    const tensor = name ? stored.get(name) : undefined;
    if (!tensor || view.root.inputs.has(name!)) return undefined;
    return floats.has(dtypeOf(name!)!) ? tensorInfo(tensor).shape : undefined;
  };
  const dtypeOf = (name: string) => onnxType(stored.get(name)!.dataType)?.dtype;
  const readers = (name: string) => view.usesOf(view.root, name).length;

  /** The Add that does nothing but give a product its bias. */
  const addBehind = (node: NodeProto, size: number): Slot | undefined => {
    const [use, ...others] = view.usesOf(view.root, node.output[0]!);
    if (!use || others.length > 0 || outputs.has(node.output[0]!)) return undefined;
    if (operatorOf(use.node) !== "Add" || use.scope !== view.root) return undefined;
    const shape = shapeOf(use.node.input[1 - use.input]);
    const fits = shape && elementCount(shape) === size && shape.at(-1) === size;
    return fits ? { node: use.node, input: 1 - use.input } : undefined;
  };

  const find = (node: NodeProto): Known | undefined => {
    const kind = kinds[operatorOf(node)];
    const weight = node.input[1];
    const shape = kind && shapeOf(weight);
    if (!kind || !shape?.length || !kind.ranks.includes(shape.length)) return undefined;
    // each group has weights of its own for its part of the channels
    if (node.opType === "ConvTranspose" && intAttribute(node, "group", 1) !== 1) return undefined;
    const size = shape[kind.weightAxis(node)]!;
    const given = node.input[2] ?? "";
    let bias: Slot | undefined;
    if (kind.bias === "add") bias = addBehind(node, size);
    else if (kind.bias !== "none" && given) {
      const elements = elementCount(shapeOf(given) ?? [0]);
      if (elements !== size && !(node.opType === "Gemm" && elements === 1)) return undefined;
      bias = { node, input: 2 };
    } else if (kind.bias === "input") return undefined;
    const made = node.output[0]!;
    const layer: AffineLayer = {
      node,
      made,
      output: kind.bias === "add" && bias ? bias.node.output[0]! : made,
      axis: kind.axis,
      size,
      canScale: readers(weight!) === 1,
      canShift: kind.bias !== "none",
    };
    return { layer, kind, dtype: dtypeOf(weight!)!, bias };
  };

  const read = ({ node, input }: Slot) => {
    const tensor = readTensor(stored.get(node.input[input]!)!, readExternal);
    return { shape: tensor.shape, numbers: numbersOf(tensor) };
  };

  /** Gives a node a tensor in the place of one it has, or of one it lacks. */
  const write = (
    slot: Slot,
    shape: readonly number[],
    numbers: Float32Array<ArrayBuffer>,
    { dtype, layer }: Known,
  ): void => {
    const before = slot.node.input[slot.input] ?? "";
    const isOwn = before !== "" && (own.has(before) || readers(before) === 1);
    const name = isOwn ? before : fresh(before || `${layer.output}_bias`);
    const tensor = castTensor({ dtype: "float32", shape, data: numbers }, dtype);
    if (!tensor) throw new Error(`${name} cannot be stored as ${dtype}`);
    const proto = storedTensor(name, tensor, store);
    stored.set(name, proto);
    own.add(name);
    if (isOwn) graph.initializer = graph.initializer.map((one) => (one.name === name ? proto : one));
    else graph.initializer.push(proto);
    while (slot.node.input.length <= slot.input) slot.node.input.push("");
    slot.node.input[slot.input] = name;
  };

  const scaleWeight = (known: Known, scale: Float64Array): void => {
    const { layer, kind } = known;
    const slot = { node: layer.node, input: 1 };
    const { shape, numbers } = read(slot);
    const inner = elementCount(shape.slice(kind.weightAxis(layer.node) + 1));
    const scaled = Float32Array.from(numbers, (value, at) => value * scale[Math.floor(at / inner) % layer.size]!);
    write(slot, shape, scaled, known);
  };

  const moveBias = (known: Known, scale: Float64Array | undefined, shift: Float64Array | undefined): void => {
    const { layer, kind, bias } = known;
    if (!bias && !shift) return;
    const before = bias && read(bias);
    const { node } = layer;
    const beta = node.opType === "Gemm" && bias ? floatAttribute(node, "beta", 1) : 1;
    const numbers = Float32Array.from({ length: layer.size }, (_, at) => {
      const old = before ? beta * before.numbers[before.numbers.length === 1 ? 0 : at]! : 0;
      return old * (scale?.[at] ?? 1) + (shift?.[at] ?? 0);
    });
    if (node.opType === "Gemm") removeAttributes(node, "beta");
    if (!bias) known.bias = kind.bias === "add" ? makeAdd(node) : { node, input: 2 };
    const shape = before && before.numbers.length === layer.size ? before.shape : [layer.size];
    write(known.bias!, shape, numbers, known);
  };

  /** An Add that takes over the name of what a node makes. */
  const makeAdd = (node: NodeProto): Slot => {
    const made = node.output[0]!;
    node.output[0] = fresh(`${made}_unshifted`);
    const add = makeNode("Add", "", [node.output[0]], [made]);
    graph.node.splice(graph.node.indexOf(node) + 1, 0, add);
    return { node: add, input: 1 };
  };

  const known = new Map(graph.node.flatMap((node) => find(node) ?? []).map((one) => [one.layer, one]));
  return {
    layers: [...known.keys()],
    change(layer, scale, shift) {
      const one = known.get(layer)!;
      if (scale) scaleWeight(one, scale);
      if (scale || shift) moveBias(one, scale, shift);
    },
    scaleWeight: (layer, scale) => scaleWeight(known.get(layer)!, scale),
  };
}
