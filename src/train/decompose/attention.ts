import { broadcastShapes, type Value } from "../../graph/builder.js";
import { floatAttribute, intAttribute, intsAttribute } from "../../graph/node.js";
import type { DecomposeContext, Decomposition, DecompositionTable } from "./decomposition.js";
import { groupQueryAttention } from "./group-query.js";
import { attend, causal, fromHeads, repeated, scaleOf, toHeads } from "./heads.js";
import { atPositions, rotated } from "./rotary.js";

/** What a mask over keys adds to scores; its forms are those of onnxruntime's ContribOperators.md. */
function maskBias(
  { b, refuse }: DecomposeContext,
  mask: Value | undefined,
  [batch, length, total]: readonly [number, number, number],
  filter: number,
): Value | undefined {
  if (!mask) return undefined;
  const is = (...shape: readonly number[]) => mask.shape.join() === shape.join();
  const added = (seen: Value) => b.where(seen, b.scalar(0), b.scalar(filter));
  if (is(batch)) {
    const places = Int32Array.from({ length: total }, (_, at) => at);
    const at = b.constant({ dtype: "int32", shape: [1, 1, 1, total], data: places }, "places");
    return added(b.compare("Less", at, b.reshape(b.cast(mask, "int32"), [batch, 1, 1, 1])));
  }
  const whole = b.compare("Greater", b.cast(mask, "float32"), 0);
  if (is(batch, total)) return added(b.reshape(whole, [batch, 1, 1, total]));
  if (is(batch, length, total)) return added(b.reshape(whole, [batch, 1, length, total]));
  return refuse("its mask is neither of lengths nor of positions");
}

const filterOf = ({ node }: DecomposeContext) => floatAttribute(node, "mask_filter_value", -10000);

/** com.microsoft:Attention, with the projection of its input. */
const projectedAttention: Decomposition = (context) => {
  const { node, b, inputs, outputs, refuse } = context;
  const [x, weight, bias, mask, past, added] = inputs as readonly [Value, Value, ...(Value | undefined)[]];
  if (intAttribute(node, "do_rotary", 0) !== 0) refuse("it rotates its heads");
  const heads = intAttribute(node, "num_heads", 1);
  const third = weight.shape[1]! / 3;
  const sizes = intsAttribute(node, "qkv_hidden_sizes")?.map(Number) ?? [third, third, third];
  const product = b.matmul(x, weight);
  const parts = b.split(bias ? b.add(product, bias) : product, sizes, 2).map((part) => toHeads(b, part, heads));
  let [q, k, v] = parts as [Value, Value, Value];
  if (past) {
    const [pastK, pastV] = b.split(past, [1, 1], 0).map((part) => b.reshape(part, past.shape.slice(1)));
    [k, v] = [b.concat([pastK!, k], 2), b.concat([pastV!, v], 2)];
  }
  const [batch, length, total] = [x.shape[0]!, q.shape[2]!, k.shape[2]!];
  const biases = [
    maskBias(context, mask, [batch, length, total], filterOf(context)),
    added,
    intAttribute(node, "unidirectional", 0) === 1 ? causal(b, length, total) : undefined,
  ];
  const result = fromHeads(b, attend(b, [q, k, v], scaleOf(context, q.shape[3]!), biases));
  const present = () =>
    b.concat(
      [k, v].map((part) => b.reshape(part, [1, ...part.shape])),
      0,
    );
  return [result, outputs[1] && present()];
};

/** com.microsoft:MultiHeadAttention. */
const multiHeadAttention: Decomposition = (context) => {
  const { node, b, inputs, outputs, refuse } = context;
  const [query, key, value, bias, mask, added, pastK, pastV] = inputs as readonly [Value, ...(Value | undefined)[]];
  const heads = intAttribute(node, "num_heads", 1);
  if (!key || !value || query.shape.length !== 3) return refuse("its query, key and value are packed into one");
  const width = query.shape[2]!;
  const size = width / heads;
  const biases = bias ? b.split(bias, [width, width, bias.shape[0]! - 2 * width], 0) : [];
  const headsOf = (x: Value, at: number) =>
    x.shape.length === 4 ? x : toHeads(b, biases[at] ? b.add(x, biases[at]) : x, heads);
  const q = headsOf(query, 0);
  let [k, v] = [headsOf(key, 1), headsOf(value, 2)];
  if (pastK && pastV) [k, v] = [b.concat([pastK, k], 2), b.concat([pastV, v], 2)];
  const [batch, length, total] = [query.shape[0]!, q.shape[2]!, k.shape[2]!];
  const all = [
    maskBias(context, mask, [batch, length, total], filterOf(context)),
    added,
    intAttribute(node, "unidirectional", 0) === 1 ? causal(b, length, total) : undefined,
  ];
  const result = attend(b, [q, k, v], scaleOf(context, size), all);
  return [fromHeads(b, result), outputs[1] && k, outputs[2] && v];
};

