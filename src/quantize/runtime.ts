import { graphsOf, type ModelProto } from "../formats/onnx.js";
import type { AppliedTensor } from "./apply.js";

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
export function runtimeUse(optimized: ModelProto, tensors: readonly AppliedTensor[]): RuntimeUse {
  const stored = new Set(tensors.flatMap(({ storedAs }) => storedAs ?? []));
  const unpacked = new Set<string>();
  for (const graph of graphsOf(optimized.graph!)) {
    for (const { opType, input } of graph.node) {
      if (opType === "DequantizeLinear" && stored.has(input[0]!)) unpacked.add(input[0]!);
    }
  }
  return { eightBit: stored.size - unpacked.size, dequantizedEachRun: unpacked.size };
}
