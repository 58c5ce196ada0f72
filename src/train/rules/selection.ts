import { axisOf, type GraphBuilder, type Value } from "../../graph/builder.js";
import { intAttribute, stringAttribute } from "../../graph/node.js";
import { elementCount } from "../../tensor/tensor.js";
import type { GradientRule, RuleContext, RuleTable } from "../rule.js";
import { padded, placed, reversed } from "./place.js";

/** The indices of a node as int64, which not every operator that scatters takes otherwise. */
const indicesOf = ({ b, inputs }: RuleContext) => b.cast(inputs[1]!, "int64");

/** `updates` added at `indices` to zeros of the form of x. */
function scattered(b: GraphBuilder, x: Value, indices: Value, updates: Value, axis: number): Value {
  return b.op("ScatterElements", [b.filled(0, x), indices, updates], x, { axis, reduction: "add" });
}

/** A scatter's: the data get the cotangent where they were kept, the updates get it from where they went. */
const scatterRule =
  (scatter: "ScatterND" | "ScatterElements", gather: "GatherND" | "GatherElements"): GradientRule =>
  (context) => {
    const { b, node, inputs, cotangent, wants, refuse } = context;
    const reduction = stringAttribute(node, "reduction", "none");
    if (reduction !== "none" && reduction !== "add") return refuse(`reduction "${reduction}"`);
    const attributes = scatter === "ScatterND" ? {} : { axis: intAttribute(node, "axis", 0) };
    const [g, indices, updates] = [cotangent(), indicesOf(context), inputs[2]!];
    const kept = () =>
      reduction === "add" ? g : b.op(scatter, [g, indices, b.filled(0, updates)], inputs[0]!, attributes);
    return [
      wants(0) ? kept() : undefined,
      undefined,
      wants(2) ? b.op(gather, [g, indices], updates, attributes) : undefined,
    ];
  };

/** Operators that take some elements or put some in. */
export const selectionRules: RuleTable = {
  Pad(context) {
    const { b, node, inputs, cotangent, wants, ints, refuse } = context;
    if (wants(2)) return refuse("the value it fills with is trained");
    const { shape } = inputs[0]!;
    const pads = ints(1)!;
    const axes = (ints(3) ?? shape.map((_, at) => at)).map((axis) => axisOf(axis, shape.length));
    const mode = stringAttribute(node, "mode", "constant");
    if (mode === "constant") {
      const of = (at: number) => -(pads[at] ?? 0);
      const side = (offset: number) => shape.map((_, at) => (axes.includes(at) ? of(axes.indexOf(at) + offset) : 0));
      return [padded(b, cotangent(), side(0), side(axes.length))];
    }
    if (pads.some((pad) => pad < 0)) return refuse(`mode "${mode}" with negative pads`);
    const unpadded = (g: Value, axis: number, at: number) =>
      foldedBack(b, g, axis, pads[at]!, pads[at + axes.length]!, mode as "reflect" | "edge" | "wrap");
    return [axes.reduce(unpadded, cotangent())];
  },
  Gather(context) {
    const { b, node, inputs, cotangent, constant } = context;
    const { shape } = inputs[0]!;
    const axis = axisOf(intAttribute(node, "axis", 0), shape.length);
    const [indices, g] = [indicesOf(context), cotangent()];
    const [ahead, behind] = [shape.slice(0, axis), shape.slice(axis + 1)];
    const count = elementCount(indices.shape);
    const only = count === 1 && constant(1);
    if (only) {
      const at = Number(only.data[0]);
      return [placed(b, b.reshape(g, [...ahead, 1, ...behind]), [axis], [axisOf(at, shape[axis]!)], shape)];
    }
    // the axis first: rows of it are what is added
    const rest = elementCount(ahead);
    const apart = b.reshape(g, [rest, count, elementCount(behind)]);
    const rows = b.reshape(b.transpose(apart, rest === 1 ? [0, 1, 2] : [1, 0, 2]), [
      count,
      rest * elementCount(behind),
    ]);
    const flat = { dtype: g.dtype, shape: [shape[axis]!, rows.shape[1]!] };
    const sums = b.op("ScatterND", [b.filled(0, flat), b.reshape(indices, [count, 1]), rows], flat, {
      reduction: "add",
    });
    if (rest === 1) return [b.reshape(sums, shape)];
    return [b.reshape(b.transpose(b.reshape(sums, [shape[axis]!, rest, elementCount(behind)]), [1, 0, 2]), shape)];
  },
  GatherElements: (context) => [
    scattered(
      context.b,
      context.inputs[0]!,
      indicesOf(context),
      context.cotangent(),
      intAttribute(context.node, "axis", 0),
    ),
  ],
  GatherND(context) {
    const { b, node, inputs, cotangent, refuse } = context;
    if (intAttribute(node, "batch_dims", 0) !== 0) return refuse("batch_dims");
    const zeros = b.filled(0, inputs[0]!);
    return [b.op("ScatterND", [zeros, indicesOf(context), cotangent()], inputs[0]!, { reduction: "add" })];
  },
  ScatterND: scatterRule("ScatterND", "GatherND"),
  ScatterElements: scatterRule("ScatterElements", "GatherElements"),
  TopK({ b, node, inputs, outputs, cotangent, refuse }) {
    const indices = outputs[1] ?? refuse("its indices are not there");
    return [scattered(b, inputs[0]!, indices, cotangent(), intAttribute(node, "axis", -1))];
  },
  CumSum: ({ b, node, inputs, cotangent }) => [
    b.op("CumSum", [cotangent(), inputs[1]], inputs[0]!, {
      reverse: 1 - intAttribute(node, "reverse", 0),
      exclusive: intAttribute(node, "exclusive", 0),
    }),
  ],
  ReverseSequence: ({ b, node, inputs, cotangent }) => [
    b.op("ReverseSequence", [cotangent(), inputs[1]], inputs[0]!, {
      batch_axis: intAttribute(node, "batch_axis", 1),
      time_axis: intAttribute(node, "time_axis", 0),
    }),
  ],
};

/** Takes away what a Pad added along an axis, and adds it to the elements it was copied from. */
function foldedBack(
  b: GraphBuilder,
  g: Value,
  axis: number,
  before: number,
  after: number,
  mode: "reflect" | "edge" | "wrap",
): Value {
  const size = g.shape[axis]! - before - after;
  const part = (from: number, to: number) => b.slice(g, [axis], [from], [to]);
  const core = before + after === 0 ? g : part(before, before + size);
  const folded = (border: Value, first: { reflect: number; edge: number; wrap: number }) => {
    const copied =
      mode === "reflect" ? reversed(b, border, axis) : mode === "edge" ? b.reduce("ReduceSum", border, [axis]) : border;
    return placed(b, copied, [axis], [first[mode]], core.shape);
  };
  const ahead = before > 0 ? [folded(part(0, before), { reflect: 1, edge: 0, wrap: size - before })] : [];
  const behind =
    after > 0
      ? [folded(part(before + size, before + size + after), { reflect: size - 1 - after, edge: size - 1, wrap: 0 })]
      : [];
  return [...ahead, ...behind].reduce((sum, one) => b.add(sum, one), core);
}
