import { rmSync } from "node:fs";
import type { Host } from "../cli.js";
import { composeDistillation, type Distillation } from "../distill/distillation.js";
import { formatMix, termWords } from "../distill/mix.js";
import { comparedBy } from "../distill/objective.js";
import { sideOf } from "../distill/sides.js";
import { openSession, type Session } from "../engine/session.js";
import { isBroken } from "../evaluate/agreement.js";
import { emptiedRun } from "../evaluate/empty-places.js";
import type { ModelProto } from "../formats/onnx.js";
import { checkGraphs } from "../graph/check.js";
import { cloneModel } from "../graph/clone.js";
import { normalise } from "../graph/normalise/index.js";
import type { LossPart, ModelScore } from "../render/training-result.js";
import { prepareModel, writeBack } from "../train/prepare.js";
import { openStudent, refuseQuantizedTeacher } from "./distill-student.js";
import { absolute } from "./files.js";
import { readModelFile } from "./model-files.js";
import { type NamedRun, namedFailure } from "./sample-failures.js";
import { openStore } from "./teacher-store.js";
import { runCourse, timeSteps, type Work } from "./training-course.js";
import {
  dataNameOf,
  describeWeights,
  fileOf,
  floatElements,
  outputOf,
  stagedName,
  stagedPath,
  tellEarly,
  unmatchedFreezes,
  versionsOf,
} from "./training-describe.js";
import type { Job, Link, Outcome } from "./training-job.js";
import { isWorse, metricFor, noGain, openGauge, slownessOf, speedOf, warningsOf } from "./training-measure.js";
import { frozenPatterns, identityOf, trainingSettings } from "./training-options.js";
import { openSamples, type TrainingSamples } from "./training-samples.js";
import { modelBytes, writeModelFile } from "./write-model.js";

/**
 * Softens outputs unless told otherwise: Hinton's and DistilBERT's choice; not for a student that has nearly the teacher's
 * answers already.
 */
const usualTemperature = { apart: 2, near: 1 } as const;

/** Samples by which a student is made of a teacher; some of them judge what was found on the others. */
const looks = 40;

