import { type ModelProto, makeTensor, type NodeProto, readTensor, type TensorProto } from "../../formats/onnx.js";
import { typeName } from "../../formats/onnx-types.js";
import { elementCount } from "../../tensor/tensor.js";
import { type FreshName, freshNames } from "../names.js";
import { floatAttribute, intAttribute, isStandard } from "../node.js";
import { type ModelView, type Scope, type Use, viewModel } from "../scope.js";
import {
  type Constant,
  constantOf,
  counted,
  type FoldedNorm,
  hasOneReader,
  isPutOut,
  newTensor,
  type Pass,
  type PassContext,
  replaceInitializer,
} from "./pass.js";

/**
 * What scales and shifts the channels of a Conv, ConvTranspose or Gemm right after it goes into its weight and bias:
 * BatchNormalization (in its inference form), Mul, Div, Add and Sub by constants of one value per channel. A missing
 * bias is added; the node takes over the name of the last value.
 *
 * Only for float32, where nothing else reads the value in between and nothing else reads the weight. The products are
 * taken in double precision and rounded once.
 */
export const affinePass: Pass = {
  name: "affine",
  words: (changes) => `${counted(changes, "BatchNormalization, Mul or Add node")} folded into the weights before`,
  run(model, context) {
    let total = 0;
    // Conv -> Mul -> Add -> BatchNormalization folds one link a round
    for (let round = 0; round < 20; round++) {
      const folded = foldOnce(model, context);
      total += folded;
      if (folded === 0) break;
    }
    return total;
  },
};

/** y = x * scale[channel] + shift[channel]. */
interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
  /** Where a BatchNormalization does it. */
  readonly norm?: FoldedNorm;
}

function foldOnce(model: ModelProto, context: PassContext): number {
  const view = viewModel(model);
  const fresh = freshNames(model);
  const gone = new Set<NodeProto>();
  // tensors and nodes this round changed, of which the view knows nothing
  const touched = new Set<TensorProto | NodeProto>();
  for (const scope of view.scopes) {
    for (const node of scope.graph.node) {
      const maker = makerOf(node);
      if (!maker || touched.has(node)) continue;
      const [value] = node.output;
      if (!value || isPutOut(scope, value)) continue;
      const uses = view.usesOf(scope, value);
      const [use] = uses;
      if (uses.length !== 1 || !use || use.scope !== scope || touched.has(use.node)) continue;
      const weight = constantOf(view, scope, node.input[1]);
      if (!weight || !hasOneReader(view, weight) || !isFloat32(weight.tensor) || touched.has(weight.tensor)) continue;
      const channels = maker.channels(weight.tensor.dims.map(Number));
      const rank = weight.tensor.dims.length;
      const affine = channels && affineOf(view, use, channels, rank, context);
      if (!affine || ![...affine.scale, ...affine.shift].every(Number.isFinite)) continue;
      const bias = biasOf(view, scope, node, channels, context);
      if (bias === "other" || (bias && touched.has(bias.constant.tensor))) continue;
      if (scope === view.root) recordNorm(context.settings.norms, weight.tensor.name, affine, bias?.values);
      const scales = affine.scale.some((scale) => scale !== 1);
      if (scales) {
        const scaled = scaledWeight(weight, affine.scale, maker, context);
        replaceInitializer(weight, scaled);
        touched.add(scaled).add(weight.tensor);
      }
      setBias(view, scope, node, bias, channels, affine, fresh);
      if (bias) touched.add(bias.constant.tensor);
      touched.add(node).add(use.node);
      gone.add(use.node);
      node.output[0] = use.node.output[0]!;
    }
  }
  for (const { graph } of view.scopes) graph.node = graph.node.filter((node) => !gone.has(node));
  return gone.size;
}

/** Keeps what a BatchNormalization was, and what is folded after it; two in a row are none that could be kept apart. */
function recordNorm(
  norms: Map<string, FoldedNorm> | undefined,
  name: string,
  { scale, shift, norm }: Affine,
  bias: Float64Array | undefined,
): void {
  const before = norms?.get(name);
  if (norm && before) norms!.delete(name);
  else if (norm) norms?.set(name, bias ? { ...norm, mean: norm.mean.map((mean, at) => mean - bias[at]!) } : norm);
  else if (before) {
    norms!.set(name, {
      ...before,
      scale: before.scale.map((one, at) => one * scale[at]!),
      shift: before.shift.map((one, at) => one * scale[at]! + shift[at]!),
    });
  }
}

