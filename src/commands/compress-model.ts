import { basename, dirname, join } from "node:path";
import type { Host, Options } from "../cli.js";
import { UserError } from "../errors.js";
import { checkGraphs } from "../graph/check.js";
import { normalise } from "../graph/normalise/index.js";
import { raiseOpset } from "../graph/opset.js";
import type { Gate, NoiseLimit } from "../quantize/gate.js";
import { type Milder, planQuantization } from "../quantize/plan.js";
import { startWeights } from "../quantize/weights.js";
import { warningsOf } from "../render/compress-loss.js";
import type { CompressResult, PlanResult, Verification } from "../render/compress-result.js";
import { createQuantizer, smallModel } from "../tensor/kernels/pool.js";
import type { Clip } from "../tensor/quantized.js";
import { type Candidate, makeCandidate, type Workshop } from "./compress-candidates.js";
import type { Check } from "./compress-check.js";
import { describeRun } from "./compress-describe.js";
import { checkWork, refuseNotFinite, refuseQuantized } from "./compress-refusals.js";
import { maxDropOf, settingsOf } from "./compress-settings.js";
import { withoutEffect } from "./compress-unused.js";
import type { Hasher } from "./file-hash.js";
import { checkOutput, type Staging } from "./files.js";
import type { ModelFile } from "./model-files.js";
import { startProgress } from "./progress.js";
import { openScratch } from "./scratch.js";

/** Where a quantized model goes. */
export interface Destination {
  /** As the user gave it; errors name it. */
  readonly output: string;
  /** Of the data file beside it; null where weights stay in the model file. */
  readonly dataName: string | null;
  /** Where the files lie until they are published; without it only a plan is made. */
  readonly staging: Staging | undefined;
  readonly hasher: Hasher;
}

/** A quantized model in the staging folder. */
export interface Quantized {
  readonly result: CompressResult;
  readonly files: readonly string[];
  /** Whether the loss stayed above --max-drop: then the files are not to be published. */
  readonly missed: boolean;
}

