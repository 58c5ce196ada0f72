import { basename, dirname, join, parse } from "node:path";
import { type ExitCode, exitCode, type Host, type Options } from "../cli.js";
import { runtimeVersion } from "../engine/session.js";
import { UserError } from "../errors.js";
import { isBroken } from "../evaluate/agreement.js";
import { evaluateCandidate } from "../evaluate/drop.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { checkGraphs } from "../graph/check.js";
import { normalise } from "../graph/normalise/index.js";
import { raiseOpset } from "../graph/opset.js";
import { quantizationOf } from "../graph/quantization.js";
import type { Calibration } from "../quantize/calibration.js";
import type { Gate, NoiseLimit } from "../quantize/gate.js";
import { type Milder, planQuantization, type QuantizationPlan } from "../quantize/plan.js";
import type { RangeMethod } from "../quantize/ranges.js";
import { observedValues, valuesToObserve } from "../quantize/static/observed.js";
import type { StaticSettings } from "../quantize/static/settings.js";
import { startWeights } from "../quantize/weights.js";
import { type CompressResult, compressForms, planForms, type Verification, warningsOf } from "../render/compress.js";
import { createQuantizer } from "../tensor/kernels/pool.js";
import type { Clip } from "../tensor/quantized.js";
import { searchNoiseLimit } from "./compress-activations.js";
import { gatherCalibration, readCalibration } from "./compress-calibrate.js";
import { type Candidate, makeCandidate, openCandidate, useByRuntime, type Workshop } from "./compress-candidates.js";
import { type Check, openCheck } from "./compress-check.js";
import { type Choice, chooseByNoise, hasWeights, tuneSchemes } from "./compress-choices.js";
import { milderFor, searchGate } from "./compress-gate.js";
import { settingsOf } from "./compress-settings.js";
import { compareSpeed } from "./compress-speed.js";
import { checkOutput, isSameFile, openStaging, type Staging } from "./files.js";
import { type ModelFile, readModelFile } from "./model-files.js";
import { checkReports, warn, writeResult } from "./output.js";
import { startProgress } from "./progress.js";
import { openScratch } from "./scratch.js";

/** Seconds that the comparison of speeds may take. */
const speedSeconds = 4;

