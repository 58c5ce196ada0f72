import { create } from "@bufbuild/protobuf";
import { ValueInfoProtoSchema } from "onnx-buf";
import type { SampleSet } from "../data/batch.js";
import { openSession } from "../engine/session.js";
import {
  encodeModel,
  type ModelProto,
  makeTensor,
  type NodeProto,
  type ReadExternal,
  type TensorProto,
} from "../formats/onnx.js";
import { floatTypes, onnxTypeOf } from "../formats/onnx-types.js";
import { shallowCopy } from "../graph/clone.js";
import { type FreshName, freshNames } from "../graph/names.js";
import { neededNames } from "../graph/needed.js";
import { makeNode } from "../graph/node.js";
import { defaultOpset } from "../graph/opset.js";
import { elementCount, type Tensor } from "../tensor/tensor.js";
import type { Structure } from "./structure.js";

/** An axis of a value of the main graph. */
export interface ValueAxis {
  readonly value: string;
  /** From 0. */
  readonly axis: number;
}

/** What was seen of each index of an axis, over all positions of all samples. */
export interface AxisMoments {
  readonly mean: Float64Array;
  readonly meanSquare: Float64Array;
  readonly variance: Float64Array;
  /** Of absolute values. */
  readonly meanAbs: Float64Array;
  /** How many elements each index had in all. */
  readonly positions: number;
}

export interface Moments {
  /** Undefined for an axis that was not looked at, and for one whose values were not all finite. */
  of(value: string, axis: number): AxisMoments | undefined;
}

/** Samples to look at. */
export type Samples = Pick<SampleSet, "count" | "read">;

export interface MeasureSettings {
  readonly threads?: number;
  /** Bytes that values looked at in one pass over the samples may have together; default 512 MiB. */
  readonly passBytes?: number;
  /** Called after each sample of each pass. */
  onProgress?(done: number, total: number): void;
}

/** The axes that data can tell something of: those that sums and statistics run over, where something could go. */
function measuredAxes(structure: Structure): readonly ValueAxis[] {
  const { contractions, statistics, labels, view } = structure;
  const main = new Set(view.root.graph.node);
  const found = new Map<string, ValueAxis>();
  const add = (value: string, axis: number, own: Int32Array) => {
    if (own.some((label) => !labels.frozenBy(label))) found.set(keyOf(value, axis), { value, axis });
  };
  for (const { node, value, labels: own } of contractions) {
    if (value && main.has(node)) add(value.name, value.axis, own);
  }
  for (const { node, axis, labels: own } of statistics) if (main.has(node)) add(node.input[0]!, axis, own);
  return [...found.values()];
}

/** Runs the model on the samples and sees what its contractions take in. */
export async function measureActivations(
  structure: Structure,
  samples: Samples,
  settings: MeasureSettings = {},
): Promise<Moments> {
  const sizes = structure.forms.get(structure.view.root)!;
  const ranks = new Map([...sizes].map(([name, { shape }]) => [name, shape.length]));
  const bytes = new Map([...sizes].map(([name, { shape }]) => [name, 4 * elementCount(shape)]));
  const usable = measuredAxes(structure).filter(({ value }) => floatTypes.has(sizes.get(value)?.dtype ?? ""));
  return measureAxes(structure.model, usable, { ranks, bytes }, samples, structure.readExternal, settings);
}

/**
 * Moments of axes of a model's values. They are computed where the values are, inside onnxruntime; only a few numbers for
 * each index come out. Positions count alike, whichever sample they are in.
 */
export async function measureAxes(
  model: ModelProto,
  axes: readonly ValueAxis[],
  known: { readonly ranks: ReadonlyMap<string, number>; readonly bytes?: ReadonlyMap<string, number> },
  samples: Samples,
  readExternal: ReadExternal | undefined,
  settings: MeasureSettings = {},
): Promise<Moments> {
  const sums = new Map<string, Sum>();
  const passes = passesOf(axes, known.bytes ?? new Map(), settings.passBytes ?? 512 * 2 ** 20);
  for (const [at, pass] of passes.entries()) {
    const { model: watching, watched } = watchAxes(model, pass, known.ranks);
    const session = await openSession(encodeModel(watching, readExternal), { threads: settings.threads ?? 1 });
    try {
      for (let sample = 0; sample < samples.count; sample++) {
        const results = await session.run(await samples.read(sample));
        for (const one of watched) addTo(sums, one, results);
        settings.onProgress?.(at * samples.count + sample + 1, passes.length * samples.count);
      }
    } finally {
      await session.close();
    }
  }
  const moments = new Map([...sums].map(([key, sum]) => [key, momentsOf(sum)]));
  return { of: (value, axis) => moments.get(keyOf(value, axis)) };
}

function keyOf(value: string, axis: number): string {
  return `${axis}:${value}`;
}

/** Parts of the list whose values fit the room; what is looked at may have to be kept to the end of a run. */
function passesOf(
  axes: readonly ValueAxis[],
  bytes: ReadonlyMap<string, number>,
  room: number,
): readonly (readonly ValueAxis[])[] {
  const passes: ValueAxis[][] = [];
  let left = 0;
  for (const one of axes) {
    const size = bytes.get(one.value) ?? 0;
    if (passes.length === 0 || size > left) {
      passes.push([]);
      left = room;
    }
    passes.at(-1)!.push(one);
    left -= size;
  }
  return passes;
}

/** The names under which an axis' figures of one run come out. */
interface Watched extends ValueAxis {
  readonly mean: string;
  /** Mean squared distance from `mean`. */
  readonly variance: string;
  readonly meanAbs: string;
  /** Elements of the value. */
  readonly size: string;
}

