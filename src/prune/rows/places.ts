import { intAttribute, intsAttribute, removeAttributes, setAttribute, stringAttribute } from "../../graph/node.js";
import { elementCount, type Tensor } from "../../tensor/tensor.js";
import { evaluateSize, fixedSizes, leavesOf, shapeStart } from "../computed-sizes.js";
import type { Axis } from "../labels.js";
import { type AxedValue, type NodeAt, NotFollowed, type Row, type Rows } from "../row.js";
import { int64Vector } from "./reshape.js";

const numbersOf = (tensor: Tensor): readonly number[] => Array.from(tensor.data as BigInt64Array, Number);

const axisOf = (node: NodeAt["node"], rank: number, fallback = 0): number => {
  const axis = intAttribute(node, "axis", fallback);
  return axis < 0 ? axis + rank : axis;
};

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
    const joined = axisOf(at.node, rank);
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

const split: Row = {
  axes(at) {
    const { axes } = at.required(0);
    const place = axisOf(at.node, axes.length);
    const axis = axes[place] ?? null;
    if (axis && at.node.input[1] && !at.constant(1)) at.freeze(axis, "the sizes of its parts are computed");
    at.claim(axis);
    let offset = 0;
    return at.node.output.map((_, index) => {
      const size = at.outputShape(index)[place]!;
      const part = axis?.slice(offset, offset + size);
      offset += size;
      return axes.map((other, where) => (where === place ? (part ?? null) : other));
    });
  },
  mend(at) {
    const { node, input, output, opset } = at;
    const place = axisOf(node, input(0)!.axes.length);
    if (!at.kept(input(0)!.axes[place]!)) return;
    const sizes = node.output.map((_, index) => {
      const { axes, shape } = output(index);
      return at.sizeOf(axes[place]!, shape[place]!);
    });
    removeAttributes(node, "num_outputs");
    if (opset < 13) setAttribute(node, "split", sizes);
    else at.setInput(1, int64Vector(sizes));
  },
};

/** A cut of one axis: its indices, or undefined for all of them. */
interface Cut {
  readonly place: number;
  readonly indices: readonly number[] | undefined;
  readonly step: number;
}

/** What a Slice takes of each axis that it names; undefined where that is computed. */
function cutsOf(
  at: Pick<NodeAt, "sizes" | "constant" | "node" | "input">,
  shape: readonly number[],
): readonly (Cut | { readonly place: number; readonly indices: "computed" })[] {
  const given = (index: number) => {
    const found = at.constant(index);
    return found ? numbersOf(found) : fixedSizes(at.sizes(index));
  };
  const [starts, ends] = [given(1), given(2)];
  const steps = at.node.input[4] ? given(4) : starts?.map(() => 1);
  const count = at.input(1)!.shape[0]!;
  const named = at.node.input[3] ? given(3) : Array.from({ length: count }, (_, place) => place);
  if (!named) throw new NotFollowed("its axes are computed");
  return named.map((axis, index) => {
    const place = axis < 0 ? axis + shape.length : axis;
    if (!starts || !ends || !steps) return { place, indices: "computed" };
    const [size, step] = [shape[place]!, steps[index]!];
    const [start, end] = [starts[index]!, ends[index]!].map((value) => (value < 0 ? value + size : value)) as [
      number,
      number,
    ];
    const indices: number[] = [];
    if (step > 0) for (let i = Math.max(start, 0); i < Math.min(end, size); i += step) indices.push(i);
    // an end below the first index means all down to it
    else for (let i = Math.min(start, size - 1); i > Math.max(end, -1); i += step) indices.push(i);
    const whole = step === 1 && indices.length === size;
    return { place, indices: whole ? undefined : indices, step };
  });
}

