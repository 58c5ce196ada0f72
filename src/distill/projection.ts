import { normal } from "../data/random.js";
import type { GraphBuilder, Value } from "../graph/builder.js";
import type { Parameter } from "../train/graph.js";

/** The axis of features: channels of maps [N, C, H, W] and [N, C, D, H, W], else the last. */
export function featureAxis(shape: readonly number[]): number {
  return shape.length >= 4 ? 1 : shape.length - 1;
}

/**
 * A learned linear map from the student's width to the teacher's, for training alone: a matrix, or a 1x1 convolution for
 * feature maps; at first it keeps variances. Undefined where the widths are the same.
 */
export function createProjection(
  name: string,
  student: readonly number[],
  teacher: readonly number[],
  seed: number,
): Parameter | undefined {
  const axis = featureAxis(student);
  const [from, to] = [student[axis]!, teacher[axis]!];
  if (from === to) return undefined;
  const next = normal(seed);
  const data = Float32Array.from({ length: from * to }, () => next() / Math.sqrt(from));
  const ones = Array<number>(student.length - 2).fill(1);
  return { name, shape: student.length >= 4 ? [to, from, ...ones] : [from, to], data, kind: "weight" };
}

/** Writes the projection of a value. */
export function project(b: GraphBuilder, x: Value, projection: Value): Value {
  if (x.shape.length >= 4) {
    const shape = x.shape.map((size, at) => (at === 1 ? projection.shape[0]! : size));
    return b.op("Conv", [x, projection], { dtype: x.dtype, shape });
  }
  return b.matmul(x, projection);
}
