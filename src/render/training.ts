import { type Report, reportForms } from "./compress-lead.js";
import type { Forms } from "./forms.js";
import { formatBytes, formatCount, formatDuration, formatNumberOf, formatPercent } from "./quantities.js";
import { condense, sparkline } from "./sparkline.js";
import type { ModelScore, TrainingCourse } from "./training-result.js";
import {
  agreementWords,
  distanceOf,
  formatDistance,
  formatScore,
  isDistilled,
  layerSection,
  lossSection,
  type Plan,
  type Result,
  scoreSection,
  speedWords,
  weightSection,
} from "./training-sections.js";

/** The forms of a finished training; the page has the curves. */
export function trainingForms(result: Result): Forms {
  const report: Report = {
    title: isDistilled(result)
      ? `Distilled ${result.teacher.path} into ${result.output.path}`
      : `Trained ${result.model.path} for ${result.bits} bits`,
    lead: [...leadOf(result), ...shared(result)],
    sections: [scoreSection(result), lossSection(result), ...layerSection(result)],
    foot: footOf(result),
  };
  return {
    ...reportForms(result, report),
    html: async () => (await import("./training-page.js")).trainingPage(result, report),
  };
}

/** The forms of a plan. */
export function trainingPlanForms(plan: Plan): Forms {
  const { settings, secondsPerStep } = plan;
  const time =
    secondsPerStep === null
      ? "how long it takes was not measured"
      : `a step takes ${formatStep(secondsPerStep)}: about ${formatDuration(secondsPerStep * settings.steps)} in all, measurements not counted`;
  const report: Report = {
    title: isDistilled(plan) ? `Plan to distill ${plan.teacher.path}` : `Plan to train ${plan.model.path}`,
    lead: ["nothing was written", time, ...shared(plan)],
    sections: [lossSection(plan), ...layerSection(plan), weightSection(plan)],
    foot: [],
  };
  return {
    ...reportForms(plan, report),
    html: async () => (await import("./training-page.js")).trainingPlanPage(plan, report),
  };
}

function leadOf(result: Result): readonly string[] {
  const { output, training, scores, settings } = result;
  const [reference, before, after] = [scores[0]!, scores.at(-2)!, scores.at(-1)!];
  const size =
    reference.bytes === null
      ? formatBytes(output.bytes)
      : `${formatBytes(reference.bytes)} -> ${formatBytes(output.bytes)} (${(output.bytes / reference.bytes).toFixed(3)} of it)`;
  return [
    `wrote ${output.path}: ${size}`,
    ...gainWords(result, reference, before, after),
    ...distanceWords(result, before, after),
    ...speedWords(after, reference.model),
    `${formatNumberOf(training.steps, "step")}${training.steps < settings.steps ? ` of ${formatCount(settings.steps)}` : ""} in ${formatDuration(training.seconds)}${endWords(result)}`,
    ...lossWords(training),
  ];
}

/** What training was good for, in the score where there is one. */
function gainWords(
  { metric }: Result,
  reference: ModelScore,
  before: ModelScore,
  after: ModelScore,
): readonly string[] {
  const of = (score: ModelScore): string | undefined => {
    if (metric) return score.metric === null ? undefined : `${formatScore(score.metric)} ${score.model}`;
    return score.agreement ? `${agreementWords(score)} ${score.model}` : undefined;
  };
  const words = [reference, before, after].flatMap((score) => of(score) ?? []);
  return [`${metric ? metric.name : `agreement with the ${reference.model} model`}: ${words.join(", ")}`];
}

/** What chose the step whose weights were kept, where that is no score and no share of equal classes. */
function distanceWords(result: Result, before: ModelScore, after: ModelScore): readonly string[] {
  const name = distanceOf(result);
  if (name === undefined) return [];
  const of = ({ model, measured }: ModelScore) => `${measured === null ? "-" : formatDistance(measured)} ${model}`;
  return [`${name}, which chose the best step: ${of(before)}, ${of(after)}`];
}

/** Points of the picture of the loss. */
const sparks = 40;

/** The loss at first and at last, and its course between. */
export function lossWords({ curve }: Pick<TrainingCourse, "curve">): readonly string[] {
  const [first, last] = [curve[0], curve.at(-1)];
  if (!first || !last || curve.length < 2) return [];
  const values = condense(
    curve.map(({ loss }) => loss),
    sparks,
  );
  const short = (value: number) => String(Number(value.toPrecision(3)));
  return [`loss ${short(first.loss)} ${sparkline(values)} ${short(last.loss)}`];
}

function endWords({ training }: Result): string {
  const { ended, bestStep, steps, resumedAt } = training;
  const why = { done: "", early: "; it ended early, as nothing got better", time: "; --time ended it" }[ended];
  const best =
    bestStep !== null && bestStep !== steps ? `; the weights of step ${formatCount(bestStep)} were best` : "";
  const resumed = resumedAt > 0 ? `; gone on from step ${formatCount(resumedAt)}` : "";
  return `${why}${best}${resumed}`;
}

/** Data, student, weights and settings, which plan and result both tell. */
function shared(one: Result | Plan): readonly string[] {
  const { data, weights, settings, notes } = one;
  const { schedule, optimizer } = settings;
  const student = isDistilled(one)
    ? [
        `student: ${one.student.words}, ${formatCount(one.student.parameters)} of ${formatCount(one.teacher.parameters)} parameters (${formatPercent(one.student.parameters / one.teacher.parameters)})`,
      ]
    : [];
  return [
    ...student,
    `samples: ${data.notes.join("; ")}; ${data.labelled ? "with labels" : "without labels"}`,
    `${formatNumberOf(weights.tensors, "tensor")} trained (${formatCount(weights.elements)} numbers), ${formatCount(weights.frozenTensors)} stay as they are`,
    `${formatNumberOf(settings.steps, "step")} of ${settings.batchSize * settings.accumulate} samples, ${optimizer.kind}, rate ${schedule.rate} (${schedule.kind}, ${formatNumberOf(schedule.warmUp, "step")} of warm-up), seed ${settings.seed}`,
    ...(notes.length > 0 ? [`prepared: ${notes.join("; ")}`] : []),
  ];
}

const formatStep = (seconds: number): string =>
  seconds >= 1 ? `${seconds.toFixed(1)} s` : `${(1000 * seconds).toFixed(seconds < 0.01 ? 1 : 0)} ms`;

function footOf(result: Result): readonly string[] {
  const programs = Object.entries(result.versions).map(([name, version]) => `${name} ${version}`);
  const inputs = isDistilled(result)
    ? [result.teacher, ...(result.student.file ? [result.student.file] : [])]
    : [result.model];
  return [
    `seed ${result.settings.seed}; ${programs.join(", ")}`,
    ...inputs.map(({ sha256, path }) => `SHA-256 ${sha256}  ${path}`),
    ...result.output.files.map(({ sha256, name }) => `SHA-256 ${sha256}  ${name}`),
  ];
}
