import type { ModelProto } from "../formats/onnx.js";
import { viewModel } from "../graph/scope.js";
import type { PlannedTensor, QuantizationPlan } from "./plan.js";
import type { WeightPlan } from "./scheme.js";
import { siteKey, sitesOf } from "./sites.js";
import { type InputChannels, inputChannelAxis, weightError } from "./weight-error.js";
import type { Weights } from "./weights.js";

/** How much a model suffers from one weight's quantization. */
export interface Sensitivity {
  readonly key: string;
  /** Noise power over signal power: of the model's outputs where measured, of the node's own output where estimated. */
  readonly noise: number;
  readonly how: "measured" | "estimated";
}

/**
 * Noise that each planned weight brings into its node's output, from the rounding of the weight and the statistics of
 * its inputs; without statistics, from the rounding alone. By site key.
 */
export async function estimateNoise(
  model: ModelProto,
  plan: QuantizationPlan,
  weights: Weights,
  channelsOf: (value: string) => InputChannels | undefined,
): Promise<ReadonlyMap<string, number>> {
  const planned = new Map(plan.tensors.map((tensor) => [siteKey(tensor.graph, tensor.name), tensor]));
  const view = viewModel(model);
  const estimates = new Map<string, number>();
  for (const site of sitesOf(view)) {
    const key = siteKey(site.scope.path, site.info.name);
    const tensor = planned.get(key);
    if (tensor?.action !== "quantize" || tensor.scheme === "half") continue;
    const weight = await weights.quantized(site, tensor as PlannedTensor & WeightPlan);
    if (!weight) continue;
    const weightPlan = tensor as PlannedTensor & WeightPlan;
    const ratios = site.weightUses.flatMap((use) => {
      const known = use.scope === view.root && inputChannelAxis(use) !== undefined;
      const channels = known ? channelsOf(use.node.input[0]!) : undefined;
      const error = channels && weightError(use, weightPlan, weights.source(site, weightPlan), weight, channels);
      return error ? [error.noiseRatio] : [];
    });
    const own = weight.signal === 0 ? 0 : weight.noise / weight.signal;
    estimates.set(key, ratios.length > 0 ? Math.max(...ratios) : own);
  }
  return estimates;
}

/**
 * Ranks weights, the worst for its bytes first: noise over `cost`, the bytes that a milder way costs, because small
 * weights that harm much buy the most accuracy. Each is measured alone (`measure` gives the noise of the model's outputs with only
 * that weight quantized), the worst by estimate first, while there is time; those it did not suffice for come last, by
 * estimate.
 */
export async function rankSites(
  estimates: ReadonlyMap<string, number>,
  measure: (key: string) => Promise<number>,
  hasTime: () => boolean,
  cost: (key: string) => number = () => 1,
  onSite: (done: number, total: number) => void = () => {},
): Promise<readonly Sensitivity[]> {
  const order = [...estimates].sort(([one, a], [other, b]) => b / cost(other) - a / cost(one));
  const measured: Sensitivity[] = [];
  const rest: Sensitivity[] = [];
  for (const [key, estimate] of order) {
    if (!hasTime()) {
      rest.push({ key, noise: estimate, how: "estimated" });
      continue;
    }
    measured.push({ key, noise: await measure(key), how: "measured" });
    onSite(measured.length, order.length);
  }
  // an output that is not finite is the worst of all
  const rank = ({ key, noise }: Sensitivity) => (Number.isNaN(noise) ? Number.POSITIVE_INFINITY : noise / cost(key));
  return [...measured.sort((a, b) => rank(b) - rank(a)), ...rest];
}
