import type { Batch } from "../data/batch.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { viewModel } from "../graph/scope.js";
import { elementCount } from "../tensor/tensor.js";
import { findForms } from "./branch-forms.js";
import { feedsForBranches } from "./branches.js";
import type { Rows } from "./row.js";
import { rows as usualRows } from "./rows/index.js";
import { followAxes, type Structure } from "./structure.js";

/**
 * What can be removed from a model for inputs of these shapes. The model must be as normalisation leaves it. Nodes that can
 * be read in several ways are read in the one that leaves most of the parameters prunable. Branches that these inputs do
 * not take are looked at for `others` that take them, else for made-up ones.
 */
export async function analyseModel(
  model: ModelProto,
  feeds: Batch,
  readExternal: ReadExternal,
  others: readonly Batch[] = [],
  rows: Rows = usualRows,
): Promise<Structure> {
  const view = viewModel(model);
  const taking = await feedsForBranches(model, view, [feeds, ...others], readExternal);
  const { forms, untaken } = await findForms(model, view, taking, readExternal);
  const read = (readings: ReadonlyMap<string, number>) => {
    const { structure, options } = followAxes(model, forms, view, rows, readExternal, readings);
    return { structure, options, freedom: freedomOf(structure), readings };
  };
  let best = read(new Map());
  for (const [signature, count] of best.options) {
    for (let way = 1; way < count; way++) {
      const other = read(new Map([...best.readings, [signature, way]]));
      if (other.freedom > best.freedom) best = other;
    }
  }
  return { ...best.structure, feeds: taking, untaken };
}

/**
 * How much of the axes of weights can go, in elements. Tables that only sums and factors read do not count: whole heads
 * are read before what is inside them, where both leave the same of the weights.
 */
function freedomOf({ contractions, tensors, labels }: Pick<Structure, "contractions" | "tensors" | "labels">): number {
  const weights = new Set(contractions.flatMap(({ weight }) => weight?.tensor ?? []));
  let freedom = 0;
  for (const weight of weights) {
    const elements = elementCount(weight.dims.map(Number));
    for (const axis of tensors.get(weight)!) {
      if (!axis) continue;
      const free = axis.reduce((count, label) => count + (labels.frozenBy(label) ? 0 : 1), 0);
      freedom += (elements * free) / axis.length;
    }
  }
  return freedom;
}
