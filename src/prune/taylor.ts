import type { Batch } from "../data/batch.js";
import { uniform } from "../data/random.js";
import { openSession } from "../engine/session.js";
import { encodeModel, type TensorProto, tensorInfo } from "../formats/onnx.js";
import type { Value } from "../graph/builder.js";
import { exposeValues } from "../graph/expose.js";
import { numbersOf } from "../tensor/numbers.js";
import { elementCount, type Tensor } from "../tensor/tensor.js";
import type { ParameterKind, TrainingGraph } from "../train/graph.js";
import { labelCosts } from "../train/losses.js";
import type { Objective, ObjectiveContext } from "../train/objective.js";
import { bindShapes, prepareModel } from "../train/prepare.js";
import { compileStep } from "../train/step.js";
import type { Samples } from "./activations.js";
import { weightEnergies } from "./data-scores.js";
import type { ChannelGroup } from "./groups.js";
import type { Scores } from "./settings.js";
import type { Structure } from "./structure.js";

/** An output as its damage is counted; what distillation knows of outputs fits. */
interface TaylorOutput {
  /** The logits where there are some, else the output itself. */
  readonly value: string;
  /** `classes`: a distribution over `axis`. */
  readonly kind: "classes" | "values";
  readonly axis: number;
}

export interface TaylorSettings {
  /** What the model is called in errors. */
  readonly name: string;
  readonly outputs: readonly TaylorOutput[];
  readonly seed: number;
  /** Random directions a sample is looked at from; default 1. */
  readonly draws?: number;
  readonly threads?: number;
  /** Called after each run. */
  onProgress?(done: number, total: number): void;
}

/** What a consumer multiplies an axis with. */
interface Gate {
  readonly tensor: TensorProto;
  readonly axis: number;
  readonly labels: Int32Array;
}

const floatTypes: ReadonlySet<string> = new Set(["float32", "float16", "bfloat16"]);

/**
 * First-order Taylor scores (Molchanov et al. 2019): the mean over samples of the square of (sum of w dL/dw) over what
 * consumers multiply a channel with, all consumers together. That sum is the derivative by a gate in front of them, so it
 * counts neither a channel's own weights nor a channel twice.
 *
 * The loss needs no labels. The divergence from the model's own outputs has no gradient where nothing is removed yet, but
 * its curvature is the Fisher information, the mean square of gradients for labels drawn from the model's own distribution
 * (Theis et al. 2018, "Fisher pruning"): that is what classes get. Values get the same by random signs, whose gradients'
 * mean square is the squared first-order change of the output. Scores estimate the damage of removing the channel alone:
 * KL in nats a position, or noise over signal; so they compare across groups as they are. A group that no gradient
 * reaches is scored by the squares of its weights, with the mean score of the others.
 *
 * Throws a UserError for a model that has no gradients.
 */
