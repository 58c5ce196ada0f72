import { intAttribute, intsAttribute, setAttribute } from "../../graph/node.js";
import type { Axis } from "../labels.js";
import { type AxedValue, type MendAt, type NodeAt, NotFollowed, type Row, type Rows } from "../row.js";

/** A label for each head of an axis that holds them one after the other; what is inside a head goes as a whole. */
function headsIn(at: NodeAt, axis: Axis, heads: number): Axis {
  at.claim(axis);
  if (!axis) return null;
  const width = axis.length / heads;
  if (!Number.isInteger(width)) throw new NotFollowed("its heads do not fit its channels");
  for (const [index, label] of axis.entries()) at.join(label, axis[index - (index % width)]!);
  return Int32Array.from({ length: heads }, (_, head) => axis[head * width]!);
}

/** The heads of a value: on the last axis of [batch, length, channels], else on axis 1 of [batch, heads, length, width]. */
function headsOf(at: NodeAt, value: AxedValue, heads: number): Axis {
  return value.shape.length === 3 ? headsIn(at, value.axes[2]!, heads) : headsIn(at, value.axes[1]!, heads);
}

/** How many heads queries have, and keys and values. */
interface Layout {
  readonly heads: number;
  readonly groups: number;
}

/** Joins heads of queries and the heads of keys and values that they share; one for all stays while others may go. */
function tie(at: NodeAt, queries: Axis, shared: readonly Axis[], { heads, groups }: Layout): void {
  if (heads % groups !== 0) throw new NotFollowed("its heads do not fit each other");
  for (const axis of shared) {
    const wide = axis && Int32Array.from({ length: heads }, (_, head) => axis[Math.floor((head * groups) / heads)]!);
    if (groups === 1) at.freeze(axis, "is one head for all others");
    else at.unify(queries, wide, "shares heads of which one stays");
  }
}

/** Joins heads with those of keys and values of earlier times, [batch, heads, length, width]. */
function tiePast(at: NodeAt, past: readonly number[], [keys]: readonly Axis[], groups: number): void {
  for (const input of past) {
    const value = at.input(input);
    if (value && groups > 1) at.unify(keys!, value.axes[1]!, "keeps its keys and values for the next time");
  }
}

/** Heads as the channels that they put out. */
function spread(heads: Axis, count: number, channels: number): Axis {
  return heads && Int32Array.from({ length: channels }, (_, at) => heads[Math.floor(at / (channels / count))]!);
}

/** What is added to the scores, [.., heads or 1, length, length]. */
function tieBias(at: NodeAt, input: number, queries: Axis): void {
  const bias = at.input(input);
  const place = bias ? bias.shape.length - 3 : -1;
  if (bias && place >= 0 && bias.shape[place] !== 1) at.unify(queries, bias.axes[place]!);
}

/** Queries, keys and values as inputs of their own, and the keys and values of the past. */
interface Inputs {
  readonly bias: number;
  readonly past: readonly [number, number];
}

/** softmax(Q K + bias) V by heads; outputs the channels or heads, and keys and values for the next time. */
function attend(at: NodeAt, { heads, groups }: Layout, { bias, past }: Inputs): readonly (readonly Axis[])[] {
  const query = at.required(0);
  const queries = headsOf(at, query, heads);
  const shared = [at.required(1), at.required(2)].map((value) => headsOf(at, value, groups));
  tie(at, queries, shared, { heads, groups });
  tiePast(at, past, shared, groups);
  tieBias(at, bias, queries);
  return putOut(at, { heads, groups }, queries, shared);
}

function putOut(
  at: NodeAt,
  { heads, groups }: Layout,
  queries: Axis,
  shared: readonly Axis[],
): readonly (readonly Axis[])[] {
  const shape = at.outputShape(0);
  const own = groups === 1 ? [null, null] : shared;
  const out = shape.length === 3 ? [null, null, spread(queries, heads, shape[2]!)] : [null, queries, null, null];
  return at.node.output.map((name, index) => {
    if (index === 0) return out;
    if (index > 2) return name ? at.outputShape(index).map((_, place) => (place === 1 ? queries : null)) : [];
    return [null, own[index - 1]!, null, null];
  });
}

/** How many heads are left, of so many. */
function headsLeft(at: MendAt, heads: number): number {
  const { axes, shape } = at.output(0);
  const place = shape.length === 3 ? 2 : 1;
  return (heads * at.sizeOf(axes[place]!, shape[place]!)) / shape[place]!;
}

function mendHeads(at: MendAt, name: string, groupsName?: string): void {
  const heads = intAttribute(at.node, name, 0);
  if (heads === 0) return;
  const left = headsLeft(at, heads);
  if (left === heads) return;
  setAttribute(at.node, name, left);
  const groups = groupsName ? intAttribute(at.node, groupsName, 0) : 0;
  if (groupsName && groups > 1) setAttribute(at.node, groupsName, (groups * left) / heads);
}

const headCount = (at: NodeAt, name: string): number => {
  const heads = intAttribute(at.node, name, 0);
  if (heads <= 0) throw new NotFollowed("it does not say how many heads there are");
  return heads;
};

/** Refuses a node with inputs that came later than those that are followed (a sink for each head, for one). */
function atMost(at: NodeAt, inputs: number): void {
  if (at.node.input.slice(inputs).some(Boolean)) throw new NotFollowed("it has inputs that are not followed");
}

/** Opset 23: Q, K, V, mask, past keys, past values. */
const attention: Row = {
  axes(at) {
    atMost(at, 6);
    const [query, key] = [at.required(0), at.required(1)];
    const heads = query.shape.length === 4 ? query.shape[1]! : headCount(at, "q_num_heads");
    const groups = key.shape.length === 4 ? key.shape[1]! : headCount(at, "kv_num_heads");
    return attend(at, { heads, groups }, { bias: 3, past: [4, 5] });
  },
  mend: (at) => mendHeads(at, "q_num_heads", "kv_num_heads"),
};

