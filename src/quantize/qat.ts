import type { ModelProto } from "../formats/onnx.js";
import type { FoldedNorm } from "../graph/normalise/pass.js";
import type { Parameter, ParameterKind } from "../train/graph.js";
import type { Objective } from "../train/objective.js";
import { prepareModel, type TrainableModel } from "../train/prepare.js";
import { type ExportedModel, exportTwin } from "./qat/export.js";
import { liveNorms } from "./qat/norms.js";
import { type QatLoss, qatObjective } from "./qat/objective.js";
import { makeTwin, type PtqParts, type Twin } from "./qat/twin.js";

/** What quantization-aware training may be told. */
export interface QatSettings {
  /** What the model is called in errors. */
  readonly name: string;
  /** Initializers that stay as they are, by patterns over their names. */
  readonly frozen: readonly RegExp[];
  /** Whether step sizes of weights are learned (LSQ) or stay as PTQ chose them (straight-through gradient alone). */
  readonly weightSteps: "learned" | "fixed";
  /** Whether ranges of activations are learned or stay as calibration found them. */
  readonly activationSteps: "learned" | "fixed";
  /** The share of all steps after which step sizes stay as they are: then weights settle on the integers they have. */
  readonly freezeAfter: number;
  /** Learning rate of step sizes, as a multiple of that of weights; step sizes are about 1 to training. */
  readonly stepRate: number;
  readonly loss: QatLoss;
  /**
   * The BatchNormalizations that were folded into weights, by the weight's name: they take the statistics of the batch in
   * the first so many steps, and stand still then. Without it all stand still from the start.
   */
  readonly norms?: { readonly folded: ReadonlyMap<string, FoldedNorm>; readonly steps: number };
}

/** Defaults that suit classifiers and recognisers alike; see the tests of QAT for what they reach. */
export const defaultQat: Omit<QatSettings, "name" | "loss"> = {
  frozen: [],
  weightSteps: "learned",
  activationSteps: "learned",
  freezeAfter: 0.8,
  stepRate: 1,
};

/** A quantized model in training: what a TrainingTask takes from here, and the way back to a file. */
export interface QatJob {
  readonly twin: Twin;
  readonly model: TrainableModel;
  readonly objective: Objective;
  /** The values inside that the loss looks at: the teacher must give them, too (exposeValues). */
  readonly inside: readonly string[];
  /** The model of the first steps, over the same parameters, where BatchNormalizations are alive: so many. */
  readonly early: { readonly model: TrainableModel; readonly steps: number; readonly norms: number } | undefined;
  /** To be called before each step, of so many in all. */
  beforeStep(step: number, steps: number): void;
  /** PTQ's file with what the parameters are now; these stay as they are. */
  export(): Promise<ExportedModel>;
}

/**
 * Quantization-aware training of what PTQ makes of a model: its float twin with fake quantization, trained against labels
 * or the original, then stored by PTQ's own plan. BatchNormalization is part of the weights before it, as PTQ has it, from
 * the start or after some steps.
 * Throws a UserError that names what cannot be trained.
 */