const slice: Row = {
  axes(at) {
    if (!at.node.input[1]) throw new NotFollowed("its sizes are attributes");
    const { axes, shape } = at.required(0);
    const result = [...axes];
    const cuts = cutsOf(at, shape);
    for (const input of [1, 2]) freezeOpen(at, input);
    for (const cut of cuts) {
      const axis = axes[cut.place]!;
      if (!axis || cut.indices === undefined) continue;
      at.claim(axis);
      if (cut.indices === "computed" || (cut.step !== 1 && cuts.length > 1)) {
        at.freeze(axis, "cuts it in places that are computed");
        result[cut.place] = null;
      } else result[cut.place] = Int32Array.from(cut.indices, (index) => axis[index]!);
    }
    return [result];
  },
  mend(at) {
    const { node, input, kept, setInput } = at;
    const { axes, shape } = input(0)!;
    const cuts = cutsOf(at, shape);
    const [starts, ends] = [1, 2].map((index) => {
      const found = at.constant(index);
      return [...(found ? numbersOf(found) : (fixedSizes(at.sizes(index)) ?? []))];
    });
    // places that are made of lengths that changed
    let changed = [1, 2].some((index) =>
      at.sizes(index)?.some((source) => evaluateSize(source, at.sizeOf) !== evaluateSize(source, (_, size) => size)),
    );
    for (const [index, cut] of cuts.entries()) {
      const left = kept(axes[cut.place]!);
      if (!left || cut.indices === "computed") continue;
      if (cut.indices && cut.step !== 1) {
        // what is left need not lie evenly
        node.opType = "Gather";
        node.input.splice(2);
        setAttribute(node, "axis", cut.place);
        setInput(1, int64Vector(positionsOf(cut.indices, left)));
        return;
      }
      const taken = cut.indices ? positionsOf(cut.indices, left) : [...left.keys()];
      starts![index] = taken[0] ?? 0;
      ends![index] = taken.length === 0 ? 0 : taken.at(-1)! + 1;
      changed = true;
    }
    if (!changed) return;
    setInput(1, int64Vector(starts!));
    setInput(2, int64Vector(ends!));
    if (at.input(3)) setInput(3, int64Vector(numbersOf(at.constant(3)!)));
    if (node.input[4]) setInput(4, int64Vector(numbersOf(at.constant(4)!)));
  },
};

/** Freezes the axes that open places depend on, together with what the model is given. */
function freezeOpen(at: NodeAt, input: number): void {
  const sources = at.sizes(input) ?? [];
  if (fixedSizes(sources)) return;
  for (const leaf of leavesOf(...sources))
    if (leaf.from === "axis") at.freeze(leaf.axis, "cuts at places that are computed");
}

/** Where indices lie among those that are left; those that are gone are left out. */
function positionsOf(indices: readonly number[], left: readonly number[]): readonly number[] {
  const places = new Map(left.map((index, place) => [index, place]));
  return indices.flatMap((index) => places.get(index) ?? []);
}

const gather: Row = {
  axes(at) {
    const [data, indices] = [at.required(0), at.required(1)];
    const place = axisOf(at.node, data.axes.length);
    const axis = data.axes[place] ?? null;
    const chosen = axis ? at.constant(1) : undefined;
    const around = (middle: readonly Axis[]) => [data.axes.slice(0, place).concat(middle, data.axes.slice(place + 1))];
    if (!axis || !chosen || indices.shape.filter((size) => size > 1).length > 1) {
      at.freeze(axis, "which of its indices are taken is computed");
      at.claim(axis);
      return around(indices.tensor ? indices.shape.map(() => null) : indices.axes);
    }
    at.claim(axis);
    const labels = Int32Array.from(numbersOf(chosen), (index) => axis[index < 0 ? index + axis.length : index]!);
    if (labels.length === 1) at.freeze(labels, "takes one index of it");
    return around(indices.shape.map((size) => (size > 1 ? labels : null)));
  },
  mend(at) {
    const data = at.input(0)!;
    const place = axisOf(at.node, data.axes.length);
    const left = at.kept(data.axes[place] ?? null);
    const chosen = left && at.constant(1);
    if (!chosen) return;
    const size = data.shape[place]!;
    const found = positionsOf(
      numbersOf(chosen).map((index) => (index < 0 ? index + size : index)),
      left,
    );
    const shape = chosen.shape.map((length) => (length > 1 ? found.length : 1));
    at.setInput(1, { ...int64Vector(found), shape });
  },
};

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

/** Operators that move, choose and repeat indices. */
export const places: Rows = {
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: squeeze,
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Shape: shape,
};
