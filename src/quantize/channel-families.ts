import { type ModelProto, type NodeProto, type TensorProto, tensorInfo } from "../formats/onnx.js";
import { intAttribute, intsAttribute, isStandard } from "../graph/node.js";
import { type ModelView, viewModel } from "../graph/scope.js";
import { elementCount } from "../tensor/tensor.js";
import { type ProductLayout, productLayout } from "./product-layout.js";

/** A constant of which every element belongs to one channel of a family: element `at` to floor(at / inner) mod channels. */
export interface FamilyPart {
  readonly node: NodeProto;
  readonly input: number;
  readonly tensor: TensorProto;
  readonly inner: number;
}

/** A weight that sums products over the channels. */
export interface FamilyReader extends ProductLayout {
  readonly node: NodeProto;
  readonly input: number;
  readonly tensor: TensorProto;
}

/**
 * Channels that may be scaled without changing what a model computes: constants that make them are divided by a factor
 * per channel, the weights that read them multiplied, and everything between passes factors on.
 */
export interface ChannelFamily {
  /** Operator that makes the channels. */
  readonly maker: NodeProto;
  /** Whether the maker sums products too, so that the first of the `makers` is its weight. */
  readonly isProduct: boolean;
  readonly channels: number;
  /** Values that get divided, with their channel axis, counted from the end. */
  readonly values: ReadonlyMap<string, number>;
  /** Constants that get divided. */
  readonly makers: readonly FamilyPart[];
  /** Weights that get multiplied. */
  readonly readers: readonly FamilyReader[];
}

/** Operators that yield s * f(x) for an input s * x with s > 0, channel by channel. */
const homogeneous = new Set(["Relu", "LeakyRelu", "Identity", "MaxPool", "AveragePool", "GlobalAveragePool"]);
const spatial = new Set(["MaxPool", "AveragePool", "GlobalAveragePool"]);
const normalisations = new Set(["LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization"]);

/** Constants of more elements are not copied where something else reads them too. */
const smallElements = 65536;

/** Which families are looked for: those a product makes, or any, the smallest around each weight. */
export type FamilyKind = "products" | "any";

/**
 * Every family of the main graph. No weight is in two families as a reader. Constants must have been lifted; those that
 * are graph inputs or not float32 are none here.
 */
export function channelFamilies(model: ModelProto, kind: FamilyKind): readonly ChannelFamily[] {
  const view = viewModel(model);
  const families: ChannelFamily[] = [];
  const taken = new Set<string>();
  // the nearest maker before a weight first: it changes the fewest values
  for (const node of [...view.root.graph.node].reverse()) {
    const start = isStandard(node) ? startOf(view, node) : undefined;
    if (!start || (kind === "products" && !start.isProduct)) continue;
    const family = grow(view, node, start);
    const keys = family?.readers.map(({ node, input }) => `${node.output[0]}:${input}`);
    if (!family || keys!.some((key) => taken.has(key))) continue;
    for (const key of keys!) taken.add(key);
    families.push(family);
  }
  return families.reverse();
}

interface Start {
  readonly axis: number;
  readonly channels: number;
  readonly isProduct: boolean;
  readonly makers: readonly FamilyPart[];
}

/** What makes the channels of a node's output, where constants do. */
function startOf(view: ModelView, node: NodeProto): Start | undefined {
  const { opType } = node;
  const part = (input: number, inner: number): FamilyPart | undefined => {
    const tensor = constantOf(view, node.input[input]);
    return tensor && isFree(view, tensor) ? { node, input, tensor, inner } : undefined;
  };
  const withBias = (weight: FamilyPart | undefined, channels: number, axis: number, input: number) => {
    if (!weight) return undefined;
    const bias = node.input[input] ? part(input, 1) : null;
    if (bias === undefined || (bias && tensorInfo(bias.tensor).shape.at(-1) !== channels)) return undefined;
    return { axis, channels, isProduct: true, makers: bias ? [weight, bias] : [weight] };
  };
  const shape = (input: number) => {
    const tensor = constantOf(view, node.input[input]);
    return tensor ? tensorInfo(tensor).shape : undefined;
  };
  if (opType === "Conv") {
    const sizes = shape(1);
    return sizes && withBias(part(1, elementCount(sizes.slice(1))), sizes[0]!, 1 - sizes.length, 2);
  }
  if (opType === "Gemm") {
    const sizes = shape(1);
    const turned = intAttribute(node, "transB", 0) === 1;
    return sizes && withBias(part(1, turned ? sizes[1]! : 1), sizes[turned ? 0 : 1]!, -1, 2);
  }
  if (opType === "MatMul") {
    const sizes = shape(1);
    return sizes?.length === 2 ? withBias(part(1, 1), sizes[1]!, -1, -1) : undefined;
  }
  if (normalisations.has(opType)) {
    const [scale] = [shape(1)];
    if (scale?.length !== 1 || intAttribute(node, "axis", -1) !== -1) return undefined;
    const found = withBias(part(1, 1), scale[0]!, -1, 2);
    return found && { ...found, isProduct: false };
  }
  if (opType === "Mul") {
    const input = [0, 1].find((at) => constantOf(view, node.input[at]));
    const sizes = input === undefined ? undefined : shape(input);
    const axis = sizes?.findIndex((size) => size !== 1) ?? -1;
    if (!sizes || axis < 0 || elementCount(sizes) !== sizes[axis]) return undefined;
    const factor = part(input!, 1);
    return factor && { axis: axis - sizes.length, channels: sizes[axis]!, isProduct: false, makers: [factor] };
  }
  return undefined;
}

