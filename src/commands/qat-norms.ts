import type { Options } from "../cli.js";
import type { DeclaredInput } from "../data/batch.js";
import { joiningAxes } from "../data/feeds.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import type { FoldedNorm } from "../graph/normalise/pass.js";
import { scaledNorms } from "../quantize/qat/norms.js";
import type { QatJob, QatSettings } from "../quantize/qat.js";
import type { TrainingSettings } from "../train/task.js";
import { normSteps } from "./training-options.js";

/** How BatchNormalization is to be trained: noted when it is folded, and used once the model is as it will be rounded. */
export interface NormPlan {
  readonly steps: number;
  /** Filled by normalisation. */
  readonly folded: Map<string, FoldedNorm>;
  /** Why it stays as stored though it was to learn. */
  readonly refused: string | undefined;
}

/** What --freeze-norms asks for; it needs batches that have statistics of their own. */
export function planNorms(options: Options, settings: TrainingSettings, inputs: readonly DeclaredInput[]): NormPlan {
  const steps = normSteps(options, settings);
  const alone =
    joiningAxes(inputs).size === 0
      ? "the model takes one sample at a time"
      : settings.batchSize === 1
        ? "a batch is one sample"
        : undefined;
  return { steps: alone ? 0 : steps, folded: new Map(), refused: steps > 0 ? alone : undefined };
}

/** For a model whose channels were scaled after BatchNormalization was folded; biases are not corrected in it yet. */
export function normsOf(
  { steps, folded }: NormPlan,
  model: ModelProto,
  readExternal: ReadExternal,
): Pick<QatSettings, "norms"> {
  return steps === 0 ? {} : { norms: { steps, folded: scaledNorms(folded, model, readExternal) } };
}

/** What to say of it, of so many steps in all: a note, and a warning where nothing learns or nothing stands still. */
export function normWords(
  { steps, refused }: NormPlan,
  { early }: Pick<QatJob, "early">,
  all: number,
): { readonly notes: readonly string[]; readonly warnings: readonly string[] } {
  const without = (why: string) => ({
    notes: [],
    warnings: [`without effect: --freeze-norms: ${why}, so BatchNormalization is as stored`],
  });
  if (refused !== undefined) return without(refused);
  if (steps === 0) return { notes: [], warnings: [] };
  if (!early) {
    return {
      notes: [],
      warnings: [
        "without effect: --freeze-norms: no BatchNormalization lies behind a weight that is rounded and trains",
      ],
    };
  }
  const which = early.norms === 1 ? "1 BatchNormalization takes" : `${early.norms} BatchNormalizations take`;
  return {
    notes: [`${which} the statistics of the batches for the first ${early.steps} steps`],
    warnings:
      early.steps < all
        ? []
        : [`--freeze-norms: BatchNormalization learns in all ${all} steps, so nothing trains as it is stored; try 50%`],
  };
}
