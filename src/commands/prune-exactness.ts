import type { Batch } from "../data/batch.js";
import { valuesModel } from "../distill/damage.js";
import type { ModelOutput } from "../distill/outputs.js";
import { openSession, type Session } from "../engine/session.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { isStandard } from "../graph/node.js";
import type { Removed } from "../prune/plan.js";
import { rows } from "../prune/rows/index.js";
import type { Structure } from "../prune/structure.js";
import { zeroedModel } from "../prune/zeroed.js";
import type { PruneVerification } from "../render/prune-result.js";
import { numbersOf } from "../tensor/numbers.js";

/**
 * How far a pruned model is from the model with the same channels zeroed, which is computed without any slicing: the largest
 * difference of any output (logits where it is their softmax or sigmoid) on a sample, and that over the output's largest
 * number. Throws an Error where the pruned model cannot be run: then slicing is wrong.
 */
export async function exactnessOf(
  structure: Structure,
  removed: Removed,
  pruned: ModelProto,
  readExternal: ReadExternal,
  sample: Batch,
  outputs: readonly ModelOutput[],
): Promise<NonNullable<PruneVerification["exactness"]>> {
  // a softmax or sigmoid at the end would hide differences, or blow them up
  const values = outputs.map(({ value }) => beforeSigmoid(structure.model, value));
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
  const found = await run(pruned);
  let [maxAbs, relative] = [0, 0];
  for (const [name, tensor] of wanted) {
    if (!tensor.dtype.startsWith("float")) continue;
    const [p, q] = [numbersOf(tensor), numbersOf(found.get(name)!)];
    if (p.length !== q.length) throw new Error(`output ${name} of the pruned model has another shape`);
    let [difference, largest] = [0, 0];
    for (let at = 0; at < p.length; at++) {
      const apart = Math.abs(p[at]! - q[at]!);
      // both not a number, or the same infinity
      if (Object.is(p[at], q[at])) continue;
      if (!(apart <= difference)) difference = apart;
      if (Math.abs(p[at]!) > largest) largest = Math.abs(p[at]!);
    }
    maxAbs = Math.max(maxAbs, difference);
    relative = Math.max(relative, difference / Math.max(largest, 1e-30));
  }
  return { maxAbs, relative };
}

/** The input of the Sigmoid that makes a value, where another node makes that; the value itself where none does. */
function beforeSigmoid({ graph }: ModelProto, value: string): string {
  const makerOf = (name: string) => graph!.node.find(({ output }) => output.includes(name));
  const maker = makerOf(value);
  if (!maker || !isStandard(maker) || maker.opType !== "Sigmoid") return value;
  const input = maker.input[0]!;
  return makerOf(input) ? input : value;
}
