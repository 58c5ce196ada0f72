// Long because it is one table: a row for every operator.
import type { NodeProto, TensorProto } from "../../formats/onnx.js";
import { floatAttribute, intAttribute, isStandard, stringAttribute } from "../../graph/node.js";
import { elementCount } from "../../tensor/tensor.js";
import { convolving, type Estimate, isDepthwise, multiplying, pairwise, passing } from "./estimate.js";
import { type StaticFacts, scalar } from "./facts.js";

/** How a node runs in 8 bits. */
export interface EightBitForm {
  /**
   * `kernel`: computes and has a scale of its own. `through`: moves values about, so its outputs keep the input's scale.
   * `relabel`: a product with a positive number: the same integers with another scale, nothing is computed.
   */
  readonly kind: "kernel" | "through" | "relabel";
  /** Inputs that are activations. */
  readonly activations: readonly number[];
  /** Constant inputs that are stored like activations, with one scale. */
  readonly operands?: readonly number[];
  /** The input that is a weight, and its channel axis. */
  readonly weight?: { readonly input: number; readonly axis: number };
  /** Signed weights are exact on every processor, and faster. */
  readonly neverSaturates?: true;
  /** The input that is a bias, stored in 32 bits. */
  readonly bias?: number;
  /** For `relabel`: real output = factor * real input. */
  readonly factor?: number;
  /** The range of the output where it is not what calibration saw. */
  readonly range?: { readonly min: number; readonly max: number };
  /** It is computed as sum of `factor` * input and these values. */
  readonly sum?: { readonly factor: number; readonly values: readonly number[]; readonly shape: readonly number[] };
  /** It is computed by another operator: a leaky Relu that leaks nothing is a Relu, which has no 8-bit kernel. */
  readonly leaky?: true;
  /** There is a kernel that puts out floats, too. */
  readonly floatOutput?: true;
  readonly cost: Estimate;
}

/** How an operator behaves when its activations have 8 bits. */
interface StaticRow {
  readonly opType: string;
  /** The 8-bit form of a node, or why it has none. */
  form(node: NodeProto, facts: StaticFacts): EightBitForm | string;
}

/** The form of a node, or why it stays in floats. */
export function eightBitForm(node: NodeProto, facts: StaticFacts): EightBitForm | string {
  const row = isStandard(node) ? rows.get(node.opType) : undefined;
  if (!row) return `${node.opType} has no 8-bit kernel`;
  const form = row.form(node, facts);
  if (typeof form === "string") return form;
  const unknown = form.activations.map((at) => node.input[at]!).find((name) => !facts.observed(name));
  if (unknown !== undefined) {
    return facts.constant(unknown) ? `"${unknown}" is a constant` : `no range of "${unknown}" is known`;
  }
  return form;
}

const conv: StaticRow = {
  opType: "Conv",
  form(node, facts) {
    const weight = facts.constant(node.input[1]);
    if (!weight) return "its weight is no constant";
    if (isSharedDepthwise(weight, facts)) return "a depthwise convolution shares its weight with others";
    if (node.input[2] && !facts.constant(node.input[2])) return "its bias is no constant";
    const shape = facts.shape(weight);
    return {
      kind: "kernel",
      activations: [0],
      weight: { input: 1, axis: 0 },
      ...(node.input[2] ? { bias: 2 } : {}),
      ...(isDepthwise(node, shape) ? { neverSaturates: true } : {}),
      cost: convolving(node, facts, shape),
    };
  },
};

const gemm: StaticRow = {
  opType: "Gemm",
  form(node, facts) {
    const weight = facts.constant(node.input[1]);
    if (!weight) return "its weight is no constant";
    if (intAttribute(node, "transA", 0) !== 0) return "its activation is transposed";
    if (floatAttribute(node, "alpha", 1) !== 1 || floatAttribute(node, "beta", 1) !== 1)
      return "alpha or beta is not 1";
    const axis = intAttribute(node, "transB", 0) ? 0 : 1;
    const shape = facts.shape(weight);
    if (node.input[2]) {
      const bias = facts.constant(node.input[2]);
      if (!bias) return "its bias is no constant";
      if (elementCount(facts.shape(bias)) !== shape[axis]) return "its bias is not one number for each column";
    }
    return {
      kind: "kernel",
      activations: [0],
      weight: { input: 1, axis },
      ...(node.input[2] ? { bias: 2 } : {}),
      floatOutput: true,
      cost: multiplying(node, facts, shape[1 - axis]!),
    };
  },
};

