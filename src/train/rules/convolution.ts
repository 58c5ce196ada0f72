import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { RuleContext, RuleTable } from "../rule.js";
import { type ConvGeometry, convAttributes, groupOf, rest, spatial, windowOf } from "./geometry.js";
import { inputGradient } from "./input-gradient.js";
import { weightGradient } from "./weight-gradient.js";

/** Convolutions. A ConvTranspose is a Conv read backwards: its input is the small side. */
export const convolutionRules: RuleTable = {
  Conv(context) {
    const { b, inputs, outputs, cotangent, wants } = context;
    const [x, w, g] = [inputs[0]!, inputs[1]!, cotangent()];
    const geometry = geometryOf(context, spatial(x), spatial(outputs[0]!));
    return [
      wants(0) ? inputGradient(b, g, w, geometry) : undefined,
      wants(1) ? weightGradient(b, x, g, geometry) : undefined,
      wants(2) ? biasGradient(b, g) : undefined,
    ];
  },
  ConvTranspose(context) {
    const { b, inputs, outputs, cotangent, wants } = context;
    const [x, w, g] = [inputs[0]!, inputs[1]!, cotangent()];
    const geometry = geometryOf(context, spatial(outputs[0]!), spatial(x));
    const attributes = convAttributes(geometry, geometry.group);
    return [
      wants(0) ? b.op("Conv", [g, w], x, attributes) : undefined,
      wants(1) ? weightGradient(b, g, x, geometry) : undefined,
      wants(2) ? biasGradient(b, g) : undefined,
    ];
  },
};

function geometryOf(context: RuleContext, large: readonly number[], small: readonly number[]): ConvGeometry {
  const { node, inputs, refuse } = context;
  const kernel = spatial(inputs[1]!);
  const geometry = { ...windowOf(node, kernel, large, small), group: groupOf(node), large, small };
  rest(geometry).forEach((left, at) => {
    if (left < 0 || left >= Math.max(geometry.strides[at]!, geometry.dilations[at]!)) {
      refuse("its output padding is larger than its stride");
    }
  });
  return geometry;
}

/** Summed over places first: they lie side by side. */
function biasGradient(b: GraphBuilder, g: Value): Value {
  const places = g.shape.slice(2).map((_, at) => at + 2);
  return b.reduce("ReduceSum", b.reduce("ReduceSum", g, places, false), [0], false);
}
