import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { type ChannelFamily, channelFamilies, type FamilyReader } from "./channel-families.js";
import { type FamilyWeights, openFamilyWeights } from "./family-weights.js";
import type { PlannedTensor } from "./plan.js";
import { eachProduct } from "./product-layout.js";
import { scaledStatistics } from "./scaled-statistics.js";
import { siteKey } from "./sites.js";
import type { ChannelStatistics, ValueStatistics } from "./statistics.js";

/** What was done to the channels of one activation. */
export interface Smoothing {
  /** The activation. */
  readonly value: string;
  /** The operator that the division went into. */
  readonly maker: string;
  /** The outputs of the nodes whose weights make up for it. */
  readonly readers: readonly string[];
  /** How much of the spread went from activations to weights: 0 none, 1 all. */
  readonly alpha: number;
  /** By how many dB the noise of these nodes' outputs shrinks, as estimated. */
  readonly gainDb: number;
}

/** What smoothing did, and the statistics of the calibration as they are afterwards. */
export interface Smoothed {
  readonly smoothings: readonly Smoothing[];
  readonly statistics: ReadonlyMap<string, ValueStatistics>;
}

/** Less than this gain, in dB, is not worth a change. */
const leastGain = 1;

/** Schemes that round the activations too. */
const integerSchemes: ReadonlySet<string> = new Set(["dynamic", "static"]);

/**
 * Scales channels of activations against the weights that read them, so that rounding both costs least: channel j is
 * divided by max|X_j|^alpha / max|W_j|^(1 - alpha) (Xiao et al. 2022, SmoothQuant, arXiv:2211.10438), or by its root mean
 * square^alpha where that is better, as it is where only weights are rounded (Lin et al. 2023, AWQ, arXiv:2306.00978).
 * alpha is searched per activation: least noise of the outputs, from the activation's step and the weights' steps. The
 * division goes into the constants that make the activation; what the model computes stays the same. `tensors` are those
 * of a plan for this model. Changes `model`, but none of its tensors.
 */
export function smooth(
  model: ModelProto,
  tensors: readonly PlannedTensor[],
  before: ReadonlyMap<string, ValueStatistics>,
  readExternal: ReadExternal,
): Smoothed {
  const planned = new Map(tensors.map((tensor) => [siteKey(tensor.graph, tensor.name), tensor]));
  const statistics = new Map(before);
  const weights = openFamilyWeights(model, readExternal);
  const smoothings: Smoothing[] = [];
  for (const family of channelFamilies(model, "any")) {
    const value = family.readers[0]!.node.input[0]!;
    const channels = statistics.get(value)?.channels;
    // what all nodes read must be described, and all that changes must be adaptable
    const known = [...family.values.keys()].every((name) => statistics.get(name)?.channels !== null);
    if (!known || channels?.mean.length !== family.channels) continue;
    const costs = family.readers.map((reader) => costOf(reader, planned.get(siteKey("main", reader.tensor.name))));
    if (costs.every(({ levels }) => levels === 0)) continue;
    const found = search(family, costs, channels, weights);
    if (found.gainDb < leastGain) continue;
    weights.scale(family, found.factors);
    for (const name of family.values.keys()) {
      const old = statistics.get(name);
      if (old) statistics.set(name, scaledStatistics(old, found.factors)!);
    }
    smoothings.push({
      value,
      maker: family.maker.opType,
      readers: family.readers.map(({ node }) => node.output[0]!),
      alpha: found.alpha,
      gainDb: found.gainDb,
    });
  }
  weights.finish();
  return { smoothings, statistics };
}

/** How the weight of a reader is rounded, and whether its activation is. */
interface ReaderCost {
  readonly reader: FamilyReader;
  /** Steps from 0 to the largest weight that shares a scale; 0 where weights stay floats. */
  readonly levels: number;
  /** Channels that share a scale. */
  readonly block: number;
  readonly roundsInput: boolean;
}

function costOf(reader: FamilyReader, tensor: PlannedTensor | undefined): ReaderCost {
  const form = tensor?.form;
  return {
    reader,
    levels: form ? (form.bits === 4 ? 7 : 127) : 0,
    block: form?.granularity === "block" ? form.blockSize! : reader.inputs,
    roundsInput: tensor?.scheme ? integerSchemes.has(tensor.scheme) : false,
  };
}

interface Found {
  readonly alpha: number;
  readonly factors: Float64Array;
  readonly gainDb: number;
}

const coarse = [0, 0.2, 0.4, 0.6, 0.8, 1];