/** `deepseek compress`: reads, plans, quantizes, verifies, and publishes the file only when all of that is done. */
export async function runCompress(host: Host, path: string, options: Options): Promise<ExitCode> {
  checkReports(host, options);
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
  // new weights wait in a file where they would fill memory
  const scratch = openScratch(host, output, source.readExternal);
  const store = source.bytes > largeBytes ? scratch.put : undefined;
  const staging = dryRun ? undefined : openStaging(host, output);
  const quantizer = createQuantizer(options["threads"] as number);
  let check: Check | string | undefined;
  try {
    const normalised = normalise(source.model, scratch.readExternal, {
      constantInputs: options["freezeInputs"] ? "freeze" : "keep",
      ...(store ? { store } : {}),
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
    const calibration = await calibrationOf(host, options, source, scratch.readExternal, check, staging, activations);
    if (activations && !calibration) {
      throw new UserError("--static: needs samples to calibrate on; give --data, or --shape for made-up ones");
    }
    const name = basename(output);
    const gated = typeof check !== "string" && !check.synthetic;
    const weightsOf = (clip: Clip) =>
      startWeights(quantizer, scratch.readExternal, clip, { keep: gated, balance: settings.balance });
    const correct = calibration !== undefined && gated && options["biasCorrection"] !== false;
    const { clip, range } = options as { readonly clip: Clip | "auto"; readonly range: RangeMethod | "auto" };
    let workshop: Workshop = {
      base: source.model,
      settings,
      quantizer,
      weights: weightsOf(settings.clip),
      readExternal: scratch.readExternal,
      store,
      channelsOf: correct ? (value) => calibration.values.get(value)?.channels ?? undefined : undefined,
      activations:
        activations && calibration
          ? { settings: activations, observed: observedValues(calibration.values, ranges) }
          : undefined,
      keepNames: options["keepNames"] === true,
      staging,
    };
    const choices: Choice[] = [];
    if (typeof check !== "string" && options["tune"]) {
      const tuned = await tuneSchemes(host, workshop, check);
      workshop = tuned.workshop;
      choices.push(tuned.choice);
    }
    if (typeof check !== "string" && gated && clip === "auto" && hasWeights(workshop)) {
      const ways = (["mse", "max"] as const).map((way) => ({
        name: way,
        workshop: {
          ...workshop,
          settings: { ...workshop.settings, clip: way },
          weights: weightsOf(way),
          activations: undefined,
        },
      }));
      const found = await chooseByNoise(host, check, "clip", ways);
      workshop = { ...found.workshop, activations: workshop.activations };
      choices.push(found.choice);
    }
    if (typeof check !== "string" && workshop.activations && calibration && range === "auto") {
      const { activations: given } = workshop;
      const ways = (["mse", "minmax", "percentile"] as const).map((method) => ({
        name: method,
        workshop: {
          ...workshop,
          activations: { ...given, observed: observedValues(calibration.values, { ...ranges, method }) },
        },
      }));
      const found = await chooseByNoise(host, check, "range", ways);
      workshop = found.workshop;
      choices.push(found.choice);
    }
    let candidate = await quantize(host, workshop, name, dataName);
    checkWork(path, { ...plan, tensors: candidate.tensors });
    let verification: Verification = { checked: false, reason: typeof check === "string" ? check : "" };
    let gate: Gate | null = null;
    let noiseLimit: NoiseLimit | null = null;
    if (typeof check !== "string") {
      const optimized = staging.pathOf("optimized.onnx");
      const again = async (milder: Milder, held: Check) => {
        staging.remove([...candidate.files, "optimized.onnx"]);
        candidate = await makeCandidate(workshop, milder, name, dataName);
        return verify(host, optimized, candidate, held, speedSeconds);
      };
      const maxDrop = options["maxDrop"] as number;
      const seconds = options["searchSeconds"] as number;
      let checked = await verify(host, optimized, candidate, check, speedSeconds);
      if (gated && checked.drop.value > maxDrop && workshop.activations) {
        const limited = await searchNoiseLimit(host, workshop, check, maxDrop, seconds);
        workshop = limited.workshop;
        noiseLimit = limited.found;
        checked = await again(new Map(), check);
      }
      if (gated && checked.drop.value > maxDrop) {
        workshop = { ...workshop, activations: undefined };
        gate = await searchGate(host, workshop, check, candidate, checked.drop.value, maxDrop, seconds);
        checked = await again(milderFor(gate.floats), check);
      }
      verification = checked;
    }
    if (candidate.files.length > 1 && !dataName) {
      checkOutput(host, join(dirname(output), candidate.files[0]!), options["force"] === true);
    }
    const { bytes } = candidate;
    const result: CompressResult = {
      schema: "deepseek/compress@2",
      versions: { "deepseek-compat": host.version, onnxruntime: await runtimeVersion(), node: process.versions.node },
      ...shared,
      output: { path: output, bytes, ratio: bytes / source.bytes },
      settings,
      tensors: candidate.tensors,
      correctedBiases: candidate.corrected.length,
      namesShortened: candidate.namesShortened,
      verification,
      calibration: calibration && {
        source: calibration.source,
        samples: calibration.samples,
        values: calibration.values.size,
        ranges: activations ? ranges.method : null,
      },
      nodes: [...(candidate.activations?.nodes.values() ?? [])].map(({ name, opType, output, runs, reason }) => ({
        name,
        opType,
        output,
        runs,
        reason,
      })),
      choices,
      noiseLimit,
      gate,
    };
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

/** The calibration, read or gathered; undefined where there is nothing to calibrate on or for. */
async function calibrationOf(
  host: Host,
  options: Options,
  source: ModelFile,
  readExternal: ReadExternal,
  check: Check | string,
  staging: Staging,
  activations: StaticSettings | undefined,
): Promise<Calibration | undefined> {
  if (typeof check === "string" || (check.synthetic && !activations)) return undefined;
  const read = await readCalibration(host, options, source);
  if (read) return read;
  const values = activations && valuesToObserve(source.model, activations, readExternal);
  return gatherCalibration(host, options, source, source.model, readExternal, check, staging, values ?? []);
}

/** Above this, weights that are made anew wait on disk. */
const largeBytes = 256e6;

async function quantize(host: Host, workshop: Workshop, name: string, dataName: string | null): Promise<Candidate> {
  const progress = startProgress(host, "quantizing", "tensors");
  try {
    return await makeCandidate(workshop, new Map(), name, dataName, (done, total) => {
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
    const speed = await compareSpeed(check.original.runAgain, session.run, check.first, speedSeconds);
    return {
      checked: true,
      source: check.heldOut.source,
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
