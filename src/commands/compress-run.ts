import { basename, dirname, join, parse } from "node:path";
import { type ExitCode, exitCode, type Host, type Options } from "../cli.js";
import { UserError } from "../errors.js";
import { isBroken } from "../evaluate/agreement.js";
import { compressForms } from "../render/compress.js";
import { largeHash, quantizeModel } from "./compress-model.js";
import { type Hasher, openHasher } from "./file-hash.js";
import { absolute, checkNewOutput, checkOutput, fileSize, isSameFile, openStaging } from "./files.js";
import { type ModelFile, readModelFile } from "./model-files.js";
import { checkReports, warn, withPage, writeResult } from "./output.js";

/** `deepseek compress`: reads, plans, quantizes, verifies, and publishes the file only when all of that is done. */
export async function runCompress(host: Host, path: string, options: Options): Promise<ExitCode> {
  const hasher = openHasher();
  try {
    return await run(host, path, options, hasher);
  } finally {
    hasher.close();
  }
}

async function run(host: Host, path: string, options: Options, hasher: Hasher): Promise<ExitCode> {
  checkReports(host, options, withPage);
  const output = outputPath(path, options);
  const dryRun = options["dryRun"] === true;
  if (!dryRun) {
    checkNewOutput(host, path, output, options["force"] === true);
  }
  // for the report; a large file is hashed beside all that follows (the loading of modules would suffer)
  if (fileSize(host, path, "model") > largeHash) hasher.start(absolute(host, path));
  const source = readModelFile(host, path, { hasher });
  const dataName = dataNameOf(host, source, output, options);
  const staging = dryRun ? undefined : openStaging(host, output);
  try {
    const done = await quantizeModel(host, source, options, { output, dataName, staging, hasher });
    if ("estimatedBytes" in done) {
      const { planForms } = await import("../render/compress-plan.js");
      await writeResult(host, options, planForms(done));
      return exitCode.ok;
    }
    const { result, files, missed } = done;
    if (!missed) staging!.publish(files);
    for (const warning of result.warnings) await warn(host, warning);
    await writeResult(host, options, compressForms(result));
    const { verification } = result;
    return missed || (verification.checked && isBroken(verification.agreement)) ? exitCode.found : exitCode.ok;
  } finally {
    staging?.discard();
  }
}

/** Name of the data file beside the output where the input has its weights in such files. */
function dataNameOf(host: Host, source: ModelFile, output: string, options: Options): string | null {
  if (source.externalFiles.length === 0) return null;
  const dataName = `${basename(output)}.data`;
  if (options["dryRun"]) return dataName;
  const dataPath = join(dirname(output), dataName);
  const inputs = source.externalFiles.map((file) => join(dirname(source.path), file));
  if (inputs.some((file) => isSameFile(host, file, dataPath))) {
    throw new UserError(`${dataPath}: holds the input's own weights, which are never changed; give -o another name`);
  }
  checkOutput(host, dataPath, options["force"] === true);
  return dataName;
}

function outputPath(path: string, options: Options): string {
  const { dir, name } = parse(path);
  return (options["output"] as string | undefined) ?? join(dir, `${name}.${options["int4"] ? "int4" : "int8"}.onnx`);
}
