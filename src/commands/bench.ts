import { Argument, type Option } from "commander";
import type { EndpointBenchResult } from "../bench/endpoints/result.js";
import type { BenchResult } from "../bench/models/result.js";
import { type CommandSpec, type ExitCode, exitCode, type Host, type Options } from "../cli.js";
import { UserError } from "../errors.js";
import type { Forms } from "../render/forms.js";
import { endpointOptions, loadOptions, modelOptions, verdictOptions, workloadOptions } from "./bench-options.js";
import type { Worker } from "./bench-process.js";
import type { StoredRun } from "./bench-stored.js";
import { checkOutput, statsOf, writeWhole } from "./files.js";
import { modelHeads } from "./heads.js";
import { checkReports, outputOptions, withValues, writeResult } from "./output.js";

/** Of each of its six measurements. */
const selfTestSeconds = 2;

const long = (options: readonly Option[]) => options.flatMap(({ long: name }) => name ?? []);

/** Options of the other kind of benchmark would be passed over in silence. */
function refuseOthers(options: Options, others: readonly Option[], kind: string): void {
  const set = others.find((option) => {
    const value = options[option.attributeName()];
    const usual = option.negate ? true : option.defaultValue;
    // both kinds take it
    return option.long !== "--tokenizer" && value !== undefined && JSON.stringify(value) !== JSON.stringify(usual);
  });
  if (set) throw new UserError(`${set.long}: is for ${kind}; leave it out`);
}

/** What bears on the verdict of some benchmarks only. */
function refuseIdle(options: Options, names: readonly string[], kind: string): void {
  refuseOthers(
    options,
    verdictOptions().filter(({ long: name }) => names.includes(name ?? "")),
    kind,
  );
}

/** The command with another measuring process than the built one, for tests that run the TypeScript source. */
export function benchCommandWith(worker: Worker | undefined): CommandSpec {
  const groups = {
    Endpoints: endpointOptions(),
    "What endpoints are asked": workloadOptions(),
    Load: loadOptions(),
    "Model files": modelOptions(),
    Verdict: verdictOptions(),
    Output: outputOptions(withValues),
  };
  return {
    ...modelHeads.bench,
    details:
      "Endpoints (--endpoint) are asked the same prompts in alternating blocks; the verdict is about TTFT, TPOT, " +
      "end-to-end latency and errors. Model files: outputs are compared first, then every round loads each in a fresh process and lets them " +
      "take turns, a tenth of a second each; the verdict is about CPU time per run, the steadier one on a busy machine (wall " +
      "time with more than one thread). FAIL only if the whole interval lies beyond the tolerance, PASS only if it lies " +
      "within it or on the better side. Two kept results (.json) are compared as they are.",
    arguments: [
      new Argument("[baseline]", "the .onnx file to compare with, or a kept result; none with --endpoint"),
      new Argument(
        "[candidates...]",
        ".onnx files to compare with it, or a second result; none: only measure the first",
      ),
    ],
    options: Object.values(groups).flat(),
    optionGroups: Object.fromEntries(Object.entries(groups).map(([heading, options]) => [heading, long(options)])),
    examples: [
      { command: "bench model.onnx model.int8.onnx --data samples/", note: "is the small one as fast, and as good?" },
      { command: "bench model.onnx --shape x=1x3x48x320", note: "one model's own numbers" },
      { command: "bench a.onnx b.onnx --batch 1,8 --threads 1,2 --report bench.html", note: "throughput, with charts" },
      {
        command:
          "bench --endpoint old=http://old:8000/v1,model=deepseek-ai/DeepSeek-V3 --endpoint new=http://new:8000/v1,model=deepseek-ai/DeepSeek-V3.1 --preset chat --concurrency 1,4,16",
        note: "two servers under the same load",
      },
      { command: "bench --self-test", note: "what this program can measure on this machine" },
    ],
    exitCodes: {
      0: "measured: PASS, or nothing to compare (INCONCLUSIVE passes unless told otherwise)",
      1: "FAIL: slower, or a gate not kept (or INCONCLUSIVE, with --inconclusive fail)",
      2: "could not measure: a file, sample, endpoint or option that is wrong",
    },
    run: (host, [baseline, candidates], options) => {
      const paths = [...(baseline === undefined ? [] : [baseline as string]), ...(candidates as string[])];
      return run(host, paths, options, worker);
    },
  };
}

