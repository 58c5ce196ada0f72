import { axisOf, type GraphBuilder, type Value } from "../graph/builder.js";
import { elementCount, formatShape } from "../tensor/tensor.js";

/** A shape without these axes. */
export function shapeWithout(shape: readonly number[], axes: readonly number[]): readonly number[] {
  const gone = new Set(axes.map((axis) => axisOf(axis, shape.length)));
  return shape.filter((_, at) => !gone.has(at));
}

/** Whether a mask [N], [N, T], ... stands for the leading axes of this shape. */
export function maskFits(mask: readonly number[], shape: readonly number[]): boolean {
  return mask.length <= shape.length && mask.every((size, at) => size === shape[at]);
}

/**
 * The mask as float32 numbers of `shape`, whose leading axes are the mask's: what counts as 1 and what does not as 0.
 * Undefined without a mask.
 */
export function spreadMask(b: GraphBuilder, mask: Value | undefined, shape: readonly number[]): Value | undefined {
  if (!mask) return undefined;
  if (!maskFits(mask.shape, shape)) {
    throw new Error(`a mask of ${formatShape(mask.shape)} for positions of ${formatShape(shape)}`);
  }
  const numbers = b.cast(mask, "float32");
  const padded = b.reshape(numbers, [...mask.shape, ...Array<number>(shape.length - mask.shape.length).fill(1)]);
  return b.expand(padded, shape);
}

/** How much counts in the positions of `shape`, a scalar: all of them, or the sum of their weights. */
export function countOf(b: GraphBuilder, weights: Value | undefined, shape: readonly number[]): Value {
  return weights ? b.reduce("ReduceSum", weights, undefined, false) : b.scalar(elementCount(shape));
}

/** The mean of what each position costs, weighted where there are weights of the same shape; a scalar. */
export function meanOver(b: GraphBuilder, costs: Value, weights: Value | undefined): Value {
  if (!weights) return b.reduce("ReduceMean", costs, undefined, false);
  const total = b.reduce("ReduceSum", b.mul(costs, weights), undefined, false);
  // a batch of nothing but padding costs 0
  return b.div(total, b.binary("Max", countOf(b, weights, costs.shape), 1e-6));
}

/** Sum over one axis, which goes. */
export function sumOver(b: GraphBuilder, x: Value, axis: number): Value {
  return b.reduce("ReduceSum", x, [axisOf(axis, x.shape.length)], false);
}
