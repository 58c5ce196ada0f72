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
import type { Tensor } from "../tensor/tensor.js";

/** Rounding, even that of half precision, stays below: models that are further apart compute something else. */
const farthest = 0.05;

/**
 * How far a pruned model is from the model with the same channels zeroed, which is computed without any slicing: the
 * largest difference on any sample at the outputs (before a last sigmoid, softmax or comparison), and that over the largest
 * number there. Null where none of them can be compared. Throws a UserError where the pruned model cannot be run, or
 * computes something else: then slicing is wrong.
 */
export async function exactnessOf(
  structure: Structure,
  removed: Removed,
  pruned: ModelProto,
  readExternal: ReadExternal,
  samples: readonly Batch[],
): Promise<PruneVerification["exactness"]> {
  const states = structure.states.flatMap(({ name, kind }) => (kind === "output" ? [name] : []));
  const values = [...new Set([...comparableValues(structure.model), ...states])];
  const run = async (model: ModelProto) => {
    let session: Session | undefined;
    try {
      session = await openSession(valuesModel(model, values, readExternal));
      const results: ReadonlyMap<string, Tensor>[] = [];
      for (const sample of samples) results.push(await session.run(sample));
      return results;
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
  for (const [at, outputs] of wanted.entries()) {
    for (const [name, tensor] of outputs) {
      const apart = tensor.dtype.startsWith("float") ? apartBy(tensor, found[at]!.get(name)!) : undefined;
      if (!apart) continue;
      isCompared = true;
      if (Math.min(apart.maxAbs, apart.relative) > farthest) {
        const share = apart.relative.toPrecision(2);
        throw wrong(`differs from the original with the same channels zeroed by ${share} of its outputs`);
      }
      maxAbs = Math.max(maxAbs, apart.maxAbs);
      relative = Math.max(relative, apart.relative);
    }
  }
  return isCompared ? { maxAbs, relative } : null;
}

/** Undefined for a value inside that lost channels; outputs are as long as they were. */
function apartBy(wanted: Tensor, found: Tensor): { readonly maxAbs: number; readonly relative: number } | undefined {
  const [p, q] = [numbersOf(wanted), numbersOf(found)];
  if (p.length !== q.length) return undefined;
  let [maxAbs, largest] = [0, 0];
  for (let at = 0; at < p.length; at++) {
    const apart = Math.abs(p[at]! - q[at]!);
    // both not a number, or the same infinity
    if (Object.is(p[at], q[at])) continue;
    maxAbs = Math.max(maxAbs, Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart);
    if (Math.abs(p[at]!) > largest) largest = Math.abs(p[at]!);
  }
  return { maxAbs, relative: maxAbs / Math.max(largest, 1e-30) };
}

/** What nobody should see: some operator was followed in a way that does not hold for this model. */
function wrong(what: string): UserError {
  const remedy = "leave its odd layers out with --keep; this is a mistake of deepseek, please report it";
  return new UserError(`the pruned model ${what}, so it is not written: ${remedy}`);
}
