import { makeTensor, type NodeProto, type TensorProto } from "../formats/onnx.js";
import { onnxTypeOf } from "../formats/onnx-types.js";
import { type DType, elementCount, formatShape, type Tensor, typedArrays } from "../tensor/tensor.js";
import type { FreshName } from "./names.js";
import { type AttributeValue, makeNode } from "./node.js";

/** A value of a graph whose element type and every size are known. */
export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** What a new value is. */
export type Form = Pick<Value, "dtype" | "shape">;

/** An operand: a value, or a number that becomes a scalar constant of the other operand's type. */
type Operand = Value | number;

type Attributes = Readonly<Record<string, AttributeValue>>;

type Binary = "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Max" | "Min";
type Comparison = "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Equal";
type Reduction = "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceSumSquare";

/**
 * Writes nodes of opset 21 (and FusedMatMul of com.microsoft), keeping every value's dtype and shape. Used by gradient
 * rules, losses, fake quantization, decompositions and whole models. Shapes are checked as nodes are written: what does
 * not fit throws an Error, since it is a mistake of ours.
 */
export interface GraphBuilder {
  /** What has been written, in order; and the constants it needs. */
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  /** Every value written so far, and the elements of the constants among them. */
  readonly values: ReadonlyMap<string, Value>;
  readonly constants: ReadonlyMap<string, Tensor>;
  /** A name no value of the graph has yet. */
  readonly fresh: FreshName;
  /** A node with any outputs; an input left out is undefined. `names` are names the outputs must have. */
  node(
    opType: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly Form[],
    attributes?: Attributes,
    how?: { readonly domain?: string; readonly names?: readonly string[] },
  ): readonly Value[];
  /** A node with one output. */
  op(opType: string, inputs: readonly (Value | undefined)[], output: Form, attributes?: Attributes): Value;
  /** A constant; equal small ones are written once. */
  constant(tensor: Tensor, hint?: string): Value;
  scalar(value: number, dtype?: DType): Value;
  /** int64 [n]. */
  ints(values: readonly number[]): Value;
  /** All elements alike, made at run time (ConstantOfShape): nothing is stored. */
  filled(value: number, form: Form): Value;
  /** An operator of one input that keeps its form: Exp, Tanh, Relu, ... */
  map(opType: string, x: Value, attributes?: Attributes): Value;
  /** Element by element, with ONNX's broadcasting. */
  binary(opType: Binary, x: Operand, y: Operand): Value;
  add(x: Operand, y: Operand): Value;
  sub(x: Operand, y: Operand): Value;
  mul(x: Operand, y: Operand): Value;
  div(x: Operand, y: Operand): Value;
  /** bool. */
  compare(opType: Comparison, x: Operand, y: Operand): Value;
  where(condition: Value, x: Operand, y: Operand): Value;
  cast(x: Value, dtype: DType): Value;
  /** Over `axes` (all without), which stay as size 1 unless `keep` is false. */
  reduce(opType: Reduction, x: Value, axes?: readonly number[], keep?: boolean): Value;
  reshape(x: Value, shape: readonly number[]): Value;
  expand(x: Value, shape: readonly number[]): Value;
  transpose(x: Value, order: readonly number[]): Value;
  /** x·y of rank 2 and more, either with its last two axes swapped, times alpha. */
  matmul(
    x: Value,
    y: Value,
    how?: { readonly transX?: boolean; readonly transY?: boolean; readonly alpha?: number },
  ): Value;
  concat(parts: readonly Value[], axis: number): Value;
  split(x: Value, sizes: readonly number[], axis: number): readonly Value[];
  /** Elements from `starts` up to `ends`, in these axes, steps of 1; both are counted from 0 and lie inside. */
  slice(x: Value, axes: readonly number[], starts: readonly number[], ends: readonly number[]): Value;
  softmax(x: Value, axis: number): Value;
  logSoftmax(x: Value, axis: number): Value;
}

/** The shape of x and y broadcast against each other. Throws an Error where they do not fit. */
export function broadcastShapes(x: readonly number[], y: readonly number[]): readonly number[] {
  const rank = Math.max(x.length, y.length);
  return Array.from({ length: rank }, (_, at) => {
    const [a, b] = [x[at - rank + x.length] ?? 1, y[at - rank + y.length] ?? 1];
    if (a === b || b === 1) return a;
    if (a === 1) return b;
    throw new Error(`shapes ${formatShape(x)} and ${formatShape(y)} do not broadcast`);
  });
}

