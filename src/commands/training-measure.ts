import type { RatioVerdict } from "../bench/compare/verdict.js";
import type { Options } from "../cli.js";
import type { Batch, DeclaredInput } from "../data/batch.js";
import type { LabelledSamples } from "../data/labels.js";
import { lookAhead } from "../data/look-ahead.js";
import { emptyDamage } from "../distill/damage.js";
import type { ModelOutput } from "../distill/outputs.js";
import { openSession, type Session } from "../engine/session.js";
import { type Agreement, isBroken, type Run, type RunAt } from "../evaluate/agreement.js";
import { type Drop, type Evaluation, evaluateCandidate, rememberOutputs } from "../evaluate/drop.js";
import { type EmptyPlaces, emptiedRun } from "../evaluate/empty-places.js";
import { type Metric, topOneAccuracy, topOneAccuracyOf } from "../evaluate/metric.js";
import type { ModelScore, TrainingCourse } from "../render/training-result.js";
import { numbersOf } from "../tensor/numbers.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Score } from "../train/task.js";
import { compareSpeed } from "./compress-speed.js";
import type { Student } from "./distill-student.js";

/** Outputs of the reference that are kept, in bytes. */
const maxRemembered = 256e6;

/** Samples that are run at once. */
const rows = 64;

/** How a model does; `divergence` is how far its outputs are from its teacher's, KL in nats a position for classes. */
interface Measured {
  readonly agreement: Agreement;
  readonly drop: Omit<Drop, "kind"> & { readonly kind: Drop["kind"] | "divergence" };
  /** How far outputs are from the reference's, where models learn these: it tells more than shares of equal answers. */
  readonly distance: number | undefined;
}

/** What of a model that learns the reference's outputs is held against it: how far its own are, or other answers too. */
type DropBy = "distance" | "answers";

/** Measures models against a reference (the teacher, the float model) on held-out samples. */
export interface Gauge {
  readonly measure: { readonly name: string; readonly higherIsBetter: boolean };
  readonly metric: { readonly name: string; readonly higherIsBetter: boolean } | null;
  /** How a model does that runs like this; what the reference has at `empty` places counts as zeros, and no class is looked for in such outputs. */
  evaluate(run: Run, empty?: readonly EmptyPlaces[]): Promise<Measured>;
  /** The same as one number. */
  score(run: Run): Promise<Score>;
  /** What of an evaluation stands in reports; of the reference itself without one. */
  row(evaluation: Measured | undefined): Pick<ModelScore, "metric" | "measured" | "agreement">;
}

/**
 * `reference` is what models are held against. Without a metric those that learn its outputs, `taught`, are measured by
 * how far theirs are from them: where most answers are the same anyhow, as the blanks of CTC are or those of a model that
 * was only rounded, their share hardly tells. What was lost (--max-drop) is that distance, or the share of other answers.
 */
