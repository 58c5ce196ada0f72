import { type Block, channelAxis, channelsOf, type Flow, type GraphBuilder, perChannel } from "./random-graphs.js";

type Attributes = Parameters<GraphBuilder["node"]>[2];

const [float32, float64, int32, uint32] = [1, 11, 6, 12];

/** The same shape under another name. */
const as = (flow: Flow, name: string): Flow => ({ ...flow, name });
const op = (b: GraphBuilder, operator: string, flow: Flow, attributes?: Attributes): Flow =>
  as(flow, b.node(operator, [flow.name], attributes));
const plus = (b: GraphBuilder, flow: Flow, other: string): Flow => as(flow, b.node("Add", [flow.name, other]));

/** Values that an operator is defined, and not steep, on. */
const small = (b: GraphBuilder, flow: Flow): Flow => op(b, "Tanh", flow);
const inside = (b: GraphBuilder, flow: Flow): Flow => as(flow, b.node("Mul", [small(b, flow).name, b.number(0.9)]));
const above =
  (least: number) =>
  (b: GraphBuilder, flow: Flow): Flow =>
    as(flow, b.node("Add", [op(b, "Abs", small(b, flow)).name, b.number(least)]));

type Prepare = (b: GraphBuilder, flow: Flow) => Flow;
const unary = (names: string, prepare: Prepare = (_, flow) => flow, since = 0): Record<string, Block> =>
  Object.fromEntries(
    names.split(" ").map((name) => [
      name,
      (b, flow) => {
        b.since(since);
        return op(b, name, prepare(b, flow));
      },
    ]),
  );

/** Something that broadcasts to a flow: another one of its shape, a number for each channel, or one number. */
const factor = (b: GraphBuilder, flow: Flow): string =>
  [() => b.other(flow).name, () => b.weight(perChannel(flow)), () => b.number(0.7)][b.pick(3)]!();
const binary = (names: string, left: Prepare = (_, flow) => flow, right: Prepare = left): Record<string, Block> =>
  Object.fromEntries(
    names
      .split(" ")
      .map((name) => [
        name,
        (b, flow) => as(flow, b.node(name, [left(b, flow).name, right(b, as(flow, factor(b, flow))).name])),
      ]),
  );

const above0 = (b: GraphBuilder, flow: Flow): string => b.node("Greater", [flow.name, b.number(0.1)]);
/** A truth for each element, added to them. */
const truth = (b: GraphBuilder, flow: Flow, made: string): Flow =>
  plus(b, flow, b.node("Cast", [made], { to: float32 }));
const comparisons = (names: string): Record<string, Block> =>
  Object.fromEntries(
    names.split(" ").map((name) => [name, (b, flow) => truth(b, flow, b.node(name, [flow.name, b.other(flow).name]))]),
  );
const logical = (names: string): Record<string, Block> =>
  Object.fromEntries(
    names
      .split(" ")
      .map((name) => [name, (b, flow) => truth(b, flow, b.node(name, [above0(b, flow), above0(b, b.other(flow))]))]),
  );
const whole = (b: GraphBuilder, flow: Flow, to: number): string => {
  const value = to === uint32 ? op(b, "Abs", small(b, flow)) : small(b, flow);
  return b.node("Cast", [b.node("Mul", [value.name, b.number(9)])], { to });
};
const bitwise = (names: string): Record<string, Block> =>
  Object.fromEntries(
    names
      .split(" ")
      .map((name) => [
        name,
        (b, flow) => small(b, truth(b, flow, b.node(name, [whole(b, flow, int32), whole(b, b.other(flow), int32)]))),
      ]),
  );

