import type { Axis } from "../labels.js";
import type { AxedValue, NodeAt, Row, Rows } from "../row.js";

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

/** The output has the shape of the first input. */
const unary: Row = { axes: (at) => [at.required(0).axes] };

const named = (row: Row, ...names: readonly string[]): Rows => Object.fromEntries(names.map((name) => [name, row]));

export const elementwise: Rows = {
  ...named(broadcast, "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "Where", "Mod", "PRelu"),
  ...named(unary, "Relu", "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Erf", "Sqrt", "Identity"),
};
