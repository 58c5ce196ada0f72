import type { Option } from "commander";
import type { Options } from "../cli.js";
import { UserError } from "../errors.js";
import { isPruning, ofPruning, reasonWhilePruning } from "./prune-refusals.js";
import { ofDistillation, ofTraining } from "./training-options.js";

/** Options of every command line of compress. */
const always = [
  ...["--output", "--dry-run", "--force", "--format", "--json", "--report", "--data", "--labels", "--metric", "--seed"],
  ...["--speed-seconds", "--threads", "--rows", "--tokenizer", "--max-length"],
];

/** Options of quantization that training leaves nothing to do for, each with the reason. */
const notWithQat: Readonly<Record<string, string>> = {
  "--no-verify": "training measures on --data anyway",
  "--shape": "training needs real samples: give --data",
  "--samples": "training needs real samples: give --data",
  "--adaround": "training decides itself how weights round",
  "--tune": "training does not choose by speed",
  "--search-seconds": "training takes nothing back",
};

/**
 * Refuses options that change nothing in this mode: silence would pass for obedience. `all` are the command's, whose
 * defaults tell what was given. Throws a UserError.
 */
export function refuseUnused(options: Options, all: readonly Option[]): void {
  const given = all.filter((option) => {
    const value = options[option.attributeName()];
    if (option.negate) return value === false;
    return value !== undefined && value !== false && value !== option.defaultValue;
  });
  for (const { long, attributeName } of given.map((one) => ({ long: one.long!, attributeName: one.attributeName() }))) {
    const why = reason(long, attributeName, options);
    if (why !== undefined) throw new UserError(`${long}: ${why}`);
  }
}

function reason(long: string, name: string, options: Options): string | undefined {
  const [distill, qat] = [options["distill"] === true, options["qat"] === true];
  if (long === "--distill" || long === "--qat" || always.includes(long) || name.startsWith("image")) return undefined;
  // that the two do not go together is what matters then
  if (isPruning(options)) return qat ? undefined : reasonWhilePruning(long, options);
  if (ofPruning.includes(long)) return "is for --prune";
  if (ofDistillation.includes(long)) return distill ? undefined : "is for --distill";
  if (long === "--batch-norm" && qat)
    return "is for --distill; --freeze-norms lets BatchNormalization learn with --qat";
  if (long === "--freeze-norms" && !qat) return "is for --qat";
  if (ofTraining.includes(long)) return distill || qat ? undefined : "is for training: --distill or --qat";
  if (distill) return "is for quantizing, which --distill does not do; quantize the student afterwards";
  return qat ? notWithQat[long] : undefined;
}
