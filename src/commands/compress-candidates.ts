import { openSession, type Session } from "../engine/session.js";
import { UserError } from "../errors.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { cloneModel } from "../graph/clone.js";
import { nameBytes, shortenNames } from "../graph/short-names.js";
import type { StoreBytes } from "../graph/stored.js";
import { type AppliedTensor, applyPlan } from "../quantize/apply.js";
import { type Milder, planQuantization, type QuantizationPlan } from "../quantize/plan.js";
import { type RuntimeUse, runtimeUse } from "../quantize/runtime.js";
import type { QuantizeSettings } from "../quantize/settings.js";
import type { StaticPlan } from "../quantize/static/plan.js";
import type { FusedCount } from "../quantize/static/runtime.js";
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
  /** Where the integers of a large model wait until they are written. */
  readonly store: StoreBytes | undefined;
  /** Statistics of calibration, where biases are to be corrected. */
  readonly channelsOf: ((value: string) => InputChannels | undefined) | undefined;
  /** Static quantization of activations, where it is wanted. */
  readonly activations: Activations | undefined;
  /** Whether values inside the model keep their names, however much of the file these are. */
  readonly keepNames: boolean;
  readonly staging: Staging;
  /** Told of each file once it can be read. */
  readonly whenWritten?: ((path: string) => void) | undefined;
}

/** What static quantization goes by. */
export interface Activations {
  readonly settings: StaticSettings;
  readonly observed: ReadonlyMap<string, ObservedValue>;
  /** The most noise that 8-bit activations may bring into the outputs, as share of their power, by what each brings in. */
  readonly limit?: { readonly most: number; readonly noise: ReadonlyMap<string, number> };
}

/** A compressed model, written to the staging folder. */
export interface Candidate extends WrittenModel {
  readonly plan: QuantizationPlan;
  readonly activations: StaticPlan | undefined;
  readonly tensors: readonly AppliedTensor[];
  /** Values whose bias was corrected. */
  readonly corrected: readonly string[];
  /** Values inside the model have other names than in the original. */
  readonly namesShortened: boolean;
  readonly path: string;
}

/** A model whose biases are corrected for a plan, but whose weights are floats still. */
export interface PlannedCandidate {
  readonly model: ModelProto;
  readonly plan: QuantizationPlan;
  readonly activations: StaticPlan | undefined;
  /** Values whose bias was corrected. */
  readonly corrected: readonly string[];
}

/** Plans all that the settings and rules choose, `milder` ways where it says so. */
export async function planCandidate(
  { base, settings, weights, readExternal, channelsOf, activations }: Workshop,
  milder: Milder,
): Promise<PlannedCandidate> {
  const model = cloneModel(base);
  // loaded where it is wanted only
  const statics = activations && (await import("./compress-static.js"));
  const staticPlan = activations && statics?.planActivations(model, activations, readExternal);
  const plan = planQuantization(model, settings, milder, staticPlan?.weights);
  const { correctBiases } = channelsOf ? await import("../quantize/bias-correction.js") : {};
  const corrected =
    channelsOf && correctBiases ? await correctBiases(model, plan, weights, readExternal, channelsOf) : [];
  return { model, plan, activations: staticPlan, corrected };
}

/** Quantizes what {@link planCandidate} plans, and writes it as `name`. */
export async function makeCandidate(
  workshop: Workshop,
  milder: Milder,
  name: string,
  dataName: string | null,
  onTensor?: (done: number, total: number) => void | Promise<void>,
): Promise<Candidate> {
  const { quantizer, weights, readExternal, store, keepNames, staging, whenWritten } = workshop;
  const { model, plan, activations, corrected } = await planCandidate(workshop, milder);
  const tensors = await applyPlan(model, plan, {
    quantizer,
    readExternal,
    weights,
    store,
    ...(onTensor ? { onTensor } : {}),
  });
  if (activations) (await import("./compress-static.js")).applyStatic(model, activations, readExternal);
  const short = shortenWherePaying(model, tensors, keepNames);
  const path = staging.pathOf(name);
  const written = writeModelFile(path, model, dataName, readExternal, { label: staging.label, whenWritten });
  return {
    ...written,
    plan,
    activations,
    // what the file calls them
    tensors: short
      ? tensors.map((tensor) => ({ ...tensor, storedAs: tensor.storedAs && (short.get(tensor.storedAs) ?? null) }))
      : tensors,
    corrected,
    namesShortened: short !== undefined,
    path,
  };
}

/** From this share of the file on, names inside the model are made short. */
const nameShare = 0.005;

/** Gives values inside short names where their names are much of the file; the new ones by the old. */
export function shortenWherePaying(
  model: ModelProto,
  tensors: readonly AppliedTensor[],
  keepNames: boolean,
): ReturnType<typeof shortenNames> | undefined {
  return !keepNames && nameBytes(model) > nameShare * bytesOf(tensors) ? shortenNames(model) : undefined;
}

function bytesOf(tensors: readonly AppliedTensor[]): number {
  return tensors.reduce((sum, { bytesAfter }) => sum + bytesAfter, 0);
}

/** Above this the graph as the runtime optimized it, a second copy of the file, is not asked for. */
const maxOptimizedBytes = 1e9;

/** Opens a candidate; with `optimizedModelPath` the runtime writes the graph it made of it, where that has room. */
export async function openCandidate(candidate: Candidate, optimizedModelPath?: string): Promise<Session> {
  if (optimizedModelPath && candidate.bytes < maxOptimizedBytes) {
    // that file has the weights as floats again: a disk it does not fit on may well hold the result
    const session = await openSession(candidate.path, { optimizedModelPath }).catch(() => undefined);
    if (session) return session;
  }
  return openSession(candidate.path).catch((error: unknown) => {
    const why = (error as Error).message.split(": ").slice(1).join(": ");
    throw new UserError(`the compressed model does not load in onnxruntime (${why}); nothing was written`);
  });
}

/** What the runtime made of a candidate's weights and 8-bit nodes; null where its optimized graph could not be had. */
export async function useByRuntime(
  read: (path: string) => ModelFile,
  candidate: Candidate,
  optimizedModelPath: string,
): Promise<{ readonly weights: RuntimeUse; readonly nodes: readonly FusedCount[] } | null> {
  if (candidate.bytes >= maxOptimizedBytes) return null;
  try {
    const { model } = read(optimizedModelPath);
    const weights = runtimeUse(model, candidate.tensors);
    if (!candidate.activations) return { weights, nodes: [] };
    const { fusedCounts } = await import("./compress-static.js");
    return { weights, nodes: fusedCounts(model, candidate.activations) };
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}
