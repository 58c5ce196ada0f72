import type { GraphBuilder, Value } from "../graph/builder.js";
import type { Parameter } from "../train/graph.js";
import type { Objective, ObjectiveContext } from "../train/objective.js";
import {
  attentionDivergence,
  attentionSquare,
  attentionTransfer,
  cosineDistance,
  frameTargets,
  jensenShannon,
  type Loss,
  type LossOptions,
  meanSquare,
  relations,
  relativeSquare,
  reverseTargets,
  softTargets,
} from "./losses.js";
import { isLayerTerm, type LayerTerm, type LossMix, type OutputTerm } from "./mix.js";
import { countOf, maskFits, shapeWithout, spreadMask } from "./positions.js";
import { createProjection, featureAxis, project } from "./projection.js";
import { hardTargets, labelMask, topTargets } from "./targets.js";

/** An output of the student and the teacher's that it learns from. */
export interface OutputPair {
  /** The student's output, for logs. */
  readonly name: string;
  readonly kind: "classes" | "values";
  /** The values compared: logits, or the outputs themselves. */
  readonly student: string;
  readonly teacher: string;
  /** Of classes or features. */
  readonly axis: number;
  /** Whether labels are for it. */
  readonly labelled?: true;
}

/** What a value is to its layer. Keys are as they stand in the product of query and key: [N, H, d, T]. */
export type LayerRole = "hidden" | "attention" | "query" | "key" | "value";

/** A value of the student and the one of the teacher that it is held against, with their shapes in one sample. */
export interface LayerPair {
  readonly student: string;
  readonly teacher: string;
  readonly role: LayerRole;
  readonly studentShape: readonly number[];
  readonly teacherShape: readonly number[];
}

export interface ObjectiveSettings {
  readonly mix: LossMix;
  readonly temperature: number;
  /** What a frame counts in which the teacher is certain of the blank (class 0); below 1 for CTC heads alone. */
  readonly blankWeight: number;
  /** The input or extra that says which positions [N, T] count. */
  readonly mask?: string | undefined;
  /** The extras hold only the likeliest classes of the teacher. */
  readonly topClasses: boolean;
  readonly seed: number;
}

/** The extra that holds a value of the teacher. */
export function teacherExtra(value: string): string {
  return `teacher:${value}`;
}

/** The extras that hold its likeliest classes and their shares. */
export function topExtras(value: string): readonly [classes: string, shares: string] {
  return [`teacher:${value}:classes`, `teacher:${value}:shares`];
}

/** The extra that holds the labels: int64 of the positions of the output they are for. */
export const labelExtra = "label";

const outputLosses: Readonly<Record<Exclude<OutputTerm, "hard">, Loss>> = {
  soft: softTargets,
  reverse: reverseTargets,
  jsd: jensenShannon,
  mse: meanSquare,
};

interface LayerLoss {
  readonly loss: Loss;
  readonly roles: readonly LayerRole[];
  /** Whether other widths are brought to the teacher's by a learned projection. */
  readonly projects: boolean;
  /** Ranks it makes sense for. */
  readonly ranks: readonly number[];
}

const layerLosses: Readonly<Record<LayerTerm, LayerLoss>> = {
  hidden: { loss: relativeSquare, roles: ["hidden"], projects: true, ranks: [2, 3, 4, 5] },
  cosine: { loss: cosineDistance, roles: ["hidden"], projects: true, ranks: [2, 3, 4, 5] },
  attention: { loss: attentionSquare, roles: ["attention"], projects: false, ranks: [4] },
  "attention-kl": { loss: attentionDivergence, roles: ["attention"], projects: false, ranks: [4] },
  relations: { loss: relations, roles: ["query", "key", "value", "hidden"], projects: false, ranks: [3, 4] },
  features: { loss: attentionTransfer, roles: ["hidden"], projects: false, ranks: [4, 5] },
};

/** The layer pairs a term looks at: relations between queries, keys and values where they are known, else hidden ones. */
function pairsOf(term: LayerTerm, layers: readonly LayerPair[]): readonly LayerPair[] {
  const { roles, ranks } = layerLosses[term];
  const found = layers.filter(({ role, studentShape }) => roles.includes(role) && ranks.includes(studentShape.length));
  const inner = found.filter(({ role }) => role !== "hidden");
  if (term !== "relations") return found;
  return inner.length > 0 ? inner : found.filter(({ studentShape }) => studentShape.length === 3);
}

/** The pairs of outputs a term looks at: those with classes, or those with values; all where there are no such. */
export function outputsOf<Pair extends OutputPair>(term: OutputTerm, outputs: readonly Pair[]): readonly Pair[] {
  const labelled = outputs.filter((pair) => pair.labelled);
  if (term === "hard" && labelled.length > 0) return labelled;
  const kind = term === "mse" ? "values" : "classes";
  const found = outputs.filter((pair) => pair.kind === kind);
  return found.length > 0 ? found : outputs;
}

/** What a term compares; labels are those of one output. */
export function comparedBy(
  term: OutputTerm | LayerTerm,
  outputs: readonly OutputPair[],
  layers: readonly LayerPair[],
): readonly (OutputPair | LayerPair)[] {
  if (isLayerTerm(term)) return pairsOf(term, layers);
  const found = outputsOf(term, outputs);
  return term === "hard" ? found.slice(0, 1) : found;
}

