import { basename, dirname, join, parse } from "node:path";
import { Argument, Option } from "commander";
import { type CommandSpec, exitCode, type Host, type Options } from "../cli.js";
import { UserError } from "../errors.js";
import type { AppliedTensor } from "../quantize/apply.js";
import type { CompressResult, Verification } from "../render/compress.js";
import { absolute, checkOutput, isSameFile, openStaging, type Staging } from "./files.js";
import type { ModelFile } from "./model-files.js";
import { repeated, whole } from "./option-values.js";
import { checkReports, outputOptions, warn, writeResult } from "./output.js";
import { startProgress } from "./progress.js";

export const compressCommand: CommandSpec = {
  name: "compress",
  summary: "Make an ONNX model smaller, and show on samples how near it stays to the original.",
  details:
    "--int8 stores the weights of MatMul, Gemm, Conv and ConvTranspose as 8-bit integers with one scale per output\n" +
    "channel (weight-only QDQ, opset 13). Then original and result run on the same samples, and the report shows the\n" +
    "bytes saved and the damage done. The input is never changed; the output appears whole or not at all.",
  arguments: [new Argument("<model>", "an .onnx file")],
  options: [
    new Option("--int8", "quantize weights to 8-bit integers"),
    new Option("-o, --output <file>", "where to write (default: <model>.int8.onnx beside the model)"),
    new Option("--dry-run", "print the plan and write nothing"),
    new Option("--force", "replace the output if it exists"),
    new Option("--data <path>", "samples to check with: an .npz file of one sample, or a folder of them"),
    new Option(
      "--shape <input=sizes>",
      "sizes of a dynamic input for synthetic samples, e.g. x=1x3x224x224 (repeatable)",
    ).argParser(repeated),
    new Option("--samples <n>", "how many synthetic samples").argParser(whole(1, 10_000)).default(4),
    new Option("--seed <n>", "seed of the synthetic samples").argParser(whole(0)).default(1),
    new Option("--no-verify", "skip the check against the original"),
    new Option("--target <cpu>", "processor family the file is for; x86 gets unsigned weights, arm64 signed ones")
      .choices(["auto", "x86", "arm64"])
      .default("auto"),
    new Option("--min-elements <n>", "leave smaller tensors as they are").argParser(whole(0)).default(1024),
    ...outputOptions(),
  ],
  examples: [
    { command: "compress --int8 model.onnx", note: "writes model.int8.onnx" },
    { command: "compress --int8 model.onnx --data samples/ -o small.onnx", note: "checked on real inputs" },
    { command: "compress --int8 model.onnx --shape x=1x3x48x320 --report report.md", note: "synthetic inputs" },
    { command: "compress --int8 model.onnx --dry-run", note: "which tensors, and why not the others" },
  ],
  exitCodes: {
    0: "the file was written (or the plan printed)",
    1: "the file was written, but its outputs are broken: not finite, or of another shape",
    2: "could not do it; nothing was written",
  },
  run: (host, [model], options) => compress(host, model as string, options),
};

async function compress(host: Host, path: string, options: Options) {
  if (!options["int8"]) throw new UserError("say how to compress: --int8");
  checkReports(host, options);
  const output = outputPath(path, options);
  if (options["verify"] === false && (options["data"] || options["shape"])) {
    throw new UserError("--no-verify: leave it out to check with --data or --shape, or leave those out");
  }
  const forced = options["force"] === true;
  if (!options["dryRun"]) {
    if (isSameFile(host, path, output)) {
      throw new UserError(`${output}: is the input itself, which is never changed; give -o another name`);
    }
    checkOutput(host, output, forced);
  }
  const { readModelFile, writeModelFile } = await import("./model-files.js");
  const { liftConstants } = await import("../graph/constants.js");
  const { raiseOpset } = await import("../graph/opset.js");
  const { planQuantization } = await import("../quantize/plan.js");
  const { applyPlan } = await import("../quantize/apply.js");
  const { plainQuantizer } = await import("../quantize/channels.js");
  const { isBroken } = await import("../evaluate/agreement.js");
  const { compressForms, planForms, warningsOf } = await import("../render/compress.js");

  const source = readModelFile(host, path);
  const { model } = source;
  const dataName = source.externalFiles.length > 0 ? `${basename(output)}.data` : null;
  if (dataName && !options["dryRun"]) {
    const dataPath = join(dirname(output), dataName);
    const inputs = source.externalFiles.map((file) => join(dirname(path), file));
    if (inputs.some((file) => isSameFile(host, file, dataPath))) {
      throw new UserError(`${dataPath}: holds the input's own weights, which are never changed; give -o another name`);
    }
    checkOutput(host, dataPath, forced);
  }
  const constantsLifted = liftConstants(model);
  const opset = raiseOpset(model, path);
  const x86 = options["target"] === "x86" || (options["target"] === "auto" && process.arch === "x64");
  const plan = planQuantization(model, {
    scheme: "auto",
    signed: !x86,
    clip: "max",
    minElements: options["minElements"] as number,
  });
  const shared = { model: { path, bytes: source.bytes, sha256: source.sha256 }, opset, constantsLifted };
  if (options["dryRun"]) {
    await writeResult(host, options, planForms({ schema: "deepseek/compress-plan@2", ...shared, plan }));
    return exitCode.ok;
  }
  checkWork(path, plan.tensors);

  // samples first: a --shape that does not fit must not cost the user the wait
  const check = options["verify"] === false ? notChecked("--no-verify") : await prepareCheck(host, source, options);
  const progress = startProgress(host, "quantizing", "tensors");
  const staging = openStaging(host, output);
  try {
    const { readExternal } = source;
    const tensors = await applyPlan(model, plan, {
      quantizer: plainQuantizer(),
      readExternal,
      onTensor(done, total) {
        progress.update(done, total);
        return new Promise((resolve) => setImmediate(resolve));
      },
    });
    progress.stop();
    checkWork(path, tensors);
    const name = basename(output);
    const bytes = writeModelFile(staging.pathOf(name), model, dataName, source.readExternal);
    const verification = await check(staging, name, tensors);
    staging.publish(dataName ? [dataName, name] : [name]);
    const result: CompressResult = {
      schema: "deepseek/compress@2",
      ...shared,
      output: { path: output, bytes, ratio: bytes / source.bytes },
      settings: plan.settings,
      tensors,
      verification,
    };
    for (const warning of warningsOf(verification)) await warn(host, warning);
    await writeResult(host, options, compressForms(result));
    return verification.checked && isBroken(verification.agreement) ? exitCode.found : exitCode.ok;
  } finally {
    progress.stop();
    staging.discard();
  }
}