export async function openGauge(
  reference: Run,
  inputs: readonly DeclaredInput[],
  heldOut: LabelledSamples,
  metric: Metric | undefined,
  taught: readonly ModelOutput[] = [],
  dropBy: DropBy = "distance",
): Promise<Gauge> {
  const remembered: RunAt = rememberAhead(reference, inputs, heldOut);
  const measure = metric && { metric, labels: heldOut.labels ?? [] };

  const evaluate = async (run: Run, empty: readonly EmptyPlaces[] = []): Promise<Measured> => {
    const wanted = emptiedRun(remembered, empty);
    const values = new Set(empty.map(({ output }) => output));
    const plain = (one: RunAt, against: RunAt) => evaluateCandidate(against, one, heldOut, measure, undefined, values);
    const ahead = lookAhead(run, inputs, heldOut, rows);
    const isPlain = taught.length === 0 || (metric && dropBy === "distance");
    if (isPlain) return { ...(await plain(ahead, wanted)), distance: undefined };
    const found = await divergence(taught, wanted, ahead, plain);
    if (metric || dropBy === "answers") return found;
    return { ...found, drop: { kind: "divergence", name: distanceName, ...noScores, value: found.distance } };
  };
  const distanceName = distanceFrom(taught, dropBy === "distance" ? "the teacher's outputs" : "the original's outputs");
  // also refuses labels and outputs that do not fit, before anything is trained
  const own = await evaluate(reference);
  const { kind, name } = own.drop;
  /** The number that training is judged by. */
  const measuredBy = ({ drop, distance }: Measured): number => {
    if (drop.kind === "metric") return drop.candidate!;
    return distance ?? (drop.kind === "disagreement" ? 1 - drop.value : drop.value);
  };
  const bySharedAnswers = kind === "disagreement" && own.distance === undefined;
  return {
    measure: metric
      ? { name: metric.name, higherIsBetter: metric.higherIsBetter }
      : bySharedAnswers
        ? { name: "top-1 agreement", higherIsBetter: true }
        : { name: own.distance === undefined ? name : distanceName, higherIsBetter: false },
    metric: metric ? { name: metric.name, higherIsBetter: metric.higherIsBetter } : null,
    evaluate,
    async score(run) {
      const found = await evaluate(run);
      const { agreement, drop, distance } = found;
      const { topOne, sqnrDb } = agreement.total;
      const details = {
        ...(topOne && topOne.total > 0 ? { agreement: topOne.agree / topOne.total } : {}),
        ...(Number.isFinite(sqnrDb) ? { sqnrDb } : {}),
      };
      const value = measuredBy(found);
      if (drop.kind === "metric") {
        const tie = distance !== undefined && Number.isFinite(distance) ? { tie: -distance } : {};
        return { value, higherIsBetter: metric!.higherIsBetter, details, ...tie };
      }
      return bySharedAnswers
        ? { value, higherIsBetter: true, details, ...(Number.isFinite(sqnrDb) ? { tie: sqnrDb } : {}) }
        : { value, higherIsBetter: false, details };
    },
    row(evaluation) {
      const { drop } = evaluation ?? own;
      const total = evaluation?.agreement.total;
      const metric = evaluation ? drop.candidate : drop.reference;
      return {
        metric,
        measured: measure ? metric : evaluation ? measuredBy(evaluation) : null,
        agreement: total
          ? {
              topOne: total.topOne && total.topOne.total > 0 ? total.topOne.agree / total.topOne.total : null,
              sqnrDb: Number.isFinite(total.sqnrDb) ? total.sqnrDb : null,
            }
          : null,
      };
    },
  };
}

/** Whether training did harm: by the metric, else by how far outputs are from the reference's, else by what was lost. */
export function isWorse(after: Measured, before: Measured): boolean {
  const byMetric = after.drop.kind === "metric" || after.distance === undefined || before.distance === undefined;
  return byMetric ? after.drop.value > before.drop.value : after.distance > before.distance;
}

/** The metric that labels call for: of the output that they are for. A metric of the user's is taken as it is. */
export function metricFor(metric: Metric | undefined, outputs: readonly ModelOutput[]): Metric | undefined {
  const own = outputs.find(({ labelled }) => labelled);
  return metric === topOneAccuracy && own ? topOneAccuracyOf(own.name, own.axis, outputs.length > 1) : metric;
}

const noScores = { reference: null, candidate: null };

/** An evaluation, and how far outputs are from the reference's. */
async function divergence(
  taught: readonly ModelOutput[],
  reference: RunAt,
  candidate: RunAt,
  evaluation: (run: RunAt, wanted: RunAt) => Promise<Evaluation>,
): Promise<Evaluation & { readonly distance: number }> {
  const damage = emptyDamage(taught.map(({ name, kind, axis }) => ({ value: name, kind, axis })));
  let expected: ReadonlyMap<string, Tensor> = new Map();
  let fits = true;
  // samples are compared one by one, the reference first
  const found = await evaluation(
    async (feeds, at) => {
      const found = await candidate(feeds, at);
      fits &&= taught.every(({ name }) => found.get(name)?.data.length === expected.get(name)!.data.length);
      if (fits) damage.add(logitsOf(taught, expected), logitsOf(taught, found));
      return found;
    },
    async (feeds, at) => {
      expected = await reference(feeds, at);
      return expected;
    },
  );
  return { ...found, distance: fits ? damage.mean() : Number.POSITIVE_INFINITY };
}

