import {
  type GraphProto,
  type ModelProto,
  makeTensor,
  type NodeProto,
  type ReadExternal,
  readTensor,
  type TensorProto,
} from "../formats/onnx.js";
import { typeName } from "../formats/onnx-types.js";
import { numbersOf } from "../tensor/numbers.js";
import { elementCount } from "../tensor/tensor.js";
import { type FreshName, freshNames } from "./names.js";
import { intAttribute, intsAttribute, isStandard, makeNode } from "./node.js";
import { constantOf, isPutOut } from "./normalise/pass.js";
import { type ModelView, type Scope, viewModel } from "./scope.js";

/** What a value is in terms of the value that is normalised, x. */
type Role =
  | "mean"
  | "centred"
  | "square"
  /** Mean of the squares: of x - mean(x) where `centred`, else of x. */
  | "spread"
  | "squareOfMean"
  /** Spread + epsilon. */
  | "padded"
  | "deviation"
  /** 1 / deviation, perhaps times the scale. */
  | "inverse"
  /** mean(x) * inverse, and bias - mean(x) * inverse. */
  | "offset"
  | "counter"
  /** x * inverse, of which the mean is still to be taken off. */
  | "uncentred"
  | "normalised";

interface Part {
  readonly role: Role;
  readonly x: string;
  readonly axes: string;
  /** Whether the spread is around the mean. */
  readonly centred: boolean;
  readonly epsilon: number;
  readonly scale?: string;
  readonly bias?: string;
  /** All that went into it, from x on. */
  readonly nodes: ReadonlySet<NodeProto>;
}

/**
 * Puts LayerNormalization in the place of hand-written layer normalisations (means of x and of its squared distance from
 * that, in the ways of PyTorch, Paddle, TensorFlow and JAX), and SimplifiedLayerNormalization, by which onnxruntime knows
 * root-mean-square normalisation in all opsets, in the place of those without the mean. Equal but for rounding. Returns
 * how many; where they are more than none, the model must be of opset 17 or later, for which the caller sees before.
 */
export function fuseNormalisations(model: ModelProto, readExternal: ReadExternal): number {
  const view = viewModel(model);
  const fresh = freshNames(model);
  return view.scopes.reduce((count, scope) => count + fuseIn(view, scope, fresh, readExternal), 0);
}

function fuseIn(view: ModelView, scope: Scope, fresh: FreshName, readExternal: ReadExternal): number {
  const { graph } = scope;
  const facts = factsOf(view, scope, readExternal);
  const parts = new Map<string, Part>();
  for (const node of graph.node) {
    const part = isStandard(node) && node.output.length === 1 ? partOf(node, parts, facts) : undefined;
    if (part) parts.set(node.output[0]!, part);
  }
  const gone = new Set<NodeProto>();
  const made = new Map<NodeProto, NodeProto>();
  // from the end: what a later part is made of is no normalisation of its own
  for (const last of [...graph.node].reverse()) {
    const part = parts.get(last.output[0] ?? "");
    if (part?.role !== "normalised" || gone.has(last)) continue;
    const inside = (name: string) =>
      !isPutOut(scope, name) && view.usesOf(scope, name).every(({ node }) => part.nodes.has(node));
    const others = [...part.nodes].filter((node) => node !== last);
    if (others.some((node) => gone.has(node) || !inside(node.output[0]!))) continue;
    const fused = fusedNode(graph, last, part, facts, fresh);
    if (!fused) continue;
    made.set(last, fused);
    for (const node of part.nodes) gone.add(node);
  }
  graph.node = graph.node.flatMap((node) => made.get(node) ?? (gone.has(node) ? [] : [node]));
  return made.size;
}

/** What can be known of names without running anything. */
interface Facts {
  /** The number a constant of one element stands for. */
  scalar(name: string | undefined): number | undefined;
  vector(name: string | undefined): TensorProto | undefined;
  read(tensor: TensorProto): ReturnType<typeof readTensor>;
  /** The sizes that the file states; undefined entries are not fixed. */
  stated(name: string): readonly (number | undefined)[] | undefined;
  typeOf(name: string): string | undefined;
  axes(node: NodeProto): readonly number[] | undefined;
}

