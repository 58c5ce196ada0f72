import { type ModelProto, type ReadExternal, readTensor, type TensorProto } from "../formats/onnx.js";
import { viewModel } from "../graph/scope.js";
import type { QuantizedWeight, Quantizer, QuantizerSource } from "../tensor/quantized.js";
import { isFiniteData } from "./channels.js";
import { editModel } from "./edit.js";
import type { PlannedTensor, QuantizationPlan } from "./plan.js";
import type { WeightPlan } from "./scheme.js";
import { schemes } from "./schemes/index.js";
import { siteKey, sitesOf } from "./sites.js";

/** A planned tensor after the work: what was done, and how near the integers are to the source. */
export interface AppliedTensor extends PlannedTensor {
  /** Signal to quantization noise ratio of the weight itself, in dB; null where nothing was lost or it was left. */
  readonly sqnrDb: number | null;
  /** Name of the initializer that holds the integers; null where the tensor was left. */
  readonly storedAs: string | null;
}

/** What applying a plan needs. */
export interface ApplyContext {
  readonly quantizer: Quantizer;
  readonly readExternal: ReadExternal;
  /** Weights made elsewhere (AdaRound), in the planned form, by {@link siteKey}. */
  readonly made?: ReadonlyMap<string, QuantizedWeight>;
  /** Told after each tensor: how many of `total` are done. */
  readonly onTensor?: (done: number, total: number) => void | Promise<void>;
}

/**
 * Carries out a plan made of this model. A weight with NaN or infinite elements is left, with that reason. Changes
 * `model`, but none of its tensors: they are replaced. Returns the plan's tensors with the outcome.
 */
export async function applyPlan(
  model: ModelProto,
  plan: QuantizationPlan,
  { quantizer, readExternal, made, onTensor }: ApplyContext,
): Promise<readonly AppliedTensor[]> {
  const planned = new Map(plan.tensors.map((tensor) => [siteKey(tensor.graph, tensor.name), tensor]));
  const total = plan.tensors.filter(({ action }) => action === "quantize").length;
  const edit = editModel(model);
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
    const weightPlan = tensor as PlannedTensor & WeightPlan;
    const source = made?.has(key) ? undefined : sourceOf(site.tensor, readExternal, tensor.transpose === true);
    if (source && !isFiniteData(source.data as Float32Array)) {
      const reason = "holds NaN or infinite elements";
      const { transpose: _, ...rest } = tensor;
      const left = { action: "leave", scheme: null, form: null, reason, bytesAfter: tensor.bytes } as const;
      applied.push({ ...rest, ...left, sqnrDb: null, storedAs: null });
    } else {
      const weight = source ? await quantizer.quantize(source, weightPlan.form, plan.settings.clip) : made!.get(key)!;
      const stored = schemes[tensor.scheme!].apply(site, weightPlan, weight, edit);
      const { signal, noise } = weight;
      applied.push({
        ...tensor,
        sqnrDb: noise === 0 ? null : 10 * Math.log10(signal / noise),
        storedAs: stored.name,
      });
    }
    done += 1;
    await onTensor?.(done, total);
  }
  edit.finish();
  return applied;
}

function sourceOf(tensor: TensorProto, readExternal: ReadExternal, transpose: boolean): QuantizerSource {
  const { dtype, shape, data } = readTensor(tensor, readExternal) as QuantizerSource;
  return transpose ? transposed({ dtype, shape, data }) : { dtype, shape, data };
}

/** A matrix [N, K] as [K, N]. */
function transposed({ dtype, shape, data }: QuantizerSource): QuantizerSource {
  const [rows, columns] = shape as [number, number];
  const result = data instanceof Float32Array ? new Float32Array(data.length) : new Uint16Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = data[row * columns + column]!;
  }
  return { dtype, shape: [columns, rows], data: result };
}
