import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { viewModel } from "../graph/scope.js";
import { elementCount, type Tensor } from "../tensor/tensor.js";
import type { Rows } from "./row.js";
import { rows as usualRows } from "./rows/index.js";
import { findForms } from "./shapes.js";
import { followAxes, type Structure } from "./structure.js";

/**
 * What can be removed from a model for inputs of these shapes. The model must be as normalisation leaves it. Nodes that can
 * be read in several ways are read in the one that leaves most of the parameters prunable.
 */
export async function analyseModel(
  model: ModelProto,
  feeds: ReadonlyMap<string, Tensor>,
  readExternal: ReadExternal,
  rows: Rows = usualRows,
): Promise<Structure> {
  const view = viewModel(model);
  const forms = await findForms(model, view, feeds, readExternal);
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
  return best.structure;
}

/**
 * How much of the axes of weights can go, in elements. Tables that only sums and factors read do not count: whole heads
 * are read before what is inside them, where both leave the same of the weights.
 */
function freedomOf({ contractions, tensors, labels }: Structure): number {
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
