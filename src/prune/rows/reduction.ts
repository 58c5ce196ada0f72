import { intAttribute, intsAttribute } from "../../graph/node.js";
import type { Axis } from "../labels.js";
import { type NodeAt, NotFollowed, type Row, type Rows } from "../row.js";
import { axisOf } from "./blocks.js";
import { named } from "./elementwise.js";

/** The axes that a reduction runs over: an attribute, later an input; all of them where there are none. */
function reducedAxes(at: Pick<NodeAt, "node" | "input" | "constant">, rank: number): readonly number[] {
  const given = at.input(1) ? at.constant(1) : { data: intsAttribute(at.node, "axes") ?? [] };
  if (!given) throw new NotFollowed("its axes are computed");
  const axes = Array.from(given.data as ArrayLike<number | bigint>, (axis) => axisOf(Number(axis), rank));
  if (axes.length > 0) return axes;
  return intAttribute(at.node, "noop_with_empty_axes", 0) === 1 ? [] : Array.from({ length: rank }, (_, axis) => axis);
}

/** What is left of axes when some become one, or vanish. */
function reduced(at: NodeAt, axes: readonly Axis[], over: readonly number[]): readonly Axis[] {
  const keep = intAttribute(at.node, "keepdims", 1) === 1;
  return axes.flatMap((axis, position) => (over.includes(position) ? (keep ? [null] : []) : [axis]));
}

/** What is computed along some axes: those stay. */
const reduce: Row = {
  axes(at) {
    const { axes } = at.required(0);
    return [reduced(at, axes, reducedAxes(at, axes.length))];
  },
};

/** Zeros along axes that may lose indices are what those indices come to. */
function contractMoving(at: NodeAt, axes: readonly Axis[], over: readonly number[]): void {
  for (const axis of over) if (axes[axis]) at.contracts({ input: 0, axis }, null);
}

/** A sum over axes: an index that goes takes its term along, as a zero would. */
const sum: Row = {
  axes(at) {
    const { axes } = at.required(0);
    const over = reducedAxes(at, axes.length);
    contractMoving(at, axes, over);
    return [reduced(at, axes, over)];
  },
};

/** Types of numbers that a factor can be stored in. */
const floats: ReadonlySet<string | undefined> = new Set(["float16", "float32", "float64"]);

/** A mean is a sum over a count, which stays what it was: what goes counts as zeros do. */
const mean: Row = {
  axes(at) {
    const { axes } = at.required(0);
    const over = reducedAxes(at, axes.length);
    // integers round, and cannot be scaled
    if (floats.has(at.dtype(0))) contractMoving(at, axes, over);
    return [reduced(at, axes, over)];
  },
  mend(at) {
    const { axes, shape } = at.input(0)!;
    const share = reducedAxes(at, axes.length).reduce(
      (product, axis) => (product * at.sizeOf(axes[axis]!, shape[axis]!)) / shape[axis]!,
      1,
    );
    if (share !== 1) at.scaleOutput(0, share);
  },
};

const extreme: Row = {
  axes(at) {
    const { axes } = at.required(0);
    return [reduced(at, axes, [axisOf(intAttribute(at.node, "axis", 0), axes.length)])];
  },
};

/** All outputs have the axes of the input, but for one that stays. */
const along = (axisAt: (at: NodeAt) => number): Row => ({
  axes(at) {
    const { axes } = at.required(0);
    const stays = axisOf(axisAt(at), axes.length);
    const left = axes.map((axis, position) => (position === stays ? null : axis));
    return at.node.output.map(() => left);
  },
});

/** Before opset 13 all axes from the given one on are one. */
const softmax: Row = {
  axes(at) {
    const { axes } = at.required(0);
    const flat = at.opset < 13;
    const first = axisOf(intAttribute(at.node, "axis", flat ? 1 : -1), axes.length);
    return [axes.map((axis, position) => (position === first || (flat && position > first) ? null : axis))];
  },
};

/** Another matrix for each index of the axes before the last two. */
const matrices: Row = {
  axes: (at) => [[...at.required(0).axes.slice(0, -2), null, null]],
};

function constantAxis(at: NodeAt): number {
  const axis = at.constant(1);
  if (!axis) throw new NotFollowed("its axis is computed");
  return Number(axis.data[0]);
}

export const reduction: Rows = {
  ...named(reduce, "ReduceMax ReduceMin ReduceProd ReduceLogSumExp"),
  ...named(sum, "ReduceSum ReduceSumSquare ReduceL1 ReduceL2 ReduceLogSum"),
  ReduceMean: mean,
  ...named(extreme, "ArgMax ArgMin"),
  ...named(softmax, "Softmax LogSoftmax Hardmax"),
  TopK: along((at) => intAttribute(at.node, "axis", -1)),
  CumSum: along(constantAxis),
  Trilu: matrices,
};
