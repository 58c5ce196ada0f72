import type { NodeProto } from "../formats/onnx.js";
import { intAttribute } from "../graph/node.js";

/** Where an operator takes a weight, and along which axis of it each output channel has its own scale. */
export interface WeightSlot {
  readonly opType: string;
  readonly input: number;
  /** Channel axis of a weight of `rank` axes; undefined where this node cannot use it per channel. */
  axis(node: NodeProto, rank: number): number | undefined;
}

/**
 * The operators whose weights are quantized. A weight that reaches any other operator is read there through the same
 * DequantizeLinear, so an operator that is not listed is never changed.
 */
const weightSlots: readonly WeightSlot[] = [
  // A [.., M, K] x B [.., K, N]: a scale for each column of B, or for each row of A
  { opType: "MatMul", input: 1, axis: (_, rank) => (rank >= 2 ? rank - 1 : undefined) },
  { opType: "MatMul", input: 0, axis: (_, rank) => (rank >= 2 ? rank - 2 : undefined) },
  // B is [K, N], or [N, K] with transB
  { opType: "Gemm", input: 1, axis: (node) => (intAttribute(node, "transB", 0) ? 0 : 1) },
  // [output channels, input channels / group, ...kernel]
  { opType: "Conv", input: 1, axis: () => 0 },
  // [input channels, output channels / group, ...kernel]
  { opType: "ConvTranspose", input: 1, axis: () => 1 },
];

/** The slot through which a node takes input number `input` as a weight. */
export function weightSlot(node: NodeProto, input: number): WeightSlot | undefined {
  return weightSlots.find((slot) => slot.opType === node.opType && slot.input === input);
}
