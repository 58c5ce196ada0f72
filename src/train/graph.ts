import type { NodeProto } from "../formats/onnx.js";
import type { Value } from "../graph/builder.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * A model for one set of input shapes, ready to be differentiated: one flat list of nodes in order (no subgraphs, no
 * contrib operators but FusedMatMul, opset 21), the dtype and shape of every value, and the value of everything that
 * does not depend on the elements of a batch or on a parameter.
 */
export interface TrainingGraph {
  readonly nodes: readonly NodeProto[];
  /** Every value: inputs, parameters, constants, and what nodes make. */
  readonly values: ReadonlyMap<string, Value>;
  /** Frozen weights and all that is folded. */
  readonly constants: ReadonlyMap<string, Tensor>;
  /** What a batch feeds. */
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Inputs whose elements decided a branch or a shape: every batch of this graph must bring just these. */
  readonly fixed?: ReadonlyMap<string, Tensor>;
  /** What these shapes and inputs fixed, in words. */
  readonly notes?: readonly string[];
}

/**
 * What training does to a tensor. Decay is for weights alone; `step` is the step size of a fake quantization, `statistic`
 * a running mean or variance that no gradient changes.
 */
export type ParameterKind = "weight" | "bias" | "norm" | "step" | "statistic";

/** A tensor that training changes; its elements are updated in place. */
export interface Parameter {
  /** The initializer's in the model; names are the joint between training copy and file. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
  readonly kind: ParameterKind;
  /** Multiplies the learning rate; default 1. */
  readonly rateScale?: number;
  /** No element gets below this after an update (step sizes must stay above 0). */
  readonly lowerBound?: number;
  /** 1 where elements may change and 0 where they are held at their value, same shape. */
  readonly mask?: Uint8Array;
}
