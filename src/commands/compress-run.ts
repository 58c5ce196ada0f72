import { basename, dirname, join, parse } from "node:path";
import { type ExitCode, exitCode, type Host, type Options } from "../cli.js";
import { UserError } from "../errors.js";
import { isBroken } from "../evaluate/agreement.js";
import { evaluateCandidate } from "../evaluate/drop.js";
import type { ModelProto } from "../formats/onnx.js";
import { checkGraphs } from "../graph/check.js";
import { normalise } from "../graph/normalise/index.js";
import { raiseOpset } from "../graph/opset.js";
import { quantizationOf } from "../graph/quantization.js";
import type { Calibration } from "../quantize/calibration.js";
import type { Gate } from "../quantize/gate.js";
import { planQuantization, type QuantizationPlan } from "../quantize/plan.js";
import { type RangeSettings, rangesOf } from "../quantize/ranges.js";
import type { ObservedValue } from "../quantize/static/settings.js";
import { startWeights } from "../quantize/weights.js";
import { compressForms } from "../render/compress.js";
import { warningsOf } from "../render/compress-loss.js";
import { planForms } from "../render/compress-plan.js";
import type { Verification } from "../render/compress-result.js";
import { createQuantizer } from "../tensor/kernels/pool.js";
import { gatherCalibration, readCalibration } from "./compress-calibrate.js";
import {
  type Candidate,
  makeCandidate,
  noCare,
  openCandidate,
  useByRuntime,
  type Workshop,
} from "./compress-candidates.js";
import { type Check, openCheck } from "./compress-check.js";
import { describeRun } from "./compress-describe.js";
import { careFor, searchGate } from "./compress-gate.js";
import { settingsOf } from "./compress-settings.js";
import { compareSpeed } from "./compress-speed.js";
import { checkOutput, isSameFile, openStaging } from "./files.js";
import { type ModelFile, readModelFile } from "./model-files.js";
import { checkReports, warn, withPage, writeResult } from "./output.js";
import { startProgress } from "./progress.js";
import { openScratch } from "./scratch.js";

/** `deepseek compress`: reads, plans, quantizes, verifies, and publishes the file only when all of that is done. */
export async function runCompress(host: Host, path: string, options: Options): Promise<ExitCode> {
  checkReports(host, options, withPage);
  const output = outputPath(path, options);
  const dryRun = options["dryRun"] === true;
  if (!dryRun) {
    if (isSameFile(host, path, output)) {
      throw new UserError(`${output}: is the input itself, which is never changed; give -o another name`);
    }
    checkOutput(host, output, options["force"] === true);
  }
  const source = readModelFile(host, path);
  const dataName = dataNameOf(host, source, output, options);
  checkGraphs(source.model, path);
  if (!options["requantize"]) refuseQuantized(path, source.model);
  // folded weights wait in a file where they would fill memory
  const scratch = openScratch(host, output, source.readExternal);
  const staging = dryRun ? undefined : openStaging(host, output);
  const quantizer = createQuantizer(options["threads"] as number);
  let check: Check | string | undefined;
  try {
    const normalised = normalise(source.model, scratch.readExternal, {
      constantInputs: options["freezeInputs"] ? "freeze" : "keep",
      ...(source.bytes > largeBytes ? { store: scratch.put } : {}),
    });
    const opset = raiseOpset(source.model, path, 13, scratch.readExternal);
    const { weights: settings, activations, ranges } = settingsOf(options, options["data"] !== undefined);
    const shared = {
      model: { path, bytes: source.bytes, sha256: source.sha256 },
      opset,
      normalised: normalised.passes,
    };
    const plan = planQuantization(source.model, settings);
    if (!staging) {
      await writeResult(host, options, planForms({ schema: "deepseek/compress-plan@2", ...shared, plan }));
      return exitCode.ok;
    }
    checkWork(path, plan);
    // samples first: a --shape that does not fit must not cost the user the wait
    check = options["verify"] === false ? "--no-verify" : await openCheck(host, source, options);
    const maxDrop = options["maxDrop"] as number;
    const speedSeconds = options["speedSeconds"] as number;
    const gated = typeof check !== "string" && !check.synthetic;
    const calibration =
      typeof check === "string" || (check.synthetic && !activations)
        ? undefined
        : ((await readCalibration(host, options, source)) ??
          (await gatherCalibration(
            host,
            options,
            source,
            source.model,
            scratch.readExternal,
            check,
            staging,
            activations !== undefined,
          )));
    if (activations && !calibration) {
      throw new UserError("--static: needs samples to calibrate on; give --data, or --shape for made-up ones");
    }
    const correct = calibration !== undefined && gated && options["biasCorrection"] !== false;
    const workshop: Workshop = {
      base: source.model,
      settings,
      quantizer,
      weights: startWeights(quantizer, scratch.readExternal, settings.clip, { keep: gated }),
      readExternal: scratch.readExternal,
      channelsOf: correct ? (value) => calibration.values.get(value)?.channels ?? undefined : undefined,
      activations:
        activations && calibration ? { settings: activations, observed: observedOf(calibration, ranges) } : undefined,
      staging,
    };
    const name = basename(output);
    let candidate = await quantize(host, workshop, name, dataName);
    checkWork(path, { ...plan, tensors: candidate.tensors });
    let verification: Verification = { checked: false, reason: typeof check === "string" ? check : "" };
    let gate: Gate | null = null;
    if (typeof check !== "string") {
      let checked = await verify(host, staging.pathOf("optimized.onnx"), candidate, check, speedSeconds);
      const { drop } = checked;
      if (gated && drop.value > maxDrop) {
        const seconds = options["searchSeconds"] as number;
        gate = await searchGate(host, workshop, check, candidate, drop.value, maxDrop, seconds);
        staging.remove([...candidate.files, "optimized.onnx"]);
        candidate = await makeCandidate(workshop, careFor(gate.floats), name, dataName);
        checked = await verify(host, staging.pathOf("optimized.onnx"), candidate, check, speedSeconds);
      }
      verification = checked;
    }
    if (candidate.files.length > 1 && !dataName) {
      checkOutput(host, join(dirname(output), candidate.files[0]!), options["force"] === true);
    }
    const result = await describeRun(host, staging, {
      ...shared,
      output,
      settings,
      seed: options["seed"] as number,
      candidate,
      verification,
      calibration,
      ranges: activations && ranges,
      gate,
    });
    const failed = gate !== null && !gate.reached;
    if (!failed) staging.publish(candidate.files);
    for (const warning of warningsOf(result)) await warn(host, warning);
    await writeResult(host, options, compressForms(result));
    return failed || (verification.checked && isBroken(verification.agreement)) ? exitCode.found : exitCode.ok;
  } finally {
    if (check && typeof check !== "string") await check.close();
    await quantizer.close();
    scratch.close();
    staging?.discard();
  }
}

