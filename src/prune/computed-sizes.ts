import { type NodeProto, readTensor } from "../formats/onnx.js";
import { intAttribute, isStandard } from "../graph/node.js";
import { makerOf } from "../graph/producers.js";
import type { ModelView, Scope } from "../graph/scope.js";
import { elementCount, type Tensor } from "../tensor/tensor.js";
import type { Axis } from "./labels.js";
import type { AxedValue } from "./row.js";
import type { ValueForm } from "./shapes.js";

/** What one element of a computed vector of sizes is made of. */
export type SizeSource =
  | { readonly from: "constant"; readonly value: number }
  /** How long an axis of some value is; `fixed` where no other inputs make it longer. */
  | { readonly from: "axis"; readonly axis: Axis; readonly size: number; readonly fixed: boolean }
  | { readonly from: Arithmetic; readonly of: readonly SizeSource[] }
  | { readonly from: "elsewhere" };

/** `Quotient` is a division of integers. */
type Arithmetic = "Add" | "Sub" | "Mul" | "Div" | "Quotient" | "Mod" | "Equal" | "Where" | "Floor";

/** A new value of an element: a number, or so many times what it was. */
export type NewSize = number | { readonly times: number; readonly over: number };

/** What vectors of sizes are followed by. */
export interface SizeContext {
  readonly view: ModelView;
  axedValue(scope: Scope, name: string): AxedValue | undefined;
  /** Of a value that may not have been looked at yet. */
  form(scope: Scope, name: string): ValueForm | undefined;
  constant(scope: Scope, name: string | undefined): Tensor | undefined;
  fixed(axis: Axis): boolean;
}

/** Elements of inputs: the input's number, and the place in it. */
type Place = readonly [input: number, at: number];
type Step = { readonly take: Place } | { readonly operator: Arithmetic; readonly of: readonly Place[] };

const passing: ReadonlySet<string> = new Set([
  "Unsqueeze",
  "Squeeze",
  "Cast",
  "Identity",
  "Floor",
  "Reshape",
  "Flatten",
]);
const arithmetic: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div", "Mod", "Equal", "Where"]);
/** Longer ways from a shape to a size are not followed. */
const deepest = 40;

/** How each element of a node's output comes from elements of its inputs; undefined for what is no handling of sizes. */
function stepsOf(context: SizeContext, scope: Scope, node: NodeProto): readonly Step[] | undefined {
  if (!isStandard(node)) return undefined;
  const lengthOf = (name: string | undefined): number | undefined => {
    const shape = name ? context.form(scope, name)?.shape : undefined;
    return shape && shape.length <= 1 ? elementCount(shape) : undefined;
  };
  const length = lengthOf(node.output[0]);
  const lengths = node.input.map(lengthOf);
  if (length === undefined || lengths[0] === undefined) return undefined;
  const take = (input: number, at: number): Step => ({ take: [input, at] });
  const operator = node.opType;
  if (operator === "Concat") {
    if (lengths.includes(undefined)) return undefined;
    return lengths.flatMap((count, input) => Array.from({ length: count! }, (_, at) => take(input, at)));
  }
  const whole = !context.form(scope, node.input[0]!)?.dtype.startsWith("float");
  if (passing.has(operator)) {
    if (length !== lengths[0]) return undefined;
    const rounds = !whole && (operator === "Floor" || !context.form(scope, node.output[0]!)!.dtype.startsWith("float"));
    return Array.from({ length }, (_, at) => (rounds ? { operator: "Floor", of: [[0, at]] } : take(0, at)));
  }
  if (arithmetic.has(operator)) {
    if (lengths.includes(undefined)) return undefined;
    const does = operator === "Div" && whole ? "Quotient" : (operator as Arithmetic);
    return Array.from({ length }, (_, at) => ({
      operator: does,
      of: lengths.map((count, input): Place => [input, count === 1 ? 0 : at]),
    }));
  }
  const numbers = (input: number) => {
    const sources = node.input[input] ? sizeSources(context, scope, node.input[input], 1) : undefined;
    return sources && leavesOf(...sources).every(({ from }) => from === "constant") ? valuesOf(sources) : undefined;
  };
  if (operator === "Gather") {
    return numbers(1)?.map((index) => take(0, index < 0 ? index + lengths[0]! : index));
  }
  if (operator === "Slice") {
    const [start] = numbers(1) ?? [];
    const [step = 1] = node.input[4] ? (numbers(4) ?? [0]) : [];
    if (start === undefined || step !== 1) return undefined;
    // the end follows from how long the output is
    const first = Math.min(start < 0 ? Math.max(start + lengths[0], 0) : start, lengths[0]);
    return numbers(2) ? Array.from({ length }, (_, at) => take(0, first + at)) : undefined;
  }
  return undefined;
}

