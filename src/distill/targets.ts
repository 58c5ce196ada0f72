import { axisOf, type GraphBuilder, type Value } from "../graph/builder.js";
import { formatShape } from "../tensor/tensor.js";
import { knownLabels, labelCosts } from "../train/losses.js";
import type { LossOptions } from "./losses.js";
import { meanOver, shapeWithout, spreadMask, sumOver } from "./positions.js";

/**
 * Cross-entropy with the labels, int64 of the logits' shape without the class axis. Positions with a label below 0 (or no
 * such class) do not count, nor do those the mask leaves out.
 */
export function hardTargets(
  b: GraphBuilder,
  logits: Value,
  labels: Value,
  options: Pick<LossOptions, "axis" | "mask"> = {},
): Value {
  const axis = axisOf(options.axis ?? -1, logits.shape.length);
  const positions = shapeWithout(logits.shape, [axis]);
  if (formatShape(positions) !== formatShape(labels.shape)) {
    throw new Error(`labels of ${formatShape(labels.shape)} for logits of ${formatShape(logits.shape)}`);
  }
  const { costs, known } = labelCosts(b, logits, labels, axis);
  return meanOver(b, costs, masked(b, known, options.mask));
}

/** 1 for positions whose label is a class and which the mask does not leave out. */
export function labelMask(b: GraphBuilder, labels: Value, classes: number, mask: Value | undefined): Value {
  return masked(b, knownLabels(b, labels, classes), mask);
}

function masked(b: GraphBuilder, known: Value, mask: Value | undefined): Value {
  const seen = spreadMask(b, mask, known.shape);
  return seen ? b.mul(known, seen) : known;
}

/** The likeliest classes of a teacher. */
export interface TopClasses {
  /** int64 [..., k]: class numbers. */
  readonly classes: Value;
  /** float32 [..., k]: their probabilities at the temperature of the loss; what is missing to 1 is all other classes'. */
  readonly shares: Value;
}

/**
 * Soft targets where of the teacher only the likeliest classes are known: KL over those and one class that stands for all
 * the others, times T^2. The classes are the last axis of the student's logits.
 */
export function topTargets(b: GraphBuilder, logits: Value, top: TopClasses, options: LossOptions = {}): Value {
  const { temperature = 1, mask } = options;
  const axis = logits.shape.length - 1;
  const logQ = b.logSoftmax(temperature === 1 ? logits : b.div(logits, temperature), axis);
  const { shape: few } = top.classes;
  const form = { dtype: "float32" as const, shape: logits.shape };
  const scattered = (value: number, updates: Value) =>
    b.op("ScatterElements", [b.filled(value, form), top.classes, updates], form, { axis });
  // the teacher's side is dense again: no gradient has to be gathered
  const p = scattered(0, top.shares);
  const others = scattered(1, b.filled(0, { dtype: "float32", shape: few }));
  const rest = b.binary("Max", b.sub(1, sumOver(b, top.shares, axis)), 0);
  const restOfStudent = sumOver(b, b.mul(b.map("Exp", logQ), others), axis);
  const log = (x: Value) => b.map("Log", b.add(x, 1e-30));
  const entropy = b.add(sumOver(b, b.mul(top.shares, log(top.shares)), axis), b.mul(rest, log(rest)));
  const cross = b.add(sumOver(b, b.mul(p, logQ), axis), b.mul(rest, log(restOfStudent)));
  const costs = b.sub(entropy, cross);
  return b.mul(meanOver(b, costs, spreadMask(b, mask, costs.shape)), temperature ** 2);
}