export async function taylorScores(
  structure: Structure,
  groups: readonly ChannelGroup[],
  samples: Samples,
  settings: TaylorSettings,
): Promise<Scores> {
  const places = placesOf(groups);
  const { labels, view, contractions, model, readExternal } = structure;
  const held = new Set(model.graph!.initializer);
  const gates = new Map<string, Gate>();
  for (const { weight, labels: axis } of contractions) {
    if (!weight || !held.has(weight.tensor) || !floatTypes.has(tensorInfo(weight.tensor).type)) continue;
    if (!axis.some((label) => places.has(labels.find(label)))) continue;
    // consumers may share a weight: its gradient is already that of all of them
    gates.set(`${weight.axis}:${weight.tensor.name}`, { ...weight, labels: axis });
  }
  const sums = groups.map(({ channels }) => new Float64Array(channels.length));
  const reached = new Set<number>();
  if (gates.size > 0) {
    const kinds = new Map<string, ParameterKind>([...gates.values()].map(({ tensor }) => [tensor.name, "weight"]));
    const trainable = prepareModel(model, readExternal, {
      name: settings.name,
      frozen: [],
      batchNorm: "frozen",
      kinds,
    });
    const parameters = [...trainable.parameters.values()];
    const objective = await damageObjective(structure, samples, settings);
    const inputs = new Set(view.root.graph.input.map(({ name }) => name));
    const next = uniform(settings.seed);
    const draws = settings.draws ?? 1;
    const found = groups.map(({ channels }) => new Float64Array(channels.length));
    let done = 0;
    for (const numbers of await alike(samples, inputs)) {
      const feeds = pick(await samples.read(numbers[0]!), inputs);
      const graph = await bindShapes(trainable, feeds);
      const step = await compileStep(graph, objective, parameters, withDraws(feeds, graph, settings.outputs, next), {
        threads: settings.threads ?? 1,
      });
      try {
        for (const at of numbers) {
          const own = pick(await samples.read(at), inputs);
          for (let draw = 0; draw < draws; draw++) {
            const { gradients } = await step.run(withDraws(own, graph, settings.outputs, next));
            for (const list of found) list.fill(0);
            for (const { tensor, axis: along, labels: axis } of gates.values()) {
              const gradient = gradients.get(tensor.name);
              if (!gradient) continue;
              const { data, shape } = trainable.parameters.get(tensor.name)!;
              const products = productSums(data, gradient, shape, along);
              axis.forEach((label, index) => {
                const place = places.get(labels.find(label));
                if (!place) return;
                const list = found[place[0]]!;
                list[place[1]] = list[place[1]]! + products[index]!;
                reached.add(place[0]);
              });
            }
            found.forEach((list, group) => {
              const sum = sums[group]!;
              for (let c = 0; c < list.length; c++) sum[c] = sum[c]! + list[c]! ** 2 / (samples.count * draws);
            });
            done += 1;
            settings.onProgress?.(done, samples.count * draws);
          }
        }
      } finally {
        await step.close();
      }
    }
  }
  return withUnreached(structure, groups, sums, reached);
}

/** Where a channel stands, by its label. */
function placesOf(groups: readonly ChannelGroup[]): ReadonlyMap<number, readonly [group: number, channel: number]> {
  const places = new Map<number, readonly [number, number]>();
  groups.forEach(({ channels }, group) => {
    channels.forEach(({ label }, channel) => void places.set(label, [group, channel]));
  });
  return places;
}

/** Numbers of the samples that have the same shapes. */
async function alike(samples: Samples, inputs: ReadonlySet<string>): Promise<readonly (readonly number[])[]> {
  const found = new Map<string, number[]>();
  for (let at = 0; at < samples.count; at++) {
    const feeds = pick(await samples.read(at), inputs);
    // integers may decide shapes, so that a step fits no others
    const key = [...feeds]
      .map(([name, { shape, dtype, data }]) => `${name}:${shape.join("x")}:${dtype.startsWith("float") ? "" : data}`)
      .join(" ");
    const list = found.get(key);
    if (list) list.push(at);
    else found.set(key, [at]);
  }
  return [...found.values()];
}

function pick(batch: Batch, names: ReadonlySet<string>): Batch {
  return new Map([...batch].filter(([name]) => names.has(name)));
}

const extraOf = (value: string) => `draw:${value}`;

/** What is drawn for each output: numbers that make labels of logits, signs for values. */
function withDraws(
  feeds: Batch,
  { values }: TrainingGraph,
  outputs: readonly TaylorOutput[],
  next: () => number,
): Batch {
  const drawn = outputs.flatMap(({ value, kind }): [string, Tensor][] => {
    const form = values.get(value);
    if (!form) return [];
    // the largest of logits with this noise added is a draw from their softmax (Gumbel)
    const one = kind === "classes" ? () => -Math.log(-Math.log(next() + 1e-12) + 1e-12) : () => (next() < 0.5 ? -1 : 1);
    const data = Float32Array.from({ length: elementCount(form.shape) }, one);
    return [[extraOf(value), { dtype: "float32", shape: form.shape, data }]];
  });
  return new Map([...feeds, ...drawn]);
}

