import { openSession } from "../../../src/engine/session.js";
import { encodeModel, type ModelProto, makeTensor, readTensor } from "../../../src/formats/onnx.js";
import { cloneModel } from "../../../src/graph/clone.js";
import { planQuantization } from "../../../src/quantize/plan.js";
import type { PtqParts, Twin } from "../../../src/quantize/qat/twin.js";
import type { QuantizeSettings } from "../../../src/quantize/settings.js";
import { planStatic } from "../../../src/quantize/static/plan.js";
import type { ObservedValue, StaticSettings } from "../../../src/quantize/static/settings.js";
import { startWeights } from "../../../src/quantize/weights.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { plainQuantizer } from "../../plain-quantizer.js";
import { noExternal } from "../static/observe.js";

/** What PTQ would make of a model: with activations where ranges are given. */
export function ptqParts(
  base: ModelProto,
  settings: Partial<QuantizeSettings>,
  statics?: { readonly settings: StaticSettings; readonly observed: ReadonlyMap<string, ObservedValue> },
): PtqParts {
  const quantizer = plainQuantizer();
  const activations = statics && planStatic(base, statics.observed, statics.settings, noExternal);
  const all: QuantizeSettings = { scheme: "auto", clip: "max", minElements: 8, ...settings };
  return {
    base,
    plan: planQuantization(base, all, new Map(), activations?.weights),
    activations,
    weights: startWeights(quantizer, noExternal, all.clip, { keep: true }),
    quantizer,
    readExternal: noExternal,
  };
}

/** The tensors of a twin that training may change, copied. */
export function parametersOf(
  { model, trainable }: Twin,
  least = 1,
): ReadonlyMap<string, { readonly data: Float32Array }> {
  return new Map(
    model.graph!.initializer.flatMap((tensor) => {
      if (!trainable.has(tensor.name)) return [];
      const data = (readTensor(tensor, noExternal).data as Float32Array).slice();
      const isStep = /_step(_\d+)?$/.test(tensor.name);
      return data.length >= least || isStep ? [[tensor.name, { data }] as const] : [];
    }),
  );
}

/** A model with these elements in its initializers. */
export function withParameters(
  model: ModelProto,
  parameters: ReadonlyMap<string, { readonly data: Float32Array }>,
): ModelProto {
  const copy = cloneModel(model);
  copy.graph!.initializer = copy.graph!.initializer.map((tensor) => {
    const found = parameters.get(tensor.name);
    const shape = tensor.dims.map(Number);
    return found ? makeTensor(tensor.name, { dtype: "float32", shape, data: found.data.slice() }) : tensor;
  });
  return copy;
}

export async function runPlain(
  model: ModelProto,
  feeds: ReadonlyMap<string, Tensor>,
): Promise<ReadonlyMap<string, Tensor>> {
  const session = await openSession(encodeModel(model), { graphOptimization: "disabled" });
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}
