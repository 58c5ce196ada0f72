import type { Value } from "../../graph/builder.js";
import { floatAttribute } from "../../graph/node.js";
import type { Decomposition } from "./decomposition.js";

/** What the statistics of the batch are called, [C], where a BatchNormalization that makes `output` is trained. */
export function batchStatisticsOf(output: string): { readonly batchMean: string; readonly batchVariance: string } {
  return { batchMean: `${output}/batch_mean`, batchVariance: `${output}/batch_variance` };
}

/**
 * BatchNormalization over the batch: (x - mean) / sqrt(variance + epsilon) * scale + bias, biased variance. With a momentum
 * of 0 the runtime's running statistics are those of the batch; the stored ones are not looked at.
 */
export const trainBatchNormalization: Decomposition = ({ node, b, inputs }) => {
  const [x, scale, bias] = inputs as readonly [Value, Value, Value];
  const flat = { dtype: x.dtype, shape: scale.shape };
  // onnxruntime writes outputs 1 and 2 over inputs 3 and 4, so these must be two values made anew in each run
  const [before, spread] = [b.mul(scale, 0), b.mul(bias, 0)];
  const { batchMean, batchVariance } = batchStatisticsOf(node.output[0]!);
  const epsilon = { float: floatAttribute(node, "epsilon", Math.fround(1e-5)) };
  const attributes = { epsilon, momentum: { float: 0 }, training_mode: 1 };
  const names = [b.fresh(`${node.output[0]}_trained`), batchMean, batchVariance];
  const made = b.node("BatchNormalization", [x, scale, bias, before, spread], [x, flat, flat], attributes, { names });
  return [made[0]];
};
