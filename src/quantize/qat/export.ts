import { type ModelProto, makeTensor, readTensor } from "../../formats/onnx.js";
import { cloneModel } from "../../graph/clone.js";
import { halfBits, halfValue, numbersOf } from "../../tensor/numbers.js";
import { transposeTensor } from "../../tensor/transpose.js";
import type { Parameter } from "../../train/graph.js";
import { type AppliedTensor, applyPlan } from "../apply.js";
import { applyStatic } from "../static/apply.js";
import type { Weights } from "../weights.js";
import { largestInteger } from "./fake-quantize.js";
import { asHalves, holdsHalves, roundWeight } from "./rounding.js";
import { withScales } from "./scale-owners.js";
import type { PtqParts, Twin, TwinSteps } from "./twin.js";

/** A trained model with integers. */
export interface ExportedModel {
  readonly model: ModelProto;
  readonly tensors: readonly AppliedTensor[];
}

type Parameters = ReadonlyMap<string, Pick<Parameter, "data">>;

/**
 * Moves parameters to what a file can hold, in place: step sizes and biases that are stored as float16, and biases that
 * would be beyond 32 bits. A twin with these equals the export bit for bit; the change is less than 0.05 % of each.
 */
export function settleParameters(parts: PtqParts, twin: Twin, parameters: Parameters): void {
  for (const { plan, ptq, steps } of twin.weights) {
    const parameter = parameters.get(steps.name);
    if (!parameter || !holdsHalves(plan.scheme, ptq)) continue;
    const settled = asHalves(scalesOf(steps, parameters));
    for (let at = 0; at < settled.length; at++) parameter.data[at] = settled[at]! / steps.units[at]!;
  }
  for (const name of twin.halves) {
    const data = parameters.get(name)?.data;
    if (data) for (let at = 0; at < data.length; at++) data[at] = halfValue(halfBits(data[at]!));
  }
  const stepsOf = new Map<string, TwinSteps>(
    [...twin.weights, ...twin.activations].map((one) => ["value" in one ? one.value : one.name, one.steps] as const),
  );
  for (const { bias, weight, input } of twin.biases) {
    const data = parameters.get(bias)?.data;
    if (!data) continue;
    const scales = scalesOf(stepsOf.get(weight)!, parameters);
    const owner = stepsOf.get(input);
    const scale = owner ? scalesOf(owner, parameters)[0]! : parts.activations!.values.get(input)!.scale;
    for (let at = 0; at < data.length; at++) {
      const most = scales[at]! * scale * largestInteger * 0.9998;
      data[at] = Math.max(-most, Math.min(most, data[at]!));
    }
  }
}

/**
 * Makes PTQ's file of what was trained, by PTQ's own means: the same plan, applied to the trained floats with their
 * integers as training rounded them. Settles the parameters first. What was not trained is as PTQ has it.
 */
export async function exportTwin(parts: PtqParts, twin: Twin, parameters: Parameters): Promise<ExportedModel> {
  const { plan, quantizer, readExternal } = parts;
  settleParameters(parts, twin, parameters);
  const model = cloneModel(parts.base);
  const graph = model.graph!;
  graph.initializer = graph.initializer.map((tensor) => {
    const trained = parameters.get(tensor.name);
    if (!trained) return tensor;
    return makeTensor(tensor.name, { dtype: "float32", shape: tensor.dims.map(Number), data: trained.data.slice() });
  });
  const twins = new Map(twin.weights.map((weight) => [weight.name, weight]));
  const weights: Weights = {
    ...parts.weights,
    async quantized(site, weightPlan) {
      const own = site.scope.parent === null ? twins.get(site.info.name) : undefined;
      if (!own) return parts.weights.quantized(site, weightPlan);
      const stored = readTensor(site.tensor, readExternal);
      const source = weightPlan.transpose ? transposeTensor(stored, [1, 0]) : stored;
      return roundWeight(numbersOf(source) as Float32Array, scalesOf(own.steps, parameters), own.ptq);
    },
  };
  const tensors = await applyPlan(model, plan, { quantizer, readExternal, weights });
  if (parts.activations) {
    const scales = new Map(twin.activations.map(({ value, steps }) => [value, scalesOf(steps, parameters)[0]!]));
    applyStatic(model, withScales(parts.base, parts.activations, scales), readExternal);
  }
  return { model, tensors };
}

/** The scales that step sizes stand for at present. */
function scalesOf({ name, units, scales }: TwinSteps, parameters: Parameters): Float32Array<ArrayBuffer> {
  const data = parameters.get(name)?.data;
  return data ? units.map((unit, at) => unit * data[at]!) : scales.slice();
}
