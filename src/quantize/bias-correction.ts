import { type ModelProto, makeTensor, type NodeProto, type ReadExternal, readTensor } from "../formats/onnx.js";
import { floatAttribute, isStandard } from "../graph/node.js";
import { viewModel } from "../graph/scope.js";
import { editModel } from "./edit.js";
import type { PlannedTensor, QuantizationPlan } from "./plan.js";
import type { WeightPlan } from "./scheme.js";
import { siteKey, sitesOf, type WeightUse } from "./sites.js";
import { type InputChannels, inputChannelAxis, weightError } from "./weight-error.js";
import type { Weights } from "./weights.js";

/** The activations whose channels bias correction (and the estimate of sensitivity) needs, with the channel axis. */
export function neededChannels(model: ModelProto): ReadonlyMap<string, number> {
  const needed = new Map<string, number>();
  const view = viewModel(model);
  for (const { weightUses } of sitesOf(view)) {
    for (const use of weightUses) {
      // only values of the main graph can be looked at
      const axis = use.scope === view.root ? inputChannelAxis(use) : undefined;
      if (axis !== undefined) needed.set(use.node.input[0]!, axis);
    }
  }
  return needed;
}

/**
 * Takes from each bias what rounding the weight adds to the mean of the output, on inputs like those of the
 * calibration. Nodes without a constant bias get one where the operator has a place for it (Conv, Gemm); a MatMul's is
 * the constant of the Add that alone reads it. To be called before the plan is applied. Changes `model`, but none of
 * its tensors. Returns the names of the corrected nodes' outputs.
 */
export async function correctBiases(
  model: ModelProto,
  plan: QuantizationPlan,
  weights: Weights,
  readExternal: ReadExternal,
  channelsOf: (value: string) => InputChannels | undefined,
): Promise<readonly string[]> {
  const planned = new Map(plan.tensors.map((tensor) => [siteKey(tensor.graph, tensor.name), tensor]));
  const view = viewModel(model);
  const edit = editModel(model);
  const corrected: string[] = [];
  for (const site of sitesOf(view)) {
    const tensor = planned.get(siteKey(site.scope.path, site.info.name));
    if (tensor?.action !== "quantize" || tensor.scheme === "half") continue;
    const weightPlan = tensor as PlannedTensor & WeightPlan;
    for (const use of site.weightUses) {
      const axis = use.scope === view.root ? inputChannelAxis(use) : undefined;
      // the bias has the type of the weight, and halves round off what would be corrected
      const channels = axis === undefined || site.info.type !== "float32" ? undefined : channelsOf(use.node.input[0]!);
      const place = channels && biasPlace(use);
      if (!channels || !place) continue;
      const weight = await weights.quantized(site, weightPlan);
      const error = weight && weightError(use, weightPlan, weights.source(site, weightPlan), weight, channels);
      if (!error?.shift.some((value) => value !== 0)) continue;
      const old = place.node.input[place.input];
      const holder = old ? view.initializerOf(use.scope, old) : undefined;
      if (old && !holder) continue;
      const bias = holder ? readTensor(holder.tensor, readExternal) : undefined;
      if (bias && (bias.dtype !== "float32" || bias.shape.at(-1) !== bias.data.length)) continue;
      if (bias && bias.data.length !== error.shift.length) continue;
      const alpha = use.node.opType === "Gemm" ? floatAttribute(use.node, "alpha", 1) : 1;
      const before = bias?.data as Float32Array | undefined;
      const data = Float32Array.from(error.shift, (value, at) => (before?.[at] ?? 0) - alpha * value);
      // a bias that nothing else reads keeps its name, under which it may be planned
      const alone = holder && !holder.scope.outputs.has(old!) && view.usesOf(holder.scope, old!).length === 1;
      const name = alone ? old! : edit.fresh(`${old || place.node.output[0]}_corrected`);
      edit.add(use.scope, makeTensor(name, { dtype: "float32", shape: bias?.shape ?? [data.length], data }));
      if (alone) edit.drop(holder.scope, holder.tensor);
      while (place.node.input.length <= place.input) place.node.input.push("");
      place.node.input[place.input] = name;
      corrected.push(use.node.output[0]!);
    }
  }
  edit.finish();
  return corrected;

  function biasPlace({ node, scope }: WeightUse): { readonly node: NodeProto; readonly input: number } | undefined {
    if (node.opType === "Conv") return { node, input: 2 };
    if (node.opType === "Gemm") return floatAttribute(node, "beta", 1) === 1 ? { node, input: 2 } : undefined;
    if (node.opType !== "MatMul") return undefined;
    const [reader, ...others] = view.usesOf(scope, node.output[0]!);
    if (!reader || others.length > 0 || reader.node.opType !== "Add" || !isStandard(reader.node)) return undefined;
    return { node: reader.node, input: 1 - reader.input };
  }
}
