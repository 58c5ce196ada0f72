import type { ModelProto, ReadExternal, TensorProto } from "../../formats/onnx.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { ModelView, Scope } from "../scope.js";
import { type StoreBytes, storedTensor } from "../stored.js";

/** What normalisation may be told. */
export interface NormaliseSettings {
  /** Initializers that are graph inputs too may be replaced by whoever runs the model; "freeze" takes that away. */
  readonly constantInputs: "keep" | "freeze";
  /** Passes to leave out, by name. */
  readonly leave?: readonly string[];
  /** Where the bytes of large new tensors go; in memory where there is none. */
  readonly store?: StoreBytes;
  /** Told of the BatchNormalizations that are folded into weights of the main graph, by the weight's name. */
  readonly norms?: Map<string, FoldedNorm>;
}

/**
 * A BatchNormalization as it was before it was folded into the weight before it, one number a channel: what the weight
 * alone makes (its products, no bias) less `mean`, over sqrt(variance + epsilon), times `scale`, plus `shift`.
 */
export interface FoldedNorm {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly epsilon: number;
  readonly momentum: number;
}

/** What a pass may use. */
export interface PassContext {
  readonly readExternal: ReadExternal;
  readonly settings: NormaliseSettings;
}

/** One rewrite that keeps what the model computes. */
export interface Pass {
  readonly name: string;
  /** What was done, for people: "3 constants became initializers". */
  words(changes: number): string;
  /** Changes `model` (never a TensorProto in it: those may be shared); returns how many places it changed. */
  run(model: ModelProto, context: PassContext): number;
}

/** `1 node`, `2 nodes`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A new tensor, its bytes put away where they are many. */
export function newTensor(name: string, tensor: Tensor, { settings }: PassContext): TensorProto {
  return storedTensor(name, tensor, settings.store);
}

/** A tensor of the model that stays what it is, and the scope that holds it. */
export interface Constant {
  readonly tensor: TensorProto;
  readonly scope: Scope;
}

/** The constant a name stands for where `scope` uses it; undefined for what a caller may replace. */
export function constantOf(view: ModelView, scope: Scope, name: string | undefined): Constant | undefined {
  const found = name ? view.initializerOf(scope, name) : undefined;
  return found && !found.scope.inputs.has(found.tensor.name) ? found : undefined;
}

/** Whether nothing but this one use reads a constant, so that it may be changed for that use. */
export function hasOneReader(view: ModelView, { tensor, scope }: Constant): boolean {
  return view.usesOf(scope, tensor.name).length === 1 && !isPutOut(scope, tensor.name);
}

/** Whether a graph puts out a value of this scope: its own graph, or one nested in it. */
export function isPutOut(scope: Scope, name: string): boolean {
  return scope.outputs.has(name) || scope.children.some((child) => isPutOut(child, name));
}

/**
 * Lets every use of value `from` of `scope` read the constant `to` instead. False, with nothing changed, where a graph
 * puts `from` out or where a use would find another value under that name.
 */
export function readInstead(view: ModelView, scope: Scope, from: string, to: Constant): boolean {
  const uses = view.usesOf(scope, from);
  const { name } = to.tensor;
  if (isPutOut(scope, from)) return false;
  if (uses.some((use) => view.initializerOf(use.scope, name)?.tensor !== to.tensor)) return false;
  for (const { node, input } of uses) node.input[input] = name;
  return true;
}

/** Puts a tensor in the place of one that a graph holds. */
export function replaceInitializer({ tensor, scope }: Constant, by: TensorProto): void {
  const { graph } = scope;
  graph.initializer = graph.initializer.map((held) => (held === tensor ? by : held));
}
