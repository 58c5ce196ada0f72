import type { Batch, SampleSet } from "../data/batch.js";
import type { Label } from "../data/labels.js";
import { UserError } from "../errors.js";
import { type Agreement, compareOutputs, type RunAt } from "../evaluate/agreement.js";
import { evaluateCandidate, rememberOutputs } from "../evaluate/drop.js";
import type { Metric } from "../evaluate/metric.js";
import type { ModelProto } from "../formats/onnx.js";
import { cloneModel } from "../graph/clone.js";
import { train } from "../train/loop.js";
import type { Objective } from "../train/objective.js";
import { prepareModel, type TrainableModel, writeBack } from "../train/prepare.js";
import type { Score, TrainingData, TrainingHooks, TrainingOutcome, TrainingSettings } from "../train/task.js";
import { checkInputs, type NamedPair, pairOutputs } from "./check.js";
import { parameterCount } from "./edit.js";
import { labelTensor } from "./label-tensor.js";
import { defaultMix, isLayerTerm, type LossMix } from "./mix.js";
import {
  distillationObjective,
  type LayerPair,
  labelExtra,
  type ObjectiveSettings,
  type OutputPair,
  outputsOf,
  pairsOf,
} from "./objective.js";
import type { ModelOutput } from "./outputs.js";
import { layerPairs, maskInput, type NamedModel, sideOf, withModel } from "./setup.js";
import { createTeacher, type OutputStore, type Teacher } from "./teacher.js";

/** Samples with what is known to be right for them. */
export interface LabelledSamples {
  readonly samples: SampleSet;
  /** One a sample; undefined without labels. */
  readonly labels: readonly Label[] | undefined;
}

export interface DistillationSettings {
  readonly teacher: NamedModel;
  readonly student: NamedModel;
  readonly training: LabelledSamples;
  readonly heldOut: LabelledSamples;
  /** Scores labelled held-out samples. */
  readonly metric?: Metric | undefined;
  /** Without one: by what the outputs are. */
  readonly mix?: LossMix | undefined;
  /** `auto`, or as `parsePairs` reads them; looked at only where the mix has losses between layers. */
  readonly pairs: string;
  readonly objective: Omit<ObjectiveSettings, "mix" | "mask" | "topClasses">;
  /** The likeliest classes that together have this share of the probability are kept of the teacher; 1 keeps all. */
  readonly topShare: number;
  /** Keep the teacher's outputs as float16. */
  readonly half: boolean;
  readonly store?: OutputStore | undefined;
  /** Initializers of the student that stay as they are. */
  readonly frozen: readonly RegExp[];
  readonly batchNorm: "frozen" | "train";
  readonly threads: number;
}

/** How good a model is on the held-out samples. */
export interface DistilledScore {
  /** Of the metric; null without one. */
  readonly metric: number | null;
  readonly teacherMetric: number | null;
  /** With the teacher's outputs. */
  readonly agreement: Agreement;
  readonly parameters: number;
}

/** All that training needs, and what was decided on the way. */
export interface Distillation {
  readonly model: TrainableModel;
  readonly objective: Objective;
  readonly data: TrainingData;
  readonly mix: LossMix;
  readonly outputs: readonly OutputPair[];
  /** Those the mix looks at. */
  readonly layers: readonly LayerPair[];
  /** The input that says what of a sequence counts. */
  readonly mask: string | undefined;
  /** The student as it is at this moment, as a file. */
  student(): ModelProto;
  /** On held-out samples, with the present parameters. */
  score(): Promise<DistilledScore>;
  /** `score` as training wants it. */
  evaluate(): Promise<Score>;
  readonly teacher: Pick<Teacher, "counts">;
  close(): Promise<void>;
}

/** Bytes of the teacher's held-out outputs that are remembered. */
const rememberedBytes = 1 << 30;

