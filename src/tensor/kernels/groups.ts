import type { QuantizedForm } from "../quantized.js";
import { elementCount, formatShape } from "../tensor.js";

/**
 * Which elements share a scale. The source is seen as [outer, length, inner] around the form's axis; a group is `runs`
 * runs of `runLength` contiguous elements, `runStride` apart.
 */
export interface GroupLayout {
  /** Number of groups, which is the number of scales. */
  readonly count: number;
  readonly scaleShape: readonly number[];
  readonly outer: number;
  /** Size of the axis; 1 where the whole tensor is one group. */
  readonly length: number;
  readonly inner: number;
  /** Elements of the axis that share a scale: 1 for channels. */
  readonly block: number;
  /** Whether a group goes through all of `outer` (channels, tensor) or lies within one of its indices (blocks). */
  readonly across: boolean;
}

export interface Group {
  /** Index of the first element. */
  readonly base: number;
  readonly runs: number;
  readonly runStride: number;
  readonly runLength: number;
}

/** How a form cuts a shape into groups. Throws a RangeError when it does not fit. */
export function groupLayout(shape: readonly number[], form: QuantizedForm): GroupLayout {
  if (form.granularity === "tensor") {
    const inner = elementCount(shape);
    return { count: 1, scaleShape: [], outer: 1, length: 1, inner, block: 1, across: true };
  }
  const { axis } = form;
  const length = shape[axis];
  if (length === undefined || axis < 0) throw new RangeError(`shape ${formatShape(shape)} has no axis ${axis}`);
  const outer = elementCount(shape.slice(0, axis));
  const inner = elementCount(shape.slice(axis + 1));
  if (form.granularity === "channel") {
    return { count: length, scaleShape: [length], outer, length, inner, block: 1, across: true };
  }
  const block = form.blockSize;
  if (!block || block < 1) throw new RangeError("a form in blocks needs a block size");
  const scaleShape = shape.map((size, at) => (at === axis ? Math.ceil(size / block) : size));
  return { count: elementCount(scaleShape), scaleShape, outer, length, inner, block, across: false };
}

/** Where the elements of a group lie. */
export function groupAt(layout: GroupLayout, index: number): Group {
  const { outer, length, inner, block, across } = layout;
  if (across) return { base: index * inner, runs: outer, runStride: length * inner, runLength: inner };
  const blocks = Math.ceil(length / block);
  const column = index % inner;
  const stack = Math.floor(index / inner);
  const start = (stack % blocks) * block;
  const base = (Math.floor(stack / blocks) * length + start) * inner + column;
  const size = Math.min(block, length - start);
  return inner === 1
    ? { base, runs: 1, runStride: size, runLength: size }
    : { base, runs: size, runStride: inner, runLength: 1 };
}
