import type { GraphBuilder, Value } from "../../graph/builder.js";
import { floatAttribute, stringAttribute } from "../../graph/node.js";
import { numbersOf } from "../../tensor/numbers.js";
import { elementCount } from "../../tensor/tensor.js";
import type { GradientRule, RuleContext, RuleTable } from "../rule.js";
import { sumTo } from "../sum-to.js";

/** A rule of an operator of one input: g, x and y are the cotangent, the input and the output. */
const unary =
  (rule: (b: GraphBuilder, g: Value, x: Value, y: Value, context: RuleContext) => Value): GradientRule =>
  (context) => [rule(context.b, context.cotangent(), context.inputs[0]!, context.outputs[0]!, context)];

/** The cotangent where the condition holds. Multiplying takes three quarters of the time of Where. */
const passing = (b: GraphBuilder, condition: Value, g: Value) => b.mul(g, b.cast(condition, g.dtype));

/** Times any positive number but a denormal one it is 1 or more. */
const steep = 1e38;

const float = ({ node }: RuleContext, name: string, fallback: number) => floatAttribute(node, name, fallback);

/** Nothing flows through: the output does not change with small changes of the input. */
const flat: GradientRule = () => [];

/** Taken for the identity, so that what is rounded can learn (straight-through; Bengio et al., arXiv 1308.3432). */
const straightThrough: GradientRule = ({ cotangent }) => [cotangent()];

