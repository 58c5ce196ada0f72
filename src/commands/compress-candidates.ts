import { openSession, type Session } from "../engine/session.js";
import { UserError } from "../errors.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { cloneModel } from "../graph/clone.js";
import { type AppliedTensor, applyPlan } from "../quantize/apply.js";
import { correctBiases } from "../quantize/bias-correction.js";
import { type Milder, planQuantization, type QuantizationPlan } from "../quantize/plan.js";
import { type RuntimeUse, runtimeUse } from "../quantize/runtime.js";
import type { QuantizeSettings } from "../quantize/settings.js";
import { applyStatic } from "../quantize/static/apply.js";
import { planStatic, type StaticPlan } from "../quantize/static/plan.js";
import type { ObservedValue, StaticSettings } from "../quantize/static/settings.js";
import type { InputChannels } from "../quantize/weight-error.js";
import type { Weights } from "../quantize/weights.js";
import type { Quantizer } from "../tensor/quantized.js";
import type { Staging } from "./files.js";
import type { ModelFile } from "./model-files.js";
import { type WrittenModel, writeModelFile } from "./write-model.js";

/** What candidates of one model are made of. */
export interface Workshop {
  /** The model after normalisation; it stays as it is. */
  readonly base: ModelProto;
  readonly settings: QuantizeSettings;
  readonly quantizer: Quantizer;
  readonly weights: Weights;
  readonly readExternal: ReadExternal;
  /** Statistics of calibration, where biases are to be corrected. */
  readonly channelsOf: ((value: string) => InputChannels | undefined) | undefined;
  /** Static quantization of activations, where it is wanted. */
  readonly activations:
    | { readonly settings: StaticSettings; readonly observed: ReadonlyMap<string, ObservedValue> }
    | undefined;
  readonly staging: Staging;
}

/** What is done more carefully than by rule. */
export interface Care {
  readonly weights: Milder;
  /** Nodes that compute with floats, by their first output, each with the reason; their weights may be integers all the same. */
  readonly nodes: ReadonlyMap<string, string>;
}

/** All goes by rule. */
export const noCare: Care = { weights: new Map(), nodes: new Map() };

/** A compressed model, written to the staging folder. */
export interface Candidate extends WrittenModel {
  readonly plan: QuantizationPlan;
  readonly activations: StaticPlan | undefined;
  readonly tensors: readonly AppliedTensor[];
  /** Values whose bias was corrected. */
  readonly corrected: readonly string[];
  readonly path: string;
}

/** Quantizes all that the settings and rules choose, but for what asks for `care`, and writes it as `name`. */
export async function makeCandidate(
  { base, settings, quantizer, weights, readExternal, channelsOf, activations, staging }: Workshop,
  care: Care,
  name: string,
  dataName: string | null,
  onTensor?: (done: number, total: number) => void | Promise<void>,
): Promise<Candidate> {
  const model = cloneModel(base);
  const staticPlan =
    activations && planStatic(model, activations.observed, activations.settings, readExternal, { kept: care.nodes });
  const plan = planQuantization(model, settings, care.weights, staticPlan?.weights);
  const corrected = channelsOf ? await correctBiases(model, plan, weights, readExternal, channelsOf) : [];
  const tensors = await applyPlan(model, plan, {
    quantizer,
    readExternal,
    weights,
    ...(onTensor ? { onTensor } : {}),
  });
  if (staticPlan) applyStatic(model, staticPlan, readExternal);
  const path = staging.pathOf(name);
  const written = writeModelFile(path, model, dataName, readExternal);
  return { ...written, plan, activations: staticPlan, tensors, corrected, path };
}

/** Above this the graph as the runtime optimized it, a second copy of the file, is not asked for. */
const maxOptimizedBytes = 1e9;

/** Opens a candidate; with `optimizedModelPath` the runtime writes the graph it made of it. */
export async function openCandidate(candidate: Candidate, optimizedModelPath?: string): Promise<Session> {
  const settings = optimizedModelPath && candidate.bytes < maxOptimizedBytes ? { optimizedModelPath } : {};
  return openSession(candidate.path, settings).catch((error: unknown) => {
    const why = (error as Error).message.split(": ").slice(1).join(": ");
    throw new UserError(`the compressed model does not load in onnxruntime (${why}); nothing was written`);
  });
}

/** What the runtime made of a candidate's weights; null where its optimized graph could not be had. */
export function useByRuntime(
  read: (path: string) => ModelFile,
  candidate: Candidate,
  optimizedModelPath: string,
): RuntimeUse | null {
  if (candidate.bytes >= maxOptimizedBytes) return null;
  return runtimeUse(read(optimizedModelPath).model, candidate.tensors);
}
