import { type ModelProto, type ReadExternal, readTensor } from "../formats/onnx.js";
import { defaultOpset, raiseOpset } from "../graph/opset.js";
import { viewModel } from "../graph/scope.js";
import type { StoreBytes } from "../graph/stored.js";
import type { Quantizer } from "../tensor/quantized.js";
import { editModel } from "./edit.js";
import type { PlannedTensor, QuantizationPlan } from "./plan.js";
import { saturatingOutputs } from "./saturation.js";
import type { WeightPlan } from "./scheme.js";
import { storeHalf } from "./schemes/half.js";
import { schemes } from "./schemes/index.js";
import { type Site, siteKey, sitesOf } from "./sites.js";
import { startWeights, type Weights } from "./weights.js";

/** A planned tensor after the work: what was done, and how near the integers are to the source. */
export interface AppliedTensor extends PlannedTensor {
  /** Signal to quantization noise ratio of the weight itself, in dB; null where nothing was lost or it was left. */
  readonly sqnrDb: number | null;
  /** Name of the initializer that holds the integers; null where the tensor was left. */
  readonly storedAs: string | null;
  /** How many of its outputs can be cut on x86 processors without VNNI; missing where none can. */
  readonly saturating?: number;
}

/** Why a weight is left that cannot be quantized at all. */
export const notFinite = "holds NaN or infinite elements";

/** What applying a plan needs. */
export interface ApplyContext {
  readonly quantizer: Quantizer;
  readonly readExternal: ReadExternal;
  /** Weights that were quantized before; without them each is read and quantized here. */
  readonly weights?: Weights;
  /** Where the bytes of large new tensors go; in memory where there is none. */
  readonly store?: StoreBytes | undefined;
  /** Told after each tensor: how many of `total` are done. */
  readonly onTensor?: (done: number, total: number) => void | Promise<void>;
}

/**
 * Carries out a plan made of this model. A weight with NaN or infinite elements is left, with that reason. Changes
 * `model`, but none of its tensors: they are replaced. Returns the plan's tensors with the outcome. Throws UserError
 * where the plan needs a higher opset and a node cannot be raised to it.
 */
export async function applyPlan(
  model: ModelProto,
  plan: QuantizationPlan,
  { quantizer, readExternal, weights: given, store, onTensor }: ApplyContext,
): Promise<readonly AppliedTensor[]> {
  const planned = new Map(plan.tensors.map((tensor) => [siteKey(tensor.graph, tensor.name), tensor]));
  const total = plan.tensors.filter(({ action }) => action === "quantize").length;
  const weights =
    given ??
    startWeights(quantizer, readExternal, plan.settings.clip, {
      keep: false,
      balance: plan.settings.balance ? "outputs" : false,
    });
  if (plan.opset > defaultOpset(model)) raiseOpset(model, "the model", plan.opset, readExternal);
  const edit = editModel(model, store);
  const applied: AppliedTensor[] = [];
  let done = 0;
  for (const site of sitesOf(viewModel(model))) {
    const key = siteKey(site.scope.path, site.info.name);
    const tensor = planned.get(key);
    if (!tensor) continue;
    if (tensor.action === "leave") {
      applied.push({ ...tensor, sqnrDb: null, storedAs: null });
      continue;
    }
    const stored = await storeSite(site, tensor);
    if (stored) {
      const { signal, noise, name, saturating } = stored;
      const sqnrDb = noise === 0 ? null : 10 * Math.log10(signal / noise);
      applied.push({ ...tensor, sqnrDb, storedAs: name, ...(saturating > 0 ? { saturating } : {}) });
    } else {
      const reason = tensor.scheme === "half" ? "holds elements that float16 does not reach" : notFinite;
      const { transpose: _, opset: __, ...rest } = tensor;
      const left = { action: "leave", scheme: null, form: null, reason, bytesAfter: tensor.bytes } as const;
      applied.push({ ...rest, ...left, sqnrDb: null, storedAs: null });
    }
    done += 1;
    await onTensor?.(done, total);
  }
  edit.finish();
  return applied;

  /** Undefined where the values cannot be stored so. */
  async function storeSite(
    site: Site,
    tensor: PlannedTensor,
  ): Promise<
    { readonly name: string; readonly signal: number; readonly noise: number; readonly saturating: number } | undefined
  > {
    if (tensor.scheme === "half") {
      const half = storeHalf(site, readTensor(site.tensor, readExternal).data as Float32Array, edit);
      return half ? { name: half.tensor.name, signal: half.signal, noise: half.noise, saturating: 0 } : undefined;
    }
    const weightPlan = tensor as PlannedTensor & WeightPlan;
    const weight = await weights.quantized(site, weightPlan);
    if (!weight) return undefined;
    const { name } = schemes[tensor.scheme!].apply(site, weightPlan, weight, edit);
    const saturating = saturatingOutputs(tensor, site, weight);
    return { name, signal: weight.signal, noise: weight.noise, saturating };
  }
}