/** Operators that work element by element. */
export const elementwiseRules: RuleTable = {
  Identity: ({ cotangent }) => [cotangent()],
  Neg: unary((b, g) => b.map("Neg", g)),
  Exp: unary((b, g, _, y) => b.mul(g, y)),
  Log: unary((b, g, x) => b.div(g, x)),
  Sqrt: unary((b, g, _, y) => b.mul(b.div(g, y), 0.5)),
  Reciprocal: unary((b, g, _, y) => b.map("Neg", b.mul(b.mul(g, y), y))),
  Abs: unary((b, g, x) => b.mul(g, b.map("Sign", x))),
  Sin: unary((b, g, x) => b.mul(g, b.map("Cos", x))),
  Cos: unary((b, g, x) => b.map("Neg", b.mul(g, b.map("Sin", x)))),
  Tan: unary((b, g, _, y) => b.mul(g, b.add(b.mul(y, y), 1))),
  Asin: unary((b, g, x) => b.div(g, b.map("Sqrt", b.sub(1, b.mul(x, x))))),
  Acos: unary((b, g, x) => b.map("Neg", b.div(g, b.map("Sqrt", b.sub(1, b.mul(x, x)))))),
  Atan: unary((b, g, x) => b.div(g, b.add(b.mul(x, x), 1))),
  Sinh: unary((b, g, x) => b.mul(g, b.map("Cosh", x))),
  Cosh: unary((b, g, x) => b.mul(g, b.map("Sinh", x))),
  Tanh: unary((b, g, _, y) => b.mul(g, b.sub(1, b.mul(y, y)))),
  Asinh: unary((b, g, x) => b.div(g, b.map("Sqrt", b.add(b.mul(x, x), 1)))),
  Acosh: unary((b, g, x) => b.div(g, b.map("Sqrt", b.sub(b.mul(x, x), 1)))),
  Atanh: unary((b, g, x) => b.div(g, b.sub(1, b.mul(x, x)))),
  Erf: unary((b, g, x) => b.mul(b.mul(g, 2 / Math.sqrt(Math.PI)), b.map("Exp", b.map("Neg", b.mul(x, x))))),
  Sigmoid: unary((b, g, _, y) => b.mul(g, b.sub(y, b.mul(y, y)))),
  Softplus: unary((b, g, x) => b.mul(g, b.map("Sigmoid", x))),
  Softsign: unary((b, g, x) => {
    const root = b.add(b.map("Abs", x), 1);
    return b.div(b.div(g, root), root);
  }),
  // the fastest mask of positive numbers: onnxruntime has HardSigmoid in float32 alone
  Relu: unary((b, g, _, y) =>
    y.dtype === "float32"
      ? b.mul(g, b.map("HardSigmoid", y, { alpha: { float: steep }, beta: { float: 0 } }))
      : passing(b, b.compare("Greater", y, 0), g),
  ),
  LeakyRelu: unary((b, g, x, _, context) => {
    const alpha = float(context, "alpha", 0.01);
    if (alpha > 1) return b.where(b.compare("Greater", x, 0), g, b.mul(g, alpha));
    // from alpha to 1 in one step at 0, in half the time of Where
    const bounds = [b.scalar(alpha, x.dtype), b.scalar(1, x.dtype)];
    return b.mul(g, b.op("Clip", [b.mul(x, steep), ...bounds], x));
  }),
  ThresholdedRelu: unary((b, g, x, _, context) => passing(b, b.compare("Greater", x, float(context, "alpha", 1)), g)),
  // below 0 the derivative of alpha (e^x - 1) is y + alpha
  Elu: unary((b, g, x, y, context) => {
    const alpha = float(context, "alpha", 1);
    if (alpha === 1) return b.mul(g, b.add(b.binary("Min", y, 0), 1));
    return b.mul(g, b.where(b.compare("Greater", x, 0), 1, b.add(y, alpha)));
  }),
  Selu: unary((b, g, x, y, context) => {
    const [alpha, gamma] = [float(context, "alpha", 1.6732632), float(context, "gamma", 1.050701)];
    return b.mul(g, b.where(b.compare("Greater", x, 0), gamma, b.add(y, alpha * gamma)));
  }),
  Celu: unary((b, g, _, y, context) =>
    b.mul(g, b.add(b.mul(b.binary("Min", y, 0), 1 / float(context, "alpha", 1)), 1)),
  ),
  HardSigmoid: unary((b, g, _, y, context) => {
    const inside = b.op("And", [b.compare("Greater", y, 0), b.compare("Less", y, 1)], {
      dtype: "bool",
      shape: y.shape,
    });
    return passing(b, inside, b.mul(g, float(context, "alpha", 0.2)));
  }),
  HardSwish: unary((b, g, x) => {
    const between = b.where(b.compare("Less", x, -3), 0, b.add(b.mul(x, 1 / 3), 0.5));
    return b.mul(g, b.where(b.compare("Greater", x, 3), 1, between));
  }),
  Mish: unary((b, g, x) => {
    const t = b.map("Tanh", b.map("Softplus", x));
    const inner = b.mul(b.mul(x, b.map("Sigmoid", x)), b.sub(1, b.mul(t, t)));
    return b.mul(g, b.add(t, inner));
  }),
  Gelu: unary((b, g, x, y, { node }) =>
    stringAttribute(node, "approximate", "none") === "tanh" ? tanhGelu(b, g, x, y) : erfGelu(b, g, x),
  ),
  "com.microsoft:Gelu": unary(erfGelu),
  "com.microsoft:FastGelu": (context) => {
    const [bias, g] = [context.inputs[1], context.cotangent()];
    const x = bias ? context.b.add(context.inputs[0]!, bias) : context.inputs[0]!;
    const dx = tanhGelu(context.b, g, x, context.outputs[0]!);
    return [dx, dx];
  },
  // y = x s of s = sigmoid(alpha x), so dy/dx = s + alpha (y - y s)
  "com.microsoft:QuickGelu": unary((b, g, x, y, context) => {
    const alpha = float(context, "alpha", 1.702);
    const s = b.map("Sigmoid", scaled(b, x, alpha));
    return b.mul(g, b.add(s, scaled(b, b.sub(y, b.mul(y, s)), alpha)));
  }),

  Round: straightThrough,
  Floor: straightThrough,
  Ceil: straightThrough,
  Sign: flat,
  Mod: flat,
  // from and to integers nothing flows
  Cast: ({ b, inputs, cotangent }) =>
    /^b?float/.test(inputs[0]!.dtype) ? [b.cast(cotangent(), inputs[0]!.dtype)] : [],
  // what lies inside the bounds is unchanged; the bounds themselves get no gradient
  Clip: unary((b, g, x, y) => passing(b, b.compare("Equal", x, y), g)),
  Dropout: ({ b, inputs, outputs, cotangent, constant, refuse }) => {
    const read = (at: number, fallback: number) => {
      const tensor = inputs[at] && (constant(at) ?? refuse(`its input ${at} changes with the data`));
      return tensor ? numbersOf(tensor)[0]! : fallback;
    };
    if (!read(2, 0) || read(1, 0.5) === 0) return [cotangent()];
    const mask = outputs[1] ?? refuse("it has no mask output");
    return [passing(b, mask, b.mul(cotangent(), 1 / (1 - read(1, 0.5))))];
  },

  Add: ({ cotangent }) => [cotangent(), cotangent()],
  Sum: ({ inputs, cotangent }) => inputs.map(() => cotangent()),
  Mean: ({ b, inputs, cotangent }) => {
    const share = b.mul(cotangent(), 1 / inputs.length);
    return inputs.map(() => share);
  },
  // summed before it is negated: what a broadcast operand gets is smaller
  Sub: ({ b, inputs, cotangent, wants }) => [
    cotangent(),
    wants(1) ? b.map("Neg", sumTo(b, cotangent(), inputs[1]!.shape)) : undefined,
  ],
  Mul: ({ b, inputs: [x, y], cotangent, wants }) => {
    if (x!.name === y!.name) return [b.mul(b.mul(cotangent(), x!), 2)];
    return [wants(0) ? b.mul(cotangent(), y!) : undefined, wants(1) ? b.mul(cotangent(), x!) : undefined];
  },
  Div: ({ b, inputs, outputs, cotangent, wants }) => {
    const dx = b.div(cotangent(), inputs[1]!);
    return [dx, wants(1) ? b.map("Neg", sumTo(b, b.mul(dx, outputs[0]!), inputs[1]!.shape)) : undefined];
  },
  Pow: (context) => {
    const { b, inputs, outputs, cotangent, wants, constant } = context;
    const [x, g] = [inputs[0]!, cotangent()];
    const fixed = constant(1);
    if (fixed && elementCount(fixed.shape) === 1) return [powerRule(b, g, x, numbersOf(fixed)[0]!)];
    const p = b.cast(inputs[1]!, x.dtype);
    // where p is 0, x may be 0 too and x^-1 infinite
    const slope = () => b.where(b.compare("Equal", p, 0), 0, b.mul(p, b.binary("Pow", x, b.sub(p, 1))));
    const log = () => b.where(b.compare("Greater", x, 0), b.map("Log", x), 0);
    return [
      wants(0) ? b.mul(g, slope()) : undefined,
      wants(1) && inputs[1]!.dtype === x.dtype ? b.mul(b.mul(g, outputs[0]!), log()) : undefined,
    ];
  },
  Max: (context) => extremum(context, 1),
  Min: (context) => extremum(context, -1),
  Where: ({ b, inputs, cotangent, wants }) => [
    undefined,
    wants(1) ? passing(b, inputs[0]!, cotangent()) : undefined,
    wants(2) ? passing(b, b.map("Not", inputs[0]!), cotangent()) : undefined,
  ],
  PRelu: ({ b, inputs: [x, slope], cotangent, wants }) => [
    wants(0) ? b.where(b.compare("Greater", x!, 0), cotangent(), b.mul(cotangent(), slope!)) : undefined,
    wants(1) ? b.mul(cotangent(), b.binary("Min", x!, 0)) : undefined,
  ],
};

