import type { Options } from "../cli.js";
import { applyStudent, layersOf, planStudent } from "../distill/student.js";
import { UserError } from "../errors.js";
import type { ModelProto } from "../formats/onnx.js";
import { cloneModel } from "../graph/clone.js";
import { normalise } from "../graph/normalise/index.js";
import type { PrunedLayer } from "../render/prune-result.js";
import type { ModelFile } from "./model-files.js";
import type { PruneSamples } from "./prune-samples.js";

/** A model without some of its layers. */
export interface DroppedLayers {
  readonly model: ModelProto;
  /** With all of them, normalised. */
  readonly whole: ModelProto;
  readonly layers: readonly PrunedLayer[];
}

/** Samples by which layers are chosen. */
const mostSamples = 16;

/** Leaves out as many layers as --drop-layers says: those whose absence changes the outputs least. Undefined without it. */
export async function dropLayers(
  options: Options,
  { path, model, readExternal }: Pick<ModelFile, "path" | "model" | "readExternal">,
  { looks, outputs }: Pick<PruneSamples, "looks" | "outputs">,
  progress: (done: number, total: number) => void,
): Promise<DroppedLayers | undefined> {
  const count = options["dropLayers"] as number | undefined;
  if (count === undefined) return undefined;
  const whole = cloneModel(model);
  normalise(whole, readExternal, { constantInputs: options["freezeInputs"] ? "freeze" : "keep" });
  const samples = await Promise.all(
    Array.from({ length: Math.min(mostSamples, looks.count) }, (_, at) => looks.read(at)),
  );
  const described = await outputs();
  const values = described.map(({ value }) => value);
  const { layers } = await layersOf(whole, readExternal, samples[0]!, values);
  if (layers.length <= count) {
    const words =
      layers.length < 2
        ? "has no layers that could be left out (parts whose input and output have the same shape)"
        : `has ${layers.length} layers that could be left out; leave out 1 to ${layers.length - 1} of them`;
    throw new UserError(`--drop-layers ${count}: ${path} ${words}`);
  }
  const plan = await planStudent({
    ...{ model: whole, readExternal, name: path, outputs: described, samples },
    target: { kind: "layers", keep: layers.length - count },
    progress: (_, done, total) => progress(done, total),
  });
  return { model: applyStudent(whole, plan), whole, layers: plan.layers };
}