/** Queries, keys, values, bias of all three, mask, bias of scores, past keys, past values. */
const multiHeadAttention: Row = {
  axes(at) {
    atMost(at, 8);
    const heads = headCount(at, "num_heads");
    const query = at.required(0);
    if (query.shape.length !== 3) {
      // [batch, length, heads, 3, width]
      if (at.input(1) || at.input(6)) throw new NotFollowed("its inputs are packed");
      const queries = query.axes[2]!;
      at.claim(queries);
      tieBias(at, 5, queries);
      return putOut(at, { heads, groups: heads }, queries, [queries, queries]);
    }
    if (!at.input(2)) throw new NotFollowed("its keys and values are packed");
    const bias = at.input(3);
    if (bias) tieBiases(at, bias, [query, at.required(1), at.required(2)], heads);
    return attend(at, { heads, groups: heads }, { bias: 5, past: [6, 7] });
  },
  mend: (at) => mendHeads(at, "num_heads"),
};

/** A bias of queries, keys and values one after the other. */
function tieBiases(at: NodeAt, bias: AxedValue, parts: readonly AxedValue[], heads: number): void {
  const axis = bias.axes[0]!;
  at.claim(axis);
  const widths = parts.map(({ shape }) => (shape.length === 3 ? shape[2]! : shape[1]! * shape[3]!));
  let offset = 0;
  for (const [index, width] of widths.entries()) {
    const own = headsIn(at, axis?.slice(offset, offset + width) ?? null, heads);
    at.unify(own, headsOf(at, parts[index]!, heads));
    offset += width;
  }
}

/** Queries (or all three packed), keys, values, past keys, past values, lengths and tables of positions, bias of scores. */
const groupQueryAttention: Row = {
  axes(at) {
    atMost(at, 11);
    const layout = { heads: headCount(at, "num_heads"), groups: headCount(at, "kv_num_heads") };
    if (at.input(1)) return attend(at, layout, { bias: 10, past: [3, 4] });
    const { heads, groups } = layout;
    const packed = at.required(0).axes[2]!;
    at.claim(packed);
    const width = at.required(0).shape[2]! / (heads + 2 * groups);
    const part = (from: number, count: number) =>
      headsIn(at, packed?.slice(from * width, (from + count) * width) ?? null, count);
    const queries = part(0, heads);
    const shared = [part(heads, groups), part(heads + groups, groups)];
    tie(at, queries, shared, layout);
    tiePast(at, [3, 4], shared, groups);
    tieBias(at, 10, queries);
    return putOut(at, layout, queries, shared);
  },
  mend: (at) => mendHeads(at, "num_heads", "kv_num_heads"),
};

/** With its projections: X [batch, length, channels], W [channels, queries keys values], bias, mask, past, bias of scores. */
const projectingAttention: Row = {
  axes(at) {
    atMost(at, 7);
    const heads = headCount(at, "num_heads");
    const [x, w, bias, past] = [at.required(0), at.required(1), at.input(2), at.input(4)];
    at.contracts({ input: 0, axis: 2 }, { input: 1, axis: 0 });
    const columns = w.axes[1]!;
    at.claim(columns);
    if (bias) at.unify(columns, bias.axes[0]!);
    const third = w.shape[1]! / 3;
    const widths = intsAttribute(at.node, "qkv_hidden_sizes")?.map(Number) ?? [third, third, third];
    let offset = 0;
    const parts = widths.map((width) => {
      const part = headsIn(at, columns?.slice(offset, offset + width) ?? null, heads);
      offset += width;
      return part;
    });
    const [queries = null, ...shared] = parts;
    for (const part of shared) at.unify(queries, part);
    if (past) at.unify(queries, past.axes[2]!);
    tieBias(at, 5, queries);
    return [
      [x.axes[0]!, x.axes[1]!, spread(queries, heads, widths[2]!)],
      [null, null, queries, null, null],
    ].slice(0, at.node.output.length);
  },
  mend(at) {
    const heads = intAttribute(at.node, "num_heads", 0);
    mendHeads(at, "num_heads");
    const widths = intsAttribute(at.node, "qkv_hidden_sizes");
    const left = headsLeft(at, heads);
    if (widths) {
      setAttribute(
        at.node,
        "qkv_hidden_sizes",
        widths.map((width) => (Number(width) * left) / heads),
      );
    }
  },
};

/** Turns each head by where it stands; `tables` is the number of the input with a number for each pair. */
const rotaryEmbedding = (tables: number): Row => ({
  axes(at) {
    const x = at.required(0);
    if (x.shape.length === 4) return [[null, x.axes[1]!, null, null]];
    const table = at.required(tables).shape;
    const heads = intAttribute(at.node, "num_heads", 0) || x.shape[2]! / (2 * table.at(-1)!);
    return [[x.axes[0]!, x.axes[1]!, spread(headsIn(at, x.axes[2]!, heads), heads, x.shape[2]!)]];
  },
  mend: (at) => mendHeads(at, "num_heads"),
});

/** Attention as one operator; its heads are the channels. */
export const attentions: Rows = {
  Attention: attention,
  RotaryEmbedding: rotaryEmbedding(1),
  "com.microsoft:Attention": projectingAttention,
  "com.microsoft:GroupQueryAttention": groupQueryAttention,
  "com.microsoft:MultiHeadAttention": multiHeadAttention,
  "com.microsoft:RotaryEmbedding": rotaryEmbedding(2),
};
