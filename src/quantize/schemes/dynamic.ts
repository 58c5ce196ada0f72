import { makeTensor, type NodeProto, type TensorProto } from "../../formats/onnx.js";
import { floatAttribute, intAttribute, makeNode } from "../../graph/node.js";
import type { Scope, Use } from "../../graph/scope.js";
import type { QuantizedWeight } from "../../tensor/quantized.js";
import type { GraphEdit } from "../edit.js";
import type { Scheme, WeightPlan } from "../scheme.js";
import { isSigned, type QuantizeSettings } from "../settings.js";
import type { Site } from "../sites.js";
import { applyLstm, planLstm } from "./dynamic-lstm.js";

/**
 * Dynamic quantization: activations become 8-bit integers at each run (DynamicQuantizeLinear) and meet the weights in
 * MatMulInteger or ConvInteger; LSTM becomes DynamicQuantizeLSTM. Needs no samples. Weights have a scale per output
 * channel everywhere: ConvInteger takes no zero point per channel, but the scales stand in the Mul behind it.
 */
export const dynamic: Scheme = {
  id: "dynamic",
  words: "activations quantized at each run, integer arithmetic",
  plan(site, settings) {
    const [first, ...others] = site.weightUses;
    if (site.uses.length > site.weightUses.length) return "other operators read its float values too";
    if (site.scope.outputs.has(site.info.name)) return "is an output too";
    if (others.some(({ node }) => node.opType !== first!.node.opType)) return "operators of several kinds share it";
    const { opType } = first!.node;
    if (opType === "LSTM") return planLstm(site, settings);
    const refusal = site.weightUses.map(whyNot(site)).find((why) => why !== undefined);
    if (refusal !== undefined) return refusal;
    if (opType === "Conv") return planOf(site, settings, 0, false);
    const turned = site.weightUses.map(({ node }) => opType === "Gemm" && intAttribute(node, "transB", 0) === 1);
    if (new Set(turned).size > 1) return "Gemm nodes read it both ways round";
    return planOf(site, settings, 1, turned[0]!);
  },
  apply(site, plan, weight, edit) {
    if (site.weightUses[0]!.node.opType === "LSTM") return applyLstm(site, weight, edit);
    const stored = storeIntegers(site, plan, weight, edit);
    for (const use of site.weightUses) {
      const nodes = use.node.opType === "Conv" ? convInteger(use, stored, edit) : matMulInteger(use, stored, edit);
      edit.replace(use.scope, use.node, nodes);
    }
    return stored.values;
  },
};

/** Why a node cannot compute with integers; undefined where it can. */
function whyNot({ info, shapeOf }: Site) {
  return ({ node, input, scope }: Use): string | undefined => {
    const { opType } = node;
    if (opType !== "Conv" && opType !== "MatMul" && opType !== "Gemm") return `${opType} has no integer form`;
    if (input !== 1) return "the weight stands on the left";
    if (node.input[0] === info.name) return "the node multiplies it with itself";
    if (info.type !== "float32") return `is ${info.type}; integer kernels give float32`;
    if (opType !== "Conv" && info.shape.length !== 2) return `has ${info.shape.length} axes; MatMulInteger takes 2`;
    // onnxruntime's fusion (MatMulIntegerToFloat) then infers a wrong shape, and the model may not load
    if (shapeOf(scope, node.input[0]!)?.length === 1) return "its input is a vector";
    if (opType !== "Gemm") return undefined;
    if (intAttribute(node, "transA", 0) !== 0) return "Gemm turns its input round (transA)";
    const beta = floatAttribute(node, "beta", 1);
    return node.input[2] && beta !== 1 ? `Gemm scales its bias by ${beta}` : undefined;
  };
}

function planOf({ info }: Site, settings: QuantizeSettings, axis: number, transpose: boolean): WeightPlan {
  const channels = info.shape[transpose ? 0 : axis]!;
  // ConvInteger takes unsigned weights in every version; where both exist, unsigned never saturate on x86
  const signed = axis === 1 && isSigned("MatMulInteger", settings);
  const zeroPoints = axis === 1 ? channels : 1;
  return {
    form: { bits: 8, signed, symmetric: true, granularity: "channel", axis },
    bytesAfter: info.elements + channels * 4 + zeroPoints,
    ...(transpose ? { transpose: true } : {}),
  };
}

interface Stored {
  readonly values: TensorProto;
  readonly scale: TensorProto;
  readonly zeroPoint: TensorProto;
}

/** Stores integers, scales in the shape the Mul wants, and the zero point in the shape the kernel wants. */
function storeIntegers(
  { scope, tensor, info: { name } }: Site,
  { form }: WeightPlan,
  { values, shape, scales }: QuantizedWeight,
  edit: GraphEdit,
): Stored {
  const dtype = form.signed ? "int8" : "uint8";
  const isConv = form.axis === 0;
  const zeros = isConv ? [] : [scales.length];
  const data = form.signed ? new Int8Array(scales.length) : new Uint8Array(scales.length).fill(128);
  const stored = {
    values: makeTensor(edit.fresh(`${name}_quantized`), { dtype, shape, data: values }),
    scale: makeTensor(edit.fresh(`${name}_scale`), {
      dtype: "float32",
      shape: isConv ? [scales.length, ...shape.slice(2).map(() => 1)] : [scales.length],
      data: scales,
    }),
    zeroPoint: makeTensor(edit.fresh(`${name}_zero_point`), {
      dtype,
      shape: zeros,
      data: isConv ? data.slice(0, 1) : data,
    }),
  };
  edit.drop(scope, tensor);
  for (const part of Object.values(stored)) edit.add(scope, part);
  return stored;
}