/** Refuses a model of which nothing gets smaller. */
function checkWork(
  path: string,
  tensors: readonly { readonly action: "quantize" | "leave"; readonly reason: string }[],
) {
  if (tensors.some(({ action }) => action === "quantize")) return;
  const [first] = tensors;
  const held = first
    ? `all ${tensors.length} float tensors are left, the first: ${first.reason}`
    : "holds no float tensors";
  throw new UserError(`${path}: has no weights to quantize (${held}; --dry-run lists them); nothing was written`);
}

function outputPath(path: string, options: Options): string {
  const { dir, name } = parse(path);
  return (options["output"] as string | undefined) ?? join(dir, `${name}.int8.onnx`);
}

/** Runs the finished file, which is called `name` in the staging folder, against the original. */
type Check = (staging: Staging, name: string, tensors: readonly AppliedTensor[]) => Promise<Verification>;

/** Above this the graph as the runtime optimized it, a second copy of the file, is not asked for. */
const maxOptimizedBytes = 1e9;

function notChecked(reason: string): Check {
  return async () => ({ checked: false, reason });
}

/**
 * Opens the original, gets the samples and tries one. Without --data and --shape the sizes may be unknowable: then the
 * check is left out with that reason, while a wrong --data or --shape is an error.
 */
async function prepareCheck(host: Host, source: ModelFile, options: Options): Promise<Check> {
  const { openSession, runtimeVersion } = await import("../engine/session.js");
  const { runtimeUse } = await import("../quantize/runtime.js");
  const { readModelFile } = await import("./model-files.js");
  const { parseShapeOptions } = await import("../data/shapes.js");
  const { readSamples } = await import("./samples.js");
  const { compareOutputs, listed } = await import("../evaluate/agreement.js");
  const data = options["data"] as string | undefined;
  const shapes = parseShapeOptions((options["shape"] as readonly string[] | undefined) ?? []);
  const original = await openSession(absolute(host, source.path)).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${error.message}; without a check against it: --no-verify`);
  });
  let samples: Awaited<ReturnType<typeof readSamples>>;
  try {
    samples = await readSamples(host, data, original.inputs, {
      shapes,
      count: options["samples"] as number,
      seed: options["seed"] as number,
    });
    await original.run(samples.batches[0]!).catch((error: Error) => {
      const remedy = "random inputs do not suit every model: give --data with real ones, or --no-verify";
      throw samples.synthetic ? new UserError(`${error.message}; ${remedy}`) : error;
    });
  } catch (error) {
    await original.close();
    if (!(error instanceof UserError) || data !== undefined || shapes.size > 0) throw error;
    return notChecked(error.message);
  }
  return async (staging, name, tensors) => {
    const progress = startProgress(host, "checking", "samples");
    const optimizedModelPath = staging.pathOf("optimized.onnx");
    const settings = source.bytes < maxOptimizedBytes ? { optimizedModelPath } : {};
    const compressed = await openSession(staging.pathOf(name), settings).catch((error: unknown) => {
      const why = (error as Error).message.split(": ").slice(1).join(": ");
      throw new UserError(`the compressed model does not load in onnxruntime (${why}); nothing was written`);
    });
    try {
      const agreement = await compareOutputs(original.run, compressed.run, listed(samples.batches), (done) =>
        progress.update(done, samples.batches.length),
      );
      const use = settings.optimizedModelPath
        ? runtimeUse(readModelFile(host, optimizedModelPath).model, tensors)
        : null;
      const runtime = use && { version: await runtimeVersion(), ...use };
      return { checked: true, source: samples.source, synthetic: samples.synthetic, agreement, runtime };
    } finally {
      progress.stop();
      await Promise.all([original.close(), compressed.close()]);
    }
  };
}
