import type { NodeProto, ValueInfoProto } from "../formats/onnx.js";
import { intAttribute, intsAttribute, isStandard } from "./node.js";
import type { ModelView, Scope } from "./scope.js";

/** Sizes of a value's axes; null for one that is not known before a run. */
export type KnownShape = readonly (number | null)[];

/** The shape of a value where a scope uses it, as far as the file tells; undefined where not even its rank is known. */
export type ShapeLookup = (scope: Scope, name: string) => KnownShape | undefined;

/** How many nodes a shape is followed back through: the stack must hold the way. */
const deepest = 1000;

/**
 * Looks shapes up: what the file states of inputs, values and outputs, the sizes of stored tensors, and for values it
 * says nothing of what follows through the common operators. Never wrong, often silent.
 */
export function shapeLookup(view: ModelView): ShapeLookup {
  const known = new Map<Scope, Map<string, KnownShape | undefined>>();
  const facts = new Map(view.scopes.map((scope) => [scope, factsOf(scope)] as const));
  let depth = 0;
  const lookup: ShapeLookup = (scope, name) => {
    if (!name || depth > deepest) return undefined;
    const cache = known.get(scope) ?? new Map<string, KnownShape | undefined>();
    known.set(scope, cache);
    // a cycle ends at undefined
    if (cache.has(name)) return cache.get(name);
    cache.set(name, undefined);
    depth += 1;
    const shape = find(scope, name);
    depth -= 1;
    cache.set(name, shape);
    return shape;
  };
  const find = (scope: Scope, name: string): KnownShape | undefined => {
    const { stated, makers } = facts.get(scope)!;
    const tensor = scope.initializers.get(name);
    if (tensor) return tensor.dims.map(Number);
    const said = stated.get(name);
    if (said?.every((size) => size !== null)) return said;
    const maker = makers.get(name);
    const derived = maker && deriveShape(maker, (input) => lookup(scope, input));
    if (derived && said?.length === derived.length) return said.map((size, axis) => size ?? derived[axis]!);
    if (derived) return derived;
    if (said || maker || scope.inputs.has(name) || !scope.parent) return said;
    return lookup(scope.parent, name);
  };
  return lookup;
}

function factsOf({ graph }: Scope) {
  const stated = new Map<string, KnownShape>();
  for (const value of [...graph.output, ...graph.valueInfo, ...graph.input]) {
    const shape = statedShape(value);
    if (shape) stated.set(value.name, shape);
  }
  const makers = new Map<string, NodeProto>();
  for (const node of graph.node) if (node.output[0]) makers.set(node.output[0], node);
  return { stated, makers };
}

function statedShape({ type }: ValueInfoProto): KnownShape | undefined {
  if (type?.value.case !== "tensorType") return undefined;
  return type.value.value.shape?.dim.map(({ value }) =>
    value.case === "dimValue" && value.value > 0n ? Number(value.value) : null,
  );
}

/** Operators whose first output has the shape of their first input. */
const sameShape = new Set([
  ...["Relu", "LeakyRelu", "PRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Gelu", "Elu", "Selu", "Softplus"],
  ...["Clip", "Erf", "Exp", "Log", "Sqrt", "Abs", "Neg", "Cast", "Identity", "Dropout", "Softmax", "LogSoftmax"],
  ...["LayerNormalization", "BatchNormalization", "InstanceNormalization", "QuantizeLinear", "DequantizeLinear"],
]);

const broadcasting = new Set(["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min"]);

/** The shape of a node's first output from those of its inputs. */
function deriveShape(node: NodeProto, shapeOf: (input: string) => KnownShape | undefined): KnownShape | undefined {
  if (!isStandard(node)) return undefined;
  const [a, b] = node.input.map((name) => shapeOf(name));
  const { opType } = node;
  if (sameShape.has(opType)) return a;
  if (broadcasting.has(opType)) return node.input.length === 2 && a && b ? broadcast(a, b) : undefined;
  if (opType === "MatMul") {
    if (!a || !b || a.length < 1 || b.length < 2) return undefined;
    if (a.length === 1) return [...b.slice(0, -2), b.at(-1)!];
    return [...broadcast(a.slice(0, -2), b.slice(0, -2)), a.at(-2)!, b.at(-1)!];
  }
  if (opType === "Gemm") {
    if (a?.length !== 2 || b?.length !== 2) return undefined;
    return [a[intAttribute(node, "transA", 0) ? 1 : 0]!, b[intAttribute(node, "transB", 0) ? 0 : 1]!];
  }
  if (opType === "Transpose" && a) {
    const order = intsAttribute(node, "perm")?.map(Number) ?? a.map((_, axis) => a.length - 1 - axis);
    return order.map((axis) => a[axis] ?? null);
  }
  if (opType === "Flatten" && a) {
    const axis = intAttribute(node, "axis", 1);
    const at = axis < 0 ? axis + a.length : axis;
    return [product(a.slice(0, at)), product(a.slice(at))];
  }
  return undefined;
}

function broadcast(a: KnownShape, b: KnownShape): KnownShape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, at) => {
    const [x, y] = [a, b].map((shape) => (at + shape.length < rank ? 1 : shape[at + shape.length - rank]!));
    if (x === 1) return y!;
    if (y === 1) return x!;
    // an unknown size may be 1, and then the other one holds
    return x ?? y!;
  });
}

/** How many elements these axes hold; null where one is not known. */
export function product(sizes: KnownShape): number | null {
  let result = 1;
  for (const size of sizes) {
    if (size === null) return null;
    result *= size;
  }
  return result;
}