/** The objective of a mix. Each term is the mean over the pairs it looks at. Teacher values come as extras. */
export function distillationObjective(
  outputs: readonly OutputPair[],
  layers: readonly LayerPair[],
  settings: ObjectiveSettings,
): Objective {
  const { mix } = settings;
  const projections = new Map<LayerPair, Parameter>();
  const terms = [...mix];
  const layered = terms.flatMap(([term]) =>
    isLayerTerm(term) && layerLosses[term].projects ? pairsOf(term, layers) : [],
  );
  for (const [at, pair] of [...new Set(layered)].entries()) {
    const name = `distill:projection:${pair.student}`;
    const made = createProjection(name, pair.studentShape, pair.teacherShape, settings.seed + at);
    if (made) projections.set(pair, made);
  }
  const watched = terms.flatMap(([term]) => comparedBy(term, outputs, layers).map(({ student }) => student));
  return {
    parameters: [...projections.values()],
    watches: [...new Set(watched)],
    build(context) {
      const { b } = context;
      const mask = settings.mask === undefined ? undefined : maskOf(context, settings.mask);
      const write = (term: OutputTerm | LayerTerm): Value => {
        const parts = isLayerTerm(term)
          ? pairsOf(term, layers).map((pair) => layerLoss(term, pair, context, mask, projections.get(pair)))
          : outputsOf(term, outputs).map((pair) => outputLoss(term, pair, context, mask, settings));
        if (parts.length === 0) throw new Error(`the loss ${term} has nothing to look at`);
        return meanOf(b, term === "hard" ? parts.slice(0, 1) : parts);
      };
      const written = terms.map(([term, weight]) => ({ term, weight, value: write(term) }));
      const weighted = written.map(({ weight, value }) => (weight === 1 ? value : b.mul(value, weight)));
      const loss = weighted.slice(1).reduce((sum, one) => b.add(sum, one), weighted[0]!);
      const weight = weightOf(context, outputs, mix, mask);
      return { loss, terms: new Map(written.map(({ term, value }) => [term, value])), ...(weight ? { weight } : {}) };
    },
  };
}

function meanOf(b: GraphBuilder, parts: readonly Value[]): Value {
  const sum = parts.slice(1).reduce((total, one) => b.add(total, one), parts[0]!);
  return parts.length === 1 ? sum : b.div(sum, parts.length);
}

function outputLoss(
  term: OutputTerm,
  { student, teacher, axis, kind }: OutputPair,
  context: ObjectiveContext,
  mask: Value | undefined,
  settings: ObjectiveSettings,
): Value {
  const { b } = context;
  const ours = studentValue(context, student);
  const fitting = fittingMask(mask, ours.shape, axis);
  const { temperature, blankWeight, topClasses } = settings;
  if (term === "hard") return hardTargets(b, ours, extraOf(context, labelExtra), { axis, mask: fitting });
  const options: LossOptions = { temperature, blankWeight, axis, mask: fitting };
  if (topClasses && kind === "classes" && term === "soft") {
    const [classes, shares] = topExtras(teacher).map((name) => extraOf(context, name));
    return topTargets(b, ours, { classes: classes!, shares: shares! }, options);
  }
  const theirs = extraOf(context, teacherExtra(teacher));
  const loss = term === "soft" && blankWeight < 1 ? frameTargets : outputLosses[term];
  return loss(b, ours, theirs, options);
}

function layerLoss(
  term: LayerTerm,
  { student, teacher, role }: LayerPair,
  context: ObjectiveContext,
  mask: Value | undefined,
  projection: Parameter | undefined,
): Value {
  const { b } = context;
  const { loss, projects } = layerLosses[term];
  // keys stand transposed
  const turned = (x: Value) => (role === "key" ? b.transpose(x, [0, 1, 3, 2]) : x);
  const [ours, theirs] = [turned(studentValue(context, student)), turned(extraOf(context, teacherExtra(teacher)))];
  const width = projects && projection ? context.parameters.get(projection.name) : undefined;
  const axis = featureAxis(ours.shape);
  return loss(b, width ? project(b, ours, width) : ours, theirs, {
    axis,
    mask: projects ? fittingMask(mask, ours.shape, axis) : mask,
  });
}

/** What counts in a batch: the positions of the labels' output, or the first with classes (or of all), that are not left out. */
function weightOf(
  context: ObjectiveContext,
  outputs: readonly OutputPair[],
  mix: LossMix,
  mask: Value | undefined,
): Value | undefined {
  const { b } = context;
  const byLabels = mix.has("hard") && mix.size === 1;
  const pair = outputsOf(byLabels ? "hard" : "soft", outputs)[0];
  if (!pair) return undefined;
  const { shape } = studentValue(context, pair.student);
  const fitting = fittingMask(mask, shape, pair.axis);
  const positions = shapeWithout(shape, [pair.axis]);
  if (byLabels) {
    const labels = extraOf(context, labelExtra);
    return countOf(b, labelMask(b, labels, shape[pair.axis]!, fitting), positions);
  }
  return countOf(b, spreadMask(b, fitting, positions), positions);
}

/** The mask where it is one of these positions: a model may also have outputs that are none of its tokens. */
function fittingMask(mask: Value | undefined, shape: readonly number[], axis: number): Value | undefined {
  return mask && shape.length > 0 && maskFits(mask.shape, shapeWithout(shape, [axis])) ? mask : undefined;
}

function maskOf({ graph, extras }: ObjectiveContext, name: string): Value {
  const found = extras.get(name) ?? graph.inputs.find((input) => input.name === name);
  if (!found) throw new Error(`the mask "${name}" is neither an input nor an extra`);
  return found;
}

function studentValue({ graph }: ObjectiveContext, name: string): Value {
  const found = graph.values.get(name);
  if (!found) throw new Error(`the student has no value "${name}"`);
  return found;
}

function extraOf({ extras }: ObjectiveContext, name: string): Value {
  const found = extras.get(name);
  if (!found) throw new Error(`the batch has no extra "${name}"`);
  return found;
}
