import type { Batch } from "../data/batch.js";
import type { Label } from "../data/labels.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Agreement, compareOutputs, type Run, type RunAt } from "./agreement.js";
import type { Metric } from "./metric.js";

/** What a candidate lost against the reference, as one number. */
export interface Drop {
  /**
   * `metric`: a score on labelled samples. Without labels, how far the candidate is from the reference: `disagreement`
   * is the share of positions with another top-1 class, `noise` the mean squared error over the mean square.
   */
  readonly kind: "metric" | "disagreement" | "noise";
  /** What was measured, in words. */
  readonly name: string;
  /** Scores of both sides; null without a metric. */
  readonly reference: number | null;
  readonly candidate: number | null;
  /** The loss: 0.02 = 2 %. Relative where higher scores are better, in points for an error rate. */
  readonly value: number;
}

/** Samples that can be read one at a time, as often as wanted. */
export interface ReadableSamples {
  readonly count: number;
  read(at: number): Batch | Promise<Batch>;
}

/** Agreement and loss of a candidate, from one pass over the samples. */
export interface Evaluation {
  readonly agreement: Agreement;
  readonly drop: Drop;
}

/** Runs both models on the samples. With a metric the loss is that of its score, else that of the agreement. */
export async function evaluateCandidate(
  reference: RunAt,
  candidate: RunAt,
  samples: ReadableSamples,
  measure: { readonly metric: Metric; readonly labels: readonly (Label | undefined)[] } | undefined,
  onSample: (done: number) => void = () => {},
  values?: ReadonlySet<string>,
): Promise<Evaluation> {
  const [before, after] = [emptyScore(), emptyScore()];
  const scored =
    (run: RunAt, score: Score): RunAt =>
    async (feeds, at) => {
      const outputs = await run(feeds, at);
      if (measure) addScore(score, measure.metric, { at, feeds, outputs, label: measure.labels[at] });
      return outputs;
    };
  const agreement = await compareOutputs(
    scored(reference, before),
    scored(candidate, after),
    samples,
    onSample,
    values,
  );
  if (!measure) return { agreement, drop: dropOfAgreement(agreement) };
  const { name, higherIsBetter } = measure.metric;
  const scores = { reference: meanOf(before), candidate: meanOf(after) };
  const value = higherIsBetter
    ? scores.reference === 0
      ? 0
      : (scores.reference - scores.candidate) / Math.abs(scores.reference)
    : scores.candidate - scores.reference;
  return { agreement, drop: { kind: "metric", name, ...scores, value } };
}

/** The loss that outputs alone show: the share of changed classes where there are classes, else the noise. */
export function dropOfAgreement({ total }: Agreement): Drop {
  const { topOne, sqnrDb } = total;
  const none = { reference: null, candidate: null };
  if (topOne && topOne.total > 0) {
    const value = 1 - topOne.agree / topOne.total;
    return { kind: "disagreement", name: "top-1 disagreement with the original", ...none, value };
  }
  // no elements: nothing was lost that could be measured
  const value = total.elements === 0 ? 0 : 10 ** (-sqnrDb / 10);
  return { kind: "noise", name: "noise power over signal power, against the original", ...none, value };
}

/** A model's outputs for each sample, kept while they are few, so that later candidates need no second run of it. */
export function rememberOutputs(run: Run, maxBytes: number): RunAt {
  const kept = new Map<number, ReadonlyMap<string, Tensor>>();
  let bytes = 0;
  return async (feeds, at) => {
    const found = kept.get(at);
    if (found) return found;
    const outputs = await run(feeds);
    for (const { data } of outputs.values()) bytes += ArrayBuffer.isView(data) ? data.byteLength : 0;
    if (bytes <= maxBytes) kept.set(at, outputs);
    return outputs;
  };
}

interface Score {
  sum: number;
  weight: number;
}

function emptyScore(): Score {
  return { sum: 0, weight: 0 };
}

function addScore(score: Score, metric: Metric, sample: Parameters<Metric["score"]>[0]): void {
  const { value, weight } = metric.score(sample);
  score.sum += value * weight;
  score.weight += weight;
}

function meanOf({ sum, weight }: Score): number {
  return weight === 0 ? 0 : sum / weight;
}
