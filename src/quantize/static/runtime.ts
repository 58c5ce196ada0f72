import type { ModelProto } from "../../formats/onnx.js";
import type { StaticNode, StaticPlan } from "./plan.js";

/** What became of the planned 8-bit nodes of one operator. */
export interface FusedCount {
  readonly opType: string;
  readonly planned: number;
  /** How many of them the runtime runs in 8 bits. */
  readonly fused: number;
}

/** How onnxruntime calls 8-bit kernels that stand for a planned operator. */
const kernelsOf: Readonly<Record<string, readonly string[]>> = {
  Conv: ["QLinearConv"],
  Gemm: ["QGemm"],
  MatMul: ["QLinearMatMul", "MatMulIntegerToFloat"],
  Mul: ["QLinearMul"],
  Sigmoid: ["QLinearSigmoid"],
  Softmax: ["QLinearSoftmax"],
  AveragePool: ["QLinearAveragePool"],
  GlobalAveragePool: ["QLinearGlobalAveragePool"],
  Concat: ["QLinearConcat"],
  Where: ["QLinearWhere"],
  // also what sums, differences and hard sigmoids become
  Add: ["QLinearAdd"],
  // also what a Relu becomes
  LeakyRelu: ["QLinearLeakyRelu"],
};

/**
 * Compares a static plan with the graph as the runtime optimized it: how many of the planned kernels are there. Nodes
 * that only move or relabel values have none and are not counted.
 */
export function fusedCounts(optimized: ModelProto, plan: StaticPlan): readonly FusedCount[] {
  const planned = new Map<string, number>();
  for (const node of plan.nodes.values()) {
    const opType = kernelNode(node);
    if (opType) planned.set(opType, (planned.get(opType) ?? 0) + 1);
  }
  const found = new Map<string, number>();
  for (const { opType } of optimized.graph!.node) found.set(opType, (found.get(opType) ?? 0) + 1);
  return [...planned].map(([opType, count]) => {
    const kernels = kernelsOf[opType]!.reduce((sum, name) => sum + (found.get(name) ?? 0), 0);
    return { opType, planned: count, fused: Math.min(count, kernels) };
  });
}

/** The operator whose 8-bit kernel a planned node must become. */
function kernelNode({ opType, form }: StaticNode): string | undefined {
  if (form?.kind !== "kernel") return undefined;
  if (form.sum) return "Add";
  return form.leaky ? "LeakyRelu" : opType;
}
