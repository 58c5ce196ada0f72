import { makeNode } from "../../graph/node.js";
import type { Scheme } from "../scheme.js";
import { isSigned } from "../settings.js";
import { channelAxis } from "../sites.js";
import { storeWeight } from "../store.js";

/**
 * The weight of a node that computes in 8 bits with scales known beforehand: a DequantizeLinear per channel takes over
 * its name, with a zero point even where that is 0 (onnxruntime's Gemm kernel wants one). Which nodes these are, and
 * what is done with their activations, is planned in ../static.
 */
export const staticScheme: Scheme = {
  id: "static",
  words: "8-bit kernels with activation ranges from calibration",
  plan(site, settings) {
    const axis = channelAxis(site);
    if (typeof axis === "string") return axis;
    const { shape, elements } = site.info;
    return {
      form: { bits: 8, signed: isSigned("QLinearConv", settings), symmetric: true, granularity: "channel", axis },
      bytesAfter: elements + shape[axis]! * 5,
    };
  },
  apply(site, { form }, weight, edit) {
    const { name } = site.info;
    const zeroPoints = weight.zeroPoints ?? new Int8Array(weight.scales.length);
    const parts = storeWeight(site, { ...weight, zeroPoints }, edit);
    const inputs = parts.map((part) => part.name);
    edit.prepend(
      site.scope,
      makeNode("DequantizeLinear", edit.fresh(`${name}_dequantize`), inputs, [name], { axis: form.axis }),
    );
    return parts[0];
  },
};