/** An axis counted from 0. */
export function axisOf(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

const sharedElements = 64;

/** Starts writing; `fresh` gives names, for example those a model has left free. */
export function createBuilder(fresh: FreshName): GraphBuilder {
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const values = new Map<string, Value>();
  const constants = new Map<string, Tensor>();
  const shared = new Map<string, Value>();
  const expanded = new Map<string, Value>();

  const node: GraphBuilder["node"] = (opType, inputs, outputs, attributes = {}, { domain = "", names } = {}) => {
    const made = outputs.map(({ dtype, shape }, at) => ({
      name: names?.[at] ?? fresh(`${opType}_${at}`),
      dtype,
      shape,
    }));
    const written = makeNode(
      opType,
      fresh(`${opType}_node`),
      inputs.map((input) => input?.name ?? ""),
      made.map(({ name }) => name),
      attributes,
    );
    written.domain = domain;
    nodes.push(written);
    for (const value of made) values.set(value.name, value);
    return made;
  };
  const op: GraphBuilder["op"] = (opType, inputs, output, attributes) => node(opType, inputs, [output], attributes)[0]!;
  const constant: GraphBuilder["constant"] = (tensor, hint = "constant") => {
    const small = elementCount(tensor.shape) <= sharedElements;
    const key = small ? `${tensor.dtype}:${tensor.shape.join("x")}:${textOf(tensor)}` : "";
    const found = shared.get(key);
    if (found) return found;
    const value = { name: fresh(hint), dtype: tensor.dtype, shape: tensor.shape };
    initializers.push(makeTensor(value.name, tensor));
    values.set(value.name, value);
    constants.set(value.name, tensor);
    if (small) shared.set(key, value);
    return value;
  };
  const scalar: GraphBuilder["scalar"] = (value, dtype = "float32") =>
    constant({ dtype, shape: [], data: filledArray(dtype, 1, value) }, `scalar`);
  const ints: GraphBuilder["ints"] = (values) =>
    constant({ dtype: "int64", shape: [values.length], data: BigInt64Array.from(values.map(BigInt)) }, "ints");
  const operands = (x: Operand, y: Operand): readonly [Value, Value] => {
    if (typeof x === "number") return [scalar(x, (y as Value).dtype), y as Value];
    return [x, typeof y === "number" ? scalar(y, x.dtype) : y];
  };
  const same = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((n, at) => n === b[at]);
  const binary: GraphBuilder["binary"] = (opType, x, y) => {
    const [wideA, wideB] = operands(x, y);
    const shape = broadcastShapes(wideA.shape, wideB.shape);
    // what was expanded broadcasts as well as it was: the node that expands it falls away where nothing else reads it
    const narrow = (value: Value, other: Value) => {
      const from = expanded.get(value.name);
      return from && same(broadcastShapes(from.shape, other.shape), shape) ? from : value;
    };
    const a = narrow(wideA, wideB);
    return op(opType, [a, narrow(wideB, a)], { dtype: a.dtype, shape });
  };
  const reshape: GraphBuilder["reshape"] = (x, shape) => {
    if (same(x.shape, shape)) return x;
    if (elementCount(x.shape) !== elementCount(shape)) {
      throw new Error(`${formatShape(x.shape)} does not reshape to ${formatShape(shape)}`);
    }
    // a size of 0 is a size here, not "as before"
    const attributes: Attributes = shape.includes(0) ? { allowzero: 1 } : {};
    return op("Reshape", [x, ints(shape)], { dtype: x.dtype, shape }, attributes);
  };
  const transpose: GraphBuilder["transpose"] = (x, order) => {
    if (order.every((axis, at) => axis === at)) return x;
    return op("Transpose", [x], { dtype: x.dtype, shape: order.map((axis) => x.shape[axis]!) }, { perm: order });
  };
  const swapped = (x: Value) => {
    const order = x.shape.map((_, at) => at);
    return transpose(x, [...order.slice(0, -2), ...order.slice(-2).reverse()]);
  };
  return {
    nodes,
    initializers,
    values,
    constants,
    fresh,
    node,
    op,
    constant,
    scalar,
    ints,
    filled(value, { dtype, shape }) {
      const attribute = makeTensor("", { dtype, shape: [1], data: filledArray(dtype, 1, value) });
      return op("ConstantOfShape", [ints(shape)], { dtype, shape }, { value: { tensor: attribute } });
    },
    map: (opType, x, attributes) => op(opType, [x], x, attributes),
    binary,
    add: (x, y) => binary("Add", x, y),
    sub: (x, y) => binary("Sub", x, y),
    mul: (x, y) => binary("Mul", x, y),
    div: (x, y) => binary("Div", x, y),
    compare(opType, x, y) {
      const [a, b] = operands(x, y);
      return op(opType, [a, b], { dtype: "bool", shape: broadcastShapes(a.shape, b.shape) });
    },
    where(condition, x, y) {
      const [a, b] = operands(x, y);
      const shape = broadcastShapes(condition.shape, broadcastShapes(a.shape, b.shape));
      return op("Where", [condition, a, b], { dtype: a.dtype, shape });
    },
    cast: (x, dtype) =>
      x.dtype === dtype ? x : op("Cast", [x], { dtype, shape: x.shape }, { to: onnxTypeOf(dtype).code }),
    reduce(opType, x, axes = x.shape.map((_, at) => at), keep = true) {
      const gone = new Set(axes.map((axis) => axisOf(axis, x.shape.length)));
      if (gone.size === 0) return opType === "ReduceSumSquare" ? binary("Mul", x, x) : x;
      const shape = keep ? x.shape.map((n, at) => (gone.has(at) ? 1 : n)) : x.shape.filter((_, at) => !gone.has(at));
      return op(opType, [x, ints([...gone])], { dtype: x.dtype, shape }, { keepdims: keep ? 1 : 0 });
    },
    reshape,
    expand(x, shape) {
      if (same(x.shape, shape)) return x;
      const value = op("Expand", [x, ints(shape)], { dtype: x.dtype, shape });
      expanded.set(value.name, x);
      return value;
    },
    transpose,
    matmul(x, y, { transX = false, transY = false, alpha = 1 } = {}) {
      const [m, k] = lastTwo(x.shape, transX);
      const [k2, n] = lastTwo(y.shape, transY);
      if (k !== k2) throw new Error(`${formatShape(x.shape)} and ${formatShape(y.shape)} do not multiply`);
      const shape = [...broadcastShapes(x.shape.slice(0, -2), y.shape.slice(0, -2)), m, n];
      const form = { dtype: x.dtype, shape };
      if (!transX && !transY && alpha === 1) return op("MatMul", [x, y], form);
      const flags = { transA: transX ? 1 : 0, transB: transY ? 1 : 0, alpha: { float: alpha } };
      if (shape.length === 2) return op("Gemm", [x, y], form, flags);
      if (x.dtype !== "float32") {
        // FusedMatMul has a kernel of float32 alone
        const product = op("MatMul", [transX ? swapped(x) : x, transY ? swapped(y) : y], form);
        return alpha === 1 ? product : binary("Mul", product, alpha);
      }
      return node("FusedMatMul", [x, y], [form], flags, { domain: "com.microsoft" })[0]!;
    },
    concat(parts, axis) {
      const [first] = parts;
      if (parts.length === 1) return first!;
      const at = axisOf(axis, first!.shape.length);
      const shape = first!.shape.map((n, i) => (i === at ? parts.reduce((sum, part) => sum + part.shape[at]!, 0) : n));
      return op("Concat", parts, { dtype: first!.dtype, shape }, { axis: at });
    },
    split(x, sizes, axis) {
      if (sizes.length === 1) return [x];
      const at = axisOf(axis, x.shape.length);
      const forms = sizes.map((size) => ({ dtype: x.dtype, shape: x.shape.map((n, i) => (i === at ? size : n)) }));
      return node("Split", [x, ints(sizes)], forms, { axis: at });
    },
    slice(x, axes, starts, ends) {
      const shape = [...x.shape];
      axes.forEach((axis, at) => {
        shape[axis] = ends[at]! - starts[at]!;
      });
      return op("Slice", [x, ints(starts), ints(ends), ints(axes)], { dtype: x.dtype, shape });
    },
    softmax: (x, axis) => op("Softmax", [x], x, { axis }),
    logSoftmax: (x, axis) => op("LogSoftmax", [x], x, { axis }),
  };
}

/** The elements in words, no two different ones alike. */
function textOf({ data }: Tensor): string {
  return Array.from(data as ArrayLike<unknown>, (one) => (Object.is(one, -0) ? "-0" : String(one))).join(",");
}

function lastTwo(shape: readonly number[], swapped: boolean): readonly [number, number] {
  const [a, b] = [shape.at(-2)!, shape.at(-1)!];
  return swapped ? [b, a] : [a, b];
}

function filledArray(dtype: DType, length: number, value: number): Tensor["data"] {
  const wide = dtype === "int64" || dtype === "uint64";
  const array = new typedArrays[dtype as keyof typeof typedArrays](length);
  (array as Float32Array).fill((wide ? BigInt(value) : value) as number);
  return array;
}
