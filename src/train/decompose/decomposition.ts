import type { NodeProto } from "../../formats/onnx.js";
import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { Tensor } from "../../tensor/tensor.js";

/** What a decomposition knows of the node it takes apart. */
export interface DecomposeContext {
  readonly node: NodeProto;
  /** Writes the nodes that take its place. */
  readonly b: GraphBuilder;
  /** Undefined for one left out. */
  readonly inputs: readonly (Value | undefined)[];
  /** As the node makes them; undefined for one nobody asks for. */
  readonly outputs: readonly (Value | undefined)[];
  /** The value of an input that does not change. */
  constant(input: number): Tensor | undefined;
  /** Gives up with a UserError that names the node and says why. */
  refuse(why: string): never;
}

/** Writes a node with other operators; gives its outputs, undefined for those nobody asks for. */
export type Decomposition = (context: DecomposeContext) => readonly (Value | undefined)[];

/** By operator: `LSTM`, or `com.microsoft:Attention`. */
export type DecompositionTable = Readonly<Record<string, Decomposition>>;
