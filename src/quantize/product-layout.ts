import { intAttribute } from "../graph/node.js";
import { elementCount } from "../tensor/tensor.js";
import type { WeightPlan } from "./scheme.js";
import type { WeightUse } from "./sites.js";

/**
 * How a weight's elements stand for the products of its node: element (output, input, tap) stands at
 * output * outputStride + input * inputStride + tap; `inputs` counts the input channels of one group, `kernel` the taps.
 */
export interface ProductLayout {
  readonly outputs: number;
  readonly inputs: number;
  readonly groups: number;
  readonly kernel: number;
  readonly outputStride: number;
  readonly inputStride: number;
}

/** The layout of a weight of `shape`, as its plan stores it: Conv, MatMul and Gemm; undefined for others. */
export function productLayout(
  { node, input }: Pick<WeightUse, "node" | "input">,
  { transpose }: Pick<WeightPlan, "transpose">,
  shape: readonly number[],
): ProductLayout | undefined {
  if (input !== 1) return undefined;
  if (node.opType === "Conv") {
    const [outputs, inputs] = shape as [number, number];
    const kernel = elementCount(shape.slice(2));
    const groups = intAttribute(node, "group", 1);
    return { outputs, inputs, groups, kernel, outputStride: inputs * kernel, inputStride: kernel };
  }
  const isProduct = node.opType === "MatMul" || (node.opType === "Gemm" && intAttribute(node, "transA", 0) === 0);
  if (!isProduct || shape.length !== 2) return undefined;
  const turned = node.opType === "Gemm" && !transpose && intAttribute(node, "transB", 0) === 1;
  const [outputs, inputs] = (turned ? shape : [shape[1], shape[0]]) as [number, number];
  const [outputStride, inputStride] = turned ? [inputs, 1] : [1, outputs];
  return { outputs, inputs, groups: 1, kernel: 1, outputStride, inputStride };
}

/** Visits every element of a weight, in the order of memory: its place, its input channel (of all groups) and its output. */
export function eachProduct(
  { outputs, inputs, groups, kernel, outputStride, inputStride }: ProductLayout,
  visit: (at: number, channel: number, output: number) => void,
): void {
  const perGroup = outputs / groups;
  const one = (output: number, index: number) => {
    const at = output * outputStride + index * inputStride;
    const channel = Math.floor(output / perGroup) * inputs + index;
    for (let tap = 0; tap < kernel; tap++) visit(at + tap, channel, output);
  };
  if (outputStride > inputStride) {
    for (let output = 0; output < outputs; output++) for (let index = 0; index < inputs; index++) one(output, index);
  } else {
    for (let index = 0; index < inputs; index++) for (let output = 0; output < outputs; output++) one(output, index);
  }
}
