import type { Batch } from "../data/batch.js";
import { UserError } from "../errors.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { cloneModel } from "../graph/clone.js";
import { liftConstants } from "../graph/normalise/constants.js";
import { numbersOf } from "../tensor/numbers.js";
import type { Tensor } from "../tensor/tensor.js";
import { createDamageMeter, type DamageMeter, openValues } from "./damage.js";
import { chooseDrops, type Dropped, evenlySpaced } from "./drop-choice.js";
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
  /** Whether whole parts are left out or products run through fewer directions; `auto` takes what does less damage. */
  readonly method: "auto" | "layers" | "rank";
  /**
   * How layers are chosen: by what the outputs lose, by how little a layer turns what flows through it (1 - cosine of
   * what goes in and out, as Minitron has it; cheap), or evenly spaced.
   */
  readonly choice: "outputs" | "cosine" | "even";
  readonly progress?: (words: string, done: number, total: number) => void;
}

/** A layer of the teacher in the plan. */
interface PlannedLayer {
  readonly index: number;
  /** The value it ends with, by which it is called. */
  readonly name: string;
  readonly parameters: number;
  readonly kept: boolean;
  /** What it was judged by; null where it was not. */
  readonly importance: number | null;
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
  readonly parametersBefore: number;
  readonly parametersAfter: number;
  /** What the untrained student's outputs lose: KL in nats a position, or noise over signal. */
  readonly damage: number;
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

/** Plans a student. Throws a UserError where the target cannot be reached. */
export async function planStudent(settings: StudentSettings): Promise<StudentPlan> {
  const { model, outputs, samples, readExternal, target, method } = settings;
  if (target.kind === "parameters" && !(target.share > 0 && target.share < 1)) {
    throw new UserError("--student-params: must lie between 0 and 100 %");
  }
  const [, judged] = judgesOf(samples);
  const meter = await createDamageMeter(model, outputs, judged, readExternal);
  const protectedValues = outputs.map(({ value }) => value);
  const { layers } = await layersOf(model, readExternal, samples[0]!, protectedValues);
  if (target.kind === "layers") return byLayers(settings, layers, target.keep, meter);
  const ranked = method === "layers" ? undefined : await byRank(settings, layers, target.share, meter);
  if (method === "rank" || (ranked && settings.choice === "even")) {
    if (ranked) return ranked;
    throw new UserError(unreached(settings, "through low ranks alone"));
  }
  const dropped = await byParameters(settings, layers, target.share, meter, ranked?.damage);
  const better = [ranked, dropped].filter((plan) => plan !== undefined).sort((a, b) => a.damage - b.damage)[0];
  if (better) return better;
  throw new UserError(unreached(settings, "by leaving layers out"));
}

/** Samples that judge; each change is run on them. */
const mostJudges = 8;

/** Samples to make ranks of and those to judge by: others, unless there are but a few. */
function judgesOf(samples: readonly Batch[]): readonly [made: readonly Batch[], judged: readonly Batch[]] {
  const count = samples.length < 4 ? 0 : Math.min(mostJudges, Math.ceil(samples.length / 4));
  return count === 0 ? [samples, samples] : [samples.slice(count), samples.slice(0, count)];
}

function unreached({ target, name }: StudentSettings, how: string): string {
  const percent = target.kind === "parameters" ? Math.round(100 * target.share) : 0;
  return `--student-params ${percent}%: ${name} does not get as small as that ${how}; ask for less, or give a student with --student`;
}

async function finished(
  settings: StudentSettings,
  meter: DamageMeter,
  plan: Omit<StudentPlan, "parametersBefore" | "parametersAfter" | "damage">,
): Promise<StudentPlan> {
  const open = { ...plan, parametersBefore: parameterCount(settings.model), parametersAfter: 0, damage: 0 };
  const student = applyStudent(settings.model, open);
  return { ...open, parametersAfter: parameterCount(student), damage: await meter.measure(student) };
}

const untouched = (layers: readonly Layer[], why: string): readonly PlannedLayer[] =>
  layers.map(({ index, end, parameters }) => ({ index, name: end, parameters, kept: true, importance: null, why }));

async function byLayers(settings: StudentSettings, layers: readonly Layer[], keep: number, meter: DamageMeter) {
  const { model, name, choice } = settings;
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
  let importance: ReadonlyMap<Layer, number>;
  let gone: ReadonlySet<Layer>;
  if (choice === "outputs") {
    const total = layers.length + count * 5;
    let done = 0;
    const found = await chooseDrops(model, layers, meter, {
      perParameter: false,
      enough: (dropped) => dropped.length >= count,
      onMeasure: () => settings.progress?.("measuring layers", Math.min(total, ++done), total),
    });
    if (!found.dropped) throw new UserError(`--student-layers ${keep}: ${name} cannot be run with so few layers`);
    importance = found.alone;
    gone = new Set(found.dropped.map(({ unit }) => unit));
  } else {
    importance = choice === "cosine" ? await turns(settings, layers) : new Map();
    const spaced = new Set(evenlySpaced(keep, layers.length));
    const order = layers.toSorted((a, b) => importance.get(a)! - importance.get(b)!);
    gone = new Set(choice === "cosine" ? order.slice(0, count) : layers.filter((_, at) => !spaced.has(at)));
  }
  return finished(settings, meter, {
    method: "layers",
    layers: layers.map((layer) => described(layer, !gone.has(layer), importance.get(layer) ?? null, choice)),
    dropped: [...gone],
    ranks: [],
  });
}

function described(layer: Layer, kept: boolean, importance: number | null, choice: StudentSettings["choice"]) {
  const { index, end, parameters } = layer;
  const measured = importance === null ? "" : importance.toPrecision(2);
  const reasons = {
    outputs: `without it alone the outputs lose ${measured}`,
    cosine: `it turns what flows through it by ${measured} (1 - cosine)`,
    even: "layers are taken evenly spaced",
  };
  return { index, name: end, parameters, kept, importance, why: reasons[choice] };
}

/** Drops parts, those first that do the least damage for what they save. */
async function byParameters(
  settings: StudentSettings,
  layers: readonly Layer[],
  share: number,
  meter: DamageMeter,
  limit: number | undefined,
): Promise<StudentPlan | undefined> {
  const { model } = settings;
  const most = share * parameterCount(model);
  const parts = layers.flatMap((layer) => layer.parts);
  if (parts.length === 0) return undefined;
  let done = 0;
  const { dropped, alone } = await chooseDrops<Segment>(model, parts, meter, {
    perParameter: true,
    ...(limit === undefined ? {} : { limit }),
    enough: (_, smaller) => parameterCount(smaller) <= most,
    onMeasure: () => settings.progress?.("measuring parts", Math.min(parts.length, ++done), parts.length),
  });
  if (!dropped) return undefined;
  const gone = new Set(dropped.map(({ unit }: Dropped<Segment>) => unit));
  const planned = parts.map((part, index): PlannedLayer => {
    const importance = alone.get(part) ?? null;
    const layer = { index, start: part.start, end: part.end, parts: [part], parameters: part.parameters };
    return described(layer, !gone.has(part), importance, "outputs");
  });
  return finished(settings, meter, { method: "layers", layers: planned, dropped: [...gone], ranks: [] });
}

async function byRank(settings: StudentSettings, layers: readonly Layer[], share: number, meter: DamageMeter) {
  const { model, readExternal, progress } = settings;
  const weights = thickWeights(model);
  if (weights.length === 0) return undefined;
  const [made, judged] = judgesOf(settings.samples);
  const bases = await rankBases(model, weights, made, readExternal, judged);
  const options = await rankOptions(model, bases, meter, (done, total) => progress?.("measuring ranks", done, total));
  const chosen = chooseRanks(options, (1 - share) * parameterCount(model));
  if (!chosen) return undefined;
  return finished(settings, meter, {
    method: "rank",
    layers: untouched(layers, "all layers stay; products inside them get thinner"),
    dropped: [],
    ranks: chosen,
  });
}

/** 1 - cosine between what goes into each layer and what comes out, over all elements; the mean over the samples. */
async function turns(settings: StudentSettings, layers: readonly Layer[]): Promise<ReadonlyMap<Layer, number>> {
  const { model, readExternal, samples } = settings;
  const inputs = new Set(model.graph!.input.map(({ name }) => name));
  const values = new Set(layers.flatMap(({ start, end }) => [start, end]).filter((name) => !inputs.has(name)));
  const session = await openValues(model, [...values], readExternal);
  const sums = new Map(layers.map((layer) => [layer, 0]));
  try {
    for (const feeds of samples) {
      const results = await session.run(feeds);
      for (const layer of layers) {
        const [x, y] = [layer.start, layer.end].map((name) => numbersOf((results.get(name) ?? feeds.get(name))!));
        let [dot, ofX, ofY] = [0, 0, 0];
        for (let at = 0; at < x!.length; at++) {
          dot += x![at]! * y![at]!;
          ofX += x![at]! ** 2;
          ofY += y![at]! ** 2;
        }
        const turn = ofX > 0 && ofY > 0 ? 1 - dot / Math.sqrt(ofX * ofY) : 0;
        sums.set(layer, sums.get(layer)! + turn / samples.length);
      }
    }
  } finally {
    await session.close();
  }
  return sums;
}
