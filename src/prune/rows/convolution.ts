import { intAttribute, setAttribute } from "../../graph/node.js";
import { type AxedValue, type MendAt, type NodeAt, NotFollowed, type Row, type Rows } from "../row.js";
import { fixed, goWhole, joinBlocks } from "./blocks.js";

interface Parts {
  readonly x: AxedValue;
  readonly w: AxedValue;
  readonly bias: AxedValue | undefined;
  readonly groups: number;
  /** Input channels of a group. */
  readonly size: number;
}

function partsOf(at: NodeAt): Parts {
  const [x, w, bias] = [at.required(0), at.required(1), at.input(2)];
  if (x.shape.length !== w.shape.length) throw new NotFollowed("its input has another rank than its weight");
  const groups = intAttribute(at.node, "group", 1);
  const size = x.shape[1]! / groups;
  if (!Number.isInteger(size) || (groups > 1 && !x.axes[1]))
    throw new NotFollowed("its groups do not fit its channels");
  return { x, w, bias, groups, size };
}

/** Y[:, m] = sum over c of X[:, c] W[m, c]; with groups each over its own channels. */
const conv: Row = {
  axes(at) {
    const { x, w, bias, groups, size } = partsOf(at);
    const [input, out, inner] = [x.axes[1]!, w.axes[0]!, w.axes[1]!];
    if (bias) at.unify(out, bias.axes[0]!);
    if (groups === 1) {
      at.contracts({ input: 0, axis: 1 }, { input: 1, axis: 1 });
    } else if (!out || out.length % groups !== 0) {
      throw new NotFollowed("its groups do not fit its channels");
    } else if (goWhole(groups, size)) {
      joinGroups(at, input!, out, groups);
    } else {
      at.contracts({ input: 0, axis: 1 }, null);
      joinBlocks(at, input, groups, "place");
      joinBlocks(at, out, groups, "place");
      at.unify(input!.subarray(0, size), inner);
    }
    return [[x.axes[0]!, out, ...fixed(x.shape.length - 2)]];
  },
  mend: mendGroups,
};

/** The channels of each group and what it makes of them go together. */
function joinGroups(at: NodeAt, input: Int32Array, out: Int32Array, groups: number): void {
  at.claim(input);
  joinBlocks(at, input, groups, "block");
  joinBlocks(at, out, groups, "block");
  for (let g = 0; g < groups; g++) at.join(input[(g * input.length) / groups]!, out[(g * out.length) / groups]!);
}

/** Whole groups may have gone. */
function mendGroups({ node, input, sizeOf }: MendAt): void {
  const groups = intAttribute(node, "group", 1);
  const x = input(0)!;
  const size = x.shape[1]! / groups;
  if (goWhole(groups, size)) setAttribute(node, "group", sizeOf(x.axes[1]!, x.shape[1]!) / size);
}

/** Y[:, m] = sum over c of X[:, c] W[c, m]; with groups each over its own channels. */
const convTranspose: Row = {
  axes(at) {
    const { x, w, bias, groups, size } = partsOf(at);
    const inner = w.axes[1]!;
    let out = inner;
    if (goWhole(groups, size)) {
      at.unify(x.axes[1]!, w.axes[0]!);
      out = at.fresh(groups * w.shape[1]!);
      joinGroups(at, x.axes[1]!, out!, groups);
    } else {
      at.contracts({ input: 0, axis: 1 }, { input: 1, axis: 0 });
      joinBlocks(at, x.axes[1]!, groups, "place");
      // each group has the same outputs of the weight
      if (groups > 1 && inner)
        out = Int32Array.from({ length: groups * inner.length }, (_, m) => inner[m % inner.length]!);
      at.claim(inner);
    }
    if (bias) at.unify(out, bias.axes[0]!);
    return [[x.axes[0]!, out, ...fixed(x.shape.length - 2)]];
  },
  mend: mendGroups,
};

/** A convolution, a sum added to it, and an activation. */
const fusedConv: Row = {
  axes(at) {
    const [axes] = conv.axes(at) as [(Int32Array | null)[]];
    const sum = at.input(3);
    sum?.axes.forEach((axis, position) => {
      // a sum does not broadcast
      if (position < 2) at.unify(axes[position]!, axis);
    });
    return [axes];
  },
  mend: mendGroups,
};

export const convolution: Rows = {
  Conv: conv,
  ConvTranspose: convTranspose,
  "com.microsoft:FusedConv": fusedConv,
};