export const elementwiseBlocks: Record<string, Block> = {
  ...unary("Relu LeakyRelu Sigmoid HardSigmoid HardSwish Tanh Elu Selu Celu Softplus Softsign Mish ThresholdedRelu"),
  ...unary("Shrink Identity Dropout Abs Neg Erf Sign Floor Ceil Round Sin Cos Atan Asinh"),
  ...unary("Gelu", undefined, 20),
  ...unary("Swish", undefined, 24),
  ...unary("Exp Sinh Cosh", small),
  ...unary("Tan Asin Acos Atanh", inside),
  ...unary("Reciprocal Sqrt Log", above(0.5)),
  ...unary("Acosh", above(1.1)),
  ...unary("com.microsoft:Gelu com.microsoft:QuickGelu"),
  Clip: (b, flow) => as(flow, b.node("Clip", [flow.name, b.number(-0.8), b.number(1.2)])),
  Cast: (b, flow) => as(flow, b.node("Cast", [b.node("Cast", [flow.name], { to: float64 })], { to: float32 })),
  CastLike: (b, flow) => as(flow, b.node("CastLike", [flow.name, b.other(flow).name])),
  Not: (b, flow) => truth(b, flow, b.node("Not", [above0(b, flow)])),
  ...Object.fromEntries(
    ["IsNaN", "IsInf"].map((name): [string, Block] => [name, (b, flow) => truth(b, flow, b.node(name, [flow.name]))]),
  ),
  BitwiseNot: (b, flow) => small(b, truth(b, flow, b.node("BitwiseNot", [whole(b, flow, int32)]))),
  ...binary("Add Sub Mul Max Min Mean Sum"),
  ...binary("Div", undefined, above(0.5)),
  ...binary("Pow", above(0.5), small),
  Mod: (b, flow) => as(flow, b.node("Mod", [flow.name, above(0.7)(b, as(flow, factor(b, flow))).name], { fmod: 1 })),
  Where: (b, flow) => as(flow, b.node("Where", [above0(b, b.other(flow)), flow.name, factor(b, flow)])),
  PRelu: (b, flow) => as(flow, b.node("PRelu", [flow.name, b.weight(perChannel(flow), 0.3)])),
  ...comparisons("Equal Greater GreaterOrEqual Less LessOrEqual"),
  ...logical("And Or Xor"),
  ...bitwise("BitwiseAnd BitwiseOr BitwiseXor"),
  BitShift(b, flow) {
    const one = b.node("Cast", [b.ints(1)], { to: uint32 });
    return small(b, truth(b, flow, b.node("BitShift", [whole(b, flow, uint32), one], { direction: "RIGHT" })));
  },
  "com.microsoft:BiasGelu": (b, flow) => biased(b, flow, "com.microsoft:BiasGelu"),
  "com.microsoft:FastGelu": (b, flow) => biased(b, flow, "com.microsoft:FastGelu"),
  ...Object.fromEntries(
    ["", "com.microsoft:"].flatMap((domain) =>
      ["QuantizeLinear", "DequantizeLinear"].map((name): [string, Block] => [domain + name, rounded(domain)]),
    ),
  ),
};

function biased(b: GraphBuilder, flow: Flow, operator: string): Flow {
  const lines = b.sequence(flow);
  return as(lines, b.node(operator, [lines.name, b.weight([channelsOf(lines)], 0.3)]));
}

/** To 8 bits and back, with one scale or one a channel. */
function rounded(domain: string): Block {
  return (b, flow) => {
    const count = channelsOf(flow);
    const each = b.pick(2) === 0;
    const shape = each ? [count] : [];
    const scale = b.constant({
      dtype: "float32",
      shape,
      data: Float32Array.from({ length: each ? count : 1 }, (_, at) => 0.05 + 0.003 * at),
    });
    const zero = b.constant({ dtype: "uint8", shape, data: new Uint8Array(each ? count : 1).fill(128) });
    const attributes = each ? { axis: channelAxis(flow) } : {};
    const made = b.node(`${domain}QuantizeLinear`, [flow.name, scale, zero], attributes);
    return as(flow, b.node(`${domain}DequantizeLinear`, [made, scale, zero], attributes));
  };
}

