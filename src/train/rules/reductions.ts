import type { Value } from "../../graph/builder.js";
import { axisOf } from "../../graph/builder.js";
import { intAttribute } from "../../graph/node.js";
import { elementCount } from "../../tensor/tensor.js";
import type { RuleContext, RuleTable } from "../rule.js";

/** The axes a reduction goes over; none where it does nothing. */
function reducedAxes({ node, inputs, ints }: RuleContext): readonly number[] {
  const rank = inputs[0]!.shape.length;
  const axes = ints(1) ?? [];
  if (axes.length > 0) return axes.map((axis) => axisOf(axis, rank));
  return intAttribute(node, "noop_with_empty_axes", 0) ? [] : inputs[0]!.shape.map((_, at) => at);
}

/** The shape of x where each reduced axis has size 1: cotangent and output broadcast against x in it. */
function keptShape(context: RuleContext): readonly number[] {
  const axes = new Set(reducedAxes(context));
  return context.inputs[0]!.shape.map((size, at) => (axes.has(at) ? 1 : size));
}

const kept = (context: RuleContext, value: Value) => context.b.reshape(value, keptShape(context));

/** Operators that sum up, or pick out of, whole axes. */
export const reductionRules: RuleTable = {
  ReduceSum: (context) => [context.b.expand(kept(context, context.cotangent()), context.inputs[0]!.shape)],
  ReduceMean: (context) => {
    const [x, y] = [context.inputs[0]!, context.outputs[0]!];
    const share = context.b.mul(context.cotangent(), elementCount(y.shape) / elementCount(x.shape));
    return [context.b.expand(kept(context, share), x.shape)];
  },
};