/** What the elements of a vector (or one number) are made of; undefined for anything that is none. */
export function sizeSources(
  context: SizeContext,
  scope: Scope,
  name: string,
  depth = 0,
): readonly SizeSource[] | undefined {
  const stored = context.constant(scope, name);
  if (stored) return Array.from(stored.data as BigInt64Array, (value) => ({ from: "constant", value: Number(value) }));
  const shape = context.form(scope, name)?.shape;
  if (!shape || shape.length > 1) return undefined;
  const unknown = Array.from({ length: elementCount(shape) }, () => ({ from: "elsewhere" as const }));
  const found = makerOf(scope, name);
  if (!found?.node || depth > deepest) return unknown;
  const { node, scope: own } = found;
  if (isStandard(node) && node.opType === "Shape") {
    const value = context.axedValue(own, node.input[0]!);
    if (!value) return unknown;
    const first = shapeStart(node, value.shape.length);
    return unknown.map((_, at) => {
      const axis = value.axes[first + at] ?? null;
      return { from: "axis", axis, size: value.shape[first + at]!, fixed: context.fixed(axis) };
    });
  }
  if (isStandard(node) && node.opType === "ConstantOfShape") {
    const value = node.attribute.find((attribute) => attribute.name === "value")?.t;
    const filler = value ? Number(readTensor(value, nothingElsewhere).data[0]) : 0;
    return unknown.map(() => ({ from: "constant", value: filler }));
  }
  const steps = stepsOf(context, own, node);
  if (!steps) return unknown;
  const inputs = new Map<number, readonly SizeSource[] | undefined>();
  const at = ([input, place]: Place): SizeSource => {
    if (!inputs.has(input)) inputs.set(input, sizeSources(context, own, node.input[input]!, depth + 1));
    return inputs.get(input)?.[place] ?? { from: "elsewhere" };
  };
  return steps.map((step) => ("take" in step ? at(step.take) : { from: step.operator, of: step.of.map(at) }));
}

/** The first axis that a Shape tells of. */
export function shapeStart(node: NodeProto, rank: number): number {
  const start = intAttribute(node, "start", 0);
  return Math.min(Math.max(start < 0 ? start + rank : start, 0), rank);
}

/** All that sizes depend on. */
export function leavesOf(...sources: readonly SizeSource[]): readonly SizeSource[] {
  return sources.flatMap((source) => ("of" in source ? leavesOf(...source.of) : [source]));
}

/** The sizes as they were. */
function valuesOf(sources: readonly SizeSource[]): readonly number[] {
  return sources.map((source) => evaluateSize(source, (_, size) => size)!);
}

/** The sizes as they were, where no other inputs of the model change them. */
export function fixedSizes(sources: readonly SizeSource[] | undefined): readonly number[] | undefined {
  const fixed =
    sources && leavesOf(...sources).every((leaf) => leaf.from === "constant" || (leaf.from === "axis" && leaf.fixed));
  return fixed ? valuesOf(sources) : undefined;
}

/** The size for these lengths of axes; undefined where it comes from elsewhere. */
export function evaluateSize(source: SizeSource, sizeOf: (axis: Axis, size: number) => number): number | undefined {
  if (source.from === "constant") return source.value;
  if (source.from === "axis") return sizeOf(source.axis, source.size);
  if (source.from === "elsewhere") return undefined;
  const [a, b, c] = source.of.map((side) => evaluateSize(side, sizeOf));
  if (a === undefined) return undefined;
  if (source.from === "Floor") return Math.floor(a);
  if (source.from === "Where") return a ? b : c;
  if (b === undefined) return undefined;
  switch (source.from) {
    case "Add":
      return a + b;
    case "Sub":
      return a - b;
    case "Mul":
      return a * b;
    case "Div":
      return a / b;
    case "Quotient":
      return Math.trunc(a / b);
    case "Mod":
      return ((a % b) + b) % b;
    case "Equal":
      return Number(a === b);
  }
}

/**
 * Whether everything that is made of some elements of a value ends in the sizes of operators that look at what each size
 * is made of. `of` is the value whose axis `axis` the element tells of.
 */
export function endsInSizes(
  context: SizeContext,
  scope: Scope,
  name: string,
  elements: ReadonlySet<number>,
  of: { readonly name: string; readonly axis: number },
): boolean {
  if (scope.outputs.has(name)) return false;
  return context.view.usesOf(scope, name).every(({ node, input, scope: own }) => {
    if (!isStandard(node)) return false;
    if (input === 1 && (node.opType === "Reshape" || node.opType === "Expand")) return true;
    if (node.opType === "Slice" && (input === 1 || input === 2)) return true;
    if (node.opType === "ConstantOfShape") return true;
    // how many axes there are
    if (node.opType === "Shape" || node.opType === "Size") return true;
    // the size of an axis of its own input
    if (node.opType === "Resize" && input === 3 && node.input[0] === of.name) {
      return elements.size === 1 && elements.has(of.axis);
    }
    const steps = stepsOf(context, own, node);
    if (!steps) return false;
    const reads = ([from, at]: Place) => from === input && elements.has(at);
    const made = steps.flatMap((step, at) => (("take" in step ? [step.take] : step.of).some(reads) ? [at] : []));
    return made.length === 0 || endsInSizes(context, own, node.output[0]!, new Set(made), of);
  });
}

const nothingElsewhere = (): never => {
  throw new Error("sizes are held by the model");
};
