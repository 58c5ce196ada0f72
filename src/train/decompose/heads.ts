import type { GraphBuilder, Value } from "../../graph/builder.js";
import { floatAttribute } from "../../graph/node.js";
import type { DecomposeContext } from "./decomposition.js";

/** Attention of heads: softmax(q·kᵀ·scale + what is added)·v, over [batch, heads, length, size]. */
export function attend(
  b: GraphBuilder,
  [q, k, v]: readonly [Value, Value, Value],
  scale: number,
  added: readonly (Value | undefined)[],
): Value {
  let scores = b.matmul(q, k, { transY: true, alpha: scale });
  for (const bias of added) if (bias) scores = b.add(scores, bias);
  return b.matmul(b.softmax(scores, -1), v);
}

/** [batch, length, heads * size] as [batch, heads, length, size]. */
export function toHeads(b: GraphBuilder, x: Value, heads: number): Value {
  const [batch, length, width] = x.shape as [number, number, number];
  return b.transpose(b.reshape(x, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
}

export function fromHeads(b: GraphBuilder, x: Value): Value {
  const [batch, heads, length, size] = x.shape as [number, number, number, number];
  return b.reshape(b.transpose(x, [0, 2, 1, 3]), [batch, length, heads * size]);
}

/** What hides later positions: [length, total], 0 or so little that nothing is left of it. */
export function causal(b: GraphBuilder, length: number, total: number): Value {
  const data = Float32Array.from({ length: length * total }, (_, at) =>
    (at % total) - (total - length) > Math.floor(at / total) ? -1e30 : 0,
  );
  return b.constant({ dtype: "float32", shape: [length, total], data }, "causal");
}

/** Heads of keys or values, each as often as queries share it: [batch, heads, length, size]. */
export function repeated(b: GraphBuilder, x: Value, heads: number): Value {
  const [batch, groups, length, size] = x.shape as [number, number, number, number];
  const times = heads / groups;
  if (times === 1) return x;
  const grown = b.expand(b.reshape(x, [batch, groups, 1, length, size]), [batch, groups, times, length, size]);
  return b.reshape(grown, [batch, heads, length, size]);
}

export function scaleOf({ node }: DecomposeContext, size: number): number {
  return floatAttribute(node, "scale", 0) || 1 / Math.sqrt(size);
}
