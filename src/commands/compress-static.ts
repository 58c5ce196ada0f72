import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { planWithin } from "../quantize/static/noise.js";
import { planStatic, type StaticPlan } from "../quantize/static/plan.js";
import type { Activations } from "./compress-candidates.js";

export { applyStatic } from "../quantize/static/apply.js";
export { fusedCounts } from "../quantize/static/runtime.js";

/** The fastest plan, within the limit where there is one. */
export function planActivations(
  model: ModelProto,
  { settings, observed, limit }: Activations,
  readExternal: ReadExternal,
): StaticPlan {
  const planFor = (noisePrice: number) =>
    planStatic(model, observed, { ...settings, noisePrice }, readExternal, limit ? { noise: limit.noise } : {});
  return limit ? planWithin(planFor, limit.noise, limit.most) : planFor(0);
}