/** Follows the channels to all that read them; undefined where something reads them that factors would change. */
function grow(view: ModelView, maker: NodeProto, start: Start): ChannelFamily | undefined {
  const { root } = view;
  const { channels } = start;
  const values = new Map<string, number>();
  const makers = [...start.makers];
  const readers: FamilyReader[] = [];
  const queue: (readonly [string, number])[] = [[maker.output[0]!, start.axis]];
  if (maker.output.slice(1).some((name) => name !== "")) return undefined;
  for (let at = 0; at < queue.length; at++) {
    const [value, axis] = queue[at]!;
    const known = values.get(value);
    if (known === axis) continue;
    if (known !== undefined || root.outputs.has(value)) return undefined;
    values.set(value, axis);
    for (const { node, input, scope } of view.usesOf(root, value)) {
      if (scope !== root || !isStandard(node)) return undefined;
      if (node.opType === "Shape") continue;
      const next = homogeneousAxis(node, axis);
      if (next !== undefined) {
        queue.push([node.output[0]!, next]);
        continue;
      }
      const reader = readerOf(view, node, input, axis, channels);
      if (reader) {
        readers.push(reader);
        continue;
      }
      const pass = passOn(view, node, input, axis, channels);
      if (!pass) return undefined;
      makers.push(...pass);
      queue.push([node.output[0]!, axis]);
    }
  }
  // a product of two of the values would carry the factor twice
  const twice = root.graph.node.some(
    ({ opType, input }) => opType === "Mul" && input.filter((name) => values.has(name)).length > 1,
  );
  const own = new Set([...makers, ...readers].map(({ node, input }) => `${node.output[0]}:${input}`));
  if (twice || readers.length === 0 || own.size < makers.length + readers.length) return undefined;
  return { maker, isProduct: start.isProduct, channels, values, makers, readers };
}

/** The channel axis after a node that passes factors on as they are; undefined for another node. */
function homogeneousAxis(node: NodeProto, axis: number): number | undefined {
  if (node.output.slice(1).some((name) => name !== "")) return undefined;
  if (node.opType === "Transpose") {
    const order = intsAttribute(node, "perm")?.map(Number);
    const at = order ? order.indexOf(axis + order.length) : -1;
    return order && at >= 0 ? at - order.length : undefined;
  }
  if (!homogeneous.has(node.opType)) return undefined;
  // pools work along the last axes
  return spatial.has(node.opType) && axis > -2 ? undefined : axis;
}

/** Sums with constants (whose channels are divided too), and products with what carries no factor. */
function passOn(
  view: ModelView,
  node: NodeProto,
  input: number,
  axis: number,
  channels: number,
): readonly FamilyPart[] | undefined {
  const { opType } = node;
  if (opType !== "Mul" && opType !== "Add") return undefined;
  const other = node.input[1 - input]!;
  const tensor = constantOf(view, other);
  if (opType === "Mul") {
    // a gate of another size could make the value longer, but not move its axis from the end
    return tensor && ![1, channels, undefined].includes(tensorInfo(tensor).shape.at(axis)) ? undefined : [];
  }
  if (!tensor || !isFree(view, tensor)) return undefined;
  const { shape } = tensorInfo(tensor);
  if (shape.at(axis) !== channels) return undefined;
  return [{ node, input: 1 - input, tensor, inner: axis === -1 ? 1 : elementCount(shape.slice(axis + 1)) }];
}

function readerOf(
  view: ModelView,
  node: NodeProto,
  input: number,
  axis: number,
  channels: number,
): FamilyReader | undefined {
  const tensor = input === 0 ? constantOf(view, node.input[1]) : undefined;
  if (!tensor || !isFree(view, tensor)) return undefined;
  const { shape } = tensorInfo(tensor);
  const layout = productLayout({ node, input: 1 }, {}, shape);
  const expected = node.opType === "Conv" ? 1 - shape.length : -1;
  if (!layout || axis !== expected || layout.inputs * layout.groups !== channels) return undefined;
  return { node, input: 1, tensor, ...layout };
}

/** A float32 constant of the main graph that no caller may replace. */
function constantOf({ root }: ModelView, name: string | undefined): TensorProto | undefined {
  const tensor = name ? root.initializers.get(name) : undefined;
  const fixed = tensor && !root.inputs.has(name!) && !root.outputs.has(name!);
  return fixed && tensorInfo(tensor).type === "float32" ? tensor : undefined;
}

/** Whether a constant may be changed: nothing else reads it, or a copy costs nothing. */
function isFree(view: ModelView, tensor: TensorProto): boolean {
  return view.usesOf(view.root, tensor.name).length === 1 || tensorInfo(tensor).elements <= smallElements;
}
