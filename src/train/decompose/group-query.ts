import { broadcastShapes, type GraphBuilder, type Value } from "../../graph/builder.js";
import { floatAttribute, intAttribute } from "../../graph/node.js";
import { numbersOf } from "../../tensor/numbers.js";
import type { DecomposeContext, Decomposition } from "./decomposition.js";
import { fromHeads, repeated, scaleOf, toHeads } from "./heads.js";
import { atPositions, rotated } from "./rotary.js";

const hidden = -1e30;

/**
 * com.microsoft:GroupQueryAttention as onnxruntime's processor kernel has it: a prompt, or what goes on from keys and
 * values of the past, of which each sequence of the batch has as many as its length says. New keys stand right behind
 * them. Rows behind the end of a shorter prompt see what is before that end; with a window that may be nothing, and then
 * what they are means nothing.
 */
export const groupQueryAttention: Decomposition = (context) => {
  const { node, b, inputs, outputs, refuse } = context;
  const [query, key, value, pastK, pastV, ends, , cos, sin, positions, added, sink] = inputs as readonly [
    Value,
    ...(Value | undefined)[],
  ];
  if (inputs.slice(12).some(Boolean)) refuse("its past is quantized");
  if (outputs[3]) refuse("its products of queries and keys are asked for");
  const heads = intAttribute(node, "num_heads", 1);
  const groups = intAttribute(node, "kv_num_heads", heads);
  const size = key ? query.shape[2]! / heads : query.shape[2]! / (heads + 2 * groups);
  const packed = key && value ? undefined : b.split(query, [heads * size, groups * size, groups * size], 2);
  let q = toHeads(b, packed?.[0] ?? query, heads);
  let k = toHeads(b, packed?.[1] ?? key!, groups);
  let v = toHeads(b, packed?.[2] ?? value!, groups);
  const [batch, length] = [q.shape[0]!, q.shape[2]!];
  const slots = pastK?.shape[2] ?? 0;
  const all = totalOf(context, slots, length);
  // how much of a sequence there is in all, and how much of that is past: [batch, 1], or nothing of it
  const lengths = ends && b.add(b.reshape(b.cast(ends, "int64"), [batch, 1]), wide(b, 1));
  const past = all === length || !lengths ? undefined : b.sub(lengths, wide(b, length));
  const places = counted(b, length);
  if (intAttribute(node, "do_rotary", 0) === 1 && cos && sin) {
    const interleaved = intAttribute(node, "rotary_interleaved", 0) === 1;
    // the kernel counts a prompt from 0 whatever positions it is given
    const at = past ? (positions ?? b.add(past, places)) : undefined;
    const angles = atPositions(b, cos, sin, at, length);
    [q, k] = [rotated(b, q, angles, interleaved), rotated(b, k, angles, interleaved)];
  }
  const total = Math.max(all, slots);
  if (past && pastK && pastV) {
    const from = sourcesOf(b, past, slots, length, total);
    [k, v] = [joined(b, pastK, k, from), joined(b, pastV, v, from)];
  } else if (total > length) {
    const behind = (x: Value) =>
      b.concat([x, b.filled(0, { dtype: x.dtype, shape: [batch, groups, total - length, size] })], 2);
    [k, v] = [behind(k), behind(v)];
  }
  const seen = visible(b, { past, lengths, places, total, window: intAttribute(node, "local_window_size", -1) });
  const weights = probabilities(context, [q, repeated(b, k, heads)], scaleOf(context, size), { added, seen, sink });
  return [fromHeads(b, b.matmul(weights, repeated(b, v, heads))), outputs[1] && k, outputs[2] && v];
};

/** How long sequences are with what is new; the past has slots for all of it, or grows. */
function totalOf({ inputs, constant, refuse }: DecomposeContext, slots: number, length: number): number {
  const stated = constant(6);
  if (stated) return Number(numbersOf(stated)[0]);
  if (!inputs[6] || slots === 0) return length;
  return refuse("its total length changes with the data");
}