/** What is to be known of a node whose weight has output channels; they are axis 1 of its output, whose rank is the weight's. */
interface Maker {
  /** How many output channels a weight of this shape has; undefined for a shape the operator does not take. */
  channels(shape: readonly number[]): number | undefined;
  /** Calls `visit` for each run of elements of one channel. */
  eachRun(shape: readonly number[], visit: (channel: number, start: number, end: number) => void): void;
}

function makerOf(node: NodeProto): Maker | undefined {
  if (!isStandard(node) || node.output.length !== 1) return undefined;
  if (node.opType === "Conv") {
    return {
      channels: (shape) => (shape.length >= 3 ? shape[0] : undefined),
      eachRun(shape, visit) {
        const size = elementCount(shape.slice(1));
        for (let channel = 0; channel < shape[0]!; channel++) visit(channel, channel * size, (channel + 1) * size);
      },
    };
  }
  if (node.opType === "ConvTranspose") {
    const group = intAttribute(node, "group", 1);
    return {
      channels: (shape) => (shape.length >= 3 && shape[0]! % group === 0 ? shape[1]! * group : undefined),
      // [input channels, output channels / group, ...kernel]; the group of an output channel is its input channel's
      eachRun(shape, visit) {
        const [inputs, outputs] = [shape[0]!, shape[1]!];
        const size = elementCount(shape.slice(2));
        for (let input = 0; input < inputs; input++) {
          const first = Math.floor(input / (inputs / group)) * outputs;
          for (let output = 0; output < outputs; output++) {
            const start = (input * outputs + output) * size;
            visit(first + output, start, start + size);
          }
        }
      },
    };
  }
  if (node.opType !== "Gemm") return undefined;
  if (floatAttribute(node, "alpha", 1) !== 1 || floatAttribute(node, "beta", 1) !== 1) return undefined;
  const transposed = intAttribute(node, "transB", 0) === 1;
  return {
    channels: (shape) => (shape.length === 2 ? shape[transposed ? 0 : 1] : undefined),
    eachRun(shape, visit) {
      const columns = shape[1]!;
      for (let at = 0; at < shape[0]! * columns; at += transposed ? columns : 1) {
        if (transposed) visit(at / columns, at, at + columns);
        else visit(at % columns, at, at + 1);
      }
    },
  };
}

function isFloat32({ dataType }: TensorProto): boolean {
  return typeName(dataType) === "float32";
}

/** The numbers of a float32 constant. */
function floatsOf({ tensor }: Constant, { readExternal }: PassContext): Float32Array {
  return readTensor(tensor, readExternal).data as Float32Array;
}

/** What a use does to each channel of the value, which has `rank` axes; undefined for anything else. */
function affineOf(
  view: ModelView,
  { scope, node, input }: Use,
  channels: number,
  rank: number,
  context: PassContext,
): Affine | undefined {
  if (!isStandard(node) || !node.output[0]) return undefined;
  if (node.opType === "BatchNormalization") return batchNormalization(view, { scope, node, input }, channels, context);
  if (!["Mul", "Div", "Add", "Sub"].includes(node.opType) || node.input.length !== 2) return undefined;
  // constant - x and constant / x are not of this form
  if ((node.opType === "Div" || node.opType === "Sub") && input !== 0) return undefined;
  const constant = constantOf(view, scope, node.input[1 - input]);
  if (!constant || !isFloat32(constant.tensor)) return undefined;
  const values = perChannel(constant, channels, rank, 1, context);
  if (!values) return undefined;
  const ones = new Float64Array(channels).fill(1);
  if (node.opType === "Mul") return { scale: values, shift: new Float64Array(channels) };
  if (node.opType === "Div") return { scale: values.map((value) => 1 / value), shift: new Float64Array(channels) };
  return { scale: ones, shift: node.opType === "Add" ? values : values.map((value) => -value) };
}