function factsOf(view: ModelView, scope: Scope, readExternal: ReadExternal): Facts {
  const { graph } = scope;
  const infos = new Map(
    [...graph.input, ...graph.valueInfo, ...graph.output].flatMap(({ name, type }) =>
      type?.value.case === "tensorType" ? [[name, type.value.value] as const] : [],
    ),
  );
  const constant = (name: string | undefined) => constantOf(view, scope, name)?.tensor;
  const numbers = (name: string | undefined, most: number) => {
    const tensor = constant(name);
    if (!tensor || elementCount(tensor.dims.map(Number)) > most) return undefined;
    const read = readTensor(tensor, readExternal);
    return read.dtype === "string" ? undefined : Array.from(numbersOf(read) as ArrayLike<number>, Number);
  };
  return {
    scalar: (name) => {
      const found = numbers(name, 1);
      return found?.length === 1 ? found[0] : undefined;
    },
    vector(name) {
      const tensor = constant(name);
      return tensor && elementCount(tensor.dims.map(Number)) > 1 ? tensor : undefined;
    },
    read: (tensor) => readTensor(tensor, readExternal),
    stated: (name) =>
      infos.get(name)?.shape?.dim.map(({ value }) => (value.case === "dimValue" ? Number(value.value) : undefined)),
    typeOf: (name) => typeName(infos.get(name)?.elemType ?? 0),
    axes: (node) => (node.input[1] ? numbers(node.input[1], 8) : intsAttribute(node, "axes")?.map(Number)),
  };
}

/** What a node makes of the parts it reads. */
function partOf(node: NodeProto, parts: ReadonlyMap<string, Part>, facts: Facts): Part | undefined {
  const [a = "", b = ""] = node.input;
  const [p, q] = [parts.get(a), parts.get(b)];
  const from = (role: Role, of: Part, rest: Partial<Part> = {}, other?: Part): Part => ({
    ...of,
    ...rest,
    role,
    nodes: new Set([...of.nodes, ...(other?.nodes ?? []), node]),
  });
  const square = (): Part => {
    if (p?.role === "centred") return from("square", p);
    if (p?.role === "mean") return from("squareOfMean", p);
    return { role: "square", x: a, axes: "", centred: false, epsilon: 0, nodes: new Set([node]) };
  };
  /** Both are of one x, along the same axes. */
  const alike = (first: Part, second: Part) => first.x === second.x && first.axes === second.axes;
  switch (node.opType) {
    case "ReduceMean": {
      const axes = facts.axes(node)?.join();
      if (!axes || intAttribute(node, "keepdims", 1) !== 1) return undefined;
      if (p?.role === "square" && (!p.centred || p.axes === axes)) return from("spread", p, { axes });
      return { role: "mean", x: a, axes, centred: true, epsilon: 0, nodes: new Set([node]) };
    }
    case "Pow": {
      const power = facts.scalar(b);
      if (power === 2) return square();
      if (p?.role !== "padded") return undefined;
      return power === 0.5 ? from("deviation", p) : power === -0.5 ? from("inverse", p) : undefined;
    }
    case "Sub":
      if (q?.role === "mean" && q.x === a) return from("centred", q);
      // the variance as mean(x * x) - mean(x) * mean(x)
      if (p?.role === "spread" && !p.centred && q?.role === "squareOfMean" && alike(p, q)) {
        return from("spread", p, { centred: true }, q);
      }
      if (q?.role === "offset" && facts.vector(a)) return from("counter", q, { bias: a });
      return undefined;
    case "Max":
      return p?.role === "spread" && facts.scalar(b) === 0 ? from("spread", p) : undefined;
    case "Relu":
      return p?.role === "spread" ? from("spread", p) : undefined;
    case "Sqrt":
      return p?.role === "padded" ? from("deviation", p) : undefined;
    case "Reciprocal":
      return p?.role === "deviation" ? from("inverse", p) : undefined;
    case "Div":
      if (q?.role !== "deviation") return undefined;
      if (facts.scalar(a) === 1) return from("inverse", q);
      if (q.centred) return p?.role === "centred" && alike(p, q) ? from("normalised", q, {}, p) : undefined;
      return q.x === a ? from("normalised", q) : undefined;
    case "Add":
      return either(a, b, p, q, (of, other, otherName) => {
        const epsilon = of.role === "spread" ? facts.scalar(otherName) : undefined;
        if (epsilon !== undefined && epsilon > 0) return from("padded", of, { epsilon });
        if (of.role === "normalised" && of.centred && !of.bias && facts.vector(otherName)) {
          return from("normalised", of, { bias: otherName });
        }
        if (of.role !== "counter" || other?.role !== "uncentred" || !alike(of, other)) return undefined;
        return of.scale === other.scale ? from("normalised", of, {}, other) : undefined;
      });
    case "Mul":
      if (a === b) return square();
      return either(a, b, p, q, (of, other, otherName) => {
        if (of.role === "inverse") {
          if (other?.role === "centred" && of.centred && alike(of, other)) return from("normalised", of, {}, other);
          if (other?.role === "mean" && of.centred && alike(of, other)) return from("offset", of, {}, other);
          if (otherName === of.x) return from(of.centred ? "uncentred" : "normalised", of);
        }
        if ((of.role !== "inverse" && of.role !== "normalised") || of.scale || of.bias) return undefined;
        return facts.vector(otherName) ? from(of.role, of, { scale: otherName }) : undefined;
      });
    default:
      return undefined;
  }
}