function distanceFrom(taught: readonly ModelOutput[], whose: string): string {
  const kinds = new Set(taught.map(({ kind }) => kind));
  const name = kinds.size > 1 ? "distance from" : kinds.has("classes") ? "KL from" : "noise over signal of";
  return `${name} ${whose}`;
}

/** Outputs with logarithms instead of probabilities, which do as logits. */
function logitsOf(taught: readonly ModelOutput[], outputs: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  return new Map(
    taught.map(({ name, value, kind }) => {
      const tensor = outputs.get(name)!;
      if (kind === "values" || value === name) return [name, tensor];
      const shares = Float32Array.from(numbersOf(tensor));
      // a LogSoftmax gives them itself
      if (shares.some((share) => share < 0)) return [name, tensor];
      const data = shares.map((share) => Math.log(Math.max(share, 1e-30)));
      return [name, { dtype: "float32", shape: tensor.shape, data }];
    }),
  );
}

/** Outputs of the reference, several samples at a time, remembered while they are few. */
function rememberAhead(reference: Run, inputs: readonly DeclaredInput[], heldOut: LabelledSamples): RunAt {
  const ahead = lookAhead(reference, inputs, heldOut, rows);
  let at = 0;
  // what is remembered is asked for by the sample, what runs by its number
  const remembered = rememberOutputs((feeds) => ahead(feeds, at), maxRemembered);
  return (feeds, number) => {
    at = number;
    return remembered(feeds, number);
  };
}

/** CPU time of a model over that of a file; null with --speed-seconds 0. It takes so long, or `most` seconds. */
export async function speedOf(
  original: string,
  candidate: string | (() => Promise<Session>),
  sample: Batch,
  options: Options,
  most = Number.POSITIVE_INFINITY,
): Promise<RatioVerdict | null> {
  const seconds = Math.min(most, options["speedSeconds"] as number);
  if (seconds === 0) return null;
  const before = await openSession(original);
  try {
    const after = await (typeof candidate === "string" ? openSession(candidate) : candidate());
    try {
      return await compareSpeed(before.run, after.run, sample, seconds);
    } finally {
      await after.close();
    }
  } finally {
    await before.close();
  }
}

/** Seconds for a look at the speed of a student before it is trained. */
const speedLook = 1;

/** What is to be known before training of a student of lower rank, of whose time its maker only has an estimate. */
export async function slownessOf(
  teacher: string,
  { isNear, open }: Pick<Student, "isNear" | "open">,
  sample: Batch,
  options: Options,
): Promise<readonly string[]> {
  return isNear ? slowerWords(await speedOf(teacher, () => open(1), sample, options, speedLook)) : [];
}

export function slowerWords(speed: RatioVerdict | null): readonly string[] {
  if (speed?.verdict !== "slower" || speed.ratio === null) return [];
  return [
    `the student takes ${speed.ratio.toFixed(2)} of the teacher's CPU time on a sample: products of lower rank are smaller, but twice as many; one of fewer layers (--student-layers) is faster`,
  ];
}

/** What is said where training did harm, and what was written instead. */
export function noGain(what: string): string {
  return `training made it worse on the held-out samples, so ${what} was written; a lower --rate, more steps or more samples may help`;
}

/** What the user must know of a finished run. */
export function warningsOf(agreement: Agreement, { bestStep, evaluations }: TrainingCourse): readonly string[] {
  return [
    ...(isBroken(agreement) ? ["some outputs of the result are not finite, or of another shape"] : []),
    ...(bestStep === null
      ? [
          evaluations.length === 0
            ? "training ended before its first measurement on held-out samples; the last weights were kept"
            : "no measurement on held-out samples was a number; the last weights were kept",
        ]
      : []),
  ];
}
