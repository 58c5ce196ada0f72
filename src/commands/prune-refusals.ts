import type { Options } from "../cli.js";
import { UserError } from "../errors.js";
import { dataCriteria, pruneGroups } from "./prune-options.js";
import { ofDistillation, ofTraining } from "./training-options.js";
import { refuseTraining } from "./training-refusals.js";

/** Options of pruning alone. */
export const ofPruning: readonly string[] = Object.values(pruneGroups).flat();

/** What says which model learns. */
const students: ReadonlySet<string> = new Set([
  ...["--teacher", "--student", "--student-layers", "--student-params", "--student-width"],
]);

/** Which samples are measured on, trained or not. */
const heldOut: ReadonlySet<string> = new Set(["--held-out", "--held-out-data", "--held-out-labels"]);

/** Options that pruning looks at though quantizing does, too. */
const alsoOfPruning: ReadonlySet<string> = new Set(["--shape", "--samples", "--no-verify", "--freeze-inputs"]);

/** Why an option changes nothing where a model is pruned; undefined where it does. */
export function reasonWhilePruning(long: string, options: Options): string | undefined {
  const [distill, quantize] = [options["distill"] === true, options["int8"] === true || options["int4"] === true];
  if (ofPruning.includes(long) || alsoOfPruning.has(long)) return undefined;
  if (["--prune", "--int8", "--int4"].includes(long)) return undefined;
  if (students.has(long)) return "leave it out with --prune: the original teaches what is left of it";
  if (heldOut.has(long)) return options["data"] === undefined ? "is for --data" : undefined;
  if (long === "--freeze-norms") return "is for --qat";
  if (ofDistillation.includes(long) || ofTraining.includes(long)) {
    return distill ? undefined : "is for recovery after pruning: add --distill";
  }
  if (long === "--max-drop") return undefined;
  return quantize ? undefined : "is for quantizing after pruning: add --int8 or --int4";
}

/** Whether something is to be taken out of a model. */
export function isPruning(options: Options): boolean {
  return ["prune", "dropLayers", "sparsity"].some((name) => options[name] !== undefined);
}

/** Refuses combinations of pruning's options that contradict each other. Throws a UserError. */
export function refusePruning(options: Options): void {
  const given = (name: string) => options[name] !== undefined;
  if (options["qat"])
    throw new UserError("--prune and --qat: choose one; train the pruned model for few bits afterwards");
  if (options["int8"] && options["int4"]) throw new UserError("--int8 and --int4: choose one");
  const needy = ["distill", "labels", "metric", "heldOut"].find((name) => options[name] && !given("data"));
  if (needy) {
    const option = needy === "heldOut" ? "--held-out" : `--${needy}`;
    throw new UserError(`${option}: give the samples it is for with --data`);
  }
  const criterion = options["criterion"] as string | undefined;
  if (criterion !== undefined && dataCriteria.has(criterion as never) && !given("data")) {
    throw new UserError(`--criterion ${criterion}: looks at samples: give --data, or choose l1, l2, bn or random`);
  }
  if (options["spread"] === "sensitivity" && !given("data")) {
    throw new UserError("--spread sensitivity: measures damage on samples: give --data, or choose global or uniform");
  }
  if (given("pruneRounds") && options["pruneRounds"] !== 1 && !options["distill"]) {
    throw new UserError("--prune-rounds: prunes and recovers in turn: add --distill");
  }
  if (given("maxDrop") && options["verify"] === false) {
    throw new UserError("--max-drop and --no-verify: choose one; a loss shows only where the result is checked");
  }
  if (given("by") && !given("prune")) throw new UserError("--by: says what --prune is a share of: give --prune");
  if (options["by"] === "latency" && ((options["pruneRounds"] as number | undefined) ?? 1) > 1) {
    throw new UserError("--by latency and --prune-rounds: choose one; the time is searched for once");
  }
  refuseTraining(options);
}
