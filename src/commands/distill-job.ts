import type { Host } from "../cli.js";
import { defaultMix, formatMix, isLayerTerm, type LossMix, parseMix, termWords } from "../distill/mix.js";
import {
  distillationObjective,
  type LayerPair,
  labelExtra,
  type OutputPair,
  outputsOf,
  pairsOf,
} from "../distill/objective.js";
import { openSession, type Session } from "../engine/session.js";
import { UserError } from "../errors.js";
import { isBroken } from "../evaluate/agreement.js";
import { checkGraphs } from "../graph/check.js";
import { cloneModel } from "../graph/clone.js";
import type { LossPart, ModelScore } from "../render/training-result.js";
import { prepareModel, writeBack } from "../train/prepare.js";
import type { TrainingData } from "../train/task.js";
import { layersOf } from "./distill-layers.js";
import { pairOutputs, refuseOthers } from "./distill-pairs.js";
import { openStudent } from "./distill-student.js";
import { withTeacher } from "./distill-teacher.js";
import { absolute } from "./files.js";
import { readModelFile } from "./model-files.js";
import { runCourse, timeSteps, type Work } from "./training-course.js";
import {
  dataNameOf,
  describeWeights,
  fileOf,
  floatElements,
  outputOf,
  stagedName,
  stagedPath,
  versionsOf,
} from "./training-describe.js";
import type { Job, Link, Outcome } from "./training-job.js";
import { openGauge, speedOf, warningsOf } from "./training-measure.js";
import { frozenPatterns, trainingSettings } from "./training-options.js";
import { openSamples, withLabels } from "./training-samples.js";
import { modelBytes, writeModelFile } from "./write-model.js";

/** Softens outputs unless told otherwise; Hinton's and DistilBERT's choice. */
const usualTemperature = 2;

/** Samples by which a student is made of a teacher. */
const looks = 8;

