import type { Options } from "../cli.js";
import type { Batch } from "../data/batch.js";
import { UserError } from "../errors.js";
import type { EmptyPlaces } from "../evaluate/empty-places.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { checkGraphs } from "../graph/check.js";
import { cloneModel } from "../graph/clone.js";
import { fillWeights } from "../graph/fill-weights.js";
import { fuseNormalisations } from "../graph/fuse-normalisations.js";
import { normalise } from "../graph/normalise/index.js";
import { raiseOpset } from "../graph/opset.js";
import { analyseModel } from "../prune/analyse.js";
import { type CostModel, createCostModel } from "../prune/costs.js";
import { type Groups, groupChannels } from "../prune/groups.js";
import type { Removed } from "../prune/plan.js";
import { emptyPlaces } from "../prune/states.js";
import type { Structure } from "../prune/structure.js";
import { formatNumberOf } from "../render/quantities.js";
import { refuseQuantized } from "./compress-refusals.js";
import type { ModelFile } from "./model-files.js";

/** A model that is to lose channels, and which could go. */
export interface Subject {
  readonly structure: Structure;
  readonly groups: Groups;
  readonly costs: CostModel;
  /** What brought the file into the form that is pruned, one line each. */
  readonly notes: readonly string[];
  /** Where its outputs have nothing but zeros already. */
  readonly empty: readonly EmptyPlaces[];
}

/** Where outputs of a model without these channels have zeros, for units of the states behind them went. */
export function emptyPlacesOf({ states, labels }: Structure, removed: Removed): readonly EmptyPlaces[] {
  return emptyPlaces(states, (label) => removed.has(labels.find(label)));
}

/**
 * Makes a model ready: changes `source.model`. The shapes of the first sample decide what is counted; others are for
 * branches that it does not take. `empty` is where earlier rounds left zeros in its outputs.
 */
export async function openSubject(
  { path, model, readExternal }: Pick<ModelFile, "path" | "model" | "readExternal">,
  options: Options,
  samples: readonly Batch[],
  empty: readonly EmptyPlaces[] = [],
): Promise<Subject> {
  checkGraphs(model, path);
  refuseQuantized(path, model, "prune the float model that it was made of, and quantize that with --int8");
  const constantInputs = options["freezeInputs"] ? "freeze" : "keep";
  // scales of normalisations are there to be looked at
  const leave = options["criterion"] === "bn" ? ["affine"] : [];
  const { passes } = normalise(model, readExternal, { constantInputs, leave });
  const filled = fillWeights(model, readExternal);
  // weights that are equal because all of their elements are have nothing else in common
  if (filled > 0) normalise(model, readExternal, { constantInputs, leave: [...leave, "tied"] });
  raiseOpset(model, path, 13, readExternal);
  const { fused, model: whole } = withFused(model, path, readExternal);
  const [first, ...others] = samples as [Batch, ...Batch[]];
  const structure = await analyseModel(whole, first, readExternal, others);
  const notes = passes.map(({ words }) => words);
  if (filled > 0) notes.push(`${formatNumberOf(filled, "weight")} of equal elements (ConstantOfShape) written out`);
  if (fused > 0) notes.push(`${formatNumberOf(fused, "hand-written normalisation")} became one node each`);
  return { structure, groups: groupChannels(structure), costs: createCostModel(structure), notes, empty };
}

/** Hand-written normalisations as one node each, where the model can be raised to the opset that has it. */
function withFused(model: ModelProto, path: string, readExternal: ReadExternal) {
  const copy = cloneModel(model);
  const fused = fuseNormalisations(copy, readExternal);
  if (fused === 0) return { fused, model };
  try {
    raiseOpset(copy, path, 17, readExternal);
    return { fused, model: copy };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { fused: 0, model };
  }
}