/** The activation as integers with its scale and zero point, quantized once for all nodes of a graph that read it. */
function quantizedActivation(
  scope: Scope,
  value: string,
  edit: GraphEdit,
): readonly [integers: string, scale: string, zeroPoint: string] {
  return edit.once(scope, `dynamic:${value}`, () => {
    const names = ["quantized", "scale", "zero_point"].map((part) => edit.fresh(`${value}_${part}`));
    const node = makeNode("DynamicQuantizeLinear", edit.fresh(`${value}_dynamic_quantize`), [value], names);
    edit.follow(scope, value, node);
    return names as [string, string, string];
  });
}

/** The nodes from an integer product to the floats it stands for: `[integers] * scale of the activation * scales`. */
function rescale(
  node: NodeProto,
  integers: string,
  activationScale: string,
  weightScale: string,
  result: string,
  edit: GraphEdit,
): readonly NodeProto[] {
  const label = node.name || node.output[0]!;
  const [scale, floats] = [edit.fresh(`${label}_scales`), edit.fresh(`${label}_floats`)];
  return [
    makeNode("Cast", edit.fresh(`${label}_cast`), [integers], [floats], { to: 1 }),
    makeNode("Mul", edit.fresh(`${label}_scales_mul`), [activationScale, weightScale], [scale]),
    makeNode("Mul", edit.fresh(`${label}_rescale`), [floats, scale], [result]),
  ];
}

function matMulInteger({ node, scope }: Use, stored: Stored, edit: GraphEdit): readonly NodeProto[] {
  const label = node.name || node.output[0]!;
  const [activation, scale, zeroPoint] = quantizedActivation(scope, node.input[0]!, edit);
  const integers = edit.fresh(`${label}_integers`);
  const inputs = [activation, stored.values.name, zeroPoint, stored.zeroPoint.name];
  const product = makeNode("MatMulInteger", edit.fresh(`${label}_integer`), inputs, [integers]);
  const bias = node.opType === "Gemm" ? node.input[2] : undefined;
  const alpha = node.opType === "Gemm" ? floatAttribute(node, "alpha", 1) : 1;
  const weightScale = alpha === 1 ? stored.scale.name : scaled(scope, stored, alpha, edit);
  const result = bias ? edit.fresh(`${label}_product`) : node.output[0]!;
  const nodes = [product, ...rescale(node, integers, scale, weightScale, result, edit)];
  return bias ? [...nodes, makeNode("Add", edit.fresh(`${label}_bias`), [result, bias], [node.output[0]!])] : nodes;
}

/** The weight's scales times a Gemm's alpha. */
function scaled(scope: Scope, { scale }: Stored, alpha: number, edit: GraphEdit): string {
  const name = edit.fresh(`${scale.name}_alpha`);
  const data = new Float32Array(scale.rawData.slice().buffer).map((value) => value * alpha);
  edit.add(scope, makeTensor(name, { dtype: "float32", shape: [data.length], data }));
  return name;
}

function convInteger({ node, scope }: Use, stored: Stored, edit: GraphEdit): readonly NodeProto[] {
  const label = node.name || node.output[0]!;
  const [activation, scale, zeroPoint] = quantizedActivation(scope, node.input[0]!, edit);
  const integers = edit.fresh(`${label}_integers`);
  const inputs = [activation, stored.values.name, zeroPoint, stored.zeroPoint.name];
  const product = makeNode("ConvInteger", edit.fresh(`${label}_integer`), inputs, [integers]);
  product.attribute.push(...node.attribute);
  const bias = node.input[2];
  const result = bias ? edit.fresh(`${label}_product`) : node.output[0]!;
  const nodes = [product, ...rescale(node, integers, scale, stored.scale.name, result, edit)];
  if (!bias) return nodes;
  // the bias [C] along the channel axis of [N, C, ...]
  const spatial = stored.scale.dims.length - 1;
  const shape = edit.once(scope, `bias shape ${spatial}`, () => {
    const name = edit.fresh(`bias_shape_${spatial}d`);
    const data = BigInt64Array.from([1n, -1n, ...Array<bigint>(spatial).fill(1n)]);
    edit.add(scope, makeTensor(name, { dtype: "int64", shape: [data.length], data }));
    return name;
  });
  const wide = edit.fresh(`${label}_bias`);
  return [
    ...nodes,
    makeNode("Reshape", edit.fresh(`${label}_bias_reshape`), [bias, shape], [wide]),
    makeNode("Add", edit.fresh(`${label}_bias_add`), [result, wide], [node.output[0]!]),
  ];
}