/** The loss whose gradients are squared. */
async function damageObjective(
  structure: Structure,
  samples: Samples,
  { outputs, threads }: TaylorSettings,
): Promise<Objective> {
  const powers = await meanSquares(
    structure,
    outputs.flatMap(({ kind, value }) => (kind === "values" ? [value] : [])),
    samples,
    threads ?? 1,
  );
  const lossOf = ({ value, kind, axis }: TaylorOutput, { b, graph, extras }: ObjectiveContext): Value => {
    const found = graph.values.get(value);
    const drawn = extras.get(extraOf(value));
    if (!found || !drawn) throw new Error(`the graph has no value "${value}"`);
    const x = b.cast(found, "float32");
    if (kind === "values") {
      const power = powers.get(value)! * elementCount(x.shape);
      return b.mul(b.reduce("ReduceSum", b.mul(x, drawn), undefined, false), power > 0 ? 1 / Math.sqrt(power) : 0);
    }
    const shape = x.shape.filter((_, at) => at !== axis);
    const labels = b.op("ArgMax", [b.add(x, drawn)], { dtype: "int64", shape }, { axis, keepdims: 0 });
    const { costs } = labelCosts(b, x, labels, axis);
    // half the Fisher information is the divergence; its mean over positions
    return b.mul(b.reduce("ReduceSum", costs, undefined, false), Math.sqrt(0.5 / elementCount(shape)));
  };
  return {
    parameters: [],
    watches: outputs.map(({ value }) => value),
    build(context) {
      const parts = outputs.map((output) => lossOf(output, context));
      const loss = parts.reduce((sum, part) => context.b.add(sum, part));
      return { loss: context.b.div(loss, Math.sqrt(parts.length)), terms: new Map() };
    },
  };
}

/** Of outputs that are values, over all samples. */
async function meanSquares(
  { model, readExternal }: Structure,
  values: readonly string[],
  samples: Samples,
  threads: number,
): Promise<ReadonlyMap<string, number>> {
  if (values.length === 0) return new Map();
  const sums = new Map(values.map((value) => [value, { sum: 0, count: 0 }]));
  const outputs = new Set(model.graph!.output.map(({ name }) => name));
  const open = exposeValues(
    model,
    values.filter((value) => !outputs.has(value)),
  );
  const session = await openSession(encodeModel(open, readExternal), { threads });
  try {
    for (let at = 0; at < samples.count; at++) {
      const results = await session.runFor(await samples.read(at), values);
      for (const [value, entry] of sums) {
        const numbers = numbersOf(results.get(value)!);
        for (let i = 0; i < numbers.length; i++) entry.sum += numbers[i]! ** 2;
        entry.count += numbers.length;
      }
    }
  } finally {
    await session.close();
  }
  return new Map([...sums].map(([value, { sum, count }]) => [value, count === 0 ? 0 : sum / count]));
}

/** Sums of w times its gradient at each index of an axis. */
function productSums(
  data: ArrayLike<number>,
  gradient: ArrayLike<number>,
  shape: readonly number[],
  axis: number,
): Float64Array {
  const size = shape[axis]!;
  const inner = elementCount(shape.slice(axis + 1));
  const sums = new Float64Array(size);
  for (let at = 0, index = 0; at < data.length; index = (index + 1) % size) {
    let sum = 0;
    for (const end = at + inner; at < end; at++) sum += data[at]! * gradient[at]!;
    sums[index] = sums[index]! + sum;
  }
  return sums;
}

function withUnreached(
  { readExternal }: Structure,
  groups: readonly ChannelGroup[],
  scores: readonly Float64Array[],
  reached: ReadonlySet<number>,
): Scores {
  const seen = scores.filter((_, group) => reached.has(group)).flatMap((list) => [...list]);
  const mean = seen.length === 0 ? 1 : seen.reduce((sum, score) => sum + score, 0) / seen.length;
  return scores.map((list, group) => {
    if (reached.has(group)) return list;
    const energies = weightEnergies(groups[group]!, readExternal);
    const own = energies.reduce((sum, energy) => sum + energy, 0) / energies.length;
    return energies.map((energy) => (own > 0 ? (energy / own) * mean : mean));
  });
}
