import { makeTensor, type TensorProto } from "../../formats/onnx.js";
import { intAttribute, isStandard, makeNode, setAttribute } from "../../graph/node.js";
import type { Use } from "../../graph/scope.js";
import type { QuantizedWeight } from "../../tensor/quantized.js";
import type { GraphEdit } from "../edit.js";
import type { Scheme } from "../scheme.js";
import { channelAxis, type Site } from "../sites.js";

/**
 * Weight-only QDQ: a DequantizeLinear takes over the weight's name. onnxruntime from 1.25 on computes MatMul and Gemm
 * with such weights in 8 bits (MatMulNBits); elsewhere the weight is turned back into floats on every run.
 */
export const qdq: Scheme = {
  id: "qdq",
  words: "DequantizeLinear before the operator",
  plan(site, settings) {
    const axis = channelAxis(site);
    if (typeof axis === "string") return axis;
    const { shape, elements } = site.info;
    const transpose = site.uses.every(isTransposed) && !site.scope.outputs.has(site.info.name);
    const bytesAfter = elements + shape[axis]! * (4 + (settings.signed ? 0 : 1));
    return {
      form: {
        bits: 8,
        signed: settings.signed,
        symmetric: true,
        granularity: "channel",
        axis: transpose ? 1 : axis,
      },
      bytesAfter,
      ...(transpose ? { transpose } : {}),
    };
  },
  apply(site, plan, weight, edit) {
    const { name } = site.info;
    if (plan.transpose) for (const { node } of site.uses) setAttribute(node, "transB", 0);
    const parts = storeWeight(site, weight, edit);
    const inputs = parts.map((part) => part.name);
    const attributes = weight.form.granularity === "tensor" ? {} : { axis: weight.form.axis };
    edit.prepend(
      site.scope,
      makeNode("DequantizeLinear", edit.fresh(`${name}_dequantize`), inputs, [name], attributes),
    );
    return parts[0]!;
  },
};

/** Puts the integers, scales and zero points (where there are some) in the place of a site's tensor. */
export function storeWeight(
  { scope, tensor, info }: Site,
  { values, shape, scales, scaleShape, zeroPoints, form }: QuantizedWeight,
  edit: GraphEdit,
): readonly [TensorProto, TensorProto, ...TensorProto[]] {
  const dtype = form.signed ? "int8" : "uint8";
  const store = (part: string, tensor: Parameters<typeof makeTensor>[1]) =>
    makeTensor(edit.fresh(`${info.name}_${part}`), tensor);
  const parts: [TensorProto, TensorProto, ...TensorProto[]] = [
    store("quantized", { dtype, shape, data: values }),
    store("scale", { dtype: "float32", shape: scaleShape, data: scales }),
  ];
  if (zeroPoints) parts.push(store("zero_point", { dtype, shape: scaleShape, data: zeroPoints }));
  edit.drop(scope, tensor);
  for (const part of parts) edit.add(scope, part);
  return parts;
}

/** onnxruntime runs DequantizeLinear -> Gemm in 8 bits only where B is [K, N] (its DQ-MatMul fusion wants transB = 0). */
function isTransposed({ node, input }: Use): boolean {
  return node.opType === "Gemm" && isStandard(node) && input === 1 && intAttribute(node, "transB", 0) === 1;
}