/** `deepseek bench`. */
export const benchCommand = benchCommandWith(undefined);

/** A result in its forms, and what the pipeline is told. */
interface Outcome {
  readonly forms: Forms;
  readonly code: ExitCode;
}

async function run(
  host: Host,
  given: readonly string[],
  options: Options,
  worker: Worker | undefined,
): Promise<ExitCode> {
  const { paths, reports } = storedPaths(host, given, options);
  const shown = { ...options, report: reports };
  if (options["selfTest"]) checkReports(host, shown);
  else checkReports(host, shown, withValues);
  const save = options["save"] as string | undefined;
  if (save !== undefined) checkOutput(host, save, true);

  const stop = new AbortController();
  let written = () => {};
  const done = new Promise<void>((resolve) => {
    written = resolve;
  });
  const forget = host.onInterrupt(() => {
    stop.abort("interrupted");
    return done;
  });
  try {
    const { forms, code } = await outcomeOf(host, paths, options, worker, stop.signal);
    try {
      await writeResult(host, shown, forms);
    } finally {
      // a report that cannot be written must not take what was measured with it
      if (save !== undefined) writeWhole(host, save, `${JSON.stringify(forms.json)}\n`);
    }
    return stop.signal.aborted ? exitCode.interrupted : code;
  } finally {
    forget();
    written();
  }
}

async function outcomeOf(
  host: Host,
  paths: readonly string[],
  options: Options,
  worker: Worker | undefined,
  stop: AbortSignal,
): Promise<Outcome> {
  if (options["selfTest"]) return selfTest(host, paths, options);
  if (paths.some((path) => path.endsWith(".json"))) return storedRuns(host, paths, options);
  return options["endpoint"] === undefined
    ? modelFiles(host, paths, options, worker)
    : endpoints(host, paths, options, stop);
}

/**
 * `bench --report old.json new.json` compares two kept results, as `bench old.json new.json` does: a report that is
 * there already, beside one other result, is no file to write.
 */
function storedPaths(host: Host, paths: readonly string[], options: Options) {
  const reports = (options["report"] as readonly string[] | undefined) ?? [];
  const [only, ...more] = paths;
  if (only?.endsWith(".json") && more.length === 0) {
    const old = reports.find((path) => path.endsWith(".json") && statsOf(host, path)?.isFile());
    if (old !== undefined) return { paths: [old, only], reports: reports.filter((path) => path !== old) };
  }
  return { paths, reports };
}

async function modelFiles(
  host: Host,
  paths: readonly string[],
  options: Options,
  worker: Worker | undefined,
): Promise<Outcome> {
  if (paths.length === 0) throw new UserError("nothing to measure: name model files, or endpoints with --endpoint");
  refuseOthers(options, [...endpointOptions(), ...workloadOptions(), ...loadOptions()], "endpoints (--endpoint)");
  refuseIdle(options, ["--slo", "--prices"], "endpoints (--endpoint)");
  if (options["baseline"] === undefined) refuseIdle(options, ["--any-environment", "--any-workload"], "--baseline");
  const { benchModelFiles } = await import("./bench-model-files.js");
  const { withStoredModels } = await import("./bench-stored.js");
  const old = await baselineOf(host, options);
  const measured = await benchModelFiles(host, paths, options, worker);
  const result = old === undefined ? measured : await withStoredModels(measured, old, options);
  return modelOutcome(result, options);
}

