import type { NodeProto } from "../formats/onnx.js";
import type { GraphBuilder, Value } from "../graph/builder.js";
import type { Tensor } from "../tensor/tensor.js";

/** What a gradient rule knows of the node it differentiates. */
export interface RuleContext {
  readonly node: NodeProto;
  /** Writes the nodes of the gradient. */
  readonly b: GraphBuilder;
  /** The node's inputs, as they are in the forward graph; undefined for one left out. */
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  /** The cotangent of an output (the first without a number), of the output's form; zeros where nothing flows. */
  cotangent(output?: number): Value;
  /** The cotangent where one flows. */
  flows(output: number): Value | undefined;
  /** Whether the gradient of this input is asked for; rules need not compute any other. */
  wants(input: number): boolean;
  /** The value of an input that is constant. */
  constant(input: number): Tensor | undefined;
  /** The integers of a constant input; undefined where the input is left out. Throws a UserError where it varies. */
  ints(input: number): readonly number[] | undefined;
  /** Gives up with a UserError that names the node and says why. */
  refuse(why: string): never;
}

/**
 * The gradient of a node: a cotangent for each input that is wanted, undefined for the others. A cotangent may still
 * have the shape that broadcasting gave the operand: the loop sums it down to the operand's.
 */
export type GradientRule = (context: RuleContext) => readonly (Value | undefined)[];

/** Rules by operator: `Conv`, or `com.microsoft:FusedMatMul`. */
export type RuleTable = Readonly<Record<string, GradientRule>>;
