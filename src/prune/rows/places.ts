import { floatTypes, typeName } from "../../formats/onnx-types.js";
import { intAttribute, intsAttribute, stringAttribute } from "../../graph/node.js";
import { elementCount } from "../../tensor/tensor.js";
import { leavesOf, shapeStart } from "../computed-sizes.js";
import type { Axis } from "../labels.js";
import { type AxedValue, type NodeAt, NotFollowed, type Row, type Rows } from "../row.js";
import { namedAxis, numbersOf } from "./cuts.js";

const transpose: Row = {
  axes(at) {
    const { axes } = at.required(0);
    const order = intsAttribute(at.node, "perm")?.map(Number) ?? [...axes.keys()].reverse();
    return [order.map((axis) => axes[axis] ?? null)];
  },
};

/** Axes of one come or go; the others stay in their order. */
const squeeze: Row = {
  axes(at) {
    const { axes, shape } = at.required(0);
    const left = axes.filter((_, axis) => shape[axis] !== 1);
    let next = 0;
    return [at.outputShape(0).map((size) => (size === 1 ? null : left[next++]!))];
  },
};

const concat: Row = {
  axes(at) {
    const parts = at.node.input.map((_, index) => at.required(index));
    const [first] = parts as [AxedValue];
    const rank = first.shape.length;
    const joined = namedAxis(at.node, rank);
    return [
      first.axes.map((axis, place) => {
        if (place === joined) return concatenated(at, parts, place);
        for (const part of parts.slice(1)) at.unify(axis, part.axes[place]!);
        return parts.every((part) => part.axes[place]) ? axis : null;
      }),
    ];
  },
};

function concatenated(at: NodeAt, parts: readonly AxedValue[], place: number): Axis {
  if (parts.every(({ axes }) => !axes[place])) return null;
  const vectors = parts.map(({ axes, shape }) => {
    const axis = axes[place]!;
    if (axis) {
      at.claim(axis);
      return axis;
    }
    // one label for all of it: how long it is may not be fixed
    const stays = at.fresh(1);
    at.freeze(stays, "puts it beside what stays");
    return new Int32Array(shape[place]!).fill(stays[0]!);
  });
  const whole = new Int32Array(vectors.reduce((length, vector) => length + vector.length, 0));
  let offset = 0;
  for (const [part, vector] of vectors.entries()) {
    whole.set(vector, offset);
    offset += vector.length;
    if (!parts[part]!.axes[place] && vector.length > 1) at.stretches(whole);
  }
  return whole;
}

const tile: Row = {
  axes(at) {
    const { axes } = at.required(0);
    const repeats = at.constant(1);
    if (!repeats) throw new NotFollowed("how often it repeats is computed");
    const times = numbersOf(repeats);
    return [
      axes.map((axis, place) => {
        if (!axis || times[place] === 1) return axis;
        at.claim(axis);
        return Int32Array.from({ length: axis.length * times[place]! }, (_, index) => axis[index % axis.length]!);
      }),
    ];
  },
};

/** Y[c, h b + i, w b + j] = X[(i, j, c) or (c, i, j), h, w]. */
const depthToSpace: Row = {
  axes(at) {
    const { axes } = at.required(0);
    const [batch = null, channels = null] = axes;
    if (!channels) return [[batch, null, null, null]];
    at.claim(channels);
    const blocks = intAttribute(at.node, "blocksize", 1) ** 2;
    const count = channels.length / blocks;
    const rowFirst = stringAttribute(at.node, "mode", "DCR") === "CRD";
    const out = Int32Array.from({ length: count }, (_, c) => channels[rowFirst ? c * blocks : c]!);
    for (const [index, label] of channels.entries()) {
      at.join(label, out[rowFirst ? Math.floor(index / blocks) : index % count]!);
    }
    return [[batch, out, null, null]];
  },
};

/** Y[(i, j, c), h, w] = X[c, h b + i, w b + j]. */
const spaceToDepth: Row = {
  axes(at) {
    const { axes } = at.required(0);
    const [batch = null, channels = null] = axes;
    const blocks = intAttribute(at.node, "blocksize", 1) ** 2;
    at.claim(channels);
    const out =
      channels &&
      Int32Array.from({ length: channels.length * blocks }, (_, index) => channels[index % channels.length]!);
    return [[batch, out, null, null]];
  },
};

/** Axes whose lengths end in sizes that follow may get shorter. */
const shape: Row = {
  axes(at) {
    const value = at.required(0);
    const first = shapeStart(at.node, value.shape.length);
    const count = elementCount(at.outputShape(0));
    value.axes.forEach((axis, place) => {
      if (!axis) return;
      const told = place >= first && place < first + count;
      if (told && !at.endsInSizes(place - first, place)) at.freeze(axis, "tells how long it is");
      else at.claim(axis);
    });
    return [[null]];
  },
};

/** Elements alike: axes as long as a constant says are free to be as long as what they are joined with. */
const constantOfShape: Row = {
  axes(at) {
    const sizes = at.sizes(0) ?? [];
    const { t: filler } = at.node.attribute.find(({ name }) => name === "value") ?? {};
    // of integers, it is most often part of the handling of sizes
    const isFloat = !filler || floatTypes.has(typeName(filler.dataType));
    return [
      at.outputShape(0).map((size, place) => {
        const source = sizes[place];
        if (isFloat && source?.from === "constant" && size > 1) return at.fresh(size);
        if (isFloat && source?.from === "axis") return source.axis;
        for (const leaf of source ? leavesOf(source) : []) {
          if (leaf.from === "axis") at.freeze(leaf.axis, "makes as many of what is computed of its length");
        }
        return null;
      }),
    ];
  },
  mend(at) {
    at.sizes(0)?.forEach((source, place) => {
      const left = source.from === "constant" ? at.kept(at.output(0).axes[place] ?? null) : null;
      if (left) at.setComputedSize(0, place, left.length);
    });
  },
};

/** Operators that move, choose, repeat and make indices. */
export const places: Rows = {
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: squeeze,
  Concat: concat,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Shape: shape,
  ConstantOfShape: constantOfShape,
};
