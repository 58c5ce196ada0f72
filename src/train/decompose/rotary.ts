import type { GraphBuilder, Value } from "../../graph/builder.js";

/** Cosines and sines of positions, [batch or 1, 1, length, turned / 2]. */
export interface Angles {
  readonly cos: Value;
  readonly sin: Value;
}

/**
 * Rows of tables [positions, turned / 2] for each position: those given, [batch, length], those from one on, [1], or
 * without any those from 0 on.
 */
export function atPositions(
  b: GraphBuilder,
  cos: Value,
  sin: Value,
  positions: Value | undefined,
  length: number,
): Angles {
  const half = cos.shape[1]!;
  const first = Array.from({ length }, (_, at) => at);
  let rows = positions;
  if (!rows || (rows.shape.length === 1 && rows.shape[0] === 1)) {
    const counted = b.reshape(b.ints(first), [1, length]);
    rows = rows ? b.add(counted, b.cast(rows, "int64")) : counted;
  }
  const at = rows;
  const look = (table: Value) => {
    const found = b.op("Gather", [table, at], { dtype: table.dtype, shape: [...at.shape, half] }, { axis: 0 });
    return b.reshape(found, [at.shape[0]!, 1, length, half]);
  };
  return { cos: look(cos), sin: look(sin) };
}

/** Heads [batch, heads, length, size] turned by angles; elements behind those that turn stay. */
export function rotated(b: GraphBuilder, x: Value, { cos, sin }: Angles, interleaved: boolean): Value {
  const half = cos.shape[3]!;
  const size = x.shape[3]!;
  const whole = x.shape.slice(0, 3);
  const [turning, rest] = size > 2 * half ? b.split(x, [2 * half, size - 2 * half], 3) : [x];
  let parts: readonly Value[];
  if (interleaved) {
    const pairs = b.split(b.reshape(turning!, [...whole, half, 2]), [1, 1], 4);
    parts = pairs.map((part) => b.reshape(part, [...whole, half]));
  } else parts = b.split(turning!, [half, half], 3);
  const [one, other] = parts as [Value, Value];
  const turned = [b.sub(b.mul(one, cos), b.mul(other, sin)), b.add(b.mul(other, cos), b.mul(one, sin))];
  const joined = interleaved
    ? b.reshape(
        b.concat(
          turned.map((part) => b.reshape(part, [...whole, half, 1])),
          4,
        ),
        [...whole, 2 * half],
      )
    : b.concat(turned, 3);
  return rest ? b.concat([joined, rest], 3) : joined;
}
