import { type Block, channelsOf, type Flow, type GraphBuilder } from "./random-graphs.js";

/** Queries, keys and values of a sequence: heads of 8. */
interface Heads {
  readonly flow: Flow;
  readonly heads: number;
  readonly groups: number;
  readonly width: number;
  readonly parts: readonly string[];
}

function headsOf(b: GraphBuilder, given: Flow, groups: number): Heads {
  const flow = b.sequence(given);
  const [heads, width] = [4, 8];
  const parts = [heads, groups, groups].map((count) => b.project(flow, count * width).name);
  return { flow, heads, groups, width: heads * width, parts };
}

/** What comes out, brought to the channels that went in, and added. */
function added(b: GraphBuilder, { flow, width }: Heads, name: string): Flow {
  const out = b.project({ name, shape: [...flow.shape.slice(0, 2), width] }, channelsOf(flow));
  return { ...flow, name: b.node("Add", [flow.name, out.name]) };
}

const int32s = (b: GraphBuilder, shape: readonly number[], value: number) =>
  b.constant({
    dtype: "int32",
    shape,
    data: new Int32Array(shape.reduce((product, size) => product * size, 1)).fill(value),
  });

/** Positions of each place, [batch, length]. */
const positions = (b: GraphBuilder, [batch, length]: readonly number[]) =>
  b.constant({
    dtype: "int64",
    shape: [batch!, length!],
    data: BigInt64Array.from({ length: batch! * length! }, (_, at) => BigInt(at % length!)),
  });

function attention(b: GraphBuilder, given: Flow): Flow {
  b.since(23);
  const own = headsOf(b, given, [4, 2][b.pick(2)]!);
  const sizes = { q_num_heads: own.heads, kv_num_heads: own.groups };
  return added(b, own, b.node("Attention", own.parts, sizes));
}

function projecting(b: GraphBuilder, given: Flow): Flow {
  const flow = b.sequence(given);
  const [count, width, heads] = [channelsOf(flow), 32, 4];
  const inputs = [flow.name, b.weight([count, 3 * width], 1 / Math.sqrt(count), [1]), b.weight([3 * width], 0.2)];
  const made = b.node("com.microsoft:Attention", inputs, { num_heads: heads });
  return added(b, { flow, heads, groups: heads, width, parts: [] }, made);
}

function multiHead(b: GraphBuilder, given: Flow): Flow {
  const own = headsOf(b, given, 4);
  const bias = b.pick(2) === 0 ? [b.weight([3 * own.width], 0.2)] : [];
  return added(b, own, b.node("com.microsoft:MultiHeadAttention", [...own.parts, ...bias], { num_heads: own.heads }));
}

function groupQuery(b: GraphBuilder, given: Flow): Flow {
  const own = headsOf(b, given, 2);
  const [batch, length] = own.flow.shape as [number, number];
  const inputs = [...own.parts, "", "", int32s(b, [batch], length - 1), int32s(b, [], length)];
  const sizes = { num_heads: own.heads, kv_num_heads: own.groups };
  return added(b, own, b.node("com.microsoft:GroupQueryAttention", inputs, sizes));
}

/** Queries that are turned by where they stand, and attention of them. */
const rotary =
  (domain: "" | "com.microsoft:"): Block =>
  (b, given) => {
    b.since(23);
    const own = headsOf(b, given, 4);
    const [query, key, value] = own.parts as [string, string, string];
    const length = own.flow.shape[1]!;
    const [cosines, sines] = [b.weight([length, 4]), b.weight([length, 4])];
    const where = positions(b, own.flow.shape);
    const inputs = domain ? [query, where, cosines, sines] : [query, cosines, sines, where];
    const turned = b.node(`${domain}RotaryEmbedding`, inputs, { num_heads: own.heads });
    const sizes = { q_num_heads: own.heads, kv_num_heads: own.groups };
    return added(b, own, b.node("Attention", [turned, key, value], sizes));
  };

export const attentionBlocks: Record<string, Block> = {
  Attention: attention,
  RotaryEmbedding: rotary(""),
  "com.microsoft:Attention": projecting,
  "com.microsoft:GroupQueryAttention": groupQuery,
  "com.microsoft:MultiHeadAttention": multiHead,
  "com.microsoft:RotaryEmbedding": rotary("com.microsoft:"),
};
