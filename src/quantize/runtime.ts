import { graphsOf, type ModelProto } from "../formats/onnx.js";
import type { PlannedTensor } from "./plan.js";

/** What a runtime makes of the 8-bit weights of a model: how many it computes with, how many it unpacks each time. */
export interface RuntimeUse {
  /** Weights that 8-bit kernels read as they are. */
  readonly eightBit: number;
  /** Weights that are turned back into floats on every run. */
  readonly dequantizedEachRun: number;
}

/**
 * Reads from the graph as the runtime optimized it which of the quantized tensors still pass through a
 * DequantizeLinear; the others were fused into 8-bit kernels.
 */
export function runtimeUse(optimized: ModelProto, tensors: readonly PlannedTensor[]): RuntimeUse {
  const quantized = tensors.filter(({ action }) => action === "quantize").length;
  let left = 0;
  for (const graph of graphsOf(optimized.graph!)) {
    left += graph.node.filter(
      ({ opType, input }) => opType === "DequantizeLinear" && /_quantized(_\d+)?$/.test(input[0]!),
    ).length;
  }
  return { eightBit: Math.max(0, quantized - left), dequantizedEachRun: left };
}
