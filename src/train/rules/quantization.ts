import type { GraphBuilder, Value } from "../../graph/builder.js";
import { axisOf } from "../../graph/builder.js";
import { intAttribute } from "../../graph/node.js";
import type { RuleContext, RuleTable } from "../rule.js";

/**
 * Quantizing and dequantizing, straight-through: together they are the identity inside the range that the integers
 * cover, and constant outside. The integers between them carry the gradient of what they stand for.
 */
export const quantizationRules: RuleTable = {
  QuantizeLinear: (context) => {
    const { b, inputs, outputs, cotangent, refuse } = context;
    const range = ranges[outputs[0]!.dtype] ?? refuse(`integers of type ${outputs[0]!.dtype}`);
    const x = inputs[0]!;
    const scale = alongAxis(context, inputs[1]!, x);
    const zero = inputs[2] ? b.cast(alongAxis(context, inputs[2], x), x.dtype) : b.scalar(0, x.dtype);
    // half a step beyond the outermost integers still rounds to them
    const edge = (b: GraphBuilder, bound: number) => b.mul(b.sub(bound, zero), scale);
    const inside = b.op(
      "And",
      [b.compare("GreaterOrEqual", x, edge(b, range[0] - 0.5)), b.compare("LessOrEqual", x, edge(b, range[1] + 0.5))],
      { dtype: "bool", shape: x.shape },
    );
    return [b.where(inside, cotangent(), 0)];
  },
  DequantizeLinear: ({ cotangent }) => [cotangent()],
};

const ranges: Readonly<Record<string, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** A scale or zero point in a shape that broadcasts against x. */
function alongAxis({ b, node, refuse }: RuleContext, value: Value, x: Value): Value {
  if (value.shape.length === 0) return value;
  if (value.shape.length > 1) return refuse("scales of blocks");
  const axis = axisOf(intAttribute(node, "axis", 1), x.shape.length);
  return b.reshape(value, value.shape[0] === 1 ? [] : x.shape.map((size, at) => (at === axis ? size : 1)));
}
