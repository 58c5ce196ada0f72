import type { ModelProto } from "../../src/formats/onnx.js";
import { type Sketch, sketch } from "./sketch.js";

/** What an attention block is like. */
export interface Attention {
  readonly heads: number;
  /** Heads of keys and values; as many as heads where it is left out. */
  readonly groups?: number;
  readonly dim: number;
  /** How queries, keys and values come out of the input. */
  readonly projection: "separate" | "fused 3hd" | "fused h3d" | "split";
  /** Whether batch and length are dynamic and read from shapes. */
  readonly dynamic?: boolean;
  /** How the head's width is known where sizes are read: as a number, or the channels over the heads. */
  readonly width?: "number" | "divided";
  readonly bias?: boolean;
  readonly rotary?: boolean;
  readonly repeat?: "expand" | "gather" | "tile";
  readonly take?: "split" | "gather" | "slice";
  /** Batch and heads merged into one axis for the products. */
  readonly merged?: boolean;
}

const [batch, length] = [2, 5];
const hidden = 24;

/** One block with a residual way around it, between two linear layers; x [batch, length, 24]. */
export function attentionModel(how: Attention): ModelProto {
  const s = sketch();
  const { heads, groups = heads, dim, dynamic = false } = how;
  const width = heads * dim;
  const x = "x";
  const scale = s.floats([1 / Math.sqrt(dim)], []);
  const [b, n] = dynamic ? [s.size(x, 0), s.size(x, 1)] : [batch, length];
  const first = s.linear("in", x, hidden, hidden);
  const { query, key, value } = projected(s, how, first, b, n);
  const spread = (part: string): string => (groups === heads ? part : repeated(s, how, part, b, n));
  const tables = how.rotary ? rotaryTables(s, dim) : undefined;
  const turned = (part: string) => (tables ? rotated(s, part, tables, dim) : part);
  let [queries, keys, values] = [turned(query), spread(turned(key)), spread(value)];
  if (how.merged) {
    const merged = (part: string) => s.op("Reshape", [part, s.sizes([-1, n, dim])]);
    [queries, keys, values] = [merged(queries), merged(keys), merged(values)];
  }
  const order = how.merged ? [0, 2, 1] : [0, 1, 3, 2];
  let scores = s.op("Mul", [s.op("MatMul", [queries, s.op("Transpose", [keys], { perm: order })]), scale]);
  if (how.bias) scores = s.op("Add", [scores, s.weight("bias", [1, heads, length, length])]);
  const weights = s.op("Softmax", [scores], { axis: -1 });
  let mixed = s.op("MatMul", [weights, values]);
  if (how.merged) {
    const times = typeof b === "number" ? b * heads : s.op("Mul", [b, s.ints([heads], [])]);
    // a copy of what torch writes: the merged axis and back
    mixed = s.op("Reshape", [mixed, s.sizes([times, n, dim])]);
    mixed = s.op("Reshape", [mixed, s.sizes([b, heads, n, dim])]);
  }
  const back = s.op("Transpose", [mixed], { perm: [0, 2, 1, 3] });
  const channels = dynamic && how.width === "divided" && width === hidden ? s.size(x, 2) : width;
  const joined = s.op("Reshape", [back, s.sizes([b, n, channels])]);
  const out = s.op("Add", [first, s.linear("out", joined, width, hidden)]);
  const y = s.linear("last", out, hidden, 6);
  const sizes = dynamic ? ["batch", "length"] : [batch, length];
  return s.model([["x", "float32", [...sizes, hidden]]], [[y, "float32", [...sizes, 6]]]);
}

type Size = string | number;

/** Queries [b, heads, n, dim], keys and values [b, groups, n, dim]. */
function projected(s: Sketch, how: Attention, x: string, b: Size, n: Size) {
  const { heads, groups = heads, dim, projection } = how;
  const turned = (part: string) => s.op("Transpose", [part], { perm: [0, 2, 1, 3] });
  const dims = (part: string, count: number): Size =>
    how.dynamic && how.width === "divided" ? s.op("Div", [s.size(part, 2), s.ints([count], [])]) : dim;
  const heard = (part: string, count: number) =>
    turned(s.op("Reshape", [part, s.sizes([b, n, count, dims(part, count)])]));
  if (projection === "separate") {
    return {
      query: heard(s.linear("q", x, hidden, heads * dim), heads),
      key: heard(s.linear("k", x, hidden, groups * dim), groups),
      value: heard(s.linear("v", x, hidden, groups * dim), groups),
    };
  }
  const all = s.linear("qkv", x, hidden, (heads + 2 * groups) * dim);
  if (projection === "split") {
    const parts = s.ops("Split", [all, s.ints([heads * dim, groups * dim, groups * dim])], 3, { axis: 2 });
    return { query: heard(parts[0]!, heads), key: heard(parts[1]!, groups), value: heard(parts[2]!, groups) };
  }
  const inner = projection === "fused 3hd" ? [3, heads, dim] : [heads, 3, dim];
  const shaped = s.op("Reshape", [all, s.sizes([b, n, ...inner])]);
  const perm = projection === "fused 3hd" ? [2, 0, 3, 1, 4] : [3, 0, 2, 1, 4];
  const stacked = s.op("Transpose", [shaped], { perm });
  const gone = (part: string) => s.op("Squeeze", [part, s.ints([0])]);
  const cut = how.take === "split" ? s.ops("Split", [stacked], 3, { axis: 0 }) : [];
  const [query, key, value] = [0, 1, 2].map((at) => {
    if (how.take === "split") return gone(cut[at]!);
    if (how.take === "slice") return gone(s.op("Slice", [stacked, s.ints([at]), s.ints([at + 1]), s.ints([0])]));
    return s.op("Gather", [stacked, s.ints([at], [])], { axis: 0 });
  }) as [string, string, string];
  return { query, key, value };
}