const scaled = (b: GraphBuilder, x: Value, factor: number) => (factor === 1 ? x : b.mul(x, factor));

/** g p x^(p - 1), without what small whole exponents do not need. */
function powerRule(b: GraphBuilder, g: Value, x: Value, p: number): Value | undefined {
  if (p === 0) return undefined;
  if (p === 1) return g;
  return b.mul(b.mul(g, p === 2 ? x : b.binary("Pow", x, p - 1)), p);
}

/** g (P + x p), P and p the distribution and density of the standard normal. */
function erfGelu(b: GraphBuilder, g: Value, x: Value): Value {
  const u = b.mul(x, Math.SQRT1_2);
  // 0.5 + 0.5 erf u in one pass; it clips to 0 .. 1, where this lies anyway
  const share = b.map("HardSigmoid", b.map("Erf", u), { alpha: { float: 0.5 }, beta: { float: 0.5 } });
  const density = b.map("Exp", b.sub(-0.5 * Math.log(2 * Math.PI), b.mul(u, u)));
  return b.mul(g, b.add(share, b.mul(x, density)));
}

/** y = x s of s = sigmoid(v), v = x (a + c x^2), as 1 + tanh u = 2 sigmoid 2u: dy/dx = s + (y - y s)(a + 3 c x^2). */
function tanhGelu(b: GraphBuilder, g: Value, x: Value, y: Value): Value {
  const a = 2 * Math.sqrt(2 / Math.PI);
  const square = b.mul(b.mul(x, x), 0.044715 * a);
  const s = b.map("Sigmoid", b.mul(x, b.add(square, a)));
  const slope = b.mul(b.sub(y, b.mul(y, s)), b.add(b.mul(square, 3), a));
  return b.mul(g, b.add(s, slope));
}

/** The largest (sign 1) or smallest (-1) of the operands gets the cotangent; those that tie share it. */
function extremum({ b, inputs, outputs, cotangent, wants }: RuleContext, sign: 1 | -1): readonly (Value | undefined)[] {
  const [g, y] = [cotangent(), outputs[0]!];
  const wanted = inputs.flatMap((_, at) => (wants(at) ? [at] : []));
  if (inputs.length === 2 && wanted.length === 2) {
    const ahead = sign === 1 ? b.sub(inputs[0]!, inputs[1]!) : b.sub(inputs[1]!, inputs[0]!);
    const first = b.mul(g, b.add(b.mul(b.map("Sign", ahead), 0.5), 0.5));
    return [first, b.sub(g, first)];
  }
  // against a bound that does not learn, a tie goes to what does
  if (inputs.length <= 2)
    return inputs.map((x, at) => (wants(at) ? passing(b, b.compare("Equal", x!, y), g) : undefined));
  const masks = inputs.map((x) => b.cast(b.compare("Equal", x!, y), g.dtype));
  const share = b.div(g, b.op("Sum", masks, y));
  return masks.map((mask, at) => (wants(at) ? b.mul(mask, share) : undefined));
}