function batchNormalization(
  view: ModelView,
  { scope, node, input }: Use,
  channels: number,
  context: PassContext,
): Affine | undefined {
  if (input !== 0 || node.output.filter(Boolean).length !== 1) return undefined;
  if (intAttribute(node, "training_mode", 0) !== 0 || intAttribute(node, "spatial", 1) !== 1) return undefined;
  // before opset 7 its meaning hung on is_test
  if (node.attribute.some(({ name }) => name === "is_test" || name === "consumed_inputs")) return undefined;
  const held = [1, 2, 3, 4].map((at) => constantOf(view, scope, node.input[at]));
  const parts = held.flatMap((constant) =>
    constant && isFloat32(constant.tensor) && constant.tensor.dims.length === 1 ? [floatsOf(constant, context)] : [],
  );
  const [gamma, beta, mean, variance] = parts;
  if (!gamma || !beta || !mean || !variance || parts.some(({ length }) => length !== channels)) return undefined;
  // the attribute is a float32; 1e-5 where there is none
  const epsilon = floatAttribute(node, "epsilon", Math.fround(1e-5));
  const scale = Float64Array.from(gamma, (factor, at) => factor / Math.sqrt(variance[at]! + epsilon));
  const norm: FoldedNorm = {
    scale: Float64Array.from(gamma),
    shift: Float64Array.from(beta),
    mean: Float64Array.from(mean),
    variance: Float64Array.from(variance),
    epsilon,
    momentum: floatAttribute(node, "momentum", Math.fround(0.9)),
  };
  return { scale, shift: scale.map((factor, at) => beta[at]! - mean[at]! * factor), norm };
}

/** The values of a constant that broadcasts along the channel axis only; undefined for any other shape. */
function perChannel(
  constant: Constant,
  channels: number,
  rank: number,
  axis: number,
  context: PassContext,
): Float64Array | undefined {
  const shape = constant.tensor.dims.map(Number);
  if (shape.length > rank) return undefined;
  const full = [...new Array<number>(rank - shape.length).fill(1), ...shape];
  if (full.some((size, at) => size !== 1 && !(at === axis && size === channels))) return undefined;
  const values = floatsOf(constant, context);
  return values.length === channels ? Float64Array.from(values) : new Float64Array(channels).fill(values[0]!);
}

/** A node's bias: a constant of one value per channel, none, or something that cannot be added to. */
function biasOf(
  view: ModelView,
  scope: Scope,
  node: NodeProto,
  channels: number,
  context: PassContext,
): { readonly constant: Constant; readonly values: Float64Array } | "other" | undefined {
  if (!node.input[2]) return undefined;
  const constant = constantOf(view, scope, node.input[2]);
  if (!constant || !isFloat32(constant.tensor)) return "other";
  const values =
    node.opType === "Gemm"
      ? perChannel(constant, channels, 2, 1, context)
      : perChannel(constant, channels, 1, 0, context);
  return values ? { constant, values } : "other";
}

function scaledWeight(weight: Constant, scale: Float64Array, maker: Maker, context: PassContext): TensorProto {
  const source = readTensor(weight.tensor, context.readExternal);
  const values = Float32Array.from(source.data as Float32Array);
  maker.eachRun(source.shape, (channel, start, end) => {
    const factor = scale[channel]!;
    for (let at = start; at < end; at++) values[at] = values[at]! * factor;
  });
  const result = newTensor(weight.tensor.name, { ...source, data: values }, context);
  result.docString = weight.tensor.docString;
  return result;
}

function setBias(
  view: ModelView,
  scope: Scope,
  node: NodeProto,
  bias: { readonly constant: Constant; readonly values: Float64Array } | undefined,
  channels: number,
  { scale, shift }: Affine,
  fresh: FreshName,
): void {
  const data = Float32Array.from(shift, (value, at) => value + (bias?.values[at] ?? 0) * scale[at]!);
  const tensor = makeTensor("", { dtype: "float32", shape: [channels], data });
  if (bias && hasOneReader(view, bias.constant)) {
    tensor.name = bias.constant.tensor.name;
    replaceInitializer(bias.constant, tensor);
  } else {
    tensor.name = fresh(`${node.name || node.output[0]}_bias`);
    scope.graph.initializer.push(tensor);
  }
  node.input[2] = tensor.name;
}
