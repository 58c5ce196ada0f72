import { intAttribute } from "../graph/node.js";
import { dequantize } from "../tensor/dequantize.js";
import { numbersOf } from "../tensor/numbers.js";
import type { QuantizedWeight, QuantizerSource } from "../tensor/quantized.js";
import type { WeightPlan } from "./scheme.js";
import type { WeightUse } from "./sites.js";

/** Mean and mean square of a node's input along its channels; calibration gives them. */
export interface InputChannels {
  readonly mean: readonly number[];
  readonly meanSquare: readonly number[];
}

/** What the rounding of a weight does to what its node puts out, on inputs with the statistics of the calibration. */
export interface WeightError {
  /** How much the mean of each output channel moves: sum of (dequantized - weight) * mean of the input. */
  readonly shift: Float64Array;
  /** Noise power over signal power of the output, taking inputs for independent of each other. */
  readonly noiseRatio: number;
}

/** Axis of the input channels that goes with a node: of `rank` axes of its input 0; undefined where there is none. */
export function inputChannelAxis({ node, input }: WeightUse): number | undefined {
  if (node.opType === "Conv") return 1;
  if ((node.opType === "MatMul" && input === 1) || (node.opType === "Gemm" && intAttribute(node, "transA", 0) === 0)) {
    return -1;
  }
  return undefined;
}

/**
 * The effect of rounding on one node. `floats` is the weight in the layout of its plan: Conv [O, I / group, ...kernel],
 * MatMul and Gemm [K, N], Gemm with transB [N, K]. Undefined where the statistics do not fit the node. Padding counts
 * like any other input. Source: bias correction of Nagel et al. 2019, arXiv:1906.04721, section 4.2.
 */
export function weightError(
  use: WeightUse,
  plan: WeightPlan,
  floats: QuantizerSource,
  weight: QuantizedWeight,
  channels: InputChannels,
): WeightError | undefined {
  const { node } = use;
  const { shape } = floats;
  const conv = node.opType === "Conv";
  if (!conv && shape.length !== 2) return undefined;
  const rowsAreOutputs = conv || (node.opType === "Gemm" && !plan.transpose && intAttribute(node, "transB", 0) === 1);
  const [outputs, inputs] = rowsAreOutputs ? [shape[0]!, shape[1]!] : [shape[1]!, shape[0]!];
  const groups = conv ? intAttribute(node, "group", 1) : 1;
  if (channels.mean.length !== inputs * groups) return undefined;
  const source = numbersOf(floats);
  const found = dequantize(weight);
  const kernel = source.length / (shape[0]! * shape[1]!);
  const shift = new Float64Array(outputs);
  let noise = 0;
  let signal = 0;
  let at = 0;
  for (let row = 0; row < shape[0]!; row++) {
    for (let column = 0; column < shape[1]!; column++) {
      const [output, input] = rowsAreOutputs ? [row, column] : [column, row];
      const channel = Math.floor(output / (outputs / groups)) * inputs + input;
      let moved = 0;
      let squares = 0;
      let power = 0;
      for (const end = at + kernel; at < end; at++) {
        const value = source[at]!;
        const error = found[at]! - value;
        moved += error;
        squares += error * error;
        power += value * value;
      }
      shift[output]! += moved * channels.mean[channel]!;
      noise += squares * channels.meanSquare[channel]!;
      signal += power * channels.meanSquare[channel]!;
    }
  }
  return { shift, noiseRatio: signal === 0 ? 0 : noise / signal };
}
