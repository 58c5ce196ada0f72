import type { ModelProto } from "../formats/onnx.js";
import { viewModel } from "../graph/scope.js";
import type { QuantizedForm } from "../tensor/quantized.js";
import { candidates, overrideOf } from "./choose.js";
import { isQuantizable } from "./forms.js";
import type { WeightPlan } from "./scheme.js";
import { otherLstmWeight } from "./schemes/dynamic-lstm.js";
import { whyNotHalf } from "./schemes/half.js";
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
  /** How it is stored and computed with, `half` as float16; null where it is left. */
  readonly scheme: SchemeId | "half" | null;
  /** Its form, with the axes of the stored layout; null where it is left or stored as float16. */
  readonly form: WeightPlan["form"] | null;
  /** The weight [N, K] of Gemm nodes with transB is stored as [K, N] and transB dropped. */
  readonly transpose?: true;
  readonly opset?: WeightPlan["opset"];
  /** Why it is left, or what to know of a quantized one; empty where there is nothing to say. */
  readonly reason: string;
}

/** Every float tensor of a model and its fate. */
export interface QuantizationPlan {
  readonly settings: QuantizeSettings;
  readonly tensors: readonly PlannedTensor[];
  /** The default opset the result needs; applying the plan raises the model to it. */
  readonly opset: 13 | 21;
}

/** Milder ways for weights that the usual one harms: integers that become floats at load, or float16. */
export interface MilderWay {
  readonly scheme: "unpack" | "half" | "float";
  readonly why: string;
}

/** What a plan may be told beside the settings: weights that are treated more mildly than by rule, by {@link siteKey}. */
export type Milder = ReadonlyMap<string, MilderWay>;

/** Weights that a plan of static quantization needs, with their forms, by {@link siteKey}. */
export type StaticWeights = ReadonlyMap<string, QuantizedForm>;

/**
 * Plans what becomes of each float tensor, in the main graph and in nested ones. Constants must have been lifted. Pure:
 * the model is not changed and no weight is read. `milder` gives weights that are stored in a milder way;
 * `staticWeights` those whose nodes a plan of static quantization has in 8 bits, whatever their size.
 */
export function planQuantization(
  model: ModelProto,
  settings: QuantizeSettings,
  milder: Milder = new Map(),
  staticWeights: StaticWeights = new Map(),
): QuantizationPlan {
  const sites = sitesOf(viewModel(model));
  const planned = sites.map((site) => {
    const form = staticWeights.get(siteKey(site.scope.path, site.info.name));
    return form ? planStaticSite(site, form, settings) : planSite(site, settings, milder);
  });
  const dynamic = new Set(
    sites.filter((_, at) => planned[at]!.scheme === "dynamic").map(({ scope, info }) => siteKey(scope.path, info.name)),
  );
  const tensors = planned.map((tensor, at) => {
    const site = sites[at]!;
    const other = tensor.scheme === "dynamic" ? otherLstmWeight(site) : undefined;
    if (other === undefined || dynamic.has(siteKey(site.scope.path, other))) return tensor;
    const way: MilderWay = { scheme: "unpack", why: "the LSTM's other weight does not become integers" };
    return planSite(site, settings, new Map([[siteKey(site.scope.path, site.info.name), way]]));
  });
  return { settings, tensors, opset: tensors.some(({ opset }) => opset === 21) ? 21 : 13 };
}

function describe({ scope, info, uses }: Site) {
  const { name, type, shape, elements, bytes } = info;
  return {
    name,
    graph: scope.path,
    type,
    shape,
    elements,
    bytes,
    usedBy: [...new Set(uses.map(({ node }) => node.opType))],
  };
}

function planStaticSite(site: Site, form: QuantizedForm, settings: QuantizeSettings): PlannedTensor {
  const { bytesAfter } = schemes.static.plan(site, settings) as WeightPlan;
  return {
    ...describe(site),
    form,
    bytesAfter,
    action: "quantize",
    scheme: "static",
    reason: notesOf(site).join("; "),
  };
}

function planSite(site: Site, settings: QuantizeSettings, milder: Milder): PlannedTensor {
  const { scope, uses, weightUses } = site;
  const shared = describe(site);
  const { name, type, elements, bytes, usedBy } = shared;
  const leave = (reason: string): PlannedTensor => ({
    ...shared,
    bytesAfter: bytes,
    action: "leave",
    scheme: null,
    form: null,
    reason,
  });

  const half = (why: string): PlannedTensor | undefined =>
    whyNotHalf(site) === undefined
      ? { ...shared, bytesAfter: elements * 2, action: "quantize", scheme: "half", form: null, reason: why }
      : undefined;
  const small = () => (settings.halves && elements >= minHalfElements ? half("") : undefined);
  const mild = milder.get(siteKey(scope.path, name));
  if (mild?.scheme === "float") return leave(mild.why);
  if (mild?.scheme === "half") return half(mild.why) ?? leave(mild.why);
  const told = overrideOf(site, settings);
  // these two fit what is no weight, too
  if (told?.scheme === "float") return leave(`as told for ${told.pattern}`);
  if (told?.scheme === "half") {
    return half(`as told for ${told.pattern}`) ?? leave(`not half, as told for ${told.pattern}: ${whyNotHalf(site)}`);
  }
  if (uses.length === 0) return leave(scope.outputs.has(name) ? "is an output itself" : "is not used");
  const { reaches } = site;
  if (weightUses.length + reaches.length === 0) return small() ?? leave(`no weight: read by ${list(usedBy)}`);
  if (elements < settings.minElements) return small() ?? leave(`fewer than ${settings.minElements} elements`);
  if (!isQuantizable(type)) return leave(`is ${type}; float32, float16 and bfloat16 weights are quantized`);
  if (scope.inputs.has(name)) return leave("is also a graph input, so a caller may replace it");
  let refusal = "no scheme fits it";
  const refused: string[] = [];
  for (const { scheme, why } of mild ? [{ scheme: mild.scheme, why: mild.why } as const] : candidates(site, settings)) {
    if (scheme === "float" || scheme === "half") return leave(why);
    const plan = weightUses.length > 0 || scheme === "unpack" ? schemes[scheme].plan(site, settings) : unmoved(site);
    if (typeof plan === "string") {
      refusal = plan;
      refused.push(`not ${scheme}: ${plan}`);
    } else if (plan.bytesAfter >= bytes) {
      refusal = "scales would cost more than 8-bit elements save";
    } else {
      const reason = [why, ...refused, ...notesOf(site)].filter((words) => words !== "").join("; ");
      return { ...shared, ...plan, action: "quantize", scheme, reason };
    }
  }
  return leave(refusal);
}

/** From this on, float16 saves more than the node for it costs. */
const minHalfElements = 128;

/** Why only unpacking fits a weight that reaches its operators in pieces. */
function unmoved({ uses, reaches }: Site): string {
  return `reaches ${list(reaches)} through ${list([...new Set(uses.map(({ node }) => node.opType))])} only`;
}

function notesOf({ scope, info, uses, weightUses, reaches }: Site): readonly string[] {
  const others = reaches.length > 0 ? 0 : uses.length - weightUses.length;
  return [
    ...(scope.outputs.has(info.name) ? ["is an output too, which gets the dequantized values"] : []),
    ...(others > 0 ? [`${others} other use${others > 1 ? "s" : ""} read the dequantized values`] : []),
  ];
}

function list(names: readonly string[]): string {
  return names.length > 2 ? `${names.slice(0, 2).join(", ")}, ...` : names.join(" and ");
}
