import { uniform } from "../data/random.js";
import { readTensor, type TensorProto, tensorInfo } from "../formats/onnx.js";
import { floatTypes } from "../formats/onnx-types.js";
import { numbersOf } from "../tensor/numbers.js";
import { elementCount } from "../tensor/tensor.js";
import type { ChannelGroup } from "./groups.js";
import { operatorOf } from "./node-names.js";
import type { Reduction, Scores, WeightCriterion } from "./settings.js";
import type { Structure } from "./structure.js";

/** How weights are made into scores. */
export interface WeightCriterionSettings {
  readonly criterion: WeightCriterion;
  readonly reduction: Reduction;
  /** Of `random`. */
  readonly seed: number;
}

export interface WeightScores {
  readonly scores: Scores;
  /** What a reader of the result should know of them. */
  readonly notes: readonly string[];
}

/** Normalisations with one scale a channel, and which input that is. */
const scaleInputs: Readonly<Record<string, number>> = {
  BatchNormalization: 1,
  InstanceNormalization: 1,
  GroupNormalization: 1,
  LayerNormalization: 1,
  RMSNormalization: 1,
  SimplifiedLayerNormalization: 1,
  "com.microsoft:SkipLayerNormalization": 2,
  "com.microsoft:SkipSimplifiedLayerNormalization": 2,
};

/**
 * Scores channels by their stored weights: sums of |w| (`l1`) or w squared (`l2`) of what goes with a channel, over the
 * mean of such sums on that axis of that tensor, so that every tensor speaks with one voice whatever its size and scale
 * (as Torch-Pruning's GroupMagnitudeImportance with `normalizer="mean"`). Then the mean, largest or sum over the group's
 * tensors; a tensor counts once, even where the group lies on several of its axes. That over the number of channels is
 * the part that a channel has of its layer, and what makes the scores of groups comparable: losing a tenth of a wide layer
 * does about as much as losing a tenth of a narrow one. What a channel costs is no part of it: see `selectChannels`.
 *
 * Biases and other vectors count only where a group has nothing else. `bn` takes |scale| of the normalisations on a group
 * (Liu et al., "Network slimming", ICCV 2017), `l2` where there are none. Each tensor is read once, one at a time.
 */
export function weightScores(
  structure: Structure,
  groups: readonly ChannelGroup[],
  { criterion, reduction, seed }: WeightCriterionSettings,
): WeightScores {
  if (criterion === "random") {
    const next = uniform(seed);
    return {
      scores: groups.map(({ channels }) => Float64Array.from(channels, () => next() / channels.length)),
      notes: [],
    };
  }
  const scales = criterion === "bn" ? scaleTensors(structure) : new Set<TensorProto>();
  const weights = new Set(structure.contractions.flatMap(({ weight }) => (weight ? [weight.tensor] : [])));
  const readers = new Map<TensorProto, ChannelGroup[]>();
  const without: string[] = [];
  for (const group of groups) {
    const own = [...new Set(group.axes.map(({ tensor }) => tensor))].filter((tensor) =>
      floatTypes.has(tensorInfo(tensor).type),
    );
    const scaled = own.filter((tensor) => scales.has(tensor));
    const broad = own.filter((tensor) => weights.has(tensor) || isBroad(tensor, group));
    if (criterion === "bn" && scaled.length === 0) without.push(group.name);
    for (const tensor of scaled.length > 0 ? scaled : broad.length > 0 ? broad : own) {
      const list = readers.get(tensor);
      if (list) list.push(group);
      else readers.set(tensor, [group]);
    }
  }
  const found = new Map(
    groups.map((group) => [group, { scores: new Float64Array(group.channels.length), tensors: 0 }]),
  );
  for (const [tensor, interested] of readers) {
    const shares = readShares(structure, tensor, interested, criterion === "l1" || scales.has(tensor));
    for (const group of interested) {
      const own = found.get(group)!;
      if (addTensor(own.scores, group, tensor, shares, reduction)) own.tensors += 1;
    }
  }
  const scores = [...found.values()].map(({ scores: own, tensors }) => {
    // weights that tell nothing make all channels alike
    if (tensors === 0) return own.fill(1 / own.length);
    const whole = own.length * (reduction === "mean" ? tensors : 1);
    return own.map((score) => score / whole);
  });
  return { scores, notes: notesOf(without, groups.length) };
}

