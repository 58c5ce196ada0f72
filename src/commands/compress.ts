import { availableParallelism } from "node:os";
import { Argument, InvalidArgumentError, Option } from "commander";
import type { CommandSpec, ExitCode, Host, Options } from "../cli.js";
import { UserError } from "../errors.js";
import { modelHeads } from "./heads.js";
import { anyShare, repeated, seconds, share, whole } from "./option-values.js";
import { outputOptions, withPage } from "./output.js";
import { pruneGroups, pruneOptions } from "./prune-options.js";
import { calibrationOptions, labelsOption, sampleOptions } from "./sample-options.js";
import { distillOptions, trainingGroups, trainingOptions } from "./training-options.js";

/** The order of the help: what most people need comes first. */
const optionGroups = {
  "Samples and accuracy": [
    "--data",
    "--labels",
    "--metric",
    "--max-drop",
    "--search-seconds",
    "--speed-seconds",
    "--no-verify",
    "--shape",
    "--samples",
    "--seed",
  ],
  "Forms of samples": [
    "--rows",
    "--image-size",
    "--image-resize",
    "--image-pad",
    "--image-scale",
    "--image-offset",
    "--image-mean",
    "--image-std",
    "--image-channels",
    "--image-layout",
    "--tokenizer",
    "--max-length",
  ],
  "Where and how the file will run": ["--optimize-for", "--target", "--ort-min", "--tune"],
  "How weights are stored": [
    "--dynamic",
    "--static",
    "--scheme",
    "--int4-convolutions",
    "--block",
    "--asymmetric",
    "--tensor",
    "--clip",
    "--min-elements",
    "--smooth",
    "--equalise",
    "--adaround",
    "--no-bias-correction",
    "--no-balance",
    "--requantize",
    "--keep-names",
    "--freeze-inputs",
    "--threads",
  ],
  "Activations (--static)": [
    "--calibration",
    "--range",
    "--percentile",
    "--attention",
    "--everywhere",
    "--symmetric-activations",
  ],
  ...pruneGroups,
  ...trainingGroups,
};