export async function quantizationAwareTraining(parts: PtqParts, settings: QatSettings): Promise<QatJob> {
  const { name, frozen } = settings;
  const twin = await makeTwin(parts);
  const floats = prepareModel(parts.base, parts.readExternal, { name, frozen, batchNorm: "frozen" });
  const kinds = new Map<string, ParameterKind>();
  for (const [key, { kind }] of floats.parameters) if (twin.trainable.has(key)) kinds.set(key, kind);
  const isFrozen = (key: string) => frozen.some((pattern) => key.search(pattern) >= 0);
  const steps = [
    // a weight that stays as it is keeps its integers
    ...(settings.weightSteps === "learned" ? twin.weights.filter((weight) => !isFrozen(weight.name)) : []),
    ...(settings.activationSteps === "learned" ? twin.activations : []),
  ]
    .map((one) => one.steps.name)
    .filter((step) => !isFrozen(step));
  for (const step of steps) kinds.set(step, "step");
  const norms = settings.norms;
  const live =
    norms && norms.steps > 0
      ? liveNorms(twin, parts.base, norms.folded, new Set(kinds.keys()), parts.readExternal)
      : undefined;
  for (const [key, kind] of live?.kinds ?? []) kinds.set(key, kind);
  const prepare = (model: ModelProto) =>
    prepareModel(model, parts.readExternal, { name, frozen, batchNorm: "frozen", kinds });
  const prepared = prepare(live?.model ?? twin.model);
  const masks: Uint8Array[] = [];
  const parameters = new Map<string, Parameter>();
  for (const [key, parameter] of prepared.parameters) {
    if (parameter.kind !== "step") {
      const bounded = live?.kinds.get(key) === "norm" ? { lowerBound: smallestStep } : {};
      parameters.set(key, { ...parameter, rateScale: rateOf(parameter), ...bounded });
      continue;
    }
    const mask = new Uint8Array(parameter.data.length).fill(1);
    masks.push(mask);
    parameters.set(key, { ...parameter, rateScale: settings.stepRate, lowerBound: smallestStep, mask });
  }
  const inside = (settings.loss.features ?? 0) > 0 ? comparedInside(parts, twin) : [];
  const model = { ...prepared, notes: [...floats.notes, ...prepared.notes], parameters };
  return {
    twin,
    inside,
    model,
    early: live && {
      model: { ...prepare(live.early), parameters, statistics: live.statistics },
      steps: norms!.steps,
      norms: live.count,
    },
    objective: qatObjective(settings.loss, inside),
    beforeStep(step, total) {
      const held = step >= settings.freezeAfter * total ? 0 : 1;
      for (const mask of masks) mask.fill(held);
      // the statistics that the last of the early steps moved stay
      if (step <= (norms?.steps ?? 0)) live?.refresh(parameters);
    },
    export() {
      const copies = new Map([...parameters].map(([key, { data }]) => [key, { data: data.slice() }] as const));
      return exportTwin(parts, twin, live?.folded(copies) ?? copies);
    },
  };
}

/** What weights that the learning rate is meant for are about, and the least that counts as their size. */
const [usualSize, leastSize] = [0.1, 1e-4];

/**
 * The rate of a tensor, as a multiple of the learning rate: in proportion to its elements (their root mean square, as
 * Adafactor has it). A trained model's tensors differ a thousandfold in size, the more so with BatchNormalization folded
 * into them; equal updates would wreck the small ones before the large ones have moved by a step of theirs.
 * Zeros tell no size.
 */
function rateOf({ data }: Parameter): number {
  let power = 0;
  for (const element of data) power += element * element;
  if (power === 0) return 1;
  return Math.max(Math.sqrt(power / Math.max(1, data.length)), leastSize) / usualSize;
}

/** Steps begin between 1 and 2, gains at 1: this is a 64th of their range or less. */
const smallestStep = 1 / 64;

/** So many values show where a model goes astray. */
const mostInside = 16;

/** Looked-up rows are the weights themselves; recurrent layers have the samples along a later axis, or no first output. */
const notCompared: ReadonlySet<string> = new Set(["Gather", "LSTM", "GRU", "RNN"]);

/** Values of the main graph that quantized weights make, spread evenly over the model. */
function comparedInside({ base }: PtqParts, twin: Twin): readonly string[] {
  const weights = new Set(twin.weights.map(({ name }) => name));
  const made = new Set(twin.model.graph!.node.flatMap(({ output }) => output));
  const outputs = new Set(base.graph!.output.map(({ name }) => name));
  const found = base
    .graph!.node.filter(({ opType, input }) => !notCompared.has(opType) && input.some((name) => weights.has(name)))
    .map(({ output }) => output[0]!)
    .filter((name) => made.has(name) && !outputs.has(name));
  const count = Math.min(mostInside, found.length);
  return Array.from({ length: count }, (_, at) => found[Math.floor(((at + 1) * found.length) / count) - 1]!);
}
