import { axisOf, type GraphBuilder, type Value } from "../../graph/builder.js";
import { shallowCopy } from "../../graph/clone.js";
import { floatAttribute, floatsAttribute, intAttribute, intsAttribute, stringAttribute } from "../../graph/node.js";
import { elementCount } from "../../tensor/tensor.js";
import type { DecomposeContext, Decomposition, DecompositionTable } from "./decomposition.js";

/** An activation by name, with its parameters in their order; undefined for one that is not known. */
function activated(b: GraphBuilder, x: Value, name: string, parameters: readonly number[]): Value | undefined {
  const [first = 0, second = 0] = parameters;
  if (name === "" || name === "Relu" || name === "Tanh" || name === "Sigmoid") return name === "" ? x : b.map(name, x);
  if (name === "LeakyRelu") return b.map(name, x, { alpha: { float: first } });
  if (name === "HardSigmoid") return b.map(name, x, { alpha: { float: first }, beta: { float: second } });
  if (name === "Clip") return b.op("Clip", [x, b.scalar(first), b.scalar(second)], x);
  return undefined;
}

/** The node's own computation as the plain operator of that name, without what was fused into it. */
function plain({ node, b, outputs }: DecomposeContext, opType: string, inputs: readonly (Value | undefined)[]): Value {
  const result = b.op(opType, inputs, outputs[0]!);
  const kept = node.attribute.filter(({ name }) => !name.startsWith("activation"));
  b.nodes.at(-1)!.attribute.push(...kept.map(shallowCopy));
  return result;
}

const fusedConv: Decomposition = (context) => {
  const { node, b, inputs, refuse } = context;
  const [x, w, bias, added] = inputs;
  const made = plain(context, "Conv", bias ? [x, w, bias] : [x, w]);
  const name = stringAttribute(node, "activation", "");
  const parameters = floatsAttribute(node, "activation_params") ?? [];
  const sum = added ? b.add(made, added) : made;
  return [activated(b, sum, name, parameters) ?? refuse(`its activation ${name} is not known here`)];
};

const fusedGemm: Decomposition = (context) => {
  const { node, b, inputs, refuse } = context;
  const name = stringAttribute(node, "activation", "");
  const parameters = [floatAttribute(node, "activation_alpha", 0), floatAttribute(node, "activation_beta", 0)];
  const made = plain(context, "Gemm", inputs);
  return [activated(b, made, name, parameters) ?? refuse(`its activation ${name} is not known here`)];
};

/** x·w with a bias, before an exact Gelu. */
const biasGelu: Decomposition = ({ b, inputs }) => [b.map("Gelu", b.add(inputs[0]!, inputs[1]!))];

const fastGelu: Decomposition = ({ b, inputs }) => {
  const [x, bias] = inputs as readonly [Value, Value | undefined];
  return [b.map("Gelu", bias ? b.add(x, bias) : x, { approximate: "tanh" })];
};

const quickGelu: Decomposition = ({ node, b, inputs }) => {
  const x = inputs[0]!;
  return [b.mul(x, b.map("Sigmoid", b.mul(x, floatAttribute(node, "alpha", 1.702))))];
};

/** The last axis, with mean and 1 / deviation as gradients take them. */
function layerNormalized(
  b: GraphBuilder,
  x: Value,
  scale: Value,
  shift: Value | undefined,
  epsilon: number,
): readonly [Value, Value, Value] {
  const reduced = { dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] };
  const inputs = shift ? [x, scale, shift] : [x, scale];
  const attributes = { axis: -1, epsilon: { float: epsilon } };
  return b.node("LayerNormalization", inputs, [x, reduced, reduced], attributes) as readonly [Value, Value, Value];
}

const skipLayerNormalization: Decomposition = ({ node, b, inputs }) => {
  const [x, skip, scale, shift, bias] = inputs as readonly [Value, Value, Value, ...(Value | undefined)[]];
  const sum = bias ? b.add(b.add(x, skip), bias) : b.add(x, skip);
  const made = layerNormalized(b, sum, scale, shift, floatAttribute(node, "epsilon", 1e-12));
  return [...made, sum];
};

const skipSimplifiedLayerNormalization: Decomposition = ({ node, b, inputs }) => {
  const [x, skip, scale, bias] = inputs as readonly [Value, Value, Value, Value | undefined];
  const sum = bias ? b.add(b.add(x, skip), bias) : b.add(x, skip);
  const epsilon = { float: floatAttribute(node, "epsilon", 1e-12) };
  const made = b.op("SimplifiedLayerNormalization", [sum, scale], sum, { axis: -1, epsilon });
  return [made, undefined, undefined, sum];
};