/** Ranges and sizes of the activations. */
function observedOf({ values }: Calibration, ranges: RangeSettings): ReadonlyMap<string, ObservedValue> {
  const found = rangesOf(values, ranges);
  return new Map(
    [...values].map(([name, { elements, samples }]) => [name, { ...found.get(name)!, elements: elements / samples }]),
  );
}

/** Above this, weights that normalisation makes anew wait on disk. */
const largeBytes = 256e6;

async function quantize(host: Host, workshop: Workshop, name: string, dataName: string | null): Promise<Candidate> {
  const progress = startProgress(host, "quantizing", "tensors");
  try {
    return await makeCandidate(workshop, noCare, name, dataName, (done, total) => {
      progress.update(done, total);
      return new Promise((resolve) => setImmediate(resolve));
    });
  } finally {
    progress.stop();
  }
}

/** Holds the finished file against the original, counts what the runtime made of it, and compares speeds. */
async function verify(
  host: Host,
  optimizedPath: string,
  candidate: Candidate,
  check: Check,
  speedSeconds: number,
): Promise<Extract<Verification, { checked: true }>> {
  const progress = startProgress(host, "checking", "samples");
  const session = await openCandidate(candidate, optimizedPath);
  try {
    const { count } = check.heldOut;
    const { agreement, drop } = await evaluateCandidate(
      check.original.run,
      session.run,
      check.heldOut,
      check.measure,
      (done) => progress.update(done, count),
    );
    const use = useByRuntime((path) => readModelFile(host, path), candidate, optimizedPath);
    const speed =
      speedSeconds > 0 ? await compareSpeed(check.original.runAgain, session.run, check.first, speedSeconds) : null;
    return {
      checked: true,
      source: check.heldOut.source,
      split: check.note,
      notes: check.heldOut.notes,
      synthetic: check.synthetic,
      agreement,
      drop,
      runtime: use,
      speed,
    };
  } finally {
    progress.stop();
    await session.close();
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

/** Refuses a model that is quantized already: a second loss would be taken for the first. */
function refuseQuantized(path: string, model: ModelProto): void {
  const quantization = quantizationOf(model);
  if (!quantization) return;
  throw new UserError(
    `${path}: is quantized already (${quantization.words}); nothing was done; --requantize goes on with what is still floats`,
  );
}

/** Refuses a model of which nothing gets smaller. */
function checkWork(path: string, { tensors }: Pick<QuantizationPlan, "tensors">): void {
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
