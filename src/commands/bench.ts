import { Argument, Option } from "commander";
import type { Round } from "../bench/models/measure.js";
import type { BenchResult, BenchSettings } from "../bench/models/result.js";
import { type CommandSpec, type ExitCode, exitCode, type Host, type Options } from "../cli.js";
import type { Batch } from "../data/batch.js";
import { UserError } from "../errors.js";
import type { MeasuringProcess, Worker } from "./bench-process.js";
import { modelHeads } from "./heads.js";
import { repeated, seconds, share, whole } from "./option-values.js";
import { checkReports, outputOptions, writeResult } from "./output.js";
import { sampleOptions, sampleSettings } from "./sample-options.js";

/** Samples made up when there is no --data, and how many samples are timed at most. */
const syntheticCount = 4;
const maxTimed = 16;

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
      new Option("--rounds <n>", "fresh processes per model; an interval needs 6").argParser(whole(1, 200)).default(6),
      new Option("--time <seconds>", "measuring time of each process").argParser(seconds).default(0.8),
      new Option("--warmup <seconds>", "running time before that counts for nothing").argParser(seconds).default(0.25),
      new Option("--threads <n>", "threads of onnxruntime").argParser(whole(1, 1024)).default(1),
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
      ...outputOptions(),
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
  given: Worker | undefined,
): Promise<ExitCode> {
  checkReports(host, options);
  const settings = settingsOf(options);
  const { failsGate } = await import("../bench/models/summarise.js");
  const { benchForms } = await import("../render/bench.js");
  const worker = given ?? (await import("./bench-process.js")).builtWorker;
  const result = await measure(host, paths, settings, options, worker);
  await writeResult(host, options, benchForms(result));
  return failsGate(result, options["inconclusive"] === "fail") ? exitCode.found : exitCode.ok;
}

function settingsOf(options: Options): BenchSettings {
  const threads = options["threads"] as number;
  return {
    rounds: options["rounds"] as number,
    seconds: options["time"] as number,
    warmUpSeconds: options["warmup"] as number,
    threads,
    tolerance: options["tolerance"] as number,
    metric: (options["metric"] as "cpu" | "wall" | undefined) ?? (threads === 1 ? "cpu" : "wall"),
    seed: options["seed"] as number,
    session: sessionEntries((options["session"] as string[] | undefined) ?? []),
    control: options["control"] === true,
  };
}

async function measure(
  host: Host,
  paths: readonly string[],
  settings: BenchSettings,
  options: Options,
  worker: Worker,
): Promise<BenchResult> {
  const { environmentOf } = await import("./bench-environment.js");
  const { openModels } = await import("./bench-models.js");
  const { startProcess } = await import("./bench-process.js");
  const { schedule, takeTurns } = await import("../bench/models/schedule.js");
  const { summarise } = await import("../bench/models/summarise.js");
  const { startProgress } = await import("./progress.js");

  // before anything of ours loads the machine
  const environment = await environmentOf();
  const session = { threads: settings.threads, config: settings.session };
  const { models, samples } = await openModels(host, paths, settings.control, session, {
    path: options["data"] as string | undefined,
    settings: sampleSettings(options, { count: syntheticCount, seed: settings.seed }),
  });

  // made-up samples all have one shape, so one of them times as well as all
  const timed = Math.min(samples.count, samples.synthetic ? 1 : maxTimed);
  const batches: Batch[] = [];
  for (let at = 0; at < timed; at++) batches.push(await samples.read(at));
  const rounds: Round[][] = models.map(() => []);
  const progress = startProgress(host, "measuring", "rounds");
  const processes = new Map<number, MeasuringProcess>();
  try {
    for (const [done, order] of schedule(models.length, settings.rounds, settings.seed).entries()) {
      for (const at of order) {
        const { path: shown, absolutePath: path } = models[at]!;
        const { warmUpSeconds } = settings;
        processes.set(at, await startProcess(host, worker, shown, { path, session, batches, warmUpSeconds }));
      }
      await takeTurns([...processes.values()], settings.seconds);
      for (const [at, child] of processes) {
        rounds[at]!.push(await child.finish());
        child.stop();
      }
      processes.clear();
      progress.update(done + 1, settings.rounds);
    }
  } finally {
    for (const child of processes.values()) child.stop();
    progress.stop();
  }
  return summarise(
    models.map(({ absolutePath: _, ...model }, at) => ({ ...model, rounds: rounds[at]! })),
    {
      environment,
      settings,
      samples: {
        count: samples.count,
        timed: batches.length,
        source: samples.source,
        synthetic: samples.synthetic,
        shapes: await shapesOf(batches),
        notes: samples.notes,
      },
    },
  );
}

/** The shapes of each input over the batches, each once: `1x3x48x320`, `1x3x48x439`. */
async function shapesOf(batches: readonly Batch[]): Promise<Readonly<Record<string, readonly string[]>>> {
  const { formatShape } = await import("../tensor/tensor.js");
  const names = [...batches[0]!.keys()];
  return Object.fromEntries(
    names.map((name) => [name, [...new Set(batches.map((batch) => formatShape(batch.get(name)!.shape)))]]),
  );
}

function sessionEntries(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at <= 0)
        throw new UserError(`--session ${text}: write it as <key>=<value>, e.g. session.disable_quant_qdq=1`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
