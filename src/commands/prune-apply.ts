import type { Options } from "../cli.js";
import type { ModelProto } from "../formats/onnx.js";
import type { StoreBytes } from "../graph/stored.js";
import { compensate } from "../prune/compensate.js";
import { rows } from "../prune/rows/index.js";
import { sliceModel } from "../prune/slice.js";
import { sparsify } from "../prune/sparsity.js";
import type { Sparsity } from "../render/prune-result.js";
import type { SparsityWanted } from "./prune-options.js";
import type { Planned } from "./prune-plan.js";
import type { PruneSamples } from "./prune-samples.js";
import type { Subject } from "./prune-subject.js";

/** A plan carried out. */
export interface Applied {
  /** Without what was removed, all else as it was. */
  readonly sliced: ModelProto;
  /** Biases and scales made up for it, zeros put in where they were asked for. */
  readonly model: ModelProto;
  readonly sparsity: Sparsity | null;
  readonly notes: readonly string[];
}

/** Carries a plan out, on copies. */
export async function applyPlan(
  options: Options,
  { structure }: Subject,
  { selection, moments }: Planned,
  { looks, data }: PruneSamples,
  { store, isLast }: { readonly store: StoreBytes | undefined; readonly isLast: boolean },
): Promise<Applied> {
  const { removed } = selection;
  const sliced = removed.size > 0 ? sliceModel(structure, removed, rows, store) : structure.model;
  const notes: string[] = [];
  let model = sliced;
  if (data !== null && moments && removed.size > 0 && options["compensate"] !== false) {
    const made = await compensate(structure, removed, moments, model, { samples: looks });
    model = made.model;
    notes.push(...made.notes);
  }
  const wanted = options["sparsity"] as SparsityWanted | undefined;
  if (wanted === undefined || !isLast) return { sliced, model, sparsity: null, notes };
  const thin = sparsify(model, wanted, structure.readExternal);
  return { sliced, model: thin.model, sparsity: thin.sparsity, notes };
}
