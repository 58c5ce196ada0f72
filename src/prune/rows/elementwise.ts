import { intAttribute } from "../../graph/node.js";
import type { Axis } from "../labels.js";
import { type AxedValue, type NodeAt, NotFollowed, type Row, type Rows } from "../row.js";
import { axisOf } from "./blocks.js";

/** The axes of what several values broadcast to: aligned right, joined where they are equally long. */
export function broadcastAxes(at: NodeAt, values: readonly Pick<AxedValue, "shape" | "axes">[]): readonly Axis[] {
  const rank = Math.max(...values.map(({ shape }) => shape.length));
  return Array.from({ length: rank }, (_, position) => {
    const sides = values.flatMap(({ shape, axes }) => {
      const axis = position - rank + shape.length;
      return axis < 0 || shape[axis] === 1 ? [] : [axes[axis]!];
    });
    const [first = null, ...others] = sides;
    for (const other of others) at.unify(first, other);
    return sides.some((axis) => !axis) ? null : first;
  });
}

/** All inputs broadcast against each other. */
const broadcast: Row = {
  axes: (at) => [
    broadcastAxes(
      at,
      at.node.input.flatMap((_, index) => at.input(index) ?? []),
    ),
  ],
};

/** The outputs have the shape of the first input; the other inputs are single numbers. */
const unary: Row = { axes: (at) => at.node.output.map(() => at.required(0).axes) };

/** Only the type of the second input counts. */
const castLike: Row = {
  axes(at) {
    for (const axis of at.required(1).axes) at.claim(axis);
    return [at.required(0).axes];
  },
};

/** One scale (and zero point) for all, or one for each index of an axis. */
const scaled: Row = {
  axes(at) {
    const [x, scale, zero] = [at.required(0), at.required(1), at.input(2)];
    if (scale.shape.length > 1 || intAttribute(at.node, "block_size", 0) > 0) {
      throw new NotFollowed("its scales are those of blocks");
    }
    const axis = x.axes[axisOf(Math.min(intAttribute(at.node, "axis", 1), x.shape.length - 1), x.shape.length)] ?? null;
    for (const each of [scale, zero]) if ((each?.shape[0] ?? 1) > 1) at.unify(axis, each!.axes[0]!);
    return [x.axes];
  },
};

/** The same row under several names, of one domain. */
export function named(row: Row, names: string, domain = ""): Rows {
  return Object.fromEntries(names.split(" ").map((name) => [domain ? `${domain}:${name}` : name, row]));
}

const activations =
  "Relu LeakyRelu Sigmoid HardSigmoid HardSwish Tanh Gelu Elu Selu Celu Softplus Softsign Mish Swish ThresholdedRelu Shrink Clip";
const functions =
  "Abs Neg Reciprocal Sqrt Exp Log Erf Sign Floor Ceil Round Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh Asinh Acosh Atanh";
const comparisons = "Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor BitShift BitwiseAnd BitwiseOr BitwiseXor";

export const elementwise: Rows = {
  ...named(broadcast, "Add Sub Mul Div Pow Max Min Mean Sum Where Mod PRelu"),
  ...named(broadcast, comparisons),
  ...named(broadcast, "BiasGelu FastGelu", "com.microsoft"),
  ...named(unary, activations),
  ...named(unary, functions),
  ...named(unary, "Identity Cast Dropout Not IsNaN IsInf BitwiseNot"),
  ...named(unary, "Gelu QuickGelu", "com.microsoft"),
  CastLike: castLike,
  ...named(scaled, "QuantizeLinear DequantizeLinear"),
  ...named(scaled, "QuantizeLinear DequantizeLinear", "com.microsoft"),
};
