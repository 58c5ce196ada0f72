import { defaultMix, isLayerTerm, type LossMix, parseMix, termWords } from "../distill/mix.js";
import { type LayerPair, type OutputPair, outputsOf, pairsOf } from "../distill/objective.js";
import type { ModelOutput } from "../distill/outputs.js";
import { UserError } from "../errors.js";
import type { Run } from "../evaluate/agreement.js";
import type { LossPart } from "../render/training-result.js";
import type { Tensor } from "../tensor/tensor.js";

/** Classes from which on only the likeliest are kept of the teacher. */
export const manyClasses = 1024;

/** Whether the likeliest classes are all that the mix wants: only soft targets, over the last axis. */
export function usesTop(mix: LossMix, pair: OutputPair, outputs: readonly ModelOutput[]): boolean {
  const { shape } = outputs.find(({ value }) => value === pair.teacher)!;
  return mix.has("soft") && !mix.has("reverse") && !mix.has("jsd") && pair.axis === shape.length - 1;
}

/** Shapes of the floats among outputs. */
export function shapesOf(outputs: ReadonlyMap<string, Tensor>): ReadonlyMap<string, readonly number[]> {
  return new Map(
    [...outputs].flatMap(([name, { dtype, shape }]) => (dtype.startsWith("float") ? [[name, shape] as const] : [])),
  );
}

/** Gives the student's outputs the names of the teacher's. */
export function renamed(pairs: readonly OutputPair[], teacher: readonly ModelOutput[]): (run: Run) => Run {
  const names = new Map(pairs.map((pair) => [pair.name, teacher.find(({ value }) => value === pair.teacher)!.name]));
  return (run) => async (feeds) =>
    new Map([...(await run(feeds))].map(([name, tensor]) => [names.get(name) ?? name, tensor]));
}

/** The mix of the losses; without --loss what outputs and labels call for. */
export function mixOf(text: string | undefined, pairs: readonly OutputPair[], labelled: boolean): LossMix {
  const mix = text === undefined ? defaultMix(pairs, labelled) : parseMix(text);
  if (mix.has("hard") && !labelled) throw new UserError("--loss hard: give the labels with --labels");
  const needsClasses = ([...mix.keys()] as readonly string[]).find((term) => ["soft", "reverse", "jsd"].includes(term));
  if (needsClasses !== undefined && !pairs.some(({ kind }) => kind === "classes")) {
    throw new UserError(
      `--loss ${needsClasses}: the outputs are no distributions over classes (no Softmax, no --labels); mse compares values`,
    );
  }
  return mix;
}

/** What each term compares, for reports. */
export function lossesOf(
  mix: LossMix,
  pairs: readonly OutputPair[],
  layers: readonly LayerPair[],
): readonly LossPart[] {
  return [...mix].map(([term, weight]) => {
    const compared: readonly { readonly student: string; readonly teacher: string }[] = isLayerTerm(term)
      ? pairsOf(term, layers)
      : outputsOf(term, pairs);
    if (compared.length === 0) {
      throw new UserError(`--loss ${term}: no such layers of teacher and student were found; name values with --pairs`);
    }
    const shown = term === "hard" ? compared.slice(0, 1) : compared;
    return {
      term,
      weight,
      words: termWords[term],
      pairs: shown.map(({ student, teacher }) => ({ student, teacher: term === "hard" ? "labels" : teacher })),
    };
  });
}
