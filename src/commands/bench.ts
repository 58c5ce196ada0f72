import { Argument, Option } from "commander";
import { type CommandSpec, type ExitCode, exitCode, type Host, type Options } from "../cli.js";
import type { Worker } from "./bench-process.js";
import { modelHeads } from "./heads.js";
import { repeated, seconds, share, whole, wholes } from "./option-values.js";
import { checkReports, outputOptions, withValues, writeResult } from "./output.js";
import { labelsOption, sampleOptions } from "./sample-options.js";

/** `deepseek bench`. */
export const benchCommand = benchCommandWith(undefined);

/** The command with another measuring process than the built one, for tests that run the TypeScript source. */
export function benchCommandWith(worker: Worker | undefined): CommandSpec {
  return {
    ...modelHeads.bench,
    details:
      "Outputs are compared first. Then every round loads each model in a fresh process and lets them take turns, a tenth " +
      "of a second each, so that load from outside hits all alike (all models are in memory at once). The verdict is about CPU time per run, the steadier " +
      "one on a busy machine (wall time with more than one thread): slower only if the whole 95 % interval lies above " +
      "the tolerance.",
    arguments: [
      new Argument("<baseline>", "the .onnx file to compare with"),
      new Argument("[candidates...]", ".onnx files to compare with it; none: only measure the first"),
    ],
    options: [
      ...sampleOptions(),
      labelsOption(),
      new Option("--score <file>", "a module (.js, .ts) whose `metric` scores the samples' outputs"),
      new Option("--rounds <n>", "fresh processes per model; an interval needs 6").argParser(whole(1, 200)).default(6),
      new Option("--time <seconds>", "measuring time of each process").argParser(seconds).default(0.8),
      new Option("--warmup <seconds>", "running time before that counts for nothing").argParser(seconds).default(0.25),
      new Option("--batch <sizes>", "samples a run, one or several sizes: 1,4,16 (default: as they are)").argParser(
        wholes,
      ),
      new Option(
        "--axis <name=sizes>",
        "sizes of a dynamic axis: seq=32,128,512, or x.3=160,320 (repeatable)",
      ).argParser(repeated),
      new Option("--threads <n>", "threads of onnxruntime, one or several counts: 1,2")
        .argParser(wholes)
        .default([1], "1"),
      new Option("--tolerance <share>", "how much slower is still the same").argParser(share).default(0.05, "5%"),
      new Option("--metric <time>", "what the verdict is about (default: cpu with 1 thread, else wall)").choices([
        "cpu",
        "wall",
      ]),
      new Option("--inconclusive <result>", "whether an inconclusive verdict passes")
        .choices(["pass", "fail"])
        .default("pass"),
      new Option("--session <key=value>", "session config entry of onnxruntime; repeatable").argParser(repeated),
      new Option("--seed <n>", "of random input and of the first order").argParser(whole(0, 2 ** 32 - 1)).default(1),
      new Option("--control", "also measure the baseline against itself: what this machine cannot tell apart"),
      ...outputOptions(withValues),
    ],
    examples: [
      { command: "bench model.onnx model.int8.onnx --data samples/", note: "is the small one as fast, and as good?" },
      { command: "bench model.onnx --shape x=1x3x48x320", note: "one model's own numbers" },
      { command: "bench a.onnx b.onnx --tolerance 2% --rounds 20 --report bench.md", note: "a finer verdict, kept" },
    ],
    exitCodes: {
      0: "measured; no candidate is slower",
      1: "a candidate is slower (or inconclusive, with --inconclusive fail)",
      2: "a model or sample could not be read or run",
    },
    run: (host, [baseline, candidates], options) =>
      run(host, [baseline as string, ...(candidates as string[])], options, worker),
  };
}

async function run(
  host: Host,
  paths: readonly string[],
  options: Options,
  worker: Worker | undefined,
): Promise<ExitCode> {
  checkReports(host, options, withValues);
  const { failsGate } = await import("../bench/models/summarise.js");
  const { benchForms } = await import("../render/bench.js");
  const { benchModelFiles } = await import("./bench-model-files.js");
  const result = await benchModelFiles(host, paths, options, worker);
  const inconclusiveFails = options["inconclusive"] === "fail";
  await writeResult(host, options, benchForms(result, inconclusiveFails));
  return failsGate(result, inconclusiveFails) ? exitCode.found : exitCode.ok;
}
