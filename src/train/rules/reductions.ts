import { axisOf, type GraphBuilder, type Value } from "../../graph/builder.js";
import { intAttribute, intsAttribute } from "../../graph/node.js";
import { elementCount } from "../../tensor/tensor.js";
import type { GradientRule, RuleContext, RuleTable } from "../rule.js";

/** The axes a reduction goes over; none where it does nothing. */
function reducedAxes({ node, inputs, ints }: RuleContext): readonly number[] {
  const rank = inputs[0]!.shape.length;
  const axes = ints(1) ?? intsAttribute(node, "axes")?.map(Number) ?? [];
  if (axes.length > 0) return axes.map((axis) => axisOf(axis, rank));
  return intAttribute(node, "noop_with_empty_axes", 0) ? [] : inputs[0]!.shape.map((_, at) => at);
}

/** A rule that is given cotangent, input and output; g and y with reduced axes of size 1. */
const reduction =
  (rule: (b: GraphBuilder, g: Value, x: Value, y: () => Value, axes: readonly number[]) => Value): GradientRule =>
  (context) => {
    const { b, cotangent } = context;
    const [x, y] = [context.inputs[0]!, context.outputs[0]!];
    const axes = reducedAxes(context);
    const shape = x.shape.map((size, at) => (axes.includes(at) ? 1 : size));
    return [rule(b, b.reshape(cotangent(), shape), x, () => b.reshape(y, shape), axes)];
  };

/** The elements that are the extremum share the cotangent. */
const extremum = reduction((b, g, x, y, axes) => {
  const mask = b.cast(b.compare("Equal", x, y()), x.dtype);
  return b.mul(mask, b.div(g, b.reduce("ReduceSum", mask, axes)));
});

/** Operators that sum up, or pick out of, whole axes. */
export const reductionRules: RuleTable = {
  ReduceSum: reduction((b, g, x) => b.expand(g, x.shape)),
  ReduceMean: reduction((b, g, x) => b.expand(b.mul(g, elementCount(g.shape) / elementCount(x.shape)), x.shape)),
  ReduceMax: extremum,
  ReduceMin: extremum,
  ReduceL1: reduction((b, g, x) => b.mul(b.map("Sign", x), g)),
  // where all elements are 0 the gradient is 0, not undefined
  ReduceL2: reduction((b, g, x, y) => b.mul(x, b.div(g, b.binary("Max", y(), 1e-30)))),
  ReduceSumSquare: reduction((b, g, x) => b.mul(x, b.mul(g, 2))),
  ReduceLogSum: reduction((b, g, x, y) => b.expand(b.div(g, b.map("Exp", y())), x.shape)),
  ReduceLogSumExp: reduction((b, g, x, y) => b.mul(b.map("Exp", b.sub(x, y())), g)),
};