/** Tries the inputs of a node that does not care about their order both ways round. */
function either(
  a: string,
  b: string,
  p: Part | undefined,
  q: Part | undefined,
  make: (of: Part, other: Part | undefined, otherName: string) => Part | undefined,
): Part | undefined {
  return (p && make(p, q, b)) ?? (q && make(q, p, a));
}

/** The node for a whole normalisation; undefined where it is of a shape that the operator has no place for. */
function fusedNode(
  graph: GraphProto,
  last: NodeProto,
  part: Part,
  facts: Facts,
  fresh: FreshName,
): NodeProto | undefined {
  const stated = facts.stated(part.x);
  const axes = part.axes.split(",").map(Number);
  const fromEnd = axes.map((axis) => (axis < 0 ? axis : stated ? axis - stated.length : 0)).sort((x, y) => y - x);
  if (fromEnd.some((axis, at) => axis !== -1 - at)) return undefined;
  const count = fromEnd.length;
  const sizesOf = (name: string | undefined) => facts.vector(name)?.dims.map(Number);
  const sizes = sizesOf(part.scale)?.slice(-count) ?? sizesOf(part.bias)?.slice(-count) ?? stated?.slice(-count);
  if (sizes?.length !== count || sizes.some((size) => size === undefined || size < 2)) return undefined;
  const shape = sizes as number[];
  const held: TensorProto[] = [];
  /** A constant of exactly the normalised axes. */
  const vectorOf = (name: string): string | undefined => {
    const tensor = facts.vector(name)!;
    const dims = tensor.dims.map(Number);
    if (elementCount(dims) !== elementCount(shape) || dims.slice(-count).join() !== shape.join()) return undefined;
    if (dims.length === count) return name;
    const made = fresh(`${name}_vector`);
    held.push(makeTensor(made, { ...facts.read(tensor), shape }));
    return made;
  };
  const ones = (): string | undefined => {
    const type = part.bias ? typeName(facts.vector(part.bias)!.dataType) : facts.typeOf(part.x);
    if (type !== "float32") return undefined;
    const made = fresh(`${last.output[0]}_scale`);
    held.push(makeTensor(made, { dtype: "float32", shape, data: new Float32Array(elementCount(shape)).fill(1) }));
    return made;
  };
  const scale = part.scale ? vectorOf(part.scale) : ones();
  const bias = part.bias ? vectorOf(part.bias) : "";
  if (scale === undefined || bias === undefined) return undefined;
  graph.initializer.push(...held);
  return makeNode(
    part.centred ? "LayerNormalization" : "SimplifiedLayerNormalization",
    last.name,
    bias ? [part.x, scale, bias] : [part.x, scale],
    [last.output[0]!],
    { axis: -count, epsilon: { float: part.epsilon } },
  );
}
