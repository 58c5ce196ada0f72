import type { NodeProto } from "../formats/onnx.js";
import { intAttribute } from "../graph/node.js";
import type { OperatorClass } from "./settings.js";

/** Where an operator takes a weight, and what its axes mean. */
export interface WeightSlot {
  readonly opType: string;
  readonly input: number;
  /** Axis of a weight of `rank` axes that holds the output channels; undefined where this node has none. */
  axis(node: NodeProto, rank: number): number | undefined;
  /** Axis that products are summed over, where it is a single one: the axis that may be cut into blocks. */
  sumAxis?(node: NodeProto, rank: number): number | undefined;
}

/**
 * The operators whose weights are quantized. A weight that reaches any other operator is read there through the same
 * dequantized value, so an operator that is not listed is never changed.
 */
const weightSlots: readonly WeightSlot[] = [
  // A [.., M, K] x B [.., K, N]: a scale for each column of B, or for each row of A
  {
    opType: "MatMul",
    input: 1,
    axis: (_, rank) => (rank >= 2 ? rank - 1 : undefined),
    sumAxis: (_, rank) => (rank >= 2 ? rank - 2 : undefined),
  },
  {
    opType: "MatMul",
    input: 0,
    axis: (_, rank) => (rank >= 2 ? rank - 2 : undefined),
    sumAxis: (_, rank) => (rank >= 2 ? rank - 1 : undefined),
  },
  // B is [K, N], or [N, K] with transB
  {
    opType: "Gemm",
    input: 1,
    axis: (node) => (intAttribute(node, "transB", 0) ? 0 : 1),
    sumAxis: (node) => (intAttribute(node, "transB", 0) ? 1 : 0),
  },
  // [output channels, input channels / group, ...kernel]
  { opType: "Conv", input: 1, axis: () => 0 },
  // [input channels, output channels / group, ...kernel]
  { opType: "ConvTranspose", input: 1, axis: () => 1 },
  // W [directions, gates * hidden, input] and R [directions, gates * hidden, hidden]
  ...["LSTM", "GRU", "RNN"].flatMap((opType) =>
    [1, 2].map((input) => ({
      opType,
      input,
      axis: (_: NodeProto, rank: number) => (rank === 3 ? 1 : undefined),
      sumAxis: (_: NodeProto, rank: number) => (rank === 3 ? 2 : undefined),
    })),
  ),
  // a table of rows: a scale for each of them
  {
    opType: "Gather",
    input: 0,
    axis(node, rank) {
      const axis = intAttribute(node, "axis", 0);
      const from0 = axis < 0 ? axis + rank : axis;
      return rank >= 2 && from0 >= 0 && from0 < rank ? from0 : undefined;
    },
  },
];

/** The slot through which a node takes input number `input` as a weight. */
export function weightSlot(node: NodeProto, input: number): WeightSlot | undefined {
  return weightSlots.find((slot) => slot.opType === node.opType && slot.input === input);
}

/** The class of an operator that reads a weight of these sizes. */
export function operatorClass(node: NodeProto, shape: readonly number[]): OperatorClass {
  const { opType } = node;
  if (opType === "Gather") return "embedding";
  if (opType === "LSTM" || opType === "GRU" || opType === "RNN") return "recurrent";
  if (opType === "Conv") return shape[1] === 1 && intAttribute(node, "group", 1) > 1 ? "depthwise" : "conv";
  return opType === "ConvTranspose" ? "conv" : "matmul";
}