/** Quantizes a model as the options say, and holds it against the original. Changes the model of `source`. */
export async function quantizeModel(
  host: Host,
  source: ModelFile,
  options: Options,
  { output, dataName, staging, hasher }: Destination,
): Promise<Quantized | PlanResult> {
  const { path } = source;
  checkGraphs(source.model, path);
  if (!options["requantize"]) refuseQuantized(path, source.model);
  // new weights wait in a file where they would fill memory
  const scratch = openScratch(host, output, source.readExternal);
  const store = source.bytes > largeBytes ? scratch.put : undefined;
  const quantizer = createQuantizer(options["threads"] as number, smallModel);
  let check: Check | string | undefined;
  try {
    const normalised = normalise(source.model, scratch.readExternal, {
      constantInputs: options["freezeInputs"] ? "freeze" : "keep",
      ...(store ? { store } : {}),
    });
    const opset = raiseOpset(source.model, path, 13, scratch.readExternal);
    const { weights: settings, activations, ranges } = settingsOf(options, options["data"] !== undefined);
    const shared = {
      // its place in the report
      model: undefined,
      opset,
      normalised: normalised.passes,
    };
    const plan = planQuantization(source.model, settings);
    if (!staging) {
      const { estimateBytes } = await import("./compress-estimate.js");
      const how = { keepNames: options["keepNames"] === true, dataName };
      const estimatedBytes = await estimateBytes(source.model, plan, scratch.readExternal, how);
      return {
        schema: "deepseek/compress-plan@2",
        ...{ ...shared, model: await modelOf(source), plan, estimatedBytes },
      };
    }
    checkWork(path, plan);
    // samples first: a --shape that does not fit must not cost the user the wait
    check =
      options["verify"] === false
        ? "--no-verify"
        : await (await import("./compress-check.js")).openCheck(host, source, options);
    // what runs models, and all that needs it, is loaded where it is wanted only
    let calibration =
      typeof check === "string"
        ? undefined
        : await (await import("./compress-calibrate.js")).calibrationOf(
            ...([host, options, source, scratch.readExternal, check, staging, activations] as const),
          );
    if (activations && !calibration) {
      throw new UserError("--static: needs samples to calibrate on; give --data, or --shape for made-up ones");
    }
    const name = basename(output);
    const gated = typeof check !== "string" && !check.synthetic;
    const corrects = options["biasCorrection"] !== false;
    // without real samples: the check's random numbers are nothing like what a model is for
    const madeUp =
      corrects && !gated && (typeof check !== "string" || source.bytes <= quickBytes)
        ? await (await import("./compress-made-up.js")).madeUpChannels(
            ...([host, source, source.model, scratch.readExternal, staging, options["seed"] as number] as const),
          )
        : undefined;
    const calibrated = calibration;
    const channelsOf =
      corrects && gated && calibrated ? (value: string) => calibrated.values.get(value)?.channels ?? undefined : madeUp;
    const keep = gated || (madeUp !== undefined && source.bytes <= quickBytes);
    const balance = settings.balance ? (channelsOf ? "kernels" : "outputs") : false;
    const weightsOf = (clip: Clip) => startWeights(quantizer, scratch.readExternal, clip, { keep, balance });
    // nothing comes between writing and hashing then
    const hashEarly = typeof check === "string" && source.bytes > largeHash;
    let workshop: Workshop = {
      base: source.model,
      settings,
      quantizer,
      weights: weightsOf(settings.clip),
      readExternal: scratch.readExternal,
      store,
      channelsOf,
      activations:
        activations && calibration
          ? {
              settings: activations,
              observed: (await import("../quantize/static/observed.js")).observedValues(calibration.values, ranges),
            }
          : undefined,
      keepNames: options["keepNames"] === true,
      staging,
      whenWritten: hashEarly ? hasher.start : undefined,
    };
    const prepared =
      typeof check !== "string" || options["equalise"] === true
        ? await (await import("./compress-prepare.js")).prepareWorkshop(
            ...([host, options, source, workshop, calibration, ranges, check, weightsOf] as const),
          )
        : { workshop, calibration, choices: [], accuracy: { smoothings: [], equalised: [], rounded: [] } };
    ({ workshop, calibration } = prepared);
    const { choices, accuracy } = prepared;
    let candidate = await quantize(host, workshop, name, dataName);
    refuseNotFinite(path, candidate.tensors);
    checkWork(path, { ...plan, tensors: candidate.tensors });
    let verification: Verification = { checked: false, reason: typeof check === "string" ? check : "" };
    let gate: Gate | null = null;
    let doubts: readonly string[] = [];
    let noiseLimit: NoiseLimit | null = null;
    if (typeof check !== "string") {
      const { verify } = await import("./compress-verify.js");
      const optimized = staging.pathOf("optimized.onnx");
      const speedSeconds = options["speedSeconds"] as number;
      const again = async (milder: Milder, held: Check) => {
        staging.remove([...candidate.files, "optimized.onnx"]);
        candidate = await makeCandidate(workshop, milder, name, dataName);
        return verify(host, optimized, candidate, held, speedSeconds);
      };
      const maxDrop = maxDropOf(options);
      const seconds = options["searchSeconds"] as number;
      let checked = await verify(host, optimized, candidate, check, speedSeconds);
      if (gated && checked.drop.value > maxDrop && workshop.activations) {
        const { searchNoiseLimit } = await import("./compress-activations.js");
        const limited = await searchNoiseLimit(host, workshop, check, maxDrop, seconds);
        workshop = limited.workshop;
        noiseLimit = limited.found;
        checked = await again(new Map(), check);
      }
      if (gated && checked.drop.value > maxDrop) {
        // biases need not stay floats for activations in 8 bits any more
        workshop = { ...workshop, activations: undefined, settings: { ...workshop.settings, halves: true } };
        const { milderFor, searchGate, withoutHalves } = await import("./compress-gate.js");
        const { knownNoises } = await import("./compress-noises.js");
        const known = await knownNoises(host, options, source, workshop, check, candidate.plan);
        gate = await searchGate(host, workshop, check, candidate, checked.drop.value, maxDrop, seconds, known);
        if (gate.mildest === "float") workshop = withoutHalves(workshop);
        checked = await again(milderFor(gate.floats, gate.mildest), check);
      }
      verification = checked;
      if (gated) {
        const { doubtsOf } = await import("../evaluate/doubts.js");
        doubts = doubtsOf(checked.drop, checked.agreement, maxDrop, check.measure?.metric);
      }
    }
    if (candidate.files.length > 1 && !dataName) {
      checkOutput(host, join(dirname(output), candidate.files[0]!), options["force"] === true);
    }
    const described = await describeRun(host, staging, hashEarly ? hasher : undefined, {
      ...shared,
      model: await modelOf(source),
      output,
      settings: workshop.settings,
      seed: options["seed"] as number,
      candidate,
      correctedOn: candidate.corrected.length === 0 ? null : madeUp ? "made-up images" : "samples",
      verification,
      calibration,
      ranges: workshop.activations ? (choices.find(({ what }) => what === "range")?.chosen ?? ranges.method) : null,
      choices,
      accuracy,
      noiseLimit,
      gate,
    });
    const unused = withoutEffect(options, {
      ...{ base: source.model, result: described, isStatic: activations !== undefined },
    });
    return {
      result: { ...described, warnings: [...doubts, ...unused, ...warningsOf(described)] },
      files: candidate.files,
      missed: gate !== null && !gate.reached,
    };
  } catch (error) {
    if (!check || typeof check === "string" || check.synthetic) throw error;
    const { namedFailure } = await import("./sample-failures.js");
    const { calibration: training, heldOut, original } = check;
    throw await namedFailure(error, [{ name: path, run: original.runAgain }], { training, heldOut });
  } finally {
    if (check && typeof check !== "string") await check.close();
    await quantizer.close();
    scratch.close();
  }
}

/** What reports say of the original. */
async function modelOf(source: ModelFile): Promise<CompressResult["model"]> {
  return { path: source.path, bytes: source.bytes, sha256: await source.sha256() };
}

/** Smaller files are hashed sooner than another thread has started. */
export const largeHash = 1 << 26;

/** With --no-verify nobody waits for the runtime to load a model of more than this. */
const quickBytes = 64e6;

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
