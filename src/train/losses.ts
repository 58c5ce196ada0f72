import type { GraphBuilder, Value } from "../graph/builder.js";

// Losses between outputs and what they should be, for training a model against itself before it was changed; distillation
// has more of them.

/**
 * Cross-entropy of logits [..., classes] with labels: class numbers of the logits' shape without the last axis, any integer
 * dtype; the mean over all.
 */
export function labelLoss(b: GraphBuilder, logits: Value, labels: Value): Value {
  const axis = logits.shape.length - 1;
  const classes = logits.shape[axis]!;
  const range = {
    dtype: "int64" as const,
    shape: [classes],
    data: BigInt64Array.from({ length: classes }, (_, at) => BigInt(at)),
  };
  const column = b.reshape(b.cast(labels, "int64"), [...logits.shape.slice(0, axis), 1]);
  const right = b.cast(b.compare("Equal", column, b.constant(range)), "float32");
  const sums = b.reduce("ReduceSum", b.mul(right, b.logSoftmax(logits, axis)), [axis], false);
  return b.map("Neg", b.reduce("ReduceMean", sums, undefined, false));
}

/**
 * Soft targets: KL(teacher || softmax(logits)) at a temperature, times its square (Hinton et al. 2015), the mean over all
 * but the axis of classes. The teacher is given as logits or logarithms of probabilities: both are the same to it.
 */
export function softTargetLoss(
  b: GraphBuilder,
  logits: Value,
  teacher: Value,
  axis: number,
  temperature: number,
): Value {
  const soften = (value: Value) => (temperature === 1 ? value : b.div(value, temperature));
  const target = soften(teacher);
  const gone = b.sub(b.logSoftmax(target, axis), b.logSoftmax(soften(logits), axis));
  const sums = b.reduce("ReduceSum", b.mul(b.softmax(target, axis), gone), [axis], false);
  return b.mul(b.reduce("ReduceMean", sums, undefined, false), temperature ** 2);
}

/** Squared differences over the mean square of the target: what part of its power is missed. */
export function relativeSquareLoss(b: GraphBuilder, value: Value, target: Value): Value {
  const gone = b.reduce("ReduceMean", b.binary("Pow", b.sub(value, target), 2), undefined, false);
  const power = b.reduce("ReduceMean", b.mul(target, target), undefined, false);
  return b.div(gone, b.add(power, 1e-12));
}