export const compressCommand: CommandSpec = {
  ...modelHeads.compress,
  details:
    "--int8 stores weights as 8-bit integers, --int4 those of MatMul and Gemm as 4-bit ones; how each is computed with is\n" +
    "decided by operator, target and --optimize-for, and said. Then original and result run on the same samples. If the\n" +
    "loss on --data exceeds --max-drop, what costs the most is taken back to milder ways until it does not, or the run\n" +
    "fails. The input is never changed; the output appears whole or not at all.\n\n" +
    "--qat trains the model for the errors of --int8 or --int4; with --distill, a model teaches a smaller one. Both learn\n" +
    "from --data, with --labels or without, and end with a report of before and after on samples held out.\n\n" +
    "--prune removes whole channels, neurons, attention heads and hidden units, so that the file and the time of a run\n" +
    "shrink on the ordinary runtime; with --distill the original then teaches what is left, and --int8 quantizes that.",
  arguments: [new Argument("[model]", "an .onnx file (with --distill: the teacher)")],
  options: [
    new Option("--int8", "quantize weights to 8-bit integers"),
    new Option("--int4", "4-bit weights in blocks for MatMul, Gemm, LSTM, GRU and RNN; others get 8 bits"),
    new Option("--qat", "with --int8 or --int4: train the model for them, on --data"),
    new Option(
      "--prune <share>",
      "remove this share of the model: whole channels, neurons and heads, for a smaller and faster file",
    ).argParser(share),
    new Option(
      "--distill",
      "train a smaller model to do what --teacher does, on --data; with --prune: bring accuracy back",
    ),
    new Option(
      "-o, --output <file>",
      "where to write (default: <model>.int8.onnx, .int4.onnx, .student.onnx or .pruned.onnx beside the model)",
    ),
    new Option(
      "--recipe <file>",
      "a YAML or JSON file that holds the model and options by their names (docs/recipe.md)",
    ),
    new Option("--dry-run", "print the plan and write nothing"),
    new Option("--force", "replace the output if it exists"),
    ...sampleOptions(),
    labelsOption(),
    new Option("--metric <file>", "a module (.js, .ts) whose `metric` scores the samples' outputs"),
    new Option("--samples <n>", "how many synthetic samples").argParser(whole(1, 10_000)).default(4),
    new Option("--seed <n>", "seed of synthetic samples, and of which samples are held out")
      .argParser(whole(0))
      .default(1),
    new Option("--no-verify", "skip the check against the original"),
    new Option("--dynamic", "quantize activations at each run: integer arithmetic without samples"),
    new Option("--static", "quantize activations with ranges from --data: the fastest convolutions"),
    new Option("--scheme <id>", "one way for every weight it fits (default: chosen by operator)").choices([
      "qdq",
      "unpack",
      "nbits",
      "gather",
      "dynamic",
      "static",
    ]),
    new Option(
      "--int4-convolutions",
      "with --int4: convolutions over many channels, too; rounding alone harms most models, so it is meant for --qat",
    ),
    new Option(
      "--block <n>",
      "how many weights of what --int4 takes share a scale: 16, 32, 64, 128 or 256 (default: a channel's; 32 with --int4)",
    ).argParser(blockSize),
    new Option("--asymmetric", "weights with a zero point of their own for every scale"),
    new Option("--optimize-for <goal>", "size: small and not slower; latency: few rows; throughput: many")
      .choices(["size", "latency", "throughput"])
      .default("size"),
    new Option("--target <cpu>", "processor the file is for; auto: this machine")
      .choices(["auto", "avx2", "vnni", "arm64", "web", "x86"])
      .default("auto"),
    new Option(
      "--ort-min <version>",
      "oldest onnxruntime that must run the file well, from 1.20 (default: 1.25)",
    ).argParser(ortVersion),
    new Option(
      "--tensor <pattern=scheme>",
      "decide for tensors or nodes by name, e.g. head.*=float (repeatable)",
    ).argParser(repeated),
    ...calibrationOptions(),
    new Option("--no-bias-correction", "leave biases as they are"),
    new Option("--smooth <when>", "scale channels of activations against weights; auto: kept where it helps on --data")
      .choices(["auto", "on", "off"])
      .default("auto"),
    new Option("--equalise", "give weights that follow each other the same range in each channel"),
    new Option("--adaround <n>", "round the n worst weights for their outputs' sake on --data")
      .argParser(whole(0))
      .default(0),
    new Option("--no-balance", "round each weight by itself, not such that the errors of a convolution cancel out"),
    new Option("--attention", "with --static: also products of two activations"),
    new Option("--everywhere", "with --static: every node that has an 8-bit kernel, not only where it pays"),
    new Option("--symmetric-activations", "with --static: ranges as long on both sides of 0"),
    new Option("--clip <way>", "range of a scale: the largest weight, or the clip of it with the least squared error")
      .choices(["auto", "max", "mse"])
      .default("auto"),
    new Option("--tune", "measure other schemes than the rules choose, and take the fastest on this machine"),
    new Option(
      "--max-drop <share>",
      "loss that --data may show; to keep it, weights are treated more mildly, or the run fails (default: 2% by quantizing)",
    ).argParser(anyShare),
    new Option("--search-seconds <n>", "time for measuring which weights cost the most")
      .argParser(seconds)
      .default(120),
    new Option("--speed-seconds <n>", "time for comparing the speed with the original's; 0 skips that")
      .argParser(whole(0, 3600))
      .default(4),
    new Option("--requantize", "go on where the model is quantized already: with what is still floats"),
    new Option("--keep-names", "values inside the model keep their names (short ones make small files smaller)"),
    new Option("--freeze-inputs", "take weights that are graph inputs too for constants"),
    new Option("--threads <n>", "threads to quantize or train with")
      .argParser(whole(1, 256))
      .default(availableParallelism(), "one for each processor"),
    new Option("--min-elements <n>", "leave smaller tensors as they are").argParser(whole(0)).default(1024),
    ...pruneOptions(),
    ...distillOptions(),
    ...trainingOptions(),
    ...outputOptions(withPage),
  ],
  optionGroups,
  examples: [
    { command: "compress --int8 model.onnx", note: "writes model.int8.onnx" },
    { command: "compress --int8 model.onnx --data samples/ -o small.onnx", note: "checked on real inputs" },
    { command: "compress --int8 model.onnx --shape x=1x3x48x320 --report report.md", note: "synthetic inputs" },
    { command: "compress --int8 model.onnx --data samples/ --report report.html", note: "a page with charts" },
    { command: "compress --int8 model.onnx --dry-run", note: "which tensors, and why not the others" },
    { command: "compress --int4 --qat model.onnx --data train.npz --rows", note: "trained for 4 bits" },
    { command: "compress --prune 0.3 model.onnx --data samples/", note: "30 % fewer parameters, by what --data shows" },
    {
      command: "compress --prune 0.3 --distill --int8 model.onnx --data train.npz --rows",
      note: "pruned, taught by the original, quantized",
    },
    {
      command: "compress --distill --teacher model.onnx --student-layers 6 --data texts.npz --rows -o small.onnx",
      note: "six of its layers learn from it",
    },
  ],
  exitCodes: {
    0: "the file was written (or the plan printed)",
    1: "the loss stays above --max-drop: nothing was written (--qat, --distill: written); or outputs are not finite",
    2: "could not do it; nothing was written",
  },
  async run(host, [model], options, typed) {
    const path = model as string | undefined;
    if (options["recipe"] === undefined) return compress(host, path, options);
    const { readRecipe, withRecipe } = await import("./recipe-file.js");
    const recipe = await readRecipe(host, options["recipe"] as string, compressCommand.options);
    return compress(host, path ?? recipe.model, withRecipe(options, typed, recipe));
  },
};

