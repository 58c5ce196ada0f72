import { axisOf, type Value } from "../../graph/builder.js";
import { floatAttribute, intAttribute } from "../../graph/node.js";
import { elementCount } from "../../tensor/tensor.js";
import type { RuleContext, RuleTable } from "../rule.js";
import { sumTo } from "../sum-to.js";

/** Softmax and what divides by a spread. In all of them xc is the input less its mean, inv 1 over the spread. */
export const normalisationRules: RuleTable = {
  Softmax: ({ b, node, outputs, cotangent }) => {
    const [g, y] = [cotangent(), outputs[0]!];
    return [b.mul(y, b.sub(g, b.reduce("ReduceSum", b.mul(g, y), [intAttribute(node, "axis", -1)])))];
  },
  LogSoftmax: ({ b, node, outputs, cotangent }) => {
    const g = cotangent();
    return [b.sub(g, b.mul(b.map("Exp", outputs[0]!), b.reduce("ReduceSum", g, [intAttribute(node, "axis", -1)])))];
  },
  LayerNormalization: (context) => rowNorm(context, { centred: true, spread: 2 }),
  SimplifiedLayerNormalization: (context) => rowNorm(context, { centred: false, spread: 1 }),
  RMSNormalization: (context) => rowNorm(context, { centred: false, spread: 1 }),
  InstanceNormalization: (context) => groupNorm(context, context.inputs[0]!.shape[1]!),
  GroupNormalization: (context) => groupNorm(context, intAttribute(context.node, "num_groups", 1)),
  BatchNormalization: (context) => {
    const { b, node, inputs, cotangent, wants } = context;
    if (intAttribute(node, "training_mode", 0)) return batchNorm(context);
    const [x, scale, , mean, variance] = inputs as readonly Value[];
    const g = cotangent();
    const channel = x!.shape.map((_, at) => (at === 1 ? scale!.shape[0]! : 1));
    const rest = x!.shape.flatMap((_, at) => (at === 1 ? [] : [at]));
    const inv = inverseSpread(context, variance!);
    const spread = (value: Value) => b.reshape(value, channel);
    const total = (value: Value) => b.reduce("ReduceSum", value, rest, false);
    return [
      wants(0) ? b.mul(g, spread(b.mul(scale!, inv))) : undefined,
      wants(1) ? b.mul(total(b.mul(g, b.sub(x!, spread(mean!)))), inv) : undefined,
      wants(2) ? total(g) : undefined,
    ];
  },
  LpNormalization: ({ b, node, inputs, outputs, cotangent, refuse }) => {
    if (intAttribute(node, "p", 2) !== 2) return refuse("a norm other than L2");
    const [g, x, y] = [cotangent(), inputs[0]!, outputs[0]!];
    const axes = [intAttribute(node, "axis", -1)];
    const norm = b.map("Sqrt", b.reduce("ReduceSumSquare", x, axes));
    return [b.div(b.sub(g, b.mul(y, b.reduce("ReduceSum", b.mul(g, y), axes))), norm)];
  },
};

/**
 * Statistics of the batch, which outputs 1 and 2 are where the momentum is 0. With xc = x - mean over n elements of a
 * channel: dscale = inv sum(g xc), dbias = sum g, dx = scale inv (g - mean g - xc inv^2 mean(g xc)).
 */
function batchNorm(context: RuleContext): readonly (Value | undefined)[] {
  const { b, node, inputs, outputs, cotangent, flows, wants, refuse } = context;
  const [x, scale] = inputs as readonly [Value, Value];
  const [, mean, variance] = outputs;
  if (!mean || !variance || floatAttribute(node, "momentum", 0.9) !== 0) return refuse("it does not say what it found");
  if (flows(1) || flows(2)) return refuse("its statistics are used");
  const g = cotangent();
  const count = elementCount(x.shape) / scale.shape[0]!;
  const channel = x.shape.map((_, at) => (at === 1 ? scale.shape[0]! : 1));
  const rest = x.shape.flatMap((_, at) => (at === 1 ? [] : [at]));
  const spread = (value: Value) => b.reshape(value, channel);
  const total = (value: Value) => b.reduce("ReduceSum", value, rest, false);
  const inv = inverseSpread(context, variance);
  const sum = total(g);
  if (!wants(0) && !wants(1)) return [undefined, undefined, sum];
  const centred = b.sub(x, spread(mean));
  const moment = b.mul(total(b.mul(g, centred)), inv);
  const gain = b.mul(scale, inv);
  const slope = b.mul(b.mul(gain, b.mul(inv, moment)), -1 / count);
  const shift = b.mul(b.mul(gain, sum), -1 / count);
  const dx = () => b.add(b.add(b.mul(g, spread(gain)), b.mul(centred, spread(slope))), spread(shift));
  return [wants(0) ? dx() : undefined, wants(1) ? moment : undefined, wants(2) ? sum : undefined];
}