const matmul: StaticRow = {
  opType: "MatMul",
  form(node, facts) {
    const [left, right] = node.input as [string, string];
    const weight = facts.constant(right);
    if (weight) {
      const shape = facts.shape(weight);
      // a scale for each column only where there are no batches of matrices
      if (shape.length !== 2) return "its weight is not a matrix";
      const cost = multiplying(node, facts, shape[0]!);
      return { kind: "kernel", activations: [0], weight: { input: 1, axis: 1 }, floatOutput: true, cost };
    }
    if (facts.constant(left)) return "its weight stands on the left";
    if (!facts.settings.matmulOfActivations) return "a product of two activations, which 8 bits harm most";
    const summed = Math.sqrt((facts.elements(left) * facts.elements(right)) / facts.elements(node.output[0]!));
    return { kind: "kernel", activations: [0, 1], floatOutput: true, cost: multiplying(node, facts, summed) };
  },
};

/** The activation and the constant of a node with two inputs. */
function withConstant(
  node: NodeProto,
  facts: StaticFacts,
): readonly [activation: number, constant: number] | undefined {
  if (facts.constant(node.input[1])) return [0, 1];
  return facts.constant(node.input[0]) ? [1, 0] : undefined;
}

function isFinitePositive(value: number | undefined): value is number {
  return value !== undefined && value > 0 && Number.isFinite(value);
}

function relabel(node: NodeProto, facts: StaticFacts, activation: number, factor: number): EightBitForm {
  const { float } = passing(node, facts);
  return { kind: "relabel", activations: [activation], factor, cost: { float, int8: 0 } };
}

const add: StaticRow = {
  opType: "Add",
  form(node, facts) {
    const constant = withConstant(node, facts);
    if (constant && !facts.values(node.input[constant[1]])) return "its constant is too large";
    return constant
      ? { kind: "kernel", activations: [constant[0]], operands: [constant[1]], cost: pairwise(node, facts) }
      : { kind: "kernel", activations: [0, 1], cost: pairwise(node, facts) };
  },
};

const mul: StaticRow = {
  opType: "Mul",
  form(node, facts) {
    const constant = withConstant(node, facts);
    const factor = constant ? scalar(facts, node.input[constant[1]]) : undefined;
    return isFinitePositive(factor) ? relabel(node, facts, constant![0], factor) : add.form(node, facts);
  },
};

const div: StaticRow = {
  opType: "Div",
  form(node, facts) {
    const divisor = scalar(facts, node.input[1]);
    if (!isFinitePositive(divisor)) return "there is no 8-bit division but by a positive number";
    return relabel(node, facts, 0, 1 / divisor);
  },
};

const sub: StaticRow = {
  opType: "Sub",
  form(node, facts) {
    const values = facts.values(node.input[1]);
    const tensor = facts.constant(node.input[1]);
    if (!values || !tensor || facts.constant(node.input[0])) return "there is no 8-bit subtraction but of a constant";
    const negated = Array.from(values, (value) => -value);
    return {
      kind: "kernel",
      activations: [0],
      sum: { factor: 1, values: negated, shape: facts.shape(tensor) },
      cost: passing(node, facts, "Add"),
    };
  },
};

/** clip(alpha x + beta, 0, 1): a sum whose result saturates at 0 and 1. */
const hardSigmoid: StaticRow = {
  opType: "HardSigmoid",
  form(node, facts) {
    const factor = floatAttribute(node, "alpha", 0.2);
    const beta = floatAttribute(node, "beta", 0.5);
    if (!isFinitePositive(factor)) return "its alpha is not positive";
    return {
      kind: "kernel",
      activations: [0],
      sum: { factor, values: [beta], shape: [] },
      range: { min: 0, max: 1 },
      cost: passing(node, facts),
    };
  },
};

const relu: StaticRow = {
  opType: "Relu",
  form: (node, facts) => ({ kind: "kernel", activations: [0], leaky: true, cost: passing(node, facts) }),
};