/** RMSNormalization of ONNX 23, by the name onnxruntime has for it in all opsets. */
const rmsNormalization: Decomposition = ({ node, b, inputs }) => {
  const [x, scale] = inputs as readonly [Value, Value];
  const epsilon = { float: floatAttribute(node, "epsilon", Math.fround(1e-5)) };
  const axis = intAttribute(node, "axis", -1);
  return [b.op("SimplifiedLayerNormalization", [x, scale], x, { axis, epsilon })];
};

const embedLayerNormalization: Decomposition = ({ node, b, inputs, outputs, refuse }) => {
  const [ids, segments, words, places, kinds, scale, shift, , positions] = inputs as readonly (Value | undefined)[];
  if (!ids || !words || !places || !scale) return refuse("its tables are missing");
  const rows = (table: Value, at: Value) =>
    b.op("Gather", [table, at], { dtype: table.dtype, shape: [...at.shape, table.shape[1]!] }, { axis: 0 });
  const length = ids.shape[1]!;
  const place = positions ? rows(places, positions) : b.slice(places, [0], [0], [length]);
  const named = b.add(rows(words, ids), place);
  const sum = segments && kinds ? b.add(named, rows(kinds, segments)) : named;
  const [made] = layerNormalized(b, sum, scale, shift, floatAttribute(node, "epsilon", 1e-12));
  if (outputs[1] && !inputs[7]) return [made, b.filled(0, outputs[1]), outputs[2] && sum];
  const lengths = () =>
    b.op(
      "ReduceSum",
      [b.cast(inputs[7]!, "int32"), b.ints([1])],
      { dtype: "int32", shape: [ids.shape[0]!] },
      {
        keepdims: 0,
      },
    );
  return [made, outputs[1] && lengths(), outputs[2] && sum];
};

/** x / (bias + alpha mean)^beta, the mean of squares over neighbouring channels, zeros beyond the first and the last. */
const localResponse: Decomposition = ({ node, b, inputs }) => {
  const x = inputs[0]!;
  const size = intAttribute(node, "size", 1);
  const [batch, channels] = x.shape as [number, number];
  const square = b.reshape(b.mul(x, x), [batch, 1, channels, elementCount(x.shape.slice(2))]);
  const before = Math.floor((size - 1) / 2);
  const window = { kernel_shape: [size, 1], pads: [before, 0, size - 1 - before, 0], count_include_pad: 1 };
  const mean = b.reshape(b.op("AveragePool", [square], square, window), x.shape);
  const sum = b.add(b.mul(mean, floatAttribute(node, "alpha", 1e-4)), floatAttribute(node, "bias", 1));
  return [b.div(x, b.binary("Pow", sum, floatAttribute(node, "beta", 0.75)))];
};

/** To mean 0 and deviation 1 over some axes. */
const meanVariance: Decomposition = ({ node, b, inputs }) => {
  const x = inputs[0]!;
  const axes = (intsAttribute(node, "axes") ?? [0n, 2n, 3n]).map((axis) => axisOf(Number(axis), x.shape.length));
  const centred = b.sub(x, b.reduce("ReduceMean", x, axes));
  const variance = b.reduce("ReduceMean", b.mul(centred, centred), axes);
  return [b.div(centred, b.add(b.map("Sqrt", variance), 1e-9))];
};

const swish: Decomposition = ({ node, b, inputs }) => {
  const x = inputs[0]!;
  return [b.mul(x, b.map("Sigmoid", b.mul(x, floatAttribute(node, "alpha", 1))))];
};

export const fusedDecompositions: DecompositionTable = {
  LRN: localResponse,
  MeanVarianceNormalization: meanVariance,
  Swish: swish,
  RMSNormalization: rmsNormalization,
  "com.microsoft:FusedConv": fusedConv,
  "com.microsoft:FusedGemm": fusedGemm,
  "com.microsoft:BiasGelu": biasGelu,
  "com.microsoft:FastGelu": fastGelu,
  "com.microsoft:QuickGelu": quickGelu,
  "com.microsoft:Gelu": ({ b, inputs }) => [b.map("Gelu", inputs[0]!)],
  "com.microsoft:SkipLayerNormalization": skipLayerNormalization,
  "com.microsoft:SkipSimplifiedLayerNormalization": skipSimplifiedLayerNormalization,
  "com.microsoft:EmbedLayerNormalization": embedLayerNormalization,
};
