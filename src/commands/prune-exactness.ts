import type { Batch } from "../data/batch.js";
import { valuesModel } from "../distill/damage.js";
import { openSession, type Session } from "../engine/session.js";
import { UserError } from "../errors.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { comparableValues } from "../prune/comparable.js";
import type { Removed } from "../prune/plan.js";
import { rows } from "../prune/rows/index.js";
import type { Structure } from "../prune/structure.js";
import { zeroedModel } from "../prune/zeroed.js";
import type { PruneVerification } from "../render/prune-result.js";
import { numbersOf } from "../tensor/numbers.js";

/** Rounding, even that of half precision, stays below: models that are further apart compute something else. */
const farthest = 0.05;

/**
 * How far a pruned model is from the model with the same channels zeroed, which is computed without any slicing: the
 * largest difference on a sample at the outputs (before a last sigmoid, softmax or comparison), and that over the largest
 * number there. Null where none of them can be compared. Throws a UserError where the pruned model cannot be run, or
 * computes something else: then slicing is wrong.
 */
export async function exactnessOf(
  structure: Structure,
  removed: Removed,
  pruned: ModelProto,
  readExternal: ReadExternal,
  sample: Batch,
): Promise<PruneVerification["exactness"]> {
  const values = comparableValues(structure.model);
  const run = async (model: ModelProto) => {
    let session: Session | undefined;
    try {
      session = await openSession(valuesModel(model, values, readExternal));
      return await session.run(sample);
    } finally {
      await session?.close();
    }
  };
  const wanted = await run(zeroedModel(structure, removed, rows));
  const found = await run(pruned).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    throw wrong(`cannot be run (${error.message})`);
  });
  let [maxAbs, relative] = [0, 0];
  let isCompared = false;
  for (const [name, tensor] of wanted) {
    if (!tensor.dtype.startsWith("float")) continue;
    const [p, q] = [numbersOf(tensor), numbersOf(found.get(name)!)];
    // a value inside that lost channels; outputs are as long as they were
    if (p.length !== q.length) continue;
    isCompared = true;
    let [difference, largest] = [0, 0];
    for (let at = 0; at < p.length; at++) {
      const apart = Math.abs(p[at]! - q[at]!);
      // both not a number, or the same infinity
      if (Object.is(p[at], q[at])) continue;
      difference = Math.max(difference, Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart);
      if (Math.abs(p[at]!) > largest) largest = Math.abs(p[at]!);
    }
    maxAbs = Math.max(maxAbs, difference);
    relative = Math.max(relative, difference / Math.max(largest, 1e-30));
  }
  if (Math.min(maxAbs, relative) > farthest) {
    throw wrong(`differs from the original with the same channels zeroed by ${relative.toPrecision(2)} of its outputs`);
  }
  return isCompared ? { maxAbs, relative } : null;
}

/** What nobody should see: some operator was followed in a way that does not hold for this model. */
function wrong(what: string): UserError {
  const remedy = "leave its odd layers out with --keep; this is a mistake of deepseek, please report it";
  return new UserError(`the pruned model ${what}, so it is not written: ${remedy}`);
}
