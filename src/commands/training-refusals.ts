import type { Option } from "commander";
import type { Options } from "../cli.js";
import { UserError } from "../errors.js";
import { trainingGroups } from "./training-options.js";

/** Options of every command line of compress. */
const always = [
  ...["--output", "--dry-run", "--force", "--format", "--json", "--report", "--data", "--labels", "--metric", "--seed"],
  ...["--speed-seconds", "--threads", "--rows", "--tokenizer", "--max-length"],
];

const [ofDistillation, ofTraining] = Object.values(trainingGroups) as readonly (readonly string[])[];

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
  if (ofDistillation!.includes(long)) return distill ? undefined : "is for --distill";
  if (ofTraining!.includes(long)) return distill || qat ? undefined : "is for training: --distill or --qat";
  if (distill) return "is for quantizing, which --distill does not do; quantize the student afterwards";
  return qat ? notWithQat[long] : undefined;
}

/** Refuses combinations of training's options that contradict each other. Throws a UserError. */
export function refuseContradictions(options: Options): void {
  const given = (name: string) => options[name] !== undefined;
  if (options["distill"] && options["qat"]) {
    throw new UserError("--distill and --qat: choose one; quantize the student afterwards with --qat");
  }
  if (given("studentWidth")) {
    throw new UserError(
      "--student-width: waits for structured pruning; --student-params makes a smaller student of the teacher today, e.g. --student-params 60%",
    );
  }
  if (given("steps") && given("epochs")) throw new UserError("--steps and --epochs: give one of them");
  if (given("heldOut") && given("heldOutData")) throw new UserError("--held-out and --held-out-data: give one of them");
  if (given("heldOutLabels") && !given("heldOutData")) {
    throw new UserError("--held-out-labels: is for --held-out-data; parts of --data have their labels in --labels");
  }
  if (given("heldOutData") && given("labels") !== given("heldOutLabels")) {
    throw new UserError("--held-out-data: give labels for both sets (--labels, --held-out-labels), or for none");
  }
  const ways = ["student", "studentLayers", "studentParams"].filter(given);
  if (options["distill"] && ways.length !== 1) {
    const words = "--student <file>, --student-layers or --student-params";
    throw new UserError(
      ways.length === 0
        ? `--distill: say who learns: ${words}`
        : `--distill: give one student: ${words}, not several of them`,
    );
  }
  if (!given("data")) {
    throw new UserError(`${options["distill"] ? "--distill" : "--qat"}: give samples to learn from with --data`);
  }
}