/** An operator with a kernel that takes all of its inputs, or the given ones. */
function kernel(opType: string, inputs: readonly number[] | "all" = [0], range?: EightBitForm["range"]): StaticRow {
  return {
    opType,
    form(node, facts) {
      const taken = inputs === "all" ? node.input.map((_, at) => at) : inputs;
      const constants = taken.filter((at) => facts.constant(node.input[at]));
      if (constants.length === taken.length) return "all of its inputs are constants";
      if (constants.some((at) => !facts.values(node.input[at]))) return "its constant is too large";
      return {
        kind: "kernel",
        activations: taken.filter((at) => !constants.includes(at)),
        ...(constants.length > 0 ? { operands: constants } : {}),
        ...(range ? { range } : {}),
        cost: passing(node, facts),
      };
    },
  };
}

/** onnxruntime's kernel (1.30) gives 0 in the place of 1 where the axis has one element, such as one token to attend to. */
const softmax: StaticRow = {
  opType: "Softmax",
  form(node, facts) {
    const size = facts.sizes(node.input[0]!)?.at(intAttribute(node, "axis", -1)) ?? 1;
    const wrong = "its axis may have one element, for which the 8-bit kernel is wrong";
    return size < 2 ? wrong : kernel("Softmax", [0], { min: 0, max: 1 }).form(node, facts);
  },
};

/** An operator that moves the values of its first input about. */
function through(opType: string, refusal: (node: NodeProto) => string | undefined = () => undefined): StaticRow {
  return {
    opType,
    form: (node, facts) => refusal(node) ?? { kind: "through", activations: [0], cost: passing(node, facts) },
  };
}

/** After a convolution there is a kernel for its layout; the other one is slow. */
const maxPool: StaticRow = {
  opType: "MaxPool",
  form(node, facts) {
    if (node.output[1]) return "its second output has no 8-bit form";
    let maker = facts.producer(node.input[0]!);
    if (maker && isSaturation(maker, facts)) maker = facts.producer(maker.input[0]!);
    const kernel = maker?.opType === "Conv" ? "NhwcMaxPool" : "MaxPool";
    return { kind: "through", activations: [0], cost: passing(node, facts, kernel) };
  },
};

/**
 * The operators that onnxruntime runs in 8 bits, read from its graph after loading. Conversions around others would cost
 * and gain nothing (ConvTranspose, normalisations, Tanh, Erf, Gelu, ReduceMean, Pad, Resize that interpolates).
 */
const rows = new Map(
  [
    conv,
    gemm,
    matmul,
    add,
    mul,
    div,
    sub,
    hardSigmoid,
    relu,
    kernel("Sigmoid"),
    kernel("LeakyRelu"),
    softmax,
    kernel("AveragePool"),
    kernel("GlobalAveragePool"),
    kernel("Concat", "all"),
    kernel("Where", [1, 2]),
    maxPool,
    through("ReduceMax"),
    through("ReduceMin"),
    through("Resize", (node) =>
      stringAttribute(node, "mode", "nearest") === "nearest" ? undefined : "interpolating has no 8-bit kernel",
    ),
    ...["Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"].map((opType) => through(opType)),
    ...["Slice", "Gather", "Split", "Expand", "Tile"].map((opType) => through(opType)),
  ].map((row) => [row.opType, row] as const),
);

/**
 * Whether a node right after a kernel adds nothing to what the range of its output does: integers saturate where a Relu
 * or a Clip would cut. The range must hold 0, so a Clip that does not is none of these.
 */
export function isSaturation(node: NodeProto, facts: StaticFacts): boolean {
  if (!isStandard(node)) return false;
  if (node.opType === "Relu") return true;
  if (node.opType !== "Clip") return false;
  const [low, high] = [1, 2].map((at) => (node.input[at] ? scalar(facts, node.input[at]) : undefined));
  const unknown = [1, 2].some((at) => node.input[at] && scalar(facts, node.input[at]) === undefined);
  return !unknown && (low ?? 0) <= 0 && (high ?? 0) >= 0;
}

/**
 * onnxruntime takes the DequantizeLinear that keeps a shared weight of a depthwise convolution in floats for one of the
 * 8-bit kernel's, which then fails at run time ("input zero point must be a scalar").
 */
function isSharedDepthwise(weight: TensorProto, facts: StaticFacts): boolean {
  return facts.readers(weight.name).length > 1 && facts.shape(weight)[1] === 1;
}
