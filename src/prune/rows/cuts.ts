import { intAttribute, removeAttributes, setAttribute } from "../../graph/node.js";
import type { Tensor } from "../../tensor/tensor.js";
import { evaluateSize, fixedSizes, leavesOf } from "../computed-sizes.js";
import type { Axis } from "../labels.js";
import { type NodeAt, NotFollowed, type Row, type Rows } from "../row.js";
import { axisOf } from "./blocks.js";
import { int64Vector } from "./reshape.js";

export const numbersOf = (tensor: Tensor): readonly number[] => Array.from(tensor.data as BigInt64Array, Number);

/** The axis that an attribute names. */
export const namedAxis = (node: NodeAt["node"], rank: number): number => axisOf(intAttribute(node, "axis", 0), rank);

const split: Row = {
  axes(at) {
    const { axes } = at.required(0);
    const place = namedAxis(at.node, axes.length);
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
    const place = namedAxis(node, input(0)!.axes.length);
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
    const place = namedAxis(at.node, data.axes.length);
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
    const place = namedAxis(at.node, data.axes.length);
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

/** Operators that take some indices of an axis. */
export const cuttings: Rows = { Split: split, Slice: slice, Gather: gather };
