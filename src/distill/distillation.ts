import type { LabelledSamples } from "../data/labels.js";
import { UserError } from "../errors.js";
import type { Run } from "../evaluate/agreement.js";
import type { EmptyPlaces } from "../evaluate/empty-places.js";
import type { Objective } from "../train/objective.js";
import type { TrainableModel } from "../train/prepare.js";
import type { TrainingData } from "../train/task.js";
import { withLabels } from "./labels.js";
import { isMadeFrom, pairLayers, type Whole } from "./layer-pairs.js";
import { chooseMix, type LossMix } from "./mix.js";
import { comparedBy, distillationObjective, type LayerPair, labelExtra, outputsOf } from "./objective.js";
import { maskInput, type NamedPair, pairOutputs, type Side } from "./sides.js";
import { createTeacher, type OutputStore } from "./teacher.js";

export interface DistillationSettings {
  /** As normalisation leaves it. */
  readonly teacher: Side & Whole;
  /** Its outputs are those of the training copy. */
  readonly student: Side & { readonly trainable: TrainableModel };
  /** Whether the student was made from the teacher; where nobody knows, its weights tell. */
  readonly isMade: boolean;
  readonly training: LabelledSamples;
  /** As `parseMix` reads it; without one outputs and labels decide. */
  readonly mix: string | undefined;
  /** As `parsePairs` reads it; without one layers are found. */
  readonly pairs: string | undefined;
  readonly temperature: number;
  /** What a frame counts that is surely a blank. */
  readonly blankWeight: number;
  readonly seed: number;
  /** Where the student's outputs are zeros whatever it learns. */
  readonly empty?: readonly EmptyPlaces[] | undefined;
  /** Keeps what the teacher said. */
  readonly store: OutputStore | undefined;
  readonly threads: number;
}

/** What learns from what: all that training needs beside the student itself. */
export interface Distillation {
  readonly mix: LossMix;
  readonly outputs: readonly NamedPair[];
  /** Empty where the mix looks at no layers. */
  readonly layers: readonly LayerPair[];
  readonly objective: Objective;
  /** The samples with what the teacher says of them, and their labels where they count. */
  readonly data: TrainingData;
  /** Gives the student's outputs the names of the teacher's. */
  readonly named: (run: Run) => Run;
  close(): Promise<void>;
}

/** Classes from which on only the likeliest are kept of the teacher, and the share of the probability that those hold. */
const [manyClasses, topShare] = [1024, 0.999];

/** Decides what learns from what, and ties it together. Throws a UserError where the two models or the mix do not fit. */
export async function composeDistillation(settings: DistillationSettings): Promise<Distillation> {
  const { teacher, student, training, temperature, blankWeight, seed, threads, store } = settings;
  const { copy, base, readExternal } = student.trainable;
  const outputs = pairOutputs(teacher, student);
  const mix = chooseMix(settings.mix, outputs, training.labels);
  const first = await training.read(0);
  const isMade = () => settings.isMade || isMadeFrom({ model: base, readExternal }, teacher);
  const layers = await pairLayers(mix, settings.pairs, teacher, { model: copy, readExternal }, isMade, first);
  const compared = [...mix.keys()].map((term) => ({ term, pairs: comparedBy(term, outputs, layers) }));
  const empty = compared.find(({ pairs }) => pairs.length === 0);
  if (empty) {
    throw new UserError(
      `--loss ${empty.term}: no such layers of teacher and student were found; name values with --pairs`,
    );
  }
  const topValues = blankWeight < 1 ? [] : likeliest(mix, outputs);
  const asked = compared.flatMap(({ term, pairs }) => (term === "hard" ? [] : pairs.map((pair) => pair.teacher)));
  const values = [...new Set(asked)].filter((value) => !topValues.includes(value));
  const objective = distillationObjective(outputs, layers, {
    ...{ mix, temperature, blankWeight, seed },
    mask: maskInput(student.inputs, first),
    topClasses: topValues.length > 0,
  });
  const classes = outputsOf("hard", outputs).find(({ kind }) => kind === "classes");
  if (mix.has("hard") && !classes) {
    throw new UserError("--loss hard: the models have no output of classes for labels");
  }
  const { model } = teacher;
  const source =
    asked.length === 0
      ? undefined
      : createTeacher({
          ...{ model, readExternal: teacher.readExternal, values, topValues, topShare, temperature, store, threads },
          ...(settings.empty ? { empty: settings.empty } : {}),
        });
  const taught: TrainingData = {
    count: training.count,
    source: training.source,
    nameOf: (at) => training.nameOf(at),
    async read(at) {
      const feeds = await training.read(at);
      return source ? new Map([...feeds, ...(await source.extrasOf(feeds))]) : feeds;
    },
  };
  const names = new Map(outputs.map(({ name, teacherName }) => [name, teacherName]));
  return {
    mix,
    outputs,
    layers,
    objective,
    data: mix.has("hard") ? withLabels(taught, training.labels!, labelExtra, classes!) : taught,
    named: (run) => async (feeds) =>
      new Map([...(await run(feeds))].map(([name, tensor]) => [names.get(name) ?? name, tensor])),
    close: async () => source?.close(),
  };
}

/** The logits of which the likeliest classes are enough: where soft targets alone look at them, along the last axis. */
function likeliest(mix: LossMix, outputs: readonly NamedPair[]): readonly string[] {
  if (!mix.has("soft") || mix.has("reverse") || mix.has("jsd")) return [];
  const pairs = outputsOf("soft", outputs);
  const whole = mix.has("mse") ? outputsOf("mse", outputs) : [];
  const isFit = (pair: NamedPair) =>
    pair.kind === "classes" && pair.axis === pair.shape.length - 1 && !whole.includes(pair);
  const hasMany = pairs.some(({ shape, axis }) => shape[axis]! >= manyClasses);
  return hasMany && pairs.every(isFit) ? pairs.map(({ teacher }) => teacher) : [];
}