function blockSize(text: string): number {
  const size = Number(text);
  if ([16, 32, 64, 128, 256].includes(size)) return size;
  throw new InvalidArgumentError("It must be 16, 32, 64, 128 or 256.");
}

function ortVersion(text: string): string {
  const found = /^1\.(\d+)(\.\d+)?$/.exec(text);
  if (found && Number(found[1]) >= 20) return `1.${found[1]}`;
  throw new InvalidArgumentError("It must be a version from 1.20 on, such as 1.22.");
}

async function compress(host: Host, path: string | undefined, options: Options): Promise<ExitCode> {
  const { refuseUnused } = await import("./unused-options.js");
  const { isPruning, refusePruning } = await import("./prune-refusals.js");
  const { refuseContradictions } = await import("./training-refusals.js");
  refuseUnused(options, compressCommand.options);
  if (isPruning(options)) {
    refusePruning(options);
    if (path === undefined) throw new UserError("--prune: name the model to prune: an .onnx file");
    const { runPrune } = await import("./compress-prune.js");
    return runPrune(host, path, options);
  }
  if (options["distill"]) {
    refuseContradictions(options);
    const teacher = (options["teacher"] as string | undefined) ?? path;
    if (teacher === undefined) throw new UserError("--distill: name the model that teaches with --teacher");
    if (path !== undefined && path !== teacher) {
      throw new UserError(`${path} and --teacher ${teacher}: give the teacher once; the student is --student`);
    }
    const { runTraining } = await import("./compress-training.js");
    return runTraining(host, "distill", teacher, options);
  }
  if (path === undefined) throw new UserError("name the model to compress: an .onnx file");
  const said = ["int8", "int4", "dynamic", "static", "scheme"].some((option) => options[option] !== undefined);
  if (!said) {
    throw new UserError(`say how to compress: --int8${options["qat"] ? " or --int4" : ", --int4 or --prune <share>"}`);
  }
  if (options["int8"] && options["int4"]) throw new UserError("--int8 and --int4: choose one");
  if (options["int4Convolutions"] && !options["int4"]) throw new UserError("--int4-convolutions: is for --int4");
  if (options["verify"] === false && (options["data"] || options["shape"])) {
    throw new UserError("--no-verify: leave it out to check with --data or --shape, or leave those out");
  }
  for (const name of ["labels", "metric"]) {
    if (options[name] !== undefined && options["data"] === undefined) {
      throw new UserError(`--${name}: give the samples it is for with --data`);
    }
  }
  if (options["qat"]) {
    refuseContradictions(options);
    const { runTraining } = await import("./compress-training.js");
    return runTraining(host, "qat", path, options);
  }
  const { runCompress } = await import("./compress-run.js");
  return runCompress(host, path, options);
}
