import type { GraphBuilder, Value } from "../graph/builder.js";
import { elementCount } from "../tensor/tensor.js";

// Losses between outputs and what they should be, for training a model against itself before it was changed; distillation
// has more of them.

/** What a label costs at each position, and what of it counts; all float32. */
export interface LabelCosts {
  /** Shape of the labels: -log of the label's probability; anything where the label is no class. */
  readonly costs: Value;
  /** Shape of the labels: 1 where the label is a class, else 0. */
  readonly known: Value;
}

/** float32 of the labels' shape: 1 where the label is a class, else 0. */
export function knownLabels(b: GraphBuilder, labels: Value, classes: number): Value {
  const numbers = b.cast(labels, "int64");
  return b.mul(
    b.cast(b.compare("GreaterOrEqual", numbers, 0), "float32"),
    b.cast(b.compare("Less", numbers, classes), "float32"),
  );
}

/**
 * Cross-entropy of logits with labels at each position: class numbers of the logits' shape without the axis of classes,
 * any integer dtype. One operator, so that neither the forward nor the backward part makes one-hot labels.
 */
export function labelCosts(b: GraphBuilder, logits: Value, labels: Value, axis: number): LabelCosts {
  const rank = logits.shape.length;
  const last = axis === rank - 1;
  const turned = last
    ? logits
    : b.transpose(logits, [...Array.from({ length: rank }, (_, at) => at).filter((at) => at !== axis), axis]);
  const [classes, count] = [logits.shape[axis]!, elementCount(labels.shape)];
  const numbers = b.cast(labels, "int64");
  const known = knownLabels(b, labels, classes);
  // what is no class must not be looked up
  const safe = b.mul(numbers, b.cast(known, "int64"));
  const rows = b.reshape(turned, [count, classes]);
  // the gradient takes the logarithms from it
  const [each] = b.node(
    "SoftmaxCrossEntropyLoss",
    [rows, b.reshape(safe, [count])],
    [{ dtype: logits.dtype, shape: [count] }, rows],
    { reduction: "none" },
  );
  return { costs: b.reshape(each!, labels.shape), known };
}

/**
 * Cross-entropy of logits [..., classes] with labels: class numbers of the logits' shape without the last axis, any integer
 * dtype; the mean over all, to which labels that are no class add nothing.
 */
export function labelLoss(b: GraphBuilder, logits: Value, labels: Value): Value {
  const { costs, known } = labelCosts(b, logits, labels, logits.shape.length - 1);
  return b.reduce("ReduceMean", b.mul(costs, known), undefined, false);
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
