import { intAttribute, isStandard, makeNode, setAttribute } from "../../graph/node.js";
import type { Use } from "../../graph/scope.js";
import { hasZeroPoints, packedBytes, scaleCount, weightForm } from "../forms.js";
import type { Scheme } from "../scheme.js";
import { isSigned } from "../settings.js";
import { storeWeight } from "../store.js";

/**
 * Weight-only QDQ: a DequantizeLinear takes over the weight's name. onnxruntime from 1.25 on computes MatMul and Gemm
 * with such weights in 8 bits (MatMulNBits; see fusion.ts); elsewhere the weight is turned back into floats on every
 * run. Blocks, 4 bits and float16 need opset 21.
 */
export const qdq: Scheme = {
  id: "qdq",
  words: "DequantizeLinear before the operator",
  plan(site, settings) {
    const { type, shape, elements } = site.info;
    if (type === "bfloat16") return "onnxruntime has no DequantizeLinear that gives bfloat16";
    if (site.weightUses.some(({ node }) => node.opType === "Gather")) {
      return "DequantizeLinear before Gather would unpack the whole table on every run";
    }
    const own = weightForm(site, settings, isSigned("floats", settings));
    if (typeof own === "string") return own;
    const transpose = site.uses.every(isTransposed) && !site.scope.outputs.has(site.info.name);
    const form = transpose ? { ...own, axis: 1 - own.axis } : own;
    const scales = scaleCount(shape, own);
    const zeroPoints = hasZeroPoints(form) ? packedBytes(scales, form.bits) : 0;
    return {
      form,
      bytesAfter: packedBytes(elements, form.bits) + scales * (type === "float16" ? 2 : 4) + zeroPoints,
      ...(transpose ? { transpose } : {}),
      ...(form.bits === 4 || form.granularity === "block" || type === "float16" ? { opset: 21 } : {}),
    };
  },
  apply(site, plan, weight, edit) {
    const { name } = site.info;
    const { axis, granularity, blockSize } = weight.form;
    if (plan.transpose) for (const { node } of site.uses) setAttribute(node, "transB", 0);
    const parts = storeWeight(site, weight, edit);
    edit.prepend(
      site.scope,
      makeNode(
        "DequantizeLinear",
        edit.fresh(`${name}_dequantize`),
        parts.map((part) => part.name),
        [name],
        granularity === "tensor" ? {} : { axis, ...(granularity === "block" ? { block_size: blockSize! } : {}) },
      ),
    );
    return parts[0];
  },
};

/** onnxruntime runs DequantizeLinear -> Gemm in 8 bits only where B is [K, N] (its DQ-MatMul fusion wants transB = 0). */
function isTransposed({ node, input }: Use): boolean {
  return node.opType === "Gemm" && isStandard(node) && input === 1 && intAttribute(node, "transB", 0) === 1;
}