const wide = (b: GraphBuilder, value: number) => b.scalar(value, "int64");

/** 0, 1, ... as [1, count]. */
function counted(b: GraphBuilder, count: number): Value {
  return b.reshape(b.ints(Array.from({ length: count }, (_, at) => at)), [1, count]);
}

/** Where position t of a sequence lies in its past and what is new, one behind the other; behind its end is the slot after both: [batch, total]. */
function sourcesOf(b: GraphBuilder, past: Value, slots: number, length: number, total: number): Value {
  const at = counted(b, total);
  const fresh = b.sub(at, past);
  const isFresh = b.compare("GreaterOrEqual", fresh, 0);
  const isThere = b.compare("Less", fresh, length);
  const none = wide(b, slots + length);
  return b.where(isFresh, b.where(isThere, b.add(fresh, wide(b, slots)), none), at);
}

/** Heads of the past and the new ones, by position; zeros behind the end: [batch, groups, total, size]. */
function joined(b: GraphBuilder, before: Value, x: Value, from: Value): Value {
  const [batch, groups, , size] = x.shape as [number, number, number, number];
  const [, total] = from.shape as [number, number];
  const whole = b.concat([before, x, b.filled(0, { dtype: x.dtype, shape: [batch, groups, 1, size] })], 2);
  const shape = [batch, groups, total, size];
  const at = b.expand(b.reshape(from, [batch, 1, total, 1]), shape);
  return b.op("GatherElements", [whole, at], { dtype: x.dtype, shape }, { axis: 2 });
}

/** Which positions each row sees, [batch or 1, 1, length, total]: those before it, as far as the sequence goes, in its window. */
function visible(
  b: GraphBuilder,
  how: {
    readonly past: Value | undefined;
    readonly lengths: Value | undefined;
    readonly places: Value;
    readonly total: number;
    readonly window: number;
  },
): Value {
  const { past, lengths, places, total, window } = how;
  const rows = past ? b.add(past, places) : places;
  const row = b.reshape(rows, [rows.shape[0]!, 1, rows.shape[1]!, 1]);
  const at = b.reshape(counted(b, total), [1, 1, 1, total]);
  const both = (x: Value, y: Value) => {
    return b.op("And", [x, y], { dtype: "bool", shape: broadcastShapes(x.shape, y.shape) });
  };
  let seen = b.compare("LessOrEqual", at, row);
  if (lengths) seen = both(seen, b.compare("Less", at, b.reshape(lengths, [lengths.shape[0]!, 1, 1, 1])));
  if (window >= 0) seen = both(seen, b.compare("Greater", at, b.sub(row, wide(b, window))));
  return seen;
}

/** softmax(q·kᵀ·scale + what is added), capped before anything is added; a sink takes its part of each row. */
function probabilities(
  { node, b }: DecomposeContext,
  [q, k]: readonly [Value, Value],
  scale: number,
  { added, seen, sink }: { readonly added: Value | undefined; readonly seen: Value; readonly sink: Value | undefined },
): Value {
  let scores = b.matmul(q, k, { transY: true, alpha: scale });
  const cap = floatAttribute(node, "softcap", 0);
  if (cap > 0) scores = b.mul(b.map("Tanh", b.mul(scores, 1 / cap)), cap);
  if (added) scores = b.add(scores, added);
  scores = b.where(seen, scores, b.scalar(hidden));
  const smooth = intAttribute(node, "smooth_softmax", 0) === 1;
  if (!sink && !smooth) return b.softmax(scores, -1);
  const [batch, heads, length, total] = scores.shape as [number, number, number, number];
  const column = [batch, heads, length, 1];
  const drain = sink ? b.expand(b.reshape(sink, [1, heads, 1, 1]), column) : b.filled(0, { ...scores, shape: column });
  const shares = b.softmax(b.concat([scores, drain], 3), -1);
  return b.slice(shares, [3], [0], [total]);
}
