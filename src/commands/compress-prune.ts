import { tmpdir } from "node:os";
import { basename, dirname, join, parse } from "node:path";
import { type ExitCode, exitCode, type Host, type Options } from "../cli.js";
import type { Session } from "../engine/session.js";
import { absolute, checkNewOutput, checkOutput, fileSize, openStaging } from "./files.js";
import { readModelFile } from "./model-files.js";
import { checkReports, warn, withPage, writeResult } from "./output.js";
import { openScratch } from "./scratch.js";

/** `--prune`, `--drop-layers`, `--sparsity`: prunes, recovers with `--distill`, quantizes with `--int8` or `--int4`. */
export async function runPrune(host: Host, path: string, options: Options): Promise<ExitCode> {
  checkReports(host, options, withPage);
  fileSize(host, path, "model");
  const output = outputPath(path, options);
  const isPlan = options["dryRun"] === true;
  if (!isPlan) {
    checkNewOutput(host, path, output, options["force"] === true);
  }
  const source = readModelFile(host, path);
  // a plan must not need a place to write to beside the model
  const staging = openStaging(host, isPlan ? join(tmpdir(), basename(output)) : output);
  const scratch = openScratch(host, staging.pathOf("weights"), source.readExternal);
  let opened: Promise<Session> | undefined;
  const original = (): Promise<Session> => {
    opened ??= import("../engine/session.js").then(({ openSession }) => openSession(absolute(host, path)));
    return opened;
  };
  try {
    const { pruneModel } = await import("./prune-pipeline.js");
    const done = await pruneModel(host, options, {
      ...{ source, staging, scratch, original, output, isPlan },
      dataName: source.externalFiles.length > 0 ? `${basename(output)}.data` : null,
    });
    if (done.kind === "stopped") return exitCode.interrupted;
    const { pruneForms, prunePlanForms } = await import("../render/prune.js");
    if (done.kind === "plan") {
      for (const warning of done.result.warnings) await warn(host, warning);
      await writeResult(host, options, prunePlanForms(done.result));
      return exitCode.ok;
    }
    const { result, files } = done;
    for (const name of files) {
      if (name !== basename(output)) checkOutput(host, join(dirname(output), name), options["force"] === true);
    }
    if (done.isWanted) staging.publish(files);
    done.close();
    for (const warning of result.warnings) await warn(host, warning);
    await writeResult(host, options, pruneForms(result));
    return result.missed ? exitCode.found : exitCode.ok;
  } finally {
    // a model that could not be opened said so already
    await opened?.then(
      (session) => session.close(),
      () => {},
    );
    scratch.close();
    staging.discard();
  }
}

function outputPath(path: string, options: Options): string {
  const { dir, name } = parse(path);
  const ending = options["int4"] ? "pruned.int4" : options["int8"] ? "pruned.int8" : "pruned";
  return (options["output"] as string | undefined) ?? join(dir, `${name}.${ending}.onnx`);
}