/** Trains a student on the outputs of a teacher. */
export async function distillJob(host: Host, job: Job, link: Link): Promise<Outcome> {
  const { options } = job;
  const threads = options["threads"] as number;
  const source = readModelFile(host, job.model);
  checkGraphs(source.model, job.model);
  const open: Session[] = [];
  const kept = async (session: Promise<Session>) => {
    const one = await session;
    open.push(one);
    return one;
  };
  try {
    const session = await kept(openSession(absolute(host, job.model), { threads }));
    const teacher = { name: job.model, session, model: source.model };
    const samples = await openSamples(host, options, session.inputs, session.outputs);
    const { training, heldOut, metric } = samples;
    const student = await openStudent(host, options, source, async () => {
      const count = Math.min(looks, training.count);
      return Promise.all(Array.from({ length: count }, (_, at) => training.read(at)));
    });
    const before = await kept(student.open(threads));
    refuseOthers(teacher, { name: student.name, session: before });
    const model = prepareModel(student.model, student.readExternal, {
      name: student.name,
      frozen: frozenPatterns(options),
      batchNorm: (options["batchNorm"] as "frozen" | "train" | undefined) ?? "frozen",
    });
    const labelled = training.labels !== undefined;
    const first = await training.read(0);
    const { pairs, classes } = await pairOutputs(
      teacher,
      { name: student.name, session: before, model: model.copy },
      first,
      labelled,
    );
    const mix = mixOf(options["loss"] as string | undefined, pairs, labelled);
    const layers = await layersOf(options, mix, source, model, first);
    const temperature = (options["temperature"] as number | undefined) ?? usualTemperature;
    const settings = trainingSettings(options, "distill", training.count);
    const objective = distillationObjective(pairs, layers, {
      mix,
      temperature,
      beta: 0.5,
      smoothing: 0,
      blankWeight: 1,
      heads: 1,
      mask: session.inputs.find(({ name, shape }) => /mask/i.test(name) && shape.length === 2)?.name,
      topClasses: false,
      seed: settings.seed,
    });
    const losses = lossesOf(mix, pairs, layers);
    let data: TrainingData = training;
    if (mix.has("hard")) {
      if (classes === undefined) throw new UserError("--loss hard: the models have no output of classes for labels");
      data = withLabels(training, { extra: labelExtra, classes }, `--labels ${options["labels"]}`);
    }
    const shared = {
      versions: versionsOf(host),
      teacher: { ...(await fileOf(source)), parameters: floatElements(source.model) },
      student: { ...student.source, parameters: floatElements(student.model), file: student.file },
      temperature,
      settings,
      data: {
        source: samples.source,
        training: training.count,
        heldOut: heldOut.count,
        labelled,
        notes: [samples.note, ...training.notes],
      },
      losses,
      weights: describeWeights(model),
    };
    // what the loss compares of the teacher
    const values = [
      ...new Set(losses.flatMap((loss) => (loss.term === "hard" ? [] : loss.pairs.map((one) => one.teacher)))),
    ];
    const isPlan = job.staging === undefined;
    const learned = await withTeacher(
      data,
      training,
      source,
      values,
      threads,
      link,
      isPlan ? settings.batchSize * 8 : undefined,
    );
    const gauge = await openGauge(session.run, session.inputs, heldOut, metric);
    const work: Work = {
      model,
      objective,
      data: learned,
      gauge,
      settings,
      run: {
        teacher: shared.teacher.sha256,
        student: student.file?.sha256 ?? student.source.words,
        data: samples.source,
        "held-out samples": String(heldOut.count),
        labels: String(options["labels"] ?? "none"),
        loss: formatMix(mix),
        temperature: String(temperature),
        "layer pairs": layers.map((pair) => `${pair.student}=${pair.teacher}`).join(" "),
      },
    };
    if (isPlan) {
      const secondsPerStep = await timeSteps(work, link);
      return {
        kind: "plan",
        result: { schema: "deepseek/distill-plan@1", ...shared, notes: model.notes, warnings: [], secondsPerStep },
      };
    }
    const unlearned = await gauge.evaluate(before.run);
    const trained = await runCourse(host, job, link, work);
    if ("stopped" in trained) return { kind: "stopped", step: trained.stopped, steps: settings.steps };
    const result = cloneModel(model.base);
    writeBack(result, model.parameters);
    const name = stagedName(job);
    const written = writeModelFile(stagedPath(job, name), result, dataNameOf(job, student), student.readExternal, {
      label: job.staging!.label,
    });
    const after = await kept(openSession(stagedPath(job, name), { threads }));
    const learnedOutputs = await gauge.evaluate(after.run);
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
      result: {
        schema: "deepseek/distill@1",
        ...shared,
        notes: [...model.notes, ...trained.notes],
        warnings: warningsOf(learnedOutputs.agreement, trained.course.bestStep),
        output: await outputOf(job, job.staging!.label, written.files),
        metric: gauge.metric,
        scores,
        training: trained.course,
        missed: isBroken(learnedOutputs.agreement),
      },
    };
  } finally {
    for (const session of open) await session.close();
  }
}

/** The mix of the losses; without --loss what outputs and labels call for. */
function mixOf(text: string | undefined, pairs: readonly OutputPair[], labelled: boolean): LossMix {
  const mix = text === undefined ? defaultMix(pairs, labelled) : parseMix(text);
  if (mix.has("hard") && !labelled) throw new UserError("--loss hard: give the labels with --labels");
  const needsClasses = ([...mix.keys()] as readonly string[]).find((term) => ["soft", "reverse", "jsd"].includes(term));
  if (needsClasses !== undefined && !pairs.some(({ kind }) => kind === "classes")) {
    throw new UserError(
      `--loss ${needsClasses}: the outputs are no distributions over classes (no Softmax, no --labels); mse compares values`,
    );
  }
  return mix;
}

/** What each term compares, for reports. */
function lossesOf(mix: LossMix, pairs: readonly OutputPair[], layers: readonly LayerPair[]): readonly LossPart[] {
  return [...mix].map(([term, weight]) => {
    const compared: readonly { readonly student: string; readonly teacher: string }[] = isLayerTerm(term)
      ? pairsOf(term, layers)
      : outputsOf(term, pairs);
    if (compared.length === 0) {
      throw new UserError(`--loss ${term}: no such layers of teacher and student were found; name values with --pairs`);
    }
    const shown = term === "hard" ? compared.slice(0, 1) : compared;
    return {
      term,
      weight,
      words: termWords[term],
      pairs: shown.map(({ student, teacher }) => ({ student, teacher: term === "hard" ? "labels" : teacher })),
    };
  });
}
