import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { viewModel } from "../graph/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { createCostModel } from "./costs.js";
import type { Rows } from "./row.js";
import { rows as usualRows } from "./rows/index.js";
import { findForms } from "./shapes.js";
import { followAxes, type Structure } from "./structure.js";

/** The first way of reading (whole heads) is left for one with this much more of the parameters prunable. */
const worthIt = 0.02;

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
    const { prunable, whole } = createCostModel(structure);
    return { structure, options, prunable, readings, more: worthIt * whole.parameters };
  };
  let best = read(new Map());
  for (const [signature, count] of best.options) {
    for (let way = 1; way < count; way++) {
      const other = read(new Map([...best.readings, [signature, way]]));
      if (other.prunable > best.prunable + best.more) best = other;
    }
  }
  return best.structure;
}
