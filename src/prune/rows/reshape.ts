import { intAttribute } from "../../graph/node.js";
import type { Tensor } from "../../tensor/tensor.js";
import { evaluateSize, leavesOf, type SizeSource } from "../computed-sizes.js";
import type { Axis } from "../labels.js";
import { type MendAt, type NodeAt, NotFollowed, type Row, type Rows } from "../row.js";

/** The axes of a value of shape `from` when its elements in order are seen in shape `to`. */
function regroup(at: NodeAt, axes: readonly Axis[], from: readonly number[], to: readonly number[]): readonly Axis[] {
  // axes of one are nothing to share
  const left = from.flatMap((size, axis) => (size === 1 ? [] : [{ size, axis: axes[axis]! }]));
  const right = to.flatMap((size, place) => (size === 1 ? [] : [{ size, place }]));
  if (from.includes(0) || to.includes(0)) throw new NotFollowed("it has no elements");
  const result: Axis[] = to.map(() => null);
  let [i, j] = [0, 0];
  while (i < left.length || j < right.length) {
    const [a, b] = [left.slice(i, i + 1), right.slice(j, j + 1)];
    const product = (some: readonly { readonly size: number }[]) => some.reduce((total, { size }) => total * size, 1);
    while (product(a) !== product(b)) {
      const more = product(a) < product(b) ? left[i + a.length] : right[j + b.length];
      if (!more) throw new NotFollowed("its shapes do not have as many elements");
      if ("axis" in more) a.push(more);
      else b.push(more);
    }
    [i, j] = [i + a.length, j + b.length];
    const made = split(
      at,
      merged(at, a),
      b.map(({ size }) => size),
    );
    b.forEach(({ place }, index) => {
      result[place] = made[index]!;
    });
  }
  return result;
}

/** One axis for several: an index of it goes with the index of the one that may lose some. */
function merged(at: NodeAt, factors: readonly { readonly size: number; readonly axis: Axis }[]): Axis {
  if (factors.length === 1) return factors[0]!.axis;
  const labelled = [...factors.keys()].filter((index) => factors[index]!.axis);
  if (labelled.length === 0) return null;
  const sizes = factors.map(({ size }) => size);
  const way = labelled.length === 1 ? 0 : at.choose(`merge ${sizes.join("x")}`, labelled.length);
  const chosen = labelled[way]!;
  for (const index of labelled) {
    if (index !== chosen) at.freeze(factors[index]!.axis, "merges it with an axis that may lose others");
  }
  const { axis, size } = factors[chosen]!;
  at.claim(axis);
  const inner = sizes.slice(chosen + 1).reduce((product, factor) => product * factor, 1);
  const all = sizes.reduce((product, factor) => product * factor, 1);
  return Int32Array.from({ length: all }, (_, index) => axis![Math.floor(index / inner) % size]!);
}

/** Several axes for one: one of them may lose indices, and takes all along that share one. */
function split(at: NodeAt, axis: Axis, sizes: readonly number[]): readonly Axis[] {
  if (!axis || sizes.length === 1) return sizes.map(() => axis);
  at.claim(axis);
  const strides = sizes.map((_, index) => sizes.slice(index + 1).reduce((product, size) => product * size, 1));
  const firstOf = (factor: number, index: number) =>
    (Math.floor(index / strides[factor]!) % sizes[factor]!) * strides[factor]!;
  const joined = sizes.findIndex((_, factor) =>
    axis.every((label, index) => at.joined(label, axis[firstOf(factor, index)]!)),
  );
  const chosen = joined >= 0 ? joined : at.choose(`split ${sizes.join("x")}`, sizes.length);
  for (const [index, label] of axis.entries()) at.join(label, axis[firstOf(chosen, index)]!);
  return sizes.map((size, factor) =>
    factor === chosen ? Int32Array.from({ length: size }, (_, index) => axis[index * strides[factor]!]!) : null,
  );
}

/** Freezes what a size that is computed depends on, unless it follows or can be replaced. */
function settleSize(at: NodeAt, axis: Axis, source: SizeSource | undefined): void {
  if (source?.from === "constant") return;
  const leaves = source ? leavesOf(source) : [];
  const lengths = leaves.flatMap((leaf) => (leaf.from === "axis" ? [leaf] : []));
  const labelled = lengths.flatMap((leaf) => (leaf.axis ? [leaf.axis] : []));
  const known = source && leaves.every(({ from }) => from !== "elsewhere");
  if (known && labelled.length === 0) {
    if (lengths.some(({ fixed }) => !fixed)) at.stretches(axis);
    return;
  }
  if (known && source.from === "axis" && axis && labelled[0]!.length === axis.length) {
    if (axis.every((label, index) => at.joined(label, labelled[0]![index]!))) return;
  }
  if (known && lengths.every(({ fixed }) => fixed)) return;
  for (const one of [axis, ...labelled]) at.freeze(one, "its sizes are computed in a way that is not followed");
}