async function endpoints(host: Host, paths: readonly string[], options: Options, stop: AbortSignal): Promise<Outcome> {
  if (paths.length > 0) throw new UserError(`${paths[0]}: give model files or endpoints, not both`);
  refuseOthers(options, modelOptions(), "model files");
  if (options["baseline"] === undefined) refuseIdle(options, ["--any-environment", "--any-workload"], "--baseline");
  const { benchEndpoints } = await import("./bench-endpoints.js");
  const { storedEndpoints, withStoredEndpoints } = await import("./bench-stored.js");
  const run = await baselineOf(host, options);
  const old = run && (await storedEndpoints(run));
  if (old && (options["endpoint"] as readonly string[]).length > 1) {
    throw new UserError("--baseline: compares one endpoint with a kept run; leave the other --endpoint out");
  }
  const { result, answered } = await benchEndpoints(host, options, stop);
  const compared = old && answered ? await withStoredEndpoints(result, run.path, old, "this run", options) : result;
  const { forms, code } = await endpointOutcome(compared, options);
  return { forms, code: answered ? code : exitCode.failed };
}

async function endpointOutcome(result: EndpointBenchResult, options: Options): Promise<Outcome> {
  const { endpointForms } = await import("../render/bench-endpoints.js");
  const { failsVerdict } = await import("./bench-endpoints.js");
  const failed = failsVerdict(result.verdict, options["inconclusive"] === "fail");
  return { forms: endpointForms(result), code: failed ? exitCode.found : exitCode.ok };
}

async function modelOutcome(result: BenchResult, options: Options): Promise<Outcome> {
  const { failsGate } = await import("../bench/models/summarise.js");
  const { benchForms } = await import("../render/bench.js");
  const fails = options["inconclusive"] === "fail";
  return { forms: benchForms(result, fails), code: failsGate(result, fails) ? exitCode.found : exitCode.ok };
}

/** Two kept results, the older first. */
async function storedRuns(host: Host, paths: readonly string[], options: Options): Promise<Outcome> {
  const { readStoredRun, storedEndpoints, storedModels, withStoredEndpoints, withStoredModels } = await import(
    "./bench-stored.js"
  );
  if (paths.length !== 2) {
    throw new UserError("kept results are compared two at a time: deepseek bench old.json new.json");
  }
  const measuring = "measuring, and kept results are compared as they are";
  refuseOthers(options, [...endpointOptions(), ...workloadOptions(), ...loadOptions(), ...modelOptions()], measuring);
  refuseIdle(options, ["--baseline", "--control", "--rounds", "--slo", "--prices"], measuring);
  const [old, now] = paths.map((path) => readStoredRun(host, path)) as [StoredRun, StoredRun];
  if (old.kind === "models") {
    const after = await storedModels(now);
    // what the newer run was about itself decides nothing here
    const alone = { ...after, comparisons: [], sweep: after.sweep.map((point) => ({ ...point, comparisons: [] })) };
    return modelOutcome(await withStoredModels(alone, old, options), options);
  }
  const [before, after] = [await storedEndpoints(old), await storedEndpoints(now)];
  return endpointOutcome(await withStoredEndpoints(after, old.path, before, now.path, options), options);
}

/** Measures this program itself. */
async function selfTest(host: Host, paths: readonly string[], options: Options): Promise<Outcome> {
  if (paths.length > 0 || options["endpoint"] !== undefined) {
    throw new UserError("--self-test: measures this program itself; leave files and endpoints out");
  }
  const others = verdictOptions().filter(({ long: name }) => name !== "--self-test");
  const measured = [endpointOptions(), workloadOptions(), loadOptions(), modelOptions(), others].flat();
  refuseOthers(options, measured, "measurements, and --self-test is one of this program itself");
  const { selfTestForms } = await import("../render/bench-self-test.js");
  const { selfTestHere } = await import("./bench-self-test.js");
  return { forms: selfTestForms(await selfTestHere(host, selfTestSeconds)), code: exitCode.ok };
}

/** The run of --baseline, read before anything is measured. */
async function baselineOf(host: Host, options: Options): Promise<StoredRun | undefined> {
  const path = options["baseline"] as string | undefined;
  if (path === undefined) return undefined;
  const { readStoredRun } = await import("./bench-stored.js");
  return readStoredRun(host, path);
}
