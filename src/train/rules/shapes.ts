import type { GraphBuilder, Value } from "../../graph/builder.js";
import { axisOf } from "../../graph/builder.js";
import { intAttribute, intsAttribute, stringAttribute } from "../../graph/node.js";
import type { GradientRule, RuleContext, RuleTable } from "../rule.js";
import { placed, reversed } from "./place.js";

/** Elements stay in their order: only the shape goes back. */
const reshaped: GradientRule = ({ b, inputs, cotangent }) => [b.reshape(cotangent(), inputs[0]!.shape)];

/** Operators that move elements and keep each of them, or copy it. */
export const shapeRules: RuleTable = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose({ b, node, inputs, cotangent }) {
    const last = inputs[0]!.shape.length - 1;
    const order = intsAttribute(node, "perm")?.map(Number) ?? inputs[0]!.shape.map((_, at) => last - at);
    return [
      b.transpose(
        cotangent(),
        order.map((_, at) => order.indexOf(at)),
      ),
    ];
  },
  // summed down to the operand by whoever called
  Expand: ({ cotangent }) => [cotangent()],
  Tile({ b, inputs, cotangent, ints }) {
    const { shape } = inputs[0]!;
    const repeats = ints(1)!;
    const apart = b.reshape(
      cotangent(),
      shape.flatMap((size, at) => [repeats[at]!, size]),
    );
    const copies = shape.flatMap((_, at) => (repeats[at] === 1 ? [] : [2 * at]));
    return [b.reshape(b.reduce("ReduceSum", apart, copies, false), shape)];
  },
  Concat({ b, node, inputs, cotangent }) {
    const axis = axisOf(intAttribute(node, "axis", 0), inputs[0]!.shape.length);
    return b.split(
      cotangent(),
      inputs.map((input) => input!.shape[axis]!),
      axis,
    );
  },
  Split({ b, node, inputs, outputs, cotangent, flows, refuse }) {
    const axis = axisOf(intAttribute(node, "axis", 0), inputs[0]!.shape.length);
    const used = outputs.flatMap((_, at) => (flows(at) ? [at] : []));
    const sizes =
      splitSizes(inputs[0]!.shape[axis]!, outputs, axis) ?? refuse("the sizes of its outputs are not known");
    const before = sizes.slice(0, used[0]).reduce((sum, size) => sum + size, 0);
    // one piece needs only zeros around it
    if (used.length === 1) return [placed(b, cotangent(used[0]), [axis], [before], inputs[0]!.shape)];
    const { dtype, shape } = inputs[0]!;
    const zeros = (size: number) => b.filled(0, { dtype, shape: shape.map((n, at) => (at === axis ? size : n)) });
    return [
      b.concat(
        sizes.map((size, at) => flows(at) ?? zeros(size)),
        axis,
      ),
    ];
  },
  Slice(context) {
    const { b, inputs, outputs, cotangent, ints } = context;
    const { shape } = inputs[0]!;
    const starts = ints(1)!;
    const axes = (ints(3) ?? starts.map((_, at) => at)).map((axis) => axisOf(axis, shape.length));
    const steps = ints(4) ?? starts.map(() => 1);
    if (outputs[0]!.shape.includes(0)) return [b.filled(0, inputs[0]!)];
    let g = cotangent();
    const firsts = axes.map((axis, at) => {
      const [step, taken] = [steps[at]!, outputs[0]!.shape[axis]!];
      const first = firstTaken(starts[at]!, shape[axis]!, step);
      g = spread(b, step < 0 ? reversed(b, g, axis) : g, axis, Math.abs(step));
      return step < 0 ? first + step * (taken - 1) : first;
    });
    return [placed(b, g, axes, firsts, shape)];
  },
  DepthToSpace(context) {
    const [n, channels, height, width] = context.inputs[0]!.shape as readonly [number, number, number, number];
    const size = intAttribute(context.node, "blocksize", 1);
    const depth = channels / (size * size);
    const order = stringAttribute(context.node, "mode", "DCR") === "DCR" ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4];
    return turned(context, [n, depth, height, size, width, size], order);
  },
  SpaceToDepth(context) {
    const [n, channels, height, width] = context.outputs[0]!.shape as readonly [number, number, number, number];
    const size = intAttribute(context.node, "blocksize", 1);
    return turned(context, [n, size, size, channels / (size * size), height, width], [0, 3, 4, 1, 5, 2]);
  },
};

function turned({ b, inputs, cotangent }: RuleContext, shape: readonly number[], order: readonly number[]) {
  return [b.reshape(b.transpose(b.reshape(cotangent(), shape), order), inputs[0]!.shape)];
}

/** What each output takes of the axis; an output that nobody reads may have no form, and gets what the others leave. */
function splitSizes(
  total: number,
  outputs: readonly (Value | undefined)[],
  axis: number,
): readonly number[] | undefined {
  const known = outputs.map((output) => output?.shape[axis]);
  const missing = known.filter((size) => size === undefined).length;
  const rest = total - known.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  // several without a form come of equal parts
  return missing > 1 && rest % missing !== 0 ? undefined : known.map((size) => size ?? rest / missing);
}

/** The place of the first element a Slice takes: from the end where negative, and inside. */
function firstTaken(start: number, size: number, step: number): number {
  const from = start < 0 ? start + size : start;
  return Math.min(Math.max(from, 0), step < 0 ? size - 1 : size);
}

/** `step - 1` zeros between the elements along an axis. */
function spread(b: GraphBuilder, x: Value, axis: number, step: number): Value {
  if (step === 1) return x;
  const size = x.shape[axis]!;
  const apart = b.reshape(x, [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)]);
  const wide = apart.shape.map((n, at) => (at === axis + 1 ? step : n));
  const all = b.reshape(
    placed(b, apart, [axis + 1], [0], wide),
    x.shape.map((n, at) => (at === axis ? n * step : n)),
  );
  return b.slice(all, [axis], [0], [(size - 1) * step + 1]);
}