/** The model that puts out just these figures. */
function watchAxes(
  model: ModelProto,
  axes: readonly ValueAxis[],
  ranks: ReadonlyMap<string, number>,
): { readonly model: ModelProto; readonly watched: readonly Watched[] } {
  const graph = model.graph!;
  const fresh = freshNames(model);
  const opset = defaultOpset(model);
  const initializer: TensorProto[] = [...graph.initializer];
  const behind = new Map<string, NodeProto[]>();
  const watched = axes.map(({ value, axis }): Watched => {
    const rank = ranks.get(value);
    if (rank === undefined) throw new Error(`the rank of ${value} is not known`);
    const others = Array.from({ length: rank }, (_, at) => at).filter((at) => at !== axis);
    const made = reductions(value, others, opset, fresh, initializer);
    behind.set(value, [...(behind.get(value) ?? []), ...made.nodes]);
    return { value, axis, ...made.names };
  });
  // right behind what computes the value, which need not be kept any longer then
  const nodesBehind = (name: string) => behind.get(name) ?? [];
  const node = [
    ...graph.input.flatMap(({ name }) => nodesBehind(name)),
    ...graph.node.flatMap((one) => [one, ...one.output.flatMap(nodesBehind)]),
  ];
  const output = watched.flatMap(({ mean, variance, meanAbs, size }) =>
    [mean, variance, meanAbs, size].map((name) => create(ValueInfoProtoSchema, { name })),
  );
  const needed = neededNames(
    node,
    output.map(({ name }) => name),
  );
  const watching = Object.assign(shallowCopy(graph), {
    node: node.filter((one) => one.output.some((name) => needed.has(name))),
    initializer: initializer.filter(({ name }) => needed.has(name)),
    output,
  });
  return { model: Object.assign(shallowCopy(model), { graph: watching }), watched };
}

function reductions(value: string, axes: readonly number[], opset: number, fresh: FreshName, stored: TensorProto[]) {
  const nodes: NodeProto[] = [];
  const op = (
    opType: string,
    inputs: readonly string[],
    hint: string,
    attributes: Record<string, number | readonly number[]> = {},
  ): string => {
    const name = fresh(`${value}_${hint}`);
    nodes.push(makeNode(opType, "", inputs, [name], attributes));
    return name;
  };
  let over: readonly string[] = [];
  if (opset >= 18) {
    const name = fresh(`${value}_others`);
    stored.push(makeTensor(name, { dtype: "int64", shape: [axes.length], data: BigInt64Array.from(axes, BigInt) }));
    over = [name];
  }
  const meanOf = (input: string, hint: string) => {
    // no axes would mean all of them
    if (axes.length === 0) return op("Identity", [input], hint);
    const attributes = { keepdims: 1, ...(opset >= 18 ? {} : { axes }) };
    return op("ReduceMean", [input, ...over], hint, attributes);
  };
  const wide = op("Cast", [value], "wide", { to: onnxTypeOf("float32").code });
  const mean = meanOf(wide, "mean");
  const away = op("Sub", [wide, mean], "away");
  const variance = meanOf(op("Mul", [away, away], "squares"), "variance");
  const meanAbs = meanOf(op("Abs", [wide], "abs"), "mean_abs");
  return { nodes, names: { mean, variance, meanAbs, size: op("Size", [value], "size") } };
}

/** Running figures of one axis. */
interface Sum {
  positions: number;
  readonly mean: Float64Array;
  /** Sum of squared distances from the mean. */
  readonly squares: Float64Array;
  readonly abs: Float64Array;
}

/** Joins the figures of one run to those before (Chan, Golub, LeVeque 1979). */
function addTo(sums: Map<string, Sum>, one: Watched, results: ReadonlyMap<string, Tensor>): void {
  const [mean, variance, abs] = [one.mean, one.variance, one.meanAbs].map(
    (name) => results.get(name)!.data as Float32Array,
  ) as [Float32Array, Float32Array, Float32Array];
  const positions = Number((results.get(one.size)!.data as BigInt64Array)[0]) / mean.length;
  if (!(positions > 0)) return;
  const key = keyOf(one.value, one.axis);
  const [a, b, c] = [0, 0, 0].map(() => new Float64Array(mean.length)) as [Float64Array, Float64Array, Float64Array];
  const sum = sums.get(key) ?? { positions: 0, mean: a, squares: b, abs: c };
  sums.set(key, sum);
  if (sum.mean.length !== mean.length)
    throw new Error(`axis ${one.axis} of ${one.value} changes from sample to sample`);
  const all = sum.positions + positions;
  for (let at = 0; at < mean.length; at++) {
    const apart = mean[at]! - sum.mean[at]!;
    sum.mean[at] = sum.mean[at]! + (apart * positions) / all;
    sum.squares[at] = sum.squares[at]! + variance[at]! * positions + (apart * apart * sum.positions * positions) / all;
    sum.abs[at] = sum.abs[at]! + (abs[at]! - sum.abs[at]!) * (positions / all);
  }
  sum.positions = all;
}

function momentsOf({ positions, mean, squares, abs }: Sum): AxisMoments | undefined {
  const variance = squares.map((sum) => sum / positions);
  if (!variance.every(Number.isFinite) || !abs.every(Number.isFinite)) return undefined;
  const meanSquare = variance.map((one, at) => one + mean[at]! ** 2);
  return { mean, meanSquare, variance, meanAbs: abs, positions };
}