/** Attention of ONNX 23: heads come as such or side by side. */
const standardAttention: Decomposition = (context) => {
  const { node, b, inputs, outputs, refuse } = context;
  const [query, key, value, mask, pastK, pastV] = inputs as readonly [Value, Value, Value, ...(Value | undefined)[]];
  if (floatAttribute(node, "softcap", 0) !== 0) refuse("its softmax is capped");
  if (outputs[3]) refuse("its products of queries and keys are asked for");
  const flat = query.shape.length === 3;
  const headsOf = (x: Value, name: string) => (flat ? toHeads(b, x, intAttribute(node, name, 1)) : x);
  const q = headsOf(query, "q_num_heads");
  let [k, v] = [headsOf(key, "kv_num_heads"), headsOf(value, "kv_num_heads")];
  if (pastK && pastV) [k, v] = [b.concat([pastK, k], 2), b.concat([pastV, v], 2)];
  const [length, total] = [q.shape[2]!, k.shape[2]!];
  const bias = mask?.dtype === "bool" ? b.where(mask, b.scalar(0), b.scalar(-1e30)) : mask;
  if (bias) broadcastShapes(bias.shape, [q.shape[0]!, q.shape[1]!, length, total]);
  const added = [bias, intAttribute(node, "is_causal", 0) === 1 ? causal(b, length, total) : undefined];
  const result = attend(
    b,
    [q, repeated(b, k, q.shape[1]!), repeated(b, v, q.shape[1]!)],
    scaleOf(context, q.shape[3]!),
    added,
  );
  return [flat ? fromHeads(b, result) : result, outputs[1] && k, outputs[2] && v];
};

/** com.microsoft:RotaryEmbedding: heads side by side, or as such. */
const rotaryEmbedding: Decomposition = ({ node, b, inputs, refuse }) => {
  const [x, positions, cos, sin] = inputs as readonly [Value, Value, Value, Value];
  if (intAttribute(node, "is_packed_batching", 0) === 1) refuse("its batches are packed");
  const flat = x.shape.length === 3;
  const turns = intAttribute(node, "rotary_embedding_dim", 0) || 2 * cos.shape[1]!;
  const size = intAttribute(node, "num_heads", 0) ? x.shape[2]! / intAttribute(node, "num_heads", 1) : turns;
  const heads = flat ? toHeads(b, x, x.shape[2]! / size) : x;
  const angles = atPositions(b, cos, sin, positions, heads.shape[2]!);
  const result = rotated(b, heads, angles, intAttribute(node, "interleaved", 0) === 1);
  return [flat ? fromHeads(b, result) : result];
};

/** RotaryEmbedding of ONNX 23: without positions the tables have rows for each place of each sequence. */
const standardRotary: Decomposition = ({ node, b, inputs }) => {
  const [x, cos, sin, positions] = inputs as readonly [Value, Value, Value, Value | undefined];
  const flat = x.shape.length === 3;
  const heads = flat ? toHeads(b, x, intAttribute(node, "num_heads", 1)) : x;
  const length = heads.shape[2]!;
  const rows = (table: Value) => b.reshape(table, [table.shape[0]!, 1, length, table.shape[2]!]);
  const angles = positions ? atPositions(b, cos, sin, positions, length) : { cos: rows(cos), sin: rows(sin) };
  const result = rotated(b, heads, angles, intAttribute(node, "interleaved", 0) === 1);
  return [flat ? fromHeads(b, result) : result];
};

export const attentionDecompositions: DecompositionTable = {
  Attention: standardAttention,
  RotaryEmbedding: standardRotary,
  "com.microsoft:Attention": projectedAttention,
  "com.microsoft:MultiHeadAttention": multiHeadAttention,
  "com.microsoft:GroupQueryAttention": groupQueryAttention,
  "com.microsoft:RotaryEmbedding": rotaryEmbedding,
};