/** A convolution of 3x3 that keeps the places. */
function convolved(b: GraphBuilder, flow: Flow, made: number, groups: number, operator: string): Flow {
  const image = b.image(flow);
  const from = channelsOf(image);
  const transposed = operator === "ConvTranspose";
  const shape = transposed ? [from, made / groups, 3, 3] : [made, from / groups, 3, 3];
  const inputs = [
    image.name,
    b.weight(
      shape,
      1 / Math.sqrt((9 * from) / groups),
      [transposed ? 1 : 0].filter(() => groups === 1),
    ),
  ];
  if (b.pick(2) === 0) inputs.push(b.weight([made], 0.2));
  const attributes = {
    pads: [1, 1, 1, 1],
    group: groups,
    ...(operator.includes("Fused") ? { activation: "Relu" } : {}),
  };
  return {
    name: b.node(operator, inputs, attributes),
    shape: image.shape.map((size, axis) => (axis === 1 ? made : size)),
  };
}

/** Plain, each channel by itself, each into two, narrow groups, wide groups. */
const convolution =
  (operator: string): Block =>
  (b, flow) => {
    const count = channelsOf(flow);
    switch (b.pick(5)) {
      case 0:
        return convolved(b, flow, 12, 1, operator);
      case 1:
        return convolved(b, flow, count, count, operator);
      case 2:
        return convolved(b, flow, 2 * count, count, operator);
      case 3:
        return convolved(b, b.project(flow, 12), 24, 4, operator);
      default:
        return convolved(b, b.project(flow, 16), b.pick(2) === 0 ? 16 : 20, 2, operator);
    }
  };

/** One number a channel of the image from the mean of its places, as an image of one place. */
const pooled = (flow: Flow, made: string): Flow => ({
  name: made,
  shape: [flow.shape[0]!, channelsOf(flow), 1, 1],
});

function excited(operator: "Gemm" | "com.microsoft:FusedGemm"): Block {
  return (b, given) => {
    const image = b.image(given);
    const count = channelsOf(image);
    const squeezed = pooled(image, b.node("GlobalAveragePool", [image.name]));
    const flat = b.node("Flatten", [squeezed.name], { axis: 1 });
    const fused = operator === "Gemm" ? {} : { activation: "Relu" };
    const down = b.node(operator, [flat, b.weight([count, 6], 0.5, [1]), b.weight([6], 0.2)], fused);
    const up = b.node(operator, [down, b.weight([count, 6], 0.5), b.weight([1, count], 0.2)], { transB: 1, ...fused });
    return as(image, b.node("Mul", [image.name, b.node("Sigmoid", [b.node("Unsqueeze", [up, b.ints(2, 3)])])]));
  };
}

export const productBlocks: Record<string, Block> = {
  Conv: convolution("Conv"),
  ConvTranspose: convolution("ConvTranspose"),
  "com.microsoft:FusedConv": convolution("com.microsoft:FusedConv"),
  Gemm: excited("Gemm"),
  "com.microsoft:FusedGemm": excited("com.microsoft:FusedGemm"),
  MatMul(b, flow) {
    const lines = b.sequence(flow);
    const [batch, length, count] = lines.shape as [number, number, number];
    // scores of places against places, and a sum over them: both factors are computed
    const [query, key] = [b.project(lines, 6), b.project(lines, 6)];
    const scores = b.node("MatMul", [query.name, b.node("Transpose", [key.name], { perm: [0, 2, 1] })]);
    const shares = b.node("Softmax", [scores], { axis: -1 });
    return { name: b.node("MatMul", [shares, lines.name]), shape: [batch, length, count] };
  },
  "com.microsoft:FusedMatMul"(b, flow) {
    const lines = b.sequence(flow);
    const [query, key] = [b.project(lines, 6), b.project(lines, 6)];
    const scores = b.node("com.microsoft:FusedMatMul", [query.name, key.name], { transB: 1, alpha: { float: 0.3 } });
    const shares = b.node("Softmax", [scores], { axis: -1 });
    return as(lines, b.node("com.microsoft:FusedMatMul", [shares, lines.name]));
  },
  Einsum(b, flow) {
    const lines = b.sequence(flow);
    const count = channelsOf(lines);
    const made = b.node("Einsum", [lines.name, b.weight([count, 3, 4], 1 / Math.sqrt(count), [1, 2])], {
      equation: "btc,chd->bthd",
    });
    return as(lines, b.node("Einsum", [made, b.weight([3, 4, count], 0.3)], { equation: "bthd,hdc->btc" }));
  },
};

export { as, float32, op, plus, pooled, small };