/** Opens both models, decides what learns from what, and ties it together. Throws a UserError where they do not fit. */
export async function prepareDistillation(settings: DistillationSettings): Promise<Distillation> {
  const { teacher, student, training, heldOut, metric, threads, frozen, batchNorm } = settings;
  const first = await training.samples.read(0);
  const labelled = training.labels?.some((label) => typeof label !== "string") ?? false;
  const theirs = await sideOf(teacher, first, labelled);
  const ours = await sideOf(student, first, labelled, (side) => checkInputs(theirs, side));
  const outputs = pairOutputs(theirs, ours);
  const mix = settings.mix ?? defaultMix(outputs, labelled);
  if (mix.has("hard") && !labelled) {
    throw new UserError("--loss hard: needs class labels (--labels); leave it out and the teacher alone teaches");
  }
  const layers = await layerPairs(teacher, student, training.samples, mix, settings.pairs);
  const empty = [...mix.keys()].find((term) => isLayerTerm(term) && pairsOf(term, layers).length === 0);
  if (empty) {
    throw new UserError(
      `--loss ${empty}: teacher ${teacher.name} and student ${student.name} have no layers that fit each other for it; name some with --pairs, or leave it out`,
    );
  }
  const mask = maskInput(ours, first);
  const model = prepareModel(student.model, student.readExternal, { name: student.name, frozen, batchNorm });
  const top = topValues(settings, mix, outputs, ours.outputs);
  const values = wantedValues(mix, outputs, layers).filter((value) => !top.includes(value));
  const { half, store, topShare } = settings;
  const { temperature } = settings.objective;
  const source = createTeacher({ ...teacher, values, topValues: top, topShare, temperature, half, store, threads });
  const labelOutput = ours.outputs.find(({ name }) => name === outputsOf("hard", outputs)[0]?.name)!;
  const labelOf = (at: number) => labelTensor(training.labels![at], labelOutput, training.samples.nameOf(at));
  // a wrong label is better found now than hours later
  if (mix.has("hard")) for (let at = 0; at < training.samples.count; at++) labelOf(at);
  const data: TrainingData = {
    count: training.samples.count,
    source: training.samples.source,
    nameOf: (at) => training.samples.nameOf(at),
    async read(at) {
      const feeds = await training.samples.read(at);
      const all = new Map([...feeds, ...(await source.extrasOf(feeds))]);
      if (mix.has("hard")) all.set(labelExtra, labelOf(at));
      return all;
    },
  };
  const studentNow = () => {
    const now = cloneModel(model.base);
    writeBack(now, model.parameters);
    return now;
  };
  // the outputs of the teacher, once each, by the names the student has for them
  const reference = renamed(
    rememberOutputs((feeds) => withModel(teacher, threads, (run) => run(feeds)), rememberedBytes),
    outputs,
  );
  const measure = metric && heldOut.labels ? { metric, labels: heldOut.labels } : undefined;
  const score = async (): Promise<DistilledScore> => {
    const now = studentNow();
    const parameters = parameterCount(now);
    return withModel({ model: now, readExternal: student.readExternal }, threads, async (run) => {
      if (!measure) {
        const agreement = await compareOutputs(reference, run, heldOut.samples);
        return { metric: null, teacherMetric: null, agreement, parameters };
      }
      const { agreement, drop } = await evaluateCandidate(reference, run, heldOut.samples, measure);
      return { metric: drop.candidate, teacherMetric: drop.reference, agreement, parameters };
    });
  };
  return {
    model,
    data,
    mix,
    outputs,
    layers,
    mask,
    objective: distillationObjective(outputs, layers, { ...settings.objective, mix, mask, topClasses: top.length > 0 }),
    student: studentNow,
    score,
    evaluate: async () => scoreOf(await score(), metric),
    teacher: source,
    close: () => source.close(),
  };
}

/** The values of the teacher that the mix looks at. */
function wantedValues(mix: LossMix, outputs: readonly OutputPair[], layers: readonly LayerPair[]): readonly string[] {
  const found = [...mix.keys()].flatMap((term) => {
    if (isLayerTerm(term)) return pairsOf(term, layers).map(({ teacher }) => teacher);
    return term === "hard" ? [] : outputsOf(term, outputs).map(({ teacher }) => teacher);
  });
  return [...new Set(found)];
}

/** The logits of which the likeliest classes are enough: where soft targets alone look at them, along the last axis. */
function topValues(
  { topShare, objective }: DistillationSettings,
  mix: LossMix,
  outputs: readonly OutputPair[],
  described: readonly ModelOutput[],
): readonly string[] {
  const whole = mix.has("reverse") || mix.has("jsd") || objective.blankWeight < 1;
  if (topShare >= 1 || whole || !mix.has("soft")) return [];
  const pairs = outputsOf("soft", outputs);
  const fit = ({ name, kind, axis, teacher }: OutputPair) =>
    kind === "classes" &&
    axis === described.find((output) => output.name === name)!.shape.length - 1 &&
    !(mix.has("mse") && outputsOf("mse", outputs).some((other) => other.teacher === teacher));
  return pairs.every(fit) ? pairs.map(({ teacher }) => teacher) : [];
}

function renamed(run: RunAt, outputs: readonly NamedPair[]): RunAt {
  return async (feeds: Batch, at) => {
    const found = await run(feeds, at);
    return new Map(outputs.map(({ name, teacherName }) => [name, found.get(teacherName)!]));
  };
}

/** The metric where there is one, else agreement with the teacher: the share of equal classes, or SQNR in dB. */
export function scoreOf({ metric, agreement }: DistilledScore, by: Metric | undefined): Score {
  const { topOne, sqnrDb, cosine } = agreement.total;
  const agreed = topOne && topOne.total > 0 ? topOne.agree / topOne.total : undefined;
  const details = { ...(agreed === undefined ? {} : { agreement: agreed }), sqnrDb, cosine };
  if (metric !== null && by) return { value: metric, higherIsBetter: by.higherIsBetter, details };
  return { value: agreed ?? sqnrDb, higherIsBetter: true, details };
}

/** What a distillation came to. */
export interface DistillationResult {
  readonly outcome: TrainingOutcome;
  readonly teacher: { readonly metric: number | null; readonly parameters: number };
  readonly before: DistilledScore;
  readonly after: DistilledScore;
  /** The trained student, the best one that was seen. */
  readonly student: ModelProto;
}

/** Trains a student and measures teacher, student before and student after on the held-out samples. */
export async function distil(
  settings: DistillationSettings,
  training: TrainingSettings,
  hooks: TrainingHooks,
  resume?: Uint8Array,
): Promise<DistillationResult> {
  const prepared = await prepareDistillation(settings);
  try {
    const { model, objective, data } = prepared;
    const before = await prepared.score();
    const outcome = await train({
      model,
      objective,
      data,
      settings: training,
      hooks,
      evaluate: () => prepared.evaluate(),
      ...(resume ? { resume } : {}),
    });
    const after = await prepared.score();
    const teacher = { metric: before.teacherMetric, parameters: parameterCount(settings.teacher.model) };
    return { outcome, teacher, before, after, student: prepared.student() };
  } finally {
    await prepared.close();
  }
}