function notesOf(without: readonly string[], of: number): readonly string[] {
  if (without.length === 0) return [];
  const [first] = without;
  const which = without.length === of ? "no group has" : `${without.length} of ${of} groups ("${first}" first) have no`;
  return [`${which} scale of a normalisation: their channels are scored by l2`];
}

function scaleTensors({ view }: Structure): ReadonlySet<TensorProto> {
  const found = new Set<TensorProto>();
  for (const scope of view.scopes) {
    for (const node of scope.graph.node) {
      const name = node.input[scaleInputs[operatorOf(node)] ?? -1];
      const stored = name ? view.initializerOf(scope, name) : undefined;
      if (stored) found.add(stored.tensor);
    }
  }
  return found;
}

/** Whether a tensor has more than one element for each index of the axes that a group has there. */
function isBroad(tensor: TensorProto, { axes }: ChannelGroup): boolean {
  const { shape, elements } = tensorInfo(tensor);
  return axes.some((own) => own.tensor === tensor && elements > shape[own.axis]!);
}

/** What each index of the axes that groups have on a tensor holds, over the mean of its axis; axes of no use left out. */
function readShares(
  { readExternal }: Structure,
  tensor: TensorProto,
  groups: readonly ChannelGroup[],
  absolute: boolean,
): ReadonlyMap<number, Float64Array> {
  const axes = new Set(groups.flatMap((group) => group.axes.filter((own) => own.tensor === tensor)).map((a) => a.axis));
  const read = readTensor(tensor, readExternal);
  const data = numbersOf(read) as Float32Array;
  const shares = new Map<number, Float64Array>();
  for (const axis of axes) {
    const sums = sumsAlong(data, read.shape, axis, absolute);
    let total = 0;
    for (const sum of sums) total += sum;
    const mean = total / sums.length;
    // all zeros, or something that is no number: nothing to tell channels apart by
    if (!(mean > 0 && Number.isFinite(mean))) continue;
    for (let at = 0; at < sums.length; at++) sums[at]! /= mean;
    shares.set(axis, sums);
  }
  return shares;
}

/** Sums of magnitudes, or squares, of what lies at each index of an axis of a row-major tensor. */
export function sumsAlong(
  data: Float32Array,
  shape: readonly number[],
  axis: number,
  absolute: boolean,
): Float64Array<ArrayBuffer> {
  const size = shape[axis]!;
  const outer = elementCount(shape.slice(0, axis));
  const inner = elementCount(shape.slice(axis + 1));
  const sums = new Float64Array(size);
  let at = 0;
  if (inner === 1) {
    for (let o = 0; o < outer; o++) {
      if (absolute) for (let i = 0; i < size; i++) sums[i]! += Math.abs(data[at++]!);
      else
        for (let i = 0; i < size; i++) {
          const value = data[at++]!;
          sums[i]! += value * value;
        }
    }
    return sums;
  }
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < size; i++) {
      const end = at + inner;
      let total = 0;
      if (absolute) for (; at < end; at++) total += Math.abs(data[at]!);
      else for (; at < end; at++) total += data[at]! * data[at]!;
      sums[i]! += total;
    }
  }
  return sums;
}

/** Brings what a tensor says into the scores of a group; false where it says nothing. */
function addTensor(
  scores: Float64Array,
  { axes, channels }: ChannelGroup,
  tensor: TensorProto,
  shares: ReadonlyMap<number, Float64Array>,
  reduction: Reduction,
): boolean {
  // a channel has its slices in the order of the group's axes
  const places = axes.flatMap((own, at) => {
    const share = own.tensor === tensor ? shares.get(own.axis) : undefined;
    return share ? [{ at, share }] : [];
  });
  if (places.length === 0) return false;
  channels.forEach(({ slices }, c) => {
    let sum = 0;
    for (const { at, share } of places) {
      const { indices } = slices[at]!;
      let total = 0;
      for (const index of indices) total += share[index]!;
      sum += total / indices.length;
    }
    const value = sum / places.length;
    scores[c] = reduction === "max" ? Math.max(scores[c]!, value) : scores[c]! + value;
  });
  return true;
}
