import type { Batch } from "../data/batch.js";
import { UserError } from "../errors.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { cloneModel } from "../graph/clone.js";
import { liftConstants } from "../graph/normalise/constants.js";
import type { Tensor } from "../tensor/tensor.js";
import { createDamageMeter, type DamageMeter, openValues } from "./damage.js";
import { chooseDrops, type Dropped } from "./drop-choice.js";
import { parameterCount, withoutParts } from "./edit.js";
import { groupLayers, type Layer } from "./layers.js";
import { rankBases, withRanks } from "./low-rank.js";
import type { ModelOutput } from "./outputs.js";
import { chooseRanks, type RankOption, rankOptions } from "./rank-choice.js";
import { cutCandidates, findSegments, type Segment } from "./segments.js";
import { thickWeights } from "./thick-weights.js";

/** How small the student is to be: so many layers, or this share of the teacher's parameters. */
type StudentTarget =
  | { readonly kind: "layers"; readonly keep: number }
  | { readonly kind: "parameters"; readonly share: number };

export interface StudentSettings {
  /** The teacher, as normalisation leaves it. */
  readonly model: ModelProto;
  readonly readExternal: ReadExternal;
  /** What its file is called, for errors. */
  readonly name: string;
  readonly outputs: readonly ModelOutput[];
  /** At least one, better dozens; of one row each. */
  readonly samples: readonly Batch[];
  readonly target: StudentTarget;
  readonly progress?: (words: string, done: number, total: number) => void;
}

/** A layer of the teacher in the plan. */
interface PlannedLayer {
  readonly index: number;
  /** The value it ends with, by which it is called. */
  readonly name: string;
  readonly parameters: number;
  readonly kept: boolean;
  readonly why: string;
}

/** How a student comes out of a teacher; nothing is changed yet. */
export interface StudentPlan {
  readonly method: "layers" | "rank";
  readonly layers: readonly PlannedLayer[];
  /** What is left out. */
  readonly dropped: readonly { readonly start: string; readonly end: string }[];
  /** Products that get a rank. */
  readonly ranks: readonly RankOption[];
  /** What the untrained student's outputs lose: KL in nats a position, or noise over signal. */
  readonly damage: number;
}

/** What one way comes to: its plan, where it gets there, and the smallest share of the parameters that it knows. */
interface Reach {
  readonly plan: StudentPlan | undefined;
  readonly least: number;
}

/** The plan applied to a copy of the teacher. */
export function applyStudent(
  model: ModelProto,
  { dropped, ranks }: Pick<StudentPlan, "dropped" | "ranks">,
): ModelProto {
  const smaller = dropped.length > 0 ? withoutParts(model, dropped) : model;
  return ranks.length > 0 ? withRanks(smaller, ranks) : smaller;
}

/** The parts of a model that could be left out, by one run on a sample, and the layers they make. */
export async function layersOf(
  given: ModelProto,
  readExternal: ReadExternal | undefined,
  sample: Batch,
  kept: readonly string[] = [],
): Promise<{ readonly layers: readonly Layer[]; readonly shapes: ReadonlyMap<string, readonly number[]> }> {
  // weights may lie in Constant nodes where nobody has normalised the file
  const model = cloneModel(given);
  liftConstants(model);
  const session = await openValues(model, cutCandidates(model.graph!), readExternal);
  let results: ReadonlyMap<string, Tensor>;
  try {
    results = await session.run(sample);
  } finally {
    await session.close();
  }
  const all = new Map([...sample, ...results]);
  const formOf = (name: string) => {
    const tensor = all.get(name);
    return tensor?.dtype.startsWith("float") ? `${tensor.dtype} ${tensor.shape.join("x")}` : undefined;
  };
  const layers = groupLayers(findSegments(model, formOf, kept));
  return { layers, shapes: new Map([...all].map(([name, { shape }]) => [name, shape])) };
}

/**
 * Plans a student. For a share of the parameters whole parts are left out, or products run through fewer directions: what
 * does less damage. Throws a UserError where the target cannot be reached.
 */
export async function planStudent(settings: StudentSettings): Promise<StudentPlan> {
  const { model, outputs, samples, readExternal, target } = settings;
  if (target.kind === "parameters" && !(target.share > 0 && target.share < 1)) {
    throw new UserError("--student-params: must lie between 0 and 100 %");
  }
  const [, judged] = judgesOf(samples);
  const meter = await createDamageMeter(model, outputs, judged, readExternal);
  const protectedValues = outputs.map(({ value }) => value);
  const { layers } = await layersOf(model, readExternal, samples[0]!, protectedValues);
  if (target.kind === "layers") return byLayers(settings, layers, target.keep, meter);
  const ranked = await byRank(settings, layers, target.share, meter);
  const dropped = await byParameters(settings, layers, target.share, meter, ranked.plan?.damage);
  const plans = [ranked.plan, dropped.plan].filter((plan) => plan !== undefined);
  const better = plans.sort((a, b) => a.damage - b.damage)[0];
  if (better) return better;
  throw new UserError(
    `--student-params ${percent(target.share)}: ${settings.name} ${reachWords(Math.min(ranked.least, dropped.least))}`,
  );
}

const percent = (share: number): string => `${Number((100 * share).toPrecision(3))}%`;

