import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, parse } from "node:path";
import { type ExitCode, exitCode, type Host, type Options } from "../cli.js";
import { UserError } from "../errors.js";
import type { Forms } from "../render/forms.js";
import { absolute, checkOutput, fileSize, isSameFile, openStaging } from "./files.js";
import { checkReports, warn, withPage, writeResult } from "./output.js";
import type { Job, Outcome } from "./training-job.js";
import { dropCheckpoints, dropEmptyLog, hasCheckpoint } from "./training-keep.js";
import type { TrainingMode } from "./training-options.js";
import { runInThread } from "./training-thread.js";

/** `--distill` and `--qat`: checks what is to be written, trains in a thread, publishes the file and reports. */
export async function runTraining(host: Host, mode: TrainingMode, model: string, options: Options): Promise<ExitCode> {
  checkReports(host, options, withPage);
  fileSize(host, model, "model");
  const output = outputPath(mode, model, options);
  const checkpoints = (options["checkpoint"] as string | undefined) ?? `${output}.training`;
  const isPlan = options["dryRun"] === true;
  if (!isPlan) checkPlaces(host, model, output, checkpoints, options);
  // a plan must not need a place to write to beside the model
  const log = options["log"] as string | undefined;
  const hadLog = log !== undefined && existsSync(absolute(host, log));
  const staging = openStaging(host, isPlan ? join(tmpdir(), parse(output).base) : output);
  try {
    const job: Job = {
      mode,
      cwd: host.cwd,
      env: { ...host.env },
      version: host.version,
      model,
      options,
      isPlan,
      staging: { label: output, folder: dirname(staging.pathOf("any")) },
      checkpoints,
      stop: new SharedArrayBuffer(4),
    };
    const outcome = await runInThread(host, job, `the same command with --resume goes on from ${checkpoints}`);
    if (outcome.kind === "stopped" || Atomics.load(new Int32Array(job.stop), 0) !== 0) return exitCode.interrupted;
    if (outcome.kind === "plan") {
      await writeResult(host, options, await formsOf(outcome));
      return exitCode.ok;
    }
    const { files, result, told } = outcome;
    for (const name of files) {
      if (name !== parse(output).base) checkOutput(host, join(dirname(output), name), options["force"] === true);
    }
    staging.publish(files);
    if (options["checkpoint"] === undefined) dropCheckpoints(host, checkpoints);
    for (const warning of result.warnings) if (!told.includes(warning)) await warn(host, warning);
    await writeResult(host, options, await formsOf(outcome));
    return result.missed ? exitCode.found : exitCode.ok;
  } finally {
    if (log !== undefined && !hadLog) dropEmptyLog(host, log);
    staging.discard();
  }
}

async function formsOf(outcome: Exclude<Outcome, { readonly kind: "stopped" }>): Promise<Forms> {
  const { trainingForms, trainingPlanForms } = await import("../render/training.js");
  return outcome.kind === "plan" ? trainingPlanForms(outcome.result) : trainingForms(outcome.result);
}

function checkPlaces(host: Host, model: string, output: string, checkpoints: string, options: Options): void {
  const force = options["force"] === true;
  const text = (name: string) => options[name] as string | undefined;
  const inputs = ["student", "data", "labels", "heldOutData", "heldOutLabels", "metric", "tokenizer"].map(text);
  const places: readonly (readonly [string, string | undefined])[] = [
    ["-o", output],
    ["--log", text("log")],
    ...((options["report"] as string[] | undefined) ?? []).map((path) => ["--report", path] as const),
  ];
  for (const [at, [option, place]] of places.entries()) {
    if (place === undefined) continue;
    if ([model, ...inputs].some((input) => input !== undefined && isSameFile(host, input, place))) {
      throw new UserError(`${place}: is an input itself, which is never changed; give ${option} another name`);
    }
    const other = places
      .slice(0, at)
      .find(([, path]) => path !== undefined && absolute(host, path) === absolute(host, place));
    if (other) throw new UserError(`${option} ${place}: is what ${other[0]} writes, too; give it another name`);
  }
  // a run that goes on may not find its output, but its log
  checkOutput(host, output, force);
  const log = text("log");
  if (log !== undefined) checkOutput(host, log, force || options["resume"] === true);
  if (options["resume"] === true && !hasCheckpoint(host, checkpoints)) {
    throw new UserError(`--resume: ${checkpoints} holds no checkpoint; leave --resume out to start`);
  }
}

function outputPath(mode: TrainingMode, model: string, options: Options): string {
  const { dir, name } = parse(model);
  const ending = mode === "distill" ? "student" : options["int4"] ? "int4" : "int8";
  return (options["output"] as string | undefined) ?? join(dir, `${name}.${ending}.onnx`);
}
