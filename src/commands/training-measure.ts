import type { RatioVerdict } from "../bench/compare/verdict.js";
import type { Options } from "../cli.js";
import type { Batch, DeclaredInput } from "../data/batch.js";
import { lookAhead } from "../data/look-ahead.js";
import { openSession } from "../engine/session.js";
import { type Agreement, isBroken, type Run, type RunAt } from "../evaluate/agreement.js";
import { type Evaluation, evaluateCandidate, rememberOutputs } from "../evaluate/drop.js";
import type { Metric } from "../evaluate/metric.js";
import type { ModelScore, TrainingCourse } from "../render/training-result.js";
import type { Score } from "../train/task.js";
import { compareSpeed } from "./compress-speed.js";
import type { LabelledSamples } from "./training-samples.js";

/** Outputs of the reference that are kept, in bytes. */
const maxRemembered = 256e6;

/** Samples that are run at once. */
const rows = 64;

/** Measures models against a reference (the teacher, the float model) on held-out samples. */
export interface Gauge {
  readonly measure: { readonly name: string; readonly higherIsBetter: boolean };
  readonly metric: { readonly name: string; readonly higherIsBetter: boolean } | null;
  /** How a model does that runs like this. */
  evaluate(run: Run): Promise<Evaluation>;
  /** The same as one number. */
  score(run: Run): Promise<Score>;
  /** What of an evaluation stands in reports; of the reference itself without one. */
  row(evaluation: Evaluation | undefined): Pick<ModelScore, "metric" | "agreement">;
}

/** `reference` is what models are held against. */
export async function openGauge(
  reference: Run,
  inputs: readonly DeclaredInput[],
  heldOut: LabelledSamples,
  metric: Metric | undefined,
): Promise<Gauge> {
  const remembered: RunAt = rememberAhead(reference, inputs, heldOut);
  const measure = metric && { metric, labels: heldOut.labels ?? [] };
  const evaluate = (run: Run) => evaluateCandidate(remembered, lookAhead(run, inputs, heldOut, rows), heldOut, measure);
  // also refuses labels and outputs that do not fit, before anything is trained
  const own = await evaluate(reference);
  const { kind, name } = own.drop;
  return {
    measure: metric
      ? { name: metric.name, higherIsBetter: metric.higherIsBetter }
      : { name: kind === "disagreement" ? "top-1 agreement" : name, higherIsBetter: kind === "disagreement" },
    metric: metric ? { name: metric.name, higherIsBetter: metric.higherIsBetter } : null,
    evaluate,
    async score(run) {
      const { agreement, drop } = await evaluate(run);
      const { topOne, sqnrDb } = agreement.total;
      const details = {
        ...(topOne && topOne.total > 0 ? { agreement: topOne.agree / topOne.total } : {}),
        ...(Number.isFinite(sqnrDb) ? { sqnrDb } : {}),
      };
      if (drop.kind === "metric") {
        return { value: drop.candidate!, higherIsBetter: metric!.higherIsBetter, details };
      }
      return drop.kind === "disagreement"
        ? { value: 1 - drop.value, higherIsBetter: true, details, ...(Number.isFinite(sqnrDb) ? { tie: sqnrDb } : {}) }
        : { value: drop.value, higherIsBetter: false, details };
    },
    row(evaluation) {
      const { drop } = evaluation ?? own;
      const total = evaluation?.agreement.total;
      return {
        metric: evaluation ? drop.candidate : drop.reference,
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

/** CPU time of a file over another's; null with --speed-seconds 0. */
export async function speedOf(
  original: string,
  candidate: string,
  sample: Batch,
  options: Options,
): Promise<RatioVerdict | null> {
  const seconds = options["speedSeconds"] as number;
  if (seconds === 0) return null;
  const before = await openSession(original);
  try {
    const after = await openSession(candidate);
    try {
      return await compareSpeed(before.run, after.run, sample, seconds);
    } finally {
      await after.close();
    }
  } finally {
    await before.close();
  }
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
