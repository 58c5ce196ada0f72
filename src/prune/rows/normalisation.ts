import { intAttribute, intsAttribute, setAttribute } from "../../graph/node.js";
import type { Axis } from "../labels.js";
import { type AxedValue, type NodeAt, NotFollowed, type Row, type Rows } from "../row.js";
import { axisOf, fixed, goWhole, joinBlocks } from "./blocks.js";
import { broadcastAxes, named } from "./elementwise.js";
import { withKeptOnly } from "./masked.js";

/** Vectors with one number a channel: scale, bias, mean, variance. */
function joinVectors(at: NodeAt, axis: Axis, vectors: readonly (AxedValue | undefined)[]): void {
  for (const vector of vectors) if (vector) at.unify(axis, vector.axes[0] ?? null);
}

const ownFrom = (at: NodeAt, first: number) =>
  at.node.input.flatMap((_, index) => (index < first ? [] : [at.input(index)]));

/** Every channel by itself: with statistics that are stored, or its own. */
const batchNormalization: Row = {
  axes(at) {
    if (intAttribute(at.node, "training_mode", 0) === 1) throw new NotFollowed("it is in training mode");
    const { axes } = at.required(0);
    joinVectors(at, axes[1]!, ownFrom(at, 1));
    return [axes];
  },
};

const instanceNormalization: Row = {
  axes(at) {
    const { axes } = at.required(0);
    joinVectors(at, axes[1]!, ownFrom(at, 1));
    return [[axes[0]!, axes[1]!, ...fixed(axes.length - 2)]];
  },
};

/** Statistics over some axes, which stay; nothing that is learned. */
const alongAxes = (axesOf: (at: NodeAt, rank: number) => readonly number[]): Row => ({
  axes(at) {
    const { axes } = at.required(0);
    const kept = axesOf(at, axes.length);
    return [axes.map((axis, position) => (kept.includes(position) ? null : axis))];
  },
});

/** Statistics over the channels of a group and all places; scale and bias of each group (before opset 21) or channel. */
const groupNormalization: Row = {
  axes(at) {
    const x = at.required(0);
    const channels = x.axes[1]!;
    const groups = intAttribute(at.node, "num_groups", 1);
    const size = x.shape[1]! / groups;
    if (!Number.isInteger(size)) throw new NotFollowed("its groups do not fit its channels");
    const vectors = ownFrom(at, 1);
    const whole = goWhole(groups, size);
    if (channels) joinBlocks(at, channels, groups, whole ? "block" : "place");
    for (const vector of vectors) {
      const axis = vector?.axes[0];
      if (!axis || !channels) continue;
      if (axis.length === x.shape[1]) at.unify(channels, axis);
      else if (whole)
        at.unify(
          channels.filter((_, c) => c % size === 0),
          axis,
        );
    }
    if (channels && !whole) at.statistics(1, channels);
    return [[x.axes[0]!, channels, ...fixed(x.shape.length - 2)]];
  },
  mend({ node, input, sizeOf }) {
    const x = input(0)!;
    const groups = intAttribute(node, "num_groups", 1);
    const size = x.shape[1]! / groups;
    if (goWhole(groups, size)) setAttribute(node, "num_groups", sizeOf(x.axes[1]!, x.shape[1]!) / size);
  },
  masked(at) {
    return withKeptOnly(at, at.opset < 21 ? { 0: 1 } : { 0: 1, 1: 0, 2: 0 }, { 0: 1 });
  },
};

/** Tells of statistics over the last axes of a value, of which one at most may lose indices. */
function lastAxes(at: NodeAt, axes: readonly Axis[], first: number): void {
  const moving = axes.flatMap((axis, position) => (axis && position >= first ? [position] : []));
  if (moving.length > 1) throw new NotFollowed("its statistics run over several axes");
  for (const position of moving) at.statistics(position, axes[position] as Int32Array);
}

/** Statistics over the axes from `axis` on; scale and bias broadcast. */
const layerNormalization: Row = {
  axes(at) {
    const x = at.required(0);
    const rank = x.shape.length;
    const first = axisOf(intAttribute(at.node, "axis", -1), rank);
    const vectors = ownFrom(at, 1).flatMap((value) => value ?? []);
    lastAxes(at, x.axes, first);
    const axes = broadcastAxes(at, [x, ...vectors]);
    const statistics = axes.map((axis, position) => (position < first ? axis : null));
    return [axes, statistics, statistics];
  },
  masked(at) {
    const axis = at.axis - at.rank;
    return withKeptOnly(at, { 0: axis, 1: axis, 2: axis }, { 0: axis });
  },
};

/** The sum of two values and a bias, normalised along its last axis; the sum is put out too. */
const skipNormalization: Row = {
  axes(at) {
    const x = at.required(0);
    const rank = x.shape.length;
    lastAxes(at, x.axes, rank - 1);
    const axes = broadcastAxes(at, [x, ...ownFrom(at, 1).flatMap((value) => value ?? [])]);
    const statistics = [...axes.slice(0, -1), null];
    return [axes, statistics, statistics, axes];
  },
  masked(at) {
    return withKeptOnly(at, { 0: -1, 1: -1, 2: -1, 3: -1, 4: -1 }, { 0: -1, 3: -1 });
  },
};

/** The sum of up to three embeddings, normalised. */
const embedNormalization: Row = {
  axes(at) {
    const hidden = at.required(2).axes[1]!;
    for (const index of [3, 4]) {
      const table = at.input(index);
      if (table) at.unify(hidden, table.axes[1]!);
    }
    joinVectors(at, hidden, [at.input(5), at.input(6)]);
    if (hidden) at.statistics(2, hidden);
    const [batch = null, length = null] = at.required(0).axes;
    const axes = [batch, length, hidden];
    return [axes, [batch], axes];
  },
  masked: (at) => withKeptOnly(at, { 2: 1, 3: 1, 4: 1, 5: 0, 6: 0 }, { 0: 2, 2: 2 }),
};

const meanVarianceAxes = (at: NodeAt) => (intsAttribute(at.node, "axes") ?? [0n, 2n, 3n]).map(Number);

export const normalisation: Rows = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  LRN: alongAxes(() => [1]),
  LpNormalization: alongAxes((at, rank) => [axisOf(intAttribute(at.node, "axis", -1), rank)]),
  MeanVarianceNormalization: alongAxes((at, rank) => meanVarianceAxes(at).map((axis) => axisOf(axis, rank))),
  ...named(layerNormalization, "LayerNormalization RMSNormalization SimplifiedLayerNormalization"),
  ...named(skipNormalization, "SkipLayerNormalization SkipSimplifiedLayerNormalization", "com.microsoft"),
  "com.microsoft:EmbedLayerNormalization": embedNormalization,
};
