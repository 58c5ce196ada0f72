import type { GraphBuilder, Value } from "../../graph/builder.js";

/** x with zeros around it (a negative number takes away): `before` and `after` of every axis. */
export function padded(b: GraphBuilder, x: Value, before: readonly number[], after: readonly number[]): Value {
  if ([...before, ...after].every((one) => one === 0)) return x;
  const shape = x.shape.map((size, at) => size + before[at]! + after[at]!);
  return b.op("Pad", [x, b.ints([...before, ...after])], { dtype: x.dtype, shape });
}

/** x inside zeros of `shape`: it starts at `firsts` of `axes`, and at 0 of the others. */
export function placed(
  b: GraphBuilder,
  x: Value,
  axes: readonly number[],
  firsts: readonly number[],
  shape: readonly number[],
): Value {
  const before = shape.map((_, at) => firsts[axes.indexOf(at)] ?? 0);
  return padded(
    b,
    x,
    before,
    shape.map((size, at) => size - before[at]! - x.shape[at]!),
  );
}

/** The last element of an axis first. */
export function reversed(b: GraphBuilder, x: Value, ...axes: readonly number[]): Value {
  const turned = axes.filter((axis) => x.shape[axis] !== 1);
  if (turned.length === 0) return x;
  const [starts, steps] = [turned.map(() => -1), turned.map(() => -1)];
  const ends = turned.map((axis) => -x.shape[axis]! - 1);
  return b.op("Slice", [x, b.ints(starts), b.ints(ends), b.ints(turned), b.ints(steps)], x);
}
