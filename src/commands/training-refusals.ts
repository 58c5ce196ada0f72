import type { Options } from "../cli.js";
import { UserError } from "../errors.js";

/** Refuses combinations of training's options that contradict each other. Throws a UserError. */
export function refuseContradictions(options: Options): void {
  const given = (name: string) => options[name] !== undefined;
  if (options["distill"] && options["qat"]) {
    throw new UserError("--distill and --qat: choose one; quantize the student afterwards with --qat");
  }
  refuseTraining(options);
  const ways = ["student", "studentLayers", "studentParams", "studentWidth"].filter(given);
  if (options["distill"] && ways.length !== 1) {
    const words = "--student <file>, --student-layers, --student-params or --student-width";
    throw new UserError(
      ways.length === 0
        ? `--distill: say who learns: ${words}`
        : `--distill: give one student: ${words}, not several of them`,
    );
  }
  refuseWithoutData(options);
}

function refuseWithoutData(options: Options): void {
  if (options["data"] !== undefined) return;
  throw new UserError(`${options["distill"] ? "--distill" : "--qat"}: give samples to learn from with --data`);
}

/** Refuses combinations that contradict each other in every training, recovery after pruning included. Throws a UserError. */
export function refuseTraining(options: Options): void {
  const given = (name: string) => options[name] !== undefined;
  if (given("steps") && given("epochs")) throw new UserError("--steps and --epochs: give one of them");
  if (given("heldOut") && given("heldOutData")) throw new UserError("--held-out and --held-out-data: give one of them");
  if (given("heldOutLabels") && !given("heldOutData")) {
    throw new UserError("--held-out-labels: is for --held-out-data; parts of --data have their labels in --labels");
  }
  if (given("heldOutData") && given("labels") !== given("heldOutLabels")) {
    throw new UserError("--held-out-data: give labels for both sets (--labels, --held-out-labels), or for none");
  }
}
