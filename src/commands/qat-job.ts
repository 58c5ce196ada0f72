import type { Host } from "../cli.js";
import { partOf } from "../data/sample-set.js";
import { withLabels } from "../distill/labels.js";
import { describeOutputs, floatShapes } from "../distill/outputs.js";
import { openSession, type Session } from "../engine/session.js";
import { UserError } from "../errors.js";
import { isBroken } from "../evaluate/agreement.js";
import { encodeModel } from "../formats/onnx.js";
import { checkGraphs } from "../graph/check.js";
import { exposeValues } from "../graph/expose.js";
import { toFloat32Inside } from "../graph/float32-inside.js";
import { normalise } from "../graph/normalise/index.js";
import { raiseOpset } from "../graph/opset.js";
import { stateOutputs } from "../graph/recurrent-ends.js";
import { planQuantization } from "../quantize/plan.js";
import { labelExtra, withTeacher } from "../quantize/qat/objective.js";
import { defaultQat, quantizationAwareTraining } from "../quantize/qat.js";
import { observedValues } from "../quantize/static/observed.js";
import { startWeights } from "../quantize/weights.js";
import type { ModelScore } from "../render/training-result.js";
import { createQuantizer, smallModel } from "../tensor/kernels/pool.js";
import type { Clip } from "../tensor/quantized.js";
import type { TrainingData } from "../train/task.js";
import { calibrationOf } from "./compress-calibrate.js";
import { makeCandidate, planCandidate, shortenWherePaying, type Workshop } from "./compress-candidates.js";
import type { Check } from "./compress-check.js";
import { prepareWorkshop } from "./compress-prepare.js";
import { checkWork, refuseNotFinite, refuseQuantized } from "./compress-refusals.js";
import { maxDropOf, settingsOf } from "./compress-settings.js";
import { absolute, stagingAt } from "./files.js";
import { readModelFile } from "./model-files.js";
import { lossOf } from "./qat-loss.js";
import { normsOf, normWords, planNorms } from "./qat-norms.js";
import { type NamedRun, namedFailure } from "./sample-failures.js";
import { runCourse, timeSteps, type Work } from "./training-course.js";
import {
  dataNameOf,
  describeWeights,
  fileOf,
  floatElements,
  outputOf,
  stagedName,
  tellEarly,
  unmatchedFreezes,
  versionsOf,
} from "./training-describe.js";
import type { Job, Link, Outcome } from "./training-job.js";
import { isWorse, metricFor, noGain, openGauge, speedOf, warningsOf } from "./training-measure.js";
import { frozenPatterns, identityOf, trainingSettings } from "./training-options.js";
import { openSamples, type TrainingSamples } from "./training-samples.js";
import { type WrittenModel, writeModelFile } from "./write-model.js";

/** Samples that ranges and statistics are taken of. */
const mostCalibrated = 512;