/** Numbers without common factors, in their proportion. */
function proportion(times: number, over: number): { readonly times: number; readonly over: number } {
  let [a, b] = [times, over];
  while (b !== 0) [a, b] = [b, a % b];
  return { times: times / a, over: over / a };
}

/** Writes the sizes that a node reads from its second input anew where they are no longer what is `wanted`. */
function mendSizes(
  at: MendAt,
  before: readonly number[],
  wanted: readonly number[],
  copied: (axis: number) => number,
): void {
  const { constant, sizes, setInput, setComputedSize, sizeOf } = at;
  const stored = constant(1);
  if (stored) {
    const entries = Array.from(stored.data as BigInt64Array, Number);
    const mended = entries.map((entry, axis) =>
      entry === -1 || (entry === 0 && copied(axis) === wanted[axis]) ? entry : wanted[axis]!,
    );
    if (mended.some((entry, axis) => entry !== entries[axis])) setInput(1, int64Vector(mended));
    return;
  }
  for (const [axis, source] of (sizes(1) ?? []).entries()) {
    const now = wanted[axis]!;
    const value = evaluateSize(source, (_, size) => size);
    if (source.from === "constant" && (value === -1 || (value === 0 && copied(axis) === now))) continue;
    const after = evaluateSize(source, sizeOf);
    if (value === before[axis] ? after === now : after === value && now === before[axis]) continue;
    const moves = leavesOf(source).some((leaf) => leaf.from === "elsewhere" || (leaf.from === "axis" && !leaf.fixed));
    setComputedSize(1, axis, moves ? proportion(now, before[axis]!) : now);
  }
}

export const int64Vector = (values: readonly number[]): Tensor => ({
  dtype: "int64",
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});

const reshape: Row = {
  axes(at) {
    const { axes, shape } = at.required(0);
    const to = at.outputShape(0);
    const entries = at.constant(1);
    const sizes = at.sizes(1);
    if (intAttribute(at.node, "allowzero", 0) && to.includes(0)) throw new NotFollowed("it has no elements");
    const found = regroup(at, axes, shape, to);
    const ones = (some: readonly number[]) => some.filter((size) => size === 1).length;
    return [
      found.map((axis, place) => {
        const entry = entries ? Number(entries.data[place]) : constantOf(sizes?.[place]);
        const merges = axis && !axes.includes(axis) && shape.length > to.length;
        const open = entry === -1 && (merges || ones(shape) > ones(to));
        if (entry !== undefined && !open) return axis;
        // a vector of its own: the input's need not stretch
        const own = axis && axes.includes(axis) ? axis.slice() : axis;
        at.claim(axis);
        if (open) at.stretches(own);
        else settleSize(at, own, sizes?.[place]);
        return own;
      }),
    ];
  },
  mend(at) {
    const [input, output] = [at.input(0)!, at.output(0)];
    const wanted = output.shape.map((size, axis) => at.sizeOf(output.axes[axis]!, size));
    const copied = (axis: number) => at.sizeOf(input.axes[axis] ?? null, input.shape[axis] ?? 0);
    mendSizes(at, output.shape, wanted, copied);
  },
};

function constantOf(source: SizeSource | undefined): number | undefined {
  return source?.from === "constant" ? source.value : undefined;
}

const flatten: Row = {
  axes(at) {
    const { axes, shape } = at.required(0);
    return [regroup(at, axes, shape, at.outputShape(0))];
  },
};

/** Axes of one, and those in front, become longer; the others pass. */
const expand: Row = {
  axes(at) {
    const { axes, shape } = at.required(0);
    const to = at.outputShape(0);
    const entries = at.constant(1);
    const sizes = at.sizes(1);
    const ahead = to.length - (at.required(1).shape[0] ?? 0);
    return [
      to.map((size, place) => {
        const from = place - to.length + shape.length;
        const axis = from >= 0 && shape[from] === size ? axes[from]! : null;
        // sizes of axes that pass can be left to the input
        if (!axis && !entries) settleSize(at, null, sizes?.[place - ahead]);
        return axis;
      }),
    ];
  },
  mend(at) {
    const output = at.output(0);
    const gone = output.axes.map((axis) => at.kept(axis) !== null);
    const count = at.input(1)!.shape[0]!;
    const places = output.shape.slice(output.shape.length - count);
    const own = gone.slice(gone.length - count);
    const stored = at.constant(1);
    if (stored) {
      const entries = Array.from(stored.data as BigInt64Array, Number);
      if (own.some(Boolean)) at.setInput(1, int64Vector(entries.map((entry, place) => (own[place] ? 1 : entry))));
      return;
    }
    for (const [place, source] of (at.sizes(1) ?? []).entries()) {
      if (own[place]) at.setComputedSize(1, place, 1);
      else if (evaluateSize(source, at.sizeOf) !== evaluateSize(source, (_, size) => size)) {
        at.setComputedSize(1, place, places[place]!);
      }
    }
  },
};

export const reshapes: Rows = { Reshape: reshape, Flatten: flatten, Expand: expand };
