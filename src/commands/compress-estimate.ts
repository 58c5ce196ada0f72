import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { cloneModel } from "../graph/clone.js";
import { applyPlan } from "../quantize/apply.js";
import type { QuantizationPlan } from "../quantize/plan.js";
import type { WeightPlan } from "../quantize/scheme.js";
import type { Site } from "../quantize/sites.js";
import type { Weights } from "../quantize/weights.js";
import { groupLayout } from "../tensor/kernels/groups.js";
import type { QuantizedWeight } from "../tensor/quantized.js";
import { elementCount } from "../tensor/tensor.js";
import { shortenWherePaying } from "./compress-candidates.js";
import { modelBytes } from "./write-model.js";

/**
 * Bytes of the file that a plan leads to: it is carried out with blank weights, and only its size is asked for. Off by
 * what only the values of weights tell: whether scales and halves fit float16.
 */
export async function estimateBytes(
  base: ModelProto,
  plan: QuantizationPlan,
  readExternal: ReadExternal,
  { keepNames, dataName }: { readonly keepNames: boolean; readonly dataName: string | null },
): Promise<number> {
  const model = cloneModel(base);
  const weights = blankWeights();
  const quantizer = {
    quantize: () => Promise.reject(new Error("an estimate quantizes nothing")),
    close: async () => {},
  };
  const tensors = await applyPlan(model, plan, { quantizer, readExternal, weights });
  shortenWherePaying(model, tensors, keepNames);
  return modelBytes(model, dataName);
}

/** Weights of the right sizes that hold nothing; all share one buffer as large as the largest. */
function blankWeights(): Weights {
  let blank = new Uint8Array(0);
  const quantized = ({ info }: Site, { form, transpose }: WeightPlan): QuantizedWeight => {
    const shape = transpose ? [...info.shape].reverse() : info.shape;
    const { count, scaleShape } = groupLayout(shape, form);
    const elements = elementCount(shape);
    const bytes = form.bits === 4 ? Math.ceil(elements / 2) : elements;
    if (blank.length < bytes) blank = new Uint8Array(bytes);
    const values = blank.subarray(0, bytes);
    const zeroPoints = form.symmetric && form.signed ? null : new Uint8Array(count);
    const scales = new Float32Array(count).fill(1);
    return { form, shape, values, scales, scaleShape, zeroPoints, signal: 1, noise: 0 };
  };
  return {
    source() {
      throw new Error("an estimate reads no weights");
    },
    quantized: async (site, plan) => quantized(site, plan),
    put() {},
  };
}