/** Trains a model for the rounding of its weights, and of its activations where they are quantized beforehand. */
export async function qatJob(host: Host, job: Job, link: Link): Promise<Outcome> {
  const { options } = job;
  const threads = options["threads"] as number;
  const source = readModelFile(host, job.model);
  checkGraphs(source.model, job.model);
  if (!options["requantize"]) refuseQuantized(job.model, source.model);
  const { readExternal } = source;
  const open: Session[] = [];
  const kept = async (session: Promise<Session>) => {
    const one = await session;
    open.push(one);
    return one;
  };
  const quantizer = createQuantizer(threads, smallModel);
  const models: NamedRun[] = [];
  let given: TrainingSamples | undefined;
  try {
    const original = await kept(openSession(absolute(host, job.model), { threads }));
    models.push({ name: job.model, run: original.run });
    const samples = await openSamples(host, options, original.inputs, original.outputs);
    given = samples;
    const { training, heldOut } = samples;
    const labelled = training.labels !== undefined;
    const first = await training.read(0);
    const outputs = describeOutputs(source.model, floatShapes(await original.run(first)), training.labels);
    const { loss, losses } = lossOf(options, outputs, training.labels);
    const settings = trainingSettings(options, "qat", training.count);
    const norms = planNorms(options, settings, original.inputs);
    const { passes } = normalise(source.model, readExternal, {
      constantInputs: options["freezeInputs"] ? "freeze" : "keep",
      norms: norms.folded,
    });
    raiseOpset(source.model, job.model, 13, readExternal);
    const { tensors: halves } = toFloat32Inside(source.model, readExternal);
    const { weights: quantize, activations, ranges } = settingsOf(options, true);
    checkWork(job.model, planQuantization(source.model, quantize));
    const staging = stagingAt(host, job.staging.label, job.staging.folder, () => {});
    const check = checkOf(original, samples, { first, states: stateOutputs(source.model) });
    const calibration = await calibrationOf(host, options, source, readExternal, check, staging, activations);
    const weightsOf = (clip: Clip) =>
      startWeights(quantizer, readExternal, clip, { keep: true, balance: quantize.balance ? "kernels" : false });
    const workshop: Workshop = {
      base: source.model,
      settings: quantize,
      quantizer,
      weights: weightsOf(quantize.clip),
      readExternal,
      store: undefined,
      channelsOf:
        options["biasCorrection"] !== false && calibration
          ? (value) => calibration.values.get(value)?.channels ?? undefined
          : undefined,
      activations:
        activations && calibration
          ? { settings: activations, observed: observedValues(calibration.values, ranges) }
          : undefined,
      keepNames: options["keepNames"] === true,
      staging,
    };
    const prepared = await prepareWorkshop(
      ...([host, options, source, workshop, calibration, ranges, check, weightsOf] as const),
    );
    const planned = await planCandidate(prepared.workshop, new Map());
    const parts = { ...prepared.workshop, base: planned.model, plan: planned.plan, activations: planned.activations };
    const qat = await quantizationAwareTraining(parts, {
      ...defaultQat,
      name: job.model,
      frozen: frozenPatterns(options),
      loss,
      ...normsOf(norms, prepared.workshop.base, readExternal),
    });
    const ofNorms = normWords(norms, qat, settings.steps);
    const told = tellEarly(link, [...unmatchedFreezes(options, qat.model), ...ofNorms.warnings]);
    let data: TrainingData = training;
    if (loss.labels > 0) {
      const classes = outputs.find(({ name }) => name === loss.labelled);
      if (!classes) throw new UserError(`--labels: ${job.model} has no output of classes`);
      data = withLabels(training, training.labels!, labelExtra, classes);
    }
    if (loss.teacher > 0 || qat.inside.length > 0) {
      // the floats as they are scaled: values inside are those that are compared
      const shown = exposeValues(prepared.workshop.base, qat.inside);
      const teacher = await kept(openSession(encodeModel(shown, readExternal), { threads }));
      data = withTeacher(
        data,
        teacher.run,
        teacher.inputs.map(({ name }) => name),
      );
    }
    const shared = {
      versions: versionsOf(host),
      model: await fileOf(source),
      bits: options["int4"] ? (4 as const) : (8 as const),
      settings,
      data: {
        source: samples.source,
        training: training.count,
        heldOut: heldOut.count,
        labelled,
        notes: [samples.note, ...training.notes],
      },
      losses,
      weights: describeWeights(qat.model),
      notes: [
        ...passes.map(({ words }) => words),
        ...(halves > 0
          ? [`${halves} 16-bit tensors are float32 in training and in the file; inputs and outputs stay`]
          : []),
        ...qat.model.notes,
        ...ofNorms.notes,
      ],
      activations: qat.twin.activations.length,
    };
    const metric = metricFor(samples.metric, outputs);
    const gauge = await openGauge(original.run, original.inputs, heldOut, metric, outputs, "answers");
    const work: Work = {
      model: qat.model,
      objective: qat.objective,
      data,
      gauge,
      settings,
      beforeStep: (step) => qat.beforeStep(step, settings.steps),
      ...(qat.early ? { early: qat.early } : {}),
      run: {
        model: shared.model.sha256,
        bits: options["int4Convolutions"] ? "4, convolutions too" : String(shared.bits),
        data: samples.source,
        "held-out samples": String(heldOut.count),
        labels: String(options["labels"] ?? "none"),
        loss: losses.map(({ term, weight }) => `${term}=${weight}`).join(","),
        temperature: String(loss.temperature),
        ...identityOf(options, settings),
      },
    };
    if (job.isPlan) {
      const secondsPerStep = await timeSteps(work, link);
      return { kind: "plan", result: { schema: "deepseek/qat-plan@1", ...shared, warnings: told, secondsPerStep } };
    }
    const dataName = dataNameOf(job, source);
    const name = stagedName(job);
    // what rounding alone comes to
    const rounded = await makeCandidate(prepared.workshop, new Map(), `rounded-${name}`, null);
    refuseNotFinite(job.model, rounded.tensors);
    const before = await gauge.evaluate((await kept(openSession(rounded.path, { threads }))).run);
    const trained = await runCourse(host, job, link, work);
    if ("stopped" in trained) return { kind: "stopped", step: trained.stopped, steps: settings.steps };
    const exported = await qat.export();
    shortenWherePaying(exported.model, exported.tensors, options["keepNames"] === true);
    const path = staging.pathOf(name);
    const label = job.staging.label;
    let written: WrittenModel = writeModelFile(path, exported.model, dataName, readExternal, { label });
    const own = await openSession(path, { threads });
    const after = await gauge.evaluate(own.run);
    await own.close();
    const harmed = isWorse(after, before);
    if (harmed) {
      staging.remove(written.files);
      written = await makeCandidate(prepared.workshop, new Map(), name, dataName);
    }
    const tensors = harmed ? rounded.tensors : exported.tensors;
    const final = harmed ? before : after;
    const speed = await speedOf(absolute(host, job.model), path, first, options);
    const parameters = floatElements(source.model);
    const scores: readonly ModelScore[] = [
      { model: "float", parameters, bytes: source.bytes, ...gauge.row(undefined), speed: null },
      { model: "rounded", parameters, bytes: rounded.bytes, ...gauge.row(before), speed: null },
      { model: "trained", parameters, bytes: written.bytes, ...gauge.row(after), speed },
    ];
    const most = maxDropOf(options);
    const tooMuch = final.drop.value > most;
    return {
      kind: "result",
      files: written.files,
      told,
      result: {
        schema: "deepseek/qat@1",
        ...shared,
        notes: [...shared.notes, ...trained.notes],
        warnings: [
          ...told,
          ...warningsOf(final.agreement, trained.course),
          ...(harmed ? [noGain("the model that was only rounded")] : []),
          ...(tooMuch
            ? [`the loss of ${percent(final.drop.value)} (${final.drop.name}) is above --max-drop ${percent(most)}`]
            : []),
        ],
        output: await outputOf(job, job.staging.label, written.files),
        metric: gauge.metric,
        scores,
        training: trained.course,
        tensors,
        kept: harmed ? "rounded" : "trained",
        missed: tooMuch || isBroken(final.agreement),
      },
    };
  } catch (error) {
    throw await namedFailure(error, models, given);
  } finally {
    for (const session of open) await session.close();
    await quantizer.close();
  }
}

const percent = (share: number): string => `${Number((100 * share).toFixed(2))} %`;

/** What compression holds candidates against while it chooses, on part of the samples to learn from. */
function checkOf(
  original: Session,
  { training, note }: TrainingSamples,
  { first, states }: Pick<Check, "first" | "states">,
): Check {
  const count = Math.min(training.count, mostCalibrated);
  const indices = Array.from({ length: count }, (_, at) => Math.floor((at * training.count) / count));
  const calibration = partOf(training, indices, training.source);
  return {
    original: { run: original.run, runAgain: original.run },
    note,
    synthetic: false,
    calibration,
    heldOut: calibration,
    first,
    measure: undefined,
    states,
    close: async () => {},
  };
}
