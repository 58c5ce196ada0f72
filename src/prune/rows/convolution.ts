import { intAttribute, setAttribute } from "../../graph/node.js";
import type { Axis } from "../labels.js";
import { type AxedValue, type MendAt, type NodeAt, NotFollowed, type Row, type Rows } from "../row.js";

/** Groups of fewer channels go as a whole; from this on each of them loses the same channels. */
const wideGroup = 8;

/** Joins the indices of an axis that lie in the same place of their block, or in the same block. */
function joinBlocks(at: NodeAt, axis: Axis, blocks: number, how: "place" | "block"): void {
  if (!axis) return;
  const size = axis.length / blocks;
  for (let index = 0; index < axis.length; index++) {
    at.join(axis[index]!, axis[how === "block" ? index - (index % size) : index % size]!);
  }
}

function parts(at: NodeAt): { readonly x: AxedValue; readonly w: AxedValue; readonly bias: AxedValue | undefined } {
  const [x, w, bias] = [at.required(0), at.required(1), at.input(2)];
  if (!w.tensor) throw new NotFollowed("its weight is computed");
  if (x.shape.length !== w.shape.length) throw new NotFollowed("its input has another rank than its weight");
  return { x, w, bias };
}

const spatial = (count: number): readonly Axis[] => Array.from({ length: count }, () => null);

/** Y[:, m] = sum over c of X[:, c] W[m, c]; with groups each over its own channels. */
const conv: Row = {
  axes(at) {
    const { x, w, bias } = parts(at);
    const group = intAttribute(at.node, "group", 1);
    const out = w.axes[0]!;
    if (bias) at.unify(out, bias.axes[0]!);
    if (group === 1) at.contracts({ input: 0, axis: 1 }, { input: 1, axis: 1 });
    else grouped(at, x, w, group);
    return [[x.axes[0]!, out, ...spatial(x.shape.length - 2)]];
  },
  mend: mendGroups,
};

function grouped(at: NodeAt, x: AxedValue, w: AxedValue, group: number): void {
  const [input, out, inner] = [x.axes[1]!, w.axes[0]!, w.axes[1]!];
  const size = x.shape[1]! / group;
  if (!input || !out || !Number.isInteger(size) || w.shape[0]! % group !== 0) {
    throw new NotFollowed("its groups do not fit its channels");
  }
  at.claim(input);
  at.claim(out);
  if (size < wideGroup) {
    // a group's channels and what it makes of them go together
    joinBlocks(at, input, group, "block");
    joinBlocks(at, out, group, "block");
    const [each, made] = [size, out.length / group];
    for (let g = 0; g < group; g++) at.join(input[g * each]!, out[g * made]!);
    return;
  }
  joinBlocks(at, input, group, "place");
  joinBlocks(at, out, group, "place");
  at.claim(inner);
  for (let c = 0; inner && c < size; c++) at.join(input[c]!, inner[c]!);
}

/** Whole groups may have gone. */
function mendGroups({ node, input, sizeOf }: MendAt): void {
  const group = intAttribute(node, "group", 1);
  if (group === 1) return;
  const [x, w] = [input(0)!, input(1)!];
  const inner = sizeOf(w.axes[1]!, w.shape[1]!);
  const channels = sizeOf(x.axes[1]!, x.shape[1]!);
  setAttribute(node, "group", channels / inner);
}

/** Y[:, m] = sum over c of X[:, c] W[c, m]. */
const convTranspose: Row = {
  axes(at) {
    const { x, w, bias } = parts(at);
    if (intAttribute(at.node, "group", 1) !== 1) throw new NotFollowed("it has groups");
    at.contracts({ input: 0, axis: 1 }, { input: 1, axis: 0 });
    if (bias) at.unify(w.axes[1]!, bias.axes[0]!);
    return [[x.axes[0]!, w.axes[1]!, ...spatial(x.shape.length - 2)]];
  },
};

export const convolution: Rows = { Conv: conv, ConvTranspose: convTranspose };