function search(
  { channels: size }: ChannelFamily,
  costs: readonly ReaderCost[],
  channels: ChannelStatistics,
  weights: FamilyWeights,
): Found {
  const peaks = new Float64Array(size);
  for (const { reader } of costs) {
    const data = weights.of(reader);
    eachProduct(reader, (at, channel) => {
      const value = Math.abs(data[at]!);
      if (value > peaks[channel]!) peaks[channel] = value;
    });
  }
  const inputs = channels.maxAbs;
  const energy = channels.meanSquare.map(Math.sqrt);
  const ways = [
    ...(costs.some(({ roundsInput }) => roundsInput)
      ? [(alpha: number) => balanced(inputs, alpha, peaks, alpha - 1)]
      : []),
    (alpha: number) => balanced(energy, alpha, peaks, 0),
  ];
  const noiseOf = (factors: ArrayLike<number>) =>
    costs.reduce((sum, cost) => sum + outputNoise(cost, factors, channels, weights.of(cost.reader)), 0);
  const before = noiseOf(new Float64Array(size).fill(1));
  let best: Found = { alpha: 0, factors: new Float64Array(size).fill(1), gainDb: 0 };
  for (const way of ways) {
    let own = 0;
    let least = Number.POSITIVE_INFINITY;
    const attempt = (alpha: number) => {
      const factors = way(alpha);
      const noise = noiseOf(factors);
      if (noise < least) [least, own] = [noise, alpha];
      const gainDb = 10 * Math.log10(before / noise);
      if (gainDb > best.gainDb) best = { alpha, factors, gainDb };
    };
    for (const alpha of coarse) attempt(alpha);
    for (const alpha of [own - 0.1, own + 0.1]) if (alpha > 0 && alpha < 1) attempt(Number(alpha.toFixed(1)));
  }
  return best;
}

/** a^powerA * b^powerB of each channel, over their geometric mean. Channels of zeros count as very small ones. */
function balanced(a: ArrayLike<number>, powerA: number, b: ArrayLike<number>, powerB: number): Float64Array {
  const logarithms = (values: ArrayLike<number>) => {
    const all = Array.from(values);
    const floor = all.reduce((most, value) => Math.max(most, value), 0) * 1e-4;
    return all.map((value) => Math.log(Math.max(value, floor) || 1));
  };
  const [left, right] = [logarithms(a), logarithms(b)];
  const sums = left.map((value, at) => powerA * value + powerB * right[at]!);
  const mean = sums.reduce((sum, value) => sum + value, 0) / sums.length;
  return Float64Array.from(sums, (value) => Math.exp(value - mean));
}

/** Noise power of a node's output, summed over its channels, with input channels divided by `factors`. */
function outputNoise(
  { reader, levels, block, roundsInput }: ReaderCost,
  factors: ArrayLike<number>,
  { meanSquare, min, max }: ChannelStatistics,
  data: Float32Array,
): number {
  const { outputs, inputs, groups, kernel } = reader;
  const blocks = Math.ceil(inputs / block);
  const peaks = new Float64Array(outputs * blocks);
  let energy = 0;
  eachProduct(reader, (at, channel, output) => {
    const value = data[at]! * factors[channel]!;
    energy += value * value;
    const place = output * blocks + Math.floor((channel % inputs) / block);
    const size = value < 0 ? -value : value;
    if (size > peaks[place]!) peaks[place] = size;
  });
  let noise = 0;
  if (roundsInput) {
    let low = 0;
    let high = 0;
    for (let channel = 0; channel < min.length; channel++) {
      low = Math.min(low, min[channel]! / factors[channel]!);
      high = Math.max(high, max[channel]! / factors[channel]!);
    }
    noise += (((high - low) / 255) ** 2 / 12) * energy;
  }
  if (levels === 0) return noise;
  // power of the inputs that meet one scale
  const power = new Float64Array(groups * blocks);
  for (let channel = 0; channel < meanSquare.length; channel++) {
    const group = Math.floor(channel / inputs);
    const place = group * blocks + Math.floor((channel % inputs) / block);
    power[place]! += (kernel * meanSquare[channel]!) / factors[channel]! ** 2;
  }
  const perGroup = outputs / groups;
  for (let output = 0; output < outputs; output++) {
    const group = Math.floor(output / perGroup);
    for (let at = 0; at < blocks; at++) {
      const step = peaks[output * blocks + at]! / levels;
      noise += ((step * step) / 12) * power[group * blocks + at]!;
    }
  }
  return noise;
}