function inverseSpread({ b, node }: RuleContext, variance: Value): Value {
  return b.map("Reciprocal", b.map("Sqrt", b.add(variance, floatAttribute(node, "epsilon", 1e-5))));
}

/**
 * Normalisation over the last axes, all of them as one: x is [rows, width]. With g' = g scale,
 * dx = inv (g' - mean g' - xc inv^2 mean(g' xc)), dscale = sum of g xc inv and dbias = sum of g over the rows.
 * Output `spread` is inv, where the node has it, and output 1 the mean.
 */
function rowNorm(context: RuleContext, { centred, spread }: { centred: boolean; spread: number }) {
  const { b, node, inputs, outputs, cotangent, flows, wants, refuse } = context;
  if (flows(1) || flows(2)) refuse("its statistics are used");
  const [x, scale, bias] = [inputs[0]!, inputs[1]!, inputs[2]];
  const axis = axisOf(intAttribute(node, "axis", -1), x.shape.length);
  const inner = x.shape.slice(axis);
  const width = elementCount(inner);
  const rows = elementCount(x.shape.slice(0, axis));
  const flat = (value: Value) => b.reshape(value, [rows, width]);
  const row = (value: Value) => b.reshape(value, [rows, 1]);
  const g = flat(cotangent());
  const mean = centred ? (outputs[1] ? row(outputs[1]) : b.reduce("ReduceMean", flat(x), [1])) : undefined;
  const xc = mean ? b.sub(flat(x), mean) : flat(x);
  const inv = outputs[spread]
    ? row(outputs[spread])
    : inverseSpread(context, b.mul(b.reduce("ReduceSumSquare", xc, [1]), 1 / width));
  const gx = b.mul(g, xc);
  const spreadOut = b.reshape(b.expand(scale, inner), [width, 1]);
  const dx = () => {
    // means over a row, weighted by the scale, as a product of matrix and vector
    const weights = b.mul(spreadOut, 1 / width);
    const pull = b.mul(b.matmul(gx, weights), b.mul(inv, inv));
    const scaled = b.sub(b.mul(g, b.reshape(spreadOut, [1, width])), b.mul(xc, pull));
    const levelled = centred ? b.sub(scaled, b.matmul(g, weights)) : scaled;
    return b.reshape(b.mul(levelled, inv), x.shape);
  };
  const down = (value: Value, to: Value) => sumTo(b, b.reshape(value, inner), to.shape);
  return [
    wants(0) ? dx() : undefined,
    wants(1) ? down(b.matmul(inv, gx, { transX: true }), scale) : undefined,
    bias && wants(2) ? down(sumTo(b, g, [width]), bias) : undefined,
  ];
}

/** Normalisation over groups of channels and all places: x is [batch, groups, channels of a group, places]. */
function groupNorm(context: RuleContext, groups: number) {
  const { b, inputs, cotangent, wants } = context;
  const [x, scale] = [inputs[0]!, inputs[1]!];
  const [batch, channels] = [x.shape[0]!, x.shape[1]!];
  const places = elementCount(x.shape.slice(2));
  const count = (channels / groups) * places;
  const whole = (value: Value) => b.reshape(value, [batch, groups, count]);
  const byChannel = (value: Value) => b.reshape(value, [batch, groups, channels / groups, places]);
  const ofGroup = (value: Value) => b.reshape(value, [batch, groups, 1, 1]);
  const xc = b.sub(whole(x), b.reduce("ReduceMean", whole(x), [2]));
  const inv = ofGroup(inverseSpread(context, b.mul(b.reduce("ReduceSumSquare", xc, [2]), 1 / count)));
  const g = byChannel(cotangent());
  const gamma = b.reshape(scale, [1, groups, channels / groups, 1]);
  // [batch, groups, channels of a group, 1]: all that is left to do is small
  const sumG = b.reduce("ReduceSum", g, [3]);
  const sumGx = b.reduce("ReduceSum", b.mul(g, byChannel(xc)), [3]);
  const dx = () => {
    const mean = (value: Value) => b.mul(b.reduce("ReduceSum", b.mul(value, gamma), [2]), 1 / count);
    const pull = b.mul(mean(sumGx), b.mul(inv, b.mul(inv, inv)));
    const pulled = b.sub(b.mul(g, b.mul(gamma, inv)), b.mul(byChannel(xc), pull));
    return b.reshape(b.sub(pulled, b.mul(mean(sumG), inv)), x.shape);
  };
  const perChannel = (value: Value) => b.reshape(b.reduce("ReduceSum", value, [0]), scale.shape);
  return [
    wants(0) ? dx() : undefined,
    wants(1) ? perChannel(b.mul(sumGx, inv)) : undefined,
    wants(2) ? perChannel(sumG) : undefined,
  ];
}
