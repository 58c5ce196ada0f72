import type { GraphBuilder, Value } from "../graph/builder.js";
import { formatShape } from "../tensor/tensor.js";

/**
 * Sums a value down to a shape that broadcasts to it: over the axes that broadcasting added or stretched. This is how
 * the gradient of a broadcast operand comes about. Throws an Error where the shape does not broadcast to the value's.
 */
export function sumTo(b: GraphBuilder, value: Value, shape: readonly number[]): Value {
  const extra = value.shape.length - shape.length;
  const axes = value.shape.flatMap((size, at) => (at < extra || (shape[at - extra] === 1 && size !== 1) ? [at] : []));
  const summed = axes.length === 0 ? value : b.reduce("ReduceSum", value, axes, !axes.every((axis) => axis < extra));
  const ahead = summed.shape.length - shape.length;
  if (ahead < 0 || summed.shape.some((size, at) => at >= ahead && size !== shape[at - ahead])) {
    throw new Error(`a gradient of ${formatShape(value.shape)} for a value of ${formatShape(shape)}`);
  }
  return b.reshape(summed, shape);
}