/** What can be had instead; `least` is the smallest share of the teacher that there is. */
function reachWords(least: number): string {
  // to a tenth of a percent, such that asking for it succeeds
  const share = Math.ceil(1000 * least) / 1000;
  return share < 1
    ? `gets no smaller than ${percent(share)} by leaving parts out or by lower rank; ask for ${percent(share)} or more, or give a student with --student`
    : "has no parts that could be left out and no products that could be of lower rank; give a student with --student";
}

/** Samples that judge; each change is run on them. */
const mostJudges = 8;

/** Samples to make ranks of and those to judge by: others, unless there are but a few. */
function judgesOf(samples: readonly Batch[]): readonly [made: readonly Batch[], judged: readonly Batch[]] {
  const count = samples.length < 4 ? 0 : Math.min(mostJudges, Math.ceil(samples.length / 4));
  return count === 0 ? [samples, samples] : [samples.slice(count), samples.slice(0, count)];
}

async function finished(
  settings: StudentSettings,
  meter: DamageMeter,
  plan: Omit<StudentPlan, "damage">,
): Promise<StudentPlan> {
  return { ...plan, damage: await meter.measure(applyStudent(settings.model, plan)) };
}

const untouched = (layers: readonly Layer[], why: string): readonly PlannedLayer[] =>
  layers.map(({ index, end, parameters }) => ({ index, name: end, parameters, kept: true, why }));

async function byLayers(settings: StudentSettings, layers: readonly Layer[], keep: number, meter: DamageMeter) {
  const { model, name } = settings;
  if (layers.length < 2) {
    throw new UserError(
      `--student-layers: ${name} has no layers that could be left out (parts whose input and output have the same shape); use --student-params`,
    );
  }
  if (!Number.isInteger(keep) || keep < 1 || keep >= layers.length) {
    throw new UserError(
      `--student-layers ${keep}: ${name} has ${layers.length} layers that could be left out; keep 1 to ${layers.length - 1} of them`,
    );
  }
  const count = layers.length - keep;
  const total = layers.length + count * 5;
  let done = 0;
  const { dropped, alone } = await chooseDrops(model, layers, meter, {
    perParameter: false,
    enough: (found) => found.length >= count,
    onMeasure: () => settings.progress?.("measuring layers", Math.min(total, ++done), total),
  });
  if (!dropped) throw new UserError(`--student-layers ${keep}: ${name} cannot be run with so few layers`);
  const gone = new Set(dropped.map(({ unit }) => unit));
  return finished(settings, meter, {
    method: "layers",
    layers: layers.map((layer) => described(layer, !gone.has(layer), alone.get(layer))),
    dropped: [...gone],
    ranks: [],
  });
}

function described(
  { index, end, parameters }: Pick<Layer, "index" | "end" | "parameters">,
  kept: boolean,
  damage: number | undefined,
): PlannedLayer {
  const why = `without it alone the outputs lose ${damage?.toPrecision(2) ?? ""}`;
  return { index, name: end, parameters, kept, why };
}

/** Drops parts, those first that do the least damage for what they save. */
async function byParameters(
  settings: StudentSettings,
  layers: readonly Layer[],
  share: number,
  meter: DamageMeter,
  limit: number | undefined,
): Promise<Reach> {
  const { model } = settings;
  const whole = parameterCount(model);
  const parts = layers.flatMap((layer) => layer.parts);
  if (parts.length === 0) return { plan: undefined, least: 1 };
  let done = 0;
  let least = 1;
  const { dropped, alone } = await chooseDrops<Segment>(model, parts, meter, {
    perParameter: true,
    ...(limit === undefined ? {} : { limit }),
    enough: (found, smaller) => {
      const own = parameterCount(smaller) / whole;
      if (Number.isFinite(found.at(-1)!.damage)) least = Math.min(least, own);
      return own <= share;
    },
    onMeasure: () => settings.progress?.("measuring parts", Math.min(parts.length, ++done), parts.length),
  });
  if (!dropped) return { plan: undefined, least };
  const gone = new Set(dropped.map(({ unit }: Dropped<Segment>) => unit));
  const planned = parts.map((part, index) => described({ ...part, index }, !gone.has(part), alone.get(part)));
  const plan = { method: "layers" as const, layers: planned, dropped: [...gone], ranks: [] };
  return { plan: await finished(settings, meter, plan), least };
}

async function byRank(
  settings: StudentSettings,
  layers: readonly Layer[],
  share: number,
  meter: DamageMeter,
): Promise<Reach> {
  const { model, readExternal, progress } = settings;
  const weights = thickWeights(model);
  if (weights.length === 0) return { plan: undefined, least: 1 };
  const [made, judged] = judgesOf(settings.samples);
  const bases = await rankBases(model, weights, made, readExternal, judged);
  const options = await rankOptions(model, bases, meter, (done, total) => progress?.("measuring ranks", done, total));
  const whole = parameterCount(model);
  const most = options.map((list) => Math.max(0, ...list.map(({ saved }) => saved)));
  const least = 1 - most.reduce((sum, saved) => sum + saved, 0) / whole;
  const chosen = chooseRanks(options, (1 - share) * whole);
  if (!chosen) return { plan: undefined, least };
  const plan = await finished(settings, meter, {
    method: "rank",
    layers: untouched(layers, "all layers stay; products inside them get thinner"),
    dropped: [],
    ranks: chosen,
  });
  return { plan, least };
}
