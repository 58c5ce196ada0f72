import type { NodeProto, TensorProto } from "../formats/onnx.js";
import type { FreshName } from "../graph/names.js";
import type { DType, Tensor } from "../tensor/tensor.js";
import type { NewSize, SizeSource } from "./computed-sizes.js";
import type { Axis } from "./labels.js";

/** What is known of a value where a node reads it. */
export interface AxedValue {
  readonly name: string;
  readonly shape: readonly number[];
  /** One for each axis of the shape. */
  readonly axes: readonly Axis[];
  /** The initializer it stands for, which nobody outside can replace. */
  readonly tensor: TensorProto | undefined;
}

/** A sum of products along an axis: removing an index removes a term of it, as zeros in that place would. */
export interface Contraction {
  readonly node: NodeProto;
  /** The axis that is summed over. */
  readonly labels: Int32Array;
  /** A stored factor, and its axis; null where both factors are computed. */
  readonly weight: { readonly tensor: TensorProto; readonly axis: number } | null;
  /** A computed factor: input number `input` of the node; null for a state that no value holds (LSTM, GRU, RNN). */
  readonly value: { readonly name: string; readonly input: number; readonly axis: number } | null;
}

/** A normalisation whose statistics run over an axis that may lose indices. */
export interface StatisticsAxis {
  readonly node: NodeProto;
  /** Of the node's first input. */
  readonly axis: number;
  readonly labels: Int32Array;
}

/** An axis of one of a node's inputs. */
export interface InputAxis {
  readonly input: number;
  readonly axis: number;
}

/** A node that a row looks at, and what it may do with the labels. */
export interface NodeAt {
  readonly node: NodeProto;
  /** Version of the default operator set. */
  readonly opset: number;
  /** Undefined for an input that is left out. Throws {@link NotFollowed} where its shape is not known. */
  input(at: number): AxedValue | undefined;
  /** As `input`, for one that the operator requires. */
  required(at: number): AxedValue;
  /** Of the elements of an input; undefined where it is not known. */
  dtype(at: number): DType | undefined;
  /** Throws {@link NotFollowed} where it is not known. */
  outputShape(at: number): readonly number[];
  /** The elements of a small stored constant (shapes, axes, indices); undefined for anything else. */
  constant(at: number): Tensor | undefined;
  /** What each element of a computed vector of sizes is made of; undefined where the input is no vector. */
  sizes(at: number): readonly SizeSource[] | undefined;
  /** Whether all that is made of an element of the first output ends in sizes that change along, for a Shape of `axis`. */
  endsInSizes(element: number, axis: number): boolean;
  /** Says that an axis may be longer for other inputs of the model than for those it was analysed for. */
  stretches(axis: Axis): void;
  /** Whether labels are joined already. */
  joined(a: number, b: number): boolean;
  fresh(size: number): Int32Array;
  /** Joins labels for good. */
  join(a: number, b: number): void;
  /** Joins index by index; where that cannot be, both stay, for this node's sake. */
  unify(a: Axis, b: Axis, why?: string): void;
  freeze(axis: Axis, why: string): void;
  /** Says that an input axis has been dealt with. Axes that are neither claimed, unified nor put out stay. */
  claim(axis: Axis): void;
  /** Joins two axes that this node sums products over; one of the inputs may be missing (a state). */
  contracts(a: InputAxis | null, b: InputAxis | null): void;
  /** Says that an axis holds the units of a recurrent operator, of which each keeps a state of its own. */
  recurs(axis: Axis): void;
  /** Tells of statistics over an axis of the first input, which must not be null. */
  statistics(axis: number, labels: Int32Array): void;
  /**
   * One of `options` (at least 1) ways to read this node; `signature` is the same for nodes that must be read alike. The
   * way that leaves most of the model prunable is found by trial.
   */
  choose(signature: string, options: number): number;
}

/** A node of the pruned model, whose weights are sliced already. */
export interface MendAt {
  /** To be changed in place. */
  readonly node: NodeProto;
  readonly opset: number;
  /** Values as they were before. */
  input(at: number): AxedValue | undefined;
  output(at: number): AxedValue;
  constant(at: number): Tensor | undefined;
  /** Indices of an axis that are left, ascending; null where nothing of it went. */
  kept(axis: Axis): readonly number[] | null;
  /** How long an axis of `size` is now. */
  sizeOf(axis: Axis, size: number): number;
  /** Puts a new constant in the place of an input. */
  setInput(at: number, tensor: Tensor): void;
  /** Multiplies what an output, of floats, comes to by a constant. */
  scaleOutput(at: number, factor: number): void;
  /** As for {@link NodeAt}, for the lengths of axes as they were. */
  sizes(at: number): readonly SizeSource[] | undefined;
  /** Changes element `at` of the vector of sizes that the node reads; what other nodes read stays. */
  setComputedSize(input: number, at: number, size: NewSize): void;
}

/** A normalisation that is to leave some indices out of its statistics; its outputs at those indices do not matter. */
export interface MaskAt {
  readonly node: NodeProto;
  /** Of the first input. */
  readonly axis: number;
  readonly rank: number;
  readonly opset: number;
  /** How long the axis is, and which of its indices count. */
  readonly labels: Int32Array;
  readonly kept: readonly number[];
  readonly fresh: FreshName;
}

/** How one operator passes on the indices of axes. */
export interface Row {
  /**
   * The axes of the outputs, one list for each (an output without a list stays as it is). Joins what has to go together.
   * Throws {@link NotFollowed} for a node that is no case of it: all that it touches stays then.
   */
  axes(at: NodeAt): readonly (readonly Axis[])[];
  /** Mends sizes that stand in attributes and constants, after what is removed was taken from weights. */
  mend?(at: MendAt): void;
  /** For an operator with statistics over an axis: the same with only some of its indices in them, the axis kept whole. */
  masked?(at: MaskAt): { readonly nodes: readonly NodeProto[]; readonly initializers: readonly TensorProto[] };
}

/** A node that a row cannot follow; the message says why, for reports. */
export class NotFollowed extends Error {}

/** Rows by operator; those of other domains than the default one as `com.microsoft:Attention`. */
export type Rows = Readonly<Record<string, Row>>;
