import type { Batch } from "../data/batch.js";
import { numbersOf } from "../tensor/numbers.js";
import { formatShape, type Tensor } from "../tensor/tensor.js";
import {
  addErrors,
  addSums,
  cosineOf,
  type ErrorSums,
  emptySums,
  sqnrOf,
  type TopOne,
  topOneAgreement,
} from "./metrics.js";

/** How near a candidate's output is to the reference's; the measures are those of metrics.ts. */
export interface AgreementSummary {
  readonly elements: number;
  /** Every compared element is equal, and there was one. */
  readonly identical: boolean;
  /** dB; Infinity when every element is equal. */
  readonly sqnrDb: number;
  readonly cosine: number;
  readonly maxAbsError: number;
  /** Where the last axis can be one of classes: rank 1 to 3 with at least 2 elements in it. */
  readonly topOne?: TopOne;
  /** Elements that are infinite or not a number. */
  readonly nonFinite: { readonly reference: number; readonly candidate: number };
}

/** One output, over all samples. */
export interface OutputAgreement extends AgreementSummary {
  readonly name: string;
  /** Why samples could not be compared: the output is missing, or has another shape. The measures leave them out. */
  readonly problem?: string;
}

/** All outputs, over all samples. */
export interface Agreement {
  readonly samples: number;
  readonly outputs: readonly OutputAgreement[];
  /** Over the elements of all outputs together. */
  readonly total: AgreementSummary;
}

/** The problem of an output whose strings differ. */
const otherText = "holds other text";

/** One inference: a session's `run`. */
export type Run = (feeds: Batch) => Promise<ReadonlyMap<string, Tensor>>;

/** A run that is told which sample it gets, so that it can remember what came of it. */
export type RunAt = (feeds: Batch, at: number) => Promise<ReadonlyMap<string, Tensor>>;

interface OutputState {
  readonly sums: ErrorSums;
  topOne: TopOne | undefined;
  problem: string | undefined;
}

/**
 * Runs reference and candidate on the same samples, one at a time, and compares every output of the reference with
 * the candidate's of the same name. `onSample` is told how many samples are done; in `values` nobody looks for classes.
 */
export async function compareOutputs(
  reference: RunAt,
  candidate: RunAt,
  samples: { readonly count: number; read(at: number): Batch | Promise<Batch> },
  onSample: (done: number) => void = () => {},
  values: ReadonlySet<string> = new Set(),
): Promise<Agreement> {
  const states = new Map<string, OutputState>();
  for (let at = 0; at < samples.count; at++) {
    const batch = await samples.read(at);
    const expected = await reference(batch, at);
    const found = await candidate(batch, at);
    for (const [name, tensor] of expected) {
      const state = states.get(name) ?? { sums: emptySums(), topOne: undefined, problem: undefined };
      states.set(name, state);
      addOutput(state, tensor, found.get(name), !values.has(name));
    }
    onSample(at + 1);
  }
  const total = emptySums();
  let totalTopOne: TopOne | undefined;
  const outputs = [...states].map(([name, { sums, topOne, problem }]): OutputAgreement => {
    addSums(total, sums);
    totalTopOne = addTopOne(totalTopOne, topOne);
    return { name, ...summary(sums, topOne), ...(problem === undefined ? {} : { problem }) };
  });
  return { samples: samples.count, outputs, total: summary(total, totalTopOne) };
}

/** Samples that are all at hand. */
export function listed(batches: readonly Batch[]): { readonly count: number; read(at: number): Batch } {
  return { count: batches.length, read: (at) => batches[at]! };
}

function addOutput(state: OutputState, reference: Tensor, candidate: Tensor | undefined, classes: boolean): void {
  const shape = formatShape(reference.shape);
  if (!candidate) {
    state.problem ??= "the candidate has no such output";
  } else if (reference.dtype === "string" || candidate.dtype === "string") {
    if (String(reference.data) !== String(candidate.data)) state.problem ??= otherText;
  } else if (formatShape(candidate.shape) !== shape) {
    state.problem ??= `shape ${shape} in the baseline, ${formatShape(candidate.shape)} in the candidate`;
  } else {
    const expected = numbersOf(reference);
    const found = numbersOf(candidate);
    addErrors(state.sums, expected, found);
    const rank = reference.shape.length;
    if (classes && rank >= 1 && rank <= 3) {
      state.topOne = addTopOne(state.topOne, topOneAgreement(expected, found, reference.shape[rank - 1]!));
    }
  }
}

function addTopOne(one: TopOne | undefined, other: TopOne | undefined): TopOne | undefined {
  if (!one || !other) return one ?? other;
  return { agree: one.agree + other.agree, total: one.total + other.total };
}

function summary(sums: ErrorSums, topOne: TopOne | undefined): AgreementSummary {
  return {
    elements: sums.count,
    identical: sums.count > 0 && sums.noise === 0,
    sqnrDb: sqnrOf(sums),
    cosine: cosineOf(sums),
    maxAbsError: sums.maxAbsError,
    ...(topOne === undefined ? {} : { topOne }),
    nonFinite: { reference: sums.nonFiniteReference, candidate: sums.nonFiniteTest },
  };
}

/** Below this an output counts as another answer: 99 % of positions, or 20 dB (errors of a tenth of the signal). */
const minTopOneShare = 0.99;
const minSqnrDb = 20;

/** Why a candidate's outputs are not those of the baseline; undefined where they are near enough. */
export function disagreement({ outputs }: Agreement): string | undefined {
  for (const { name, problem, topOne, sqnrDb, nonFinite } of outputs) {
    const output = `output "${name}"`;
    if (problem) return `${output}: ${problem}`;
    if (nonFinite.candidate > nonFinite.reference) {
      return `${output} has ${nonFinite.candidate} infinite or undefined elements, the baseline ${nonFinite.reference}`;
    }
    // classes decide where there are some; otherwise the values must be near
    if (topOne && topOne.agree / topOne.total < minTopOneShare) {
      return `${output} picks another class in ${topOne.total - topOne.agree} of ${topOne.total} positions`;
    }
    if (!topOne && sqnrDb < minSqnrDb) return `${output} differs from the baseline (SQNR ${sqnrDb.toFixed(1)} dB)`;
  }
  return undefined;
}

/** Outputs that are missing, of another shape or not finite; another text or class is a matter of accuracy. */
export function isBroken({ outputs }: Agreement): boolean {
  return outputs.some(
    ({ problem, nonFinite }) =>
      (problem !== undefined && problem !== otherText) || nonFinite.candidate > nonFinite.reference,
  );
}