/** Trains a student on the outputs of a teacher. */
export async function distillJob(host: Host, job: Job, link: Link): Promise<Outcome> {
  const { options } = job;
  const threads = options["threads"] as number;
  const source = readModelFile(host, job.model);
  checkGraphs(source.model, job.model);
  refuseQuantizedTeacher(options, source);
  const open: { close(): Promise<void> }[] = [];
  const models: NamedRun[] = [];
  let given: TrainingSamples | undefined;
  const kept = async (session: Promise<Session>) => {
    const one = await session;
    open.push(one);
    return one;
  };
  try {
    const session = await kept(openSession(absolute(host, job.model), { threads }));
    models.push({ name: job.model, run: session.run });
    const samples = await openSamples(host, options, session.inputs, session.outputs);
    given = samples;
    const { training, heldOut } = samples;
    const labelled = training.labels !== undefined;
    const first = await training.read(0);
    // weights that hide in Constant nodes are weights, too
    const normalised = cloneModel(source.model);
    normalise(normalised, source.readExternal, { constantInputs: "keep" });
    const whole = { ...source, model: normalised };
    const theirs = await sideOf(job.model, normalised, session, first, training.labels);
    const count = Math.min(looks, training.count);
    const looked = await Promise.all(Array.from({ length: count }, (_, at) => training.read(at)));
    const student = await openStudent(host, options, whole, theirs.outputs, looked, link);
    const before = await kept(student.open(threads));
    models.push({ name: student.name, run: before.run });
    const model = prepareModel(student.model, student.readExternal, {
      name: student.name,
      frozen: frozenPatterns(options),
      batchNorm: (options["batchNorm"] as "frozen" | "train" | undefined) ?? "frozen",
    });
    const slowness = await slownessOf(absolute(host, job.model), student, first, options);
    const told = tellEarly(link, [...unmatchedFreezes(options, model), ...slowness]);
    const start = student.isNear ? "near" : "apart";
    const temperature = (options["temperature"] as number | undefined) ?? usualTemperature[start];
    const settings = trainingSettings(options, "distill", training.count, start);
    const blankWeight = (options["blankWeight"] as number | undefined) ?? 1;
    const cache = options["cache"] as string | undefined;
    const distillation = await composeDistillation({
      teacher: { ...theirs, model: normalised, readExternal: source.readExternal },
      student: {
        ...(await sideOf(student.name, model.copy, before, first, training.labels, theirs)),
        trainable: model,
      },
      isMade: options["student"] === undefined,
      training,
      mix: options["loss"] as string | undefined,
      pairs: options["pairs"] as string | undefined,
      temperature,
      blankWeight,
      seed: settings.seed,
      store: cache === undefined ? undefined : openStore(host, cache, !job.isPlan),
      threads,
      empty: job.empty,
    });
    open.push(distillation);
    const { mix, layers, objective, data, named } = distillation;
    const shared = {
      versions: versionsOf(host),
      teacher: { ...(await fileOf(source)), parameters: floatElements(normalised) },
      student: { ...student.source, parameters: floatElements(model.base), file: student.file },
      temperature,
      settings,
      data: {
        source: samples.source,
        training: training.count,
        heldOut: heldOut.count,
        labelled,
        notes: [samples.note, ...training.notes],
      },
      losses: lossesOf(distillation),
      weights: describeWeights(model),
    };
    const metric = metricFor(samples.metric, theirs.outputs);
    const reference = emptiedRun(session.run, job.empty ?? []);
    const gauge = await openGauge((feeds) => reference(feeds, 0), session.inputs, heldOut, metric, theirs.outputs);
    const work: Work = {
      model,
      objective,
      data,
      gauge,
      settings,
      live: named,
      run: {
        teacher: shared.teacher.sha256,
        student: student.file?.sha256 ?? student.source.words,
        data: samples.source,
        "held-out samples": String(heldOut.count),
        labels: String(options["labels"] ?? "none"),
        loss: formatMix(mix),
        temperature: String(temperature),
        "blank weight": String(blankWeight),
        "layer pairs": layers.map((pair) => `${pair.student}=${pair.teacher}`).join(" "),
        ...identityOf(options, settings),
      },
    };
    if (job.isPlan) {
      const secondsPerStep = await timeSteps(work, link);
      return {
        kind: "plan",
        result: { schema: "deepseek/distill-plan@1", ...shared, notes: model.notes, warnings: told, secondsPerStep },
      };
    }
    const unlearned = await gauge.evaluate(named(before.run));
    const trained = await runCourse(host, job, link, work);
    if ("stopped" in trained) return { kind: "stopped", step: trained.stopped, steps: settings.steps };
    const result = cloneModel(model.base);
    writeBack(result, model.parameters);
    const name = stagedName(job);
    const write = (written: ModelProto) =>
      writeModelFile(stagedPath(job, name), written, dataNameOf(job, student), student.readExternal, {
        label: job.staging.label,
      });
    let written = write(result);
    const after = await kept(openSession(stagedPath(job, name), { threads }));
    const learnedOutputs = await gauge.evaluate(named(after.run));
    const harmed = isWorse(learnedOutputs, unlearned);
    if (harmed) {
      for (const file of written.files) rmSync(stagedPath(job, file));
      written = write(student.model);
    }
    const final = harmed ? unlearned : learnedOutputs;
    const speed = await speedOf(absolute(host, job.model), stagedPath(job, name), first, options);
    const scores: readonly ModelScore[] = [
      {
        model: "teacher",
        parameters: shared.teacher.parameters,
        bytes: source.bytes,
        ...gauge.row(undefined),
        speed: null,
      },
      {
        model: "student before",
        parameters: shared.student.parameters,
        bytes: student.file?.bytes ?? modelBytes(student.model, null),
        ...gauge.row(unlearned),
        speed: null,
      },
      {
        model: "student after",
        parameters: floatElements(result),
        bytes: written.bytes,
        ...gauge.row(learnedOutputs),
        speed,
      },
    ];
    return {
      kind: "result",
      files: written.files,
      told,
      result: {
        schema: "deepseek/distill@1",
        ...shared,
        notes: [...model.notes, ...trained.notes],
        warnings: [
          ...told,
          ...warningsOf(final.agreement, trained.course),
          ...(harmed ? [noGain("the student as it was before")] : []),
        ],
        output: await outputOf(job, job.staging.label, written.files),
        metric: gauge.metric,
        scores,
        training: trained.course,
        kept: harmed ? "student before" : "student after",
        missed: isBroken(final.agreement),
      },
    };
  } catch (error) {
    throw await namedFailure(error, models, given);
  } finally {
    for (const session of open) await session.close();
  }
}

/** What each term compares, for reports. */
function lossesOf({ mix, outputs, layers }: Distillation): readonly LossPart[] {
  return [...mix].map(([term, weight]) => ({
    term,
    weight,
    words: termWords[term],
    pairs: comparedBy(term, outputs, layers).map(({ student, teacher }) => ({
      student,
      teacher: term === "hard" ? "labels" : teacher,
    })),
  }));
}
