import { formatShape } from "../tensor/tensor.js";
import { formatBytes, formatCount, formatDecibels, formatNumberOf, formatPercent } from "./quantities.js";
import type { Section } from "./sections.js";
import type {
  DistillPlan,
  DistillResult,
  LossPart,
  ModelScore,
  QatPlan,
  QatResult,
  StudentSource,
} from "./training-result.js";

/** What a training comes to, and what one would do. */
export type Result = DistillResult | QatResult;
export type Plan = DistillPlan | QatPlan;

const right = "right" as const;

/** Whether a teacher has part in it. */
export const isDistilled = <T extends Result | Plan>(one: T): one is Extract<T, { readonly teacher: unknown }> =>
  "teacher" in one;

/** A score between -1 and 1 as percent, others as they are. */
export const formatScore = (value: number): string =>
  Math.abs(value) <= 1 ? formatPercent(value, false, 2) : String(Number(value.toPrecision(4)));

/** A distance that chose the best step and is neither the score by labels nor the share of equal classes. */
export function distanceOf({ metric, training }: Pick<Result, "metric" | "training">): string | undefined {
  const { name, higherIsBetter } = training.measure;
  return metric || higherIsBetter ? undefined : name;
}

export const formatDistance = (value: number): string => String(Number(value.toPrecision(3)));

/** How near outputs are to the first model's, as one figure. */
export function agreementWords({ agreement }: Pick<ModelScore, "agreement">): string {
  if (agreement === null) return "-";
  const { topOne, sqnrDb } = agreement;
  return topOne === null ? (sqnrDb === null ? "equal" : formatDecibels(sqnrDb)) : formatPercent(topOne, false, 2);
}

/** What a run of the model costs; empty where it was not measured. */
export function speedWords({ speed }: Pick<ModelScore, "speed">, reference: string): readonly string[] {
  if (!speed || speed.ratio === null) return [];
  const { ratio, interval } = speed;
  const within = interval ? ` [${interval.lower.toFixed(2)}, ${interval.upper.toFixed(2)}]` : "";
  return [`${ratio.toFixed(2)} of the ${reference} model's CPU time${within}`];
}

/** Model by model on the held-out samples. */
export function scoreSection({ scores, metric, data, training }: Result): Section {
  const distance = distanceOf({ metric, training });
  const classes = scores.some(({ agreement }) => agreement !== null && agreement.topOne !== null);
  const timed = scores.some(({ speed }) => speed !== null);
  return {
    title: `On ${formatNumberOf(data.heldOut, "held-out sample")}`,
    columns: [
      { header: "model" },
      ...(metric ? [{ header: metric.name, align: right }] : []),
      ...(distance ? [{ header: distance, align: right }] : []),
      ...(classes ? [{ header: "same class", align: right }] : []),
      { header: "SQNR", align: right },
      { header: "parameters", align: right },
      { header: "size", align: right },
      ...(timed ? [{ header: "CPU time", align: right }] : []),
    ],
    rows: scores.map(({ model, metric: value, measured, agreement, parameters, bytes, speed }) => [
      model,
      ...(metric ? [value === null ? "-" : formatScore(value)] : []),
      ...(distance ? [measured === null ? "-" : formatDistance(measured)] : []),
      ...(classes
        ? [agreement === null || agreement.topOne === null ? "-" : formatPercent(agreement.topOne, false, 2)]
        : []),
      agreement === null ? "-" : agreement.sqnrDb === null ? "equal" : formatDecibels(agreement.sqnrDb),
      parameters === null ? "-" : formatCount(parameters),
      bytes === null ? "-" : formatBytes(bytes),
      ...(timed ? [speed?.ratio ? speed.ratio.toFixed(2) : "-"] : []),
    ]),
    note: `Same class, SQNR and CPU time are held against the ${scores[0]!.model} model.`,
  };
}

/** Pairs that a table shows of one term. */
const pairsShown = 6;

export function lossSection({ losses }: Result | Plan): Section {
  return lossTable(losses);
}

/** The parts of a loss. */
export function lossTable(losses: readonly LossPart[]): Section {
  return {
    title: "What is minimised",
    columns: [
      { header: "term" },
      { header: "weight", align: right },
      { header: "what it is" },
      { header: "student = teacher" },
    ],
    rows: losses.map(({ term, weight, words, pairs }) => [
      term,
      String(weight),
      words,
      [
        ...pairs.slice(0, pairsShown).map(({ student, teacher }) => `${student} = ${teacher}`),
        ...(pairs.length > pairsShown ? [`${pairs.length - pairsShown} more`] : []),
      ].join(", "),
    ]),
  };
}

/** Layers kept and dropped, where the student was made of the teacher's. */
export function layerSection(one: Result | Plan): readonly Section[] {
  return layersSection(isDistilled(one) ? one.student.layers : []);
}

/** Layers kept and dropped; none where all are kept. */
export function layersSection(layers: StudentSource["layers"]): readonly Section[] {
  if (layers.every((layer) => layer.kept)) return [];
  const kept = layers.filter((layer) => layer.kept);
  return [
    {
      title: `Layers: ${kept.length} of ${layers.length} are kept`,
      columns: [{ header: "layer" }, { header: "parameters", align: right }, { header: "" }, { header: "why" }],
      rows: layers.map(({ name, parameters, kept: own, why }) => [
        name,
        formatCount(parameters),
        own ? "kept" : "left out",
        why,
      ]),
    },
  ];
}

/** Tensors that a terminal shows. */
const tensorsShown = 12;

export function weightSection({ weights }: Result | Plan): Section {
  return {
    title: "Largest weights that train",
    columns: [{ header: "kind" }, { header: "shape" }, { header: "tensor" }],
    rows: weights.largest.slice(0, tensorsShown).map(({ kind, shape, name }) => [kind, formatShape(shape), name]),
  };
}
