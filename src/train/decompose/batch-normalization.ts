import type { Value } from "../../graph/builder.js";
import { floatAttribute } from "../../graph/node.js";
import type { Decomposition } from "./decomposition.js";

/** What the statistics of the batch are called, [C], where a BatchNormalization that makes `output` is trained. */
export function batchStatisticsOf(output: string): { readonly batchMean: string; readonly batchVariance: string } {
  return { batchMean: `${output}/batch_mean`, batchVariance: `${output}/batch_variance` };
}

/** BatchNormalization over the batch: (x - mean) / sqrt(variance + epsilon) * scale + bias, biased variance. */
export const trainBatchNormalization: Decomposition = ({ node, b, inputs }) => {
  const [x, scale, bias] = inputs as readonly [Value, Value, Value];
  const channels = x.shape[1]!;
  const axes = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const perChannel = x.shape.map((_, axis) => (axis === 1 ? channels : 1));
  const mean = b.reduce("ReduceMean", x, axes);
  const centred = b.sub(x, mean);
  const variance = b.reduce("ReduceMean", b.mul(centred, centred), axes);
  const deviation = b.map("Sqrt", b.add(variance, floatAttribute(node, "epsilon", Math.fround(1e-5))));
  const scaled = b.mul(b.div(centred, deviation), b.reshape(scale, perChannel));
  const names = batchStatisticsOf(node.output[0]!);
  const flat = { dtype: x.dtype, shape: [channels] };
  b.node("Reshape", [mean, b.ints([channels])], [flat], {}, { names: [names.batchMean] });
  b.node("Reshape", [variance, b.ints([channels])], [flat], {}, { names: [names.batchVariance] });
  return [b.add(scaled, b.reshape(bias, perChannel))];
};
