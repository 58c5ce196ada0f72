import type { ModelProto } from "../formats/onnx.js";
import { viewModel } from "../graph/scope.js";
import { candidates } from "./choose.js";
import type { WeightPlan } from "./scheme.js";
import { schemes } from "./schemes/index.js";
import type { QuantizeSettings, SchemeId } from "./settings.js";
import { type Site, siteKey, sitesOf } from "./sites.js";

/** What is done with one tensor, and why. */
export interface PlannedTensor {
  readonly name: string;
  /** The graph that holds it: `main` or the way to a nested graph. */
  readonly graph: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly elements: number;
  /** Bytes of its elements now. */
  readonly bytes: number;
  /** Bytes afterwards, scales and zero points included. */
  readonly bytesAfter: number;
  /** The operators that read it, each named once. */
  readonly usedBy: readonly string[];
  readonly action: "quantize" | "leave";
  /** How it is stored and computed with; null where it is left. */
  readonly scheme: SchemeId | null;
  /** Its form, with the axes of the stored layout; null where it is left. */
  readonly form: WeightPlan["form"] | null;
  /** The weight [N, K] of Gemm nodes with transB is stored as [K, N] and transB dropped. */
  readonly transpose?: true;
  /** Why it is left, or what to know of a quantized one; empty where there is nothing to say. */
  readonly reason: string;
}

/** Every float tensor of a model and its fate. */
export interface QuantizationPlan {
  readonly settings: QuantizeSettings;
  readonly tensors: readonly PlannedTensor[];
}

/** What a plan may be told beside the settings: tensors that stay floats whatever the rules say, by {@link siteKey}. */
export type KeptFloat = ReadonlyMap<string, string>;

/**
 * Plans what becomes of each float tensor, in the main graph and in nested ones. Constants must have been lifted. Pure:
 * the model is not changed and no weight is read. `kept` gives tensors that are left, each with the reason.
 */
export function planQuantization(
  model: ModelProto,
  settings: QuantizeSettings,
  kept: KeptFloat = new Map(),
): QuantizationPlan {
  const tensors = sitesOf(viewModel(model)).map((site) => planSite(site, settings, kept));
  return { settings, tensors };
}

function planSite(site: Site, settings: QuantizeSettings, kept: KeptFloat): PlannedTensor {
  const { scope, info, uses, weightUses } = site;
  const { name, type, shape, elements, bytes } = info;
  const usedBy = [...new Set(uses.map(({ node }) => node.opType))];
  const shared = { name, graph: scope.path, type, shape, elements, bytes, usedBy };
  const leave = (reason: string): PlannedTensor => ({
    ...shared,
    bytesAfter: bytes,
    action: "leave",
    scheme: null,
    form: null,
    reason,
  });

  const keep = kept.get(siteKey(scope.path, name));
  if (keep !== undefined) return leave(keep);
  if (uses.length === 0) return leave(scope.outputs.has(name) ? "is an output itself" : "is not used");
  if (weightUses.length === 0) return leave(`no weight: read by ${list(usedBy)}`);
  if (elements < settings.minElements) return leave(`fewer than ${settings.minElements} elements`);
  if (type !== "float32") return leave(`is ${type}; only float32 weights are quantized`);
  if (scope.inputs.has(name)) return leave("is also a graph input, so a caller may replace it");
  let refusal = "no scheme fits it";
  for (const id of candidates(site, settings)) {
    const plan = schemes[id].plan(site, settings);
    if (typeof plan === "string") {
      refusal = plan;
    } else if (plan.bytesAfter >= bytes) {
      refusal = "scales would cost more than 8-bit elements save";
    } else {
      return { ...shared, ...plan, action: "quantize", scheme: id, reason: notesOf(site).join("; ") };
    }
  }
  return leave(refusal);
}

function notesOf({ scope, info, uses, weightUses }: Site): readonly string[] {
  const others = uses.length - weightUses.length;
  return [
    ...(scope.outputs.has(info.name) ? ["is an output too, which gets the dequantized values"] : []),
    ...(others > 0 ? [`${others} other use${others > 1 ? "s" : ""} read the dequantized values`] : []),
  ];
}

function list(names: readonly string[]): string {
  return names.length > 2 ? `${names.slice(0, 2).join(", ")}, ...` : names.join(" and ");
}