/** Keys or values once for each head of their group. */
function repeated(
  s: Sketch,
  { heads, groups = heads, dim, repeat }: Attention,
  part: string,
  b: Size,
  n: Size,
): string {
  const times = heads / groups;
  if (repeat === "gather") {
    return s.op("Gather", [part, s.ints(Array.from({ length: heads }, (_, head) => Math.floor(head / times)))], {
      axis: 1,
    });
  }
  const wide = s.op("Unsqueeze", [part, s.ints([2])]);
  const many =
    repeat === "tile"
      ? s.op("Tile", [wide, s.ints([1, 1, times, 1, 1])])
      : s.op("Expand", [wide, s.sizes([b, groups, times, n, dim])]);
  return s.op("Reshape", [many, s.sizes([b, heads, n, dim])]);
}

/** Pairs of numbers turned by where they stand; the halves of the last axis are the pairs. */
function rotated(s: Sketch, part: string, tables: Tables, dim: number): string {
  const half = dim / 2;
  const cut = (from: number, to: number) => s.op("Slice", [part, s.ints([from]), s.ints([to]), s.ints([3])]);
  const turned = s.op("Concat", [s.op("Neg", [cut(half, dim)]), cut(0, half)], { axis: -1 });
  return s.op("Add", [s.op("Mul", [part, tables.cos]), s.op("Mul", [turned, tables.sin])]);
}

interface Tables {
  readonly cos: string;
  readonly sin: string;
}

function rotaryTables(s: Sketch, dim: number): Tables {
  const table = (of: (angle: number) => number) =>
    s.floats(
      Array.from({ length: length * dim }, (_, at) => of(Math.floor(at / dim) / 10 ** ((at % (dim / 2)) / (dim / 2)))),
      [1, 1, length, dim],
    );
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

/** Attention as one operator, with its projections before and behind it; x [2, 5, 24]. */
export function operatorModel(operator: Operator): ModelProto {
  const s = sketch();
  const [heads, dim] = [4, 8];
  const groups = operator === "GroupQueryAttention" || operator === "grouped" ? 2 : operator === "one for all" ? 1 : 4;
  const width = heads * dim;
  const first = s.linear("in", "x", hidden, hidden);
  const [q, k, v] = [
    s.linear("q", first, hidden, width),
    s.linear("k", first, hidden, groups * dim),
    s.linear("v", first, hidden, groups * dim),
  ];
  const shared = { q_num_heads: heads, kv_num_heads: groups };
  const apart = (part: string, count: number) =>
    s.op("Transpose", [s.op("Reshape", [part, s.ints([0, 0, count, dim])])], { perm: [0, 2, 1, 3] });
  const microsoft = (
    name: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, number | readonly number[]>>,
  ) => s.ops(name, inputs, 1, attributes, "com.microsoft")[0]!;
  const table = () =>
    s.floats(
      Array.from({ length: (length * dim) / 2 }, (_, at) => Math.cos(at)),
      [length, dim / 2],
    );
  const mixed = (): string => {
    switch (operator) {
      case "com.microsoft Attention":
        return microsoft("Attention", [first, s.weight("qkv.w", [hidden, 3 * width]), s.weight("qkv.b", [3 * width])], {
          num_heads: heads,
        });
      case "Attention of other widths":
        return microsoft("Attention", [first, s.weight("qkv.w", [hidden, 80]), s.weight("qkv.b", [80])], {
          num_heads: heads,
          qkv_hidden_sizes: [24, 24, width],
        });
      case "MultiHeadAttention":
        return microsoft(
          "MultiHeadAttention",
          [q, k, v, s.weight("bias", [3 * width]), "", s.weight("scores", [1, heads, length, length])],
          {
            num_heads: heads,
          },
        );
      case "GroupQueryAttention": {
        const [lengths, total] = [
          s.op("Cast", [s.ints([length - 1, length - 1], [2])], { to: 6 }),
          s.op("Cast", [s.ints([length], [])], { to: 6 }),
        ];
        return microsoft("GroupQueryAttention", [q, k, v, "", "", lengths, total], {
          num_heads: heads,
          kv_num_heads: groups,
        });
      }
      case "RotaryEmbedding": {
        const places = s.ints([0, 1, 2, 3, 4, 0, 1, 2, 3, 4], [2, 5]);
        const turned = microsoft("RotaryEmbedding", [q, places, table(), table()], {});
        return s.op("Attention", [turned, k, v], shared);
      }
      case "one for all":
      case "grouped":
        return s.op("Attention", [q, k, v], shared);
      case "four axes": {
        const scores = s.op("Attention", [apart(q, heads), apart(k, groups), apart(v, groups)]);
        return s.op("Reshape", [s.op("Transpose", [scores], { perm: [0, 2, 1, 3] }), s.ints([0, 0, width])]);
      }
    }
  };
  const out = s.op("Add", [first, s.linear("out", mixed(), width, hidden)]);
  const y = s.linear("last", out, hidden, 6);
  return s.model([["x", "float32", [batch, length, hidden]]], [[y, "float32", [batch, length, 6]]], 23);
}

export type Operator =
  | "com.microsoft Attention"
  | "Attention of other widths"
  | "MultiHeadAttention"
  | "GroupQueryAttention"
  | "RotaryEmbedding"
  | "grouped"
  | "one for all"
  | "four axes";
