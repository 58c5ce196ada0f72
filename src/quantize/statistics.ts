import { UserError } from "../errors.js";
import { numbersOf } from "../tensor/numbers.js";
import { elementCount, formatShape, type Tensor } from "../tensor/tensor.js";
import { addToHistogram, emptyHistogram, type GrowingHistogram, type Histogram } from "./histogram.js";

/** What is known of the values of each index of one axis. */
export interface ChannelStatistics {
  /** Counted from the first axis; negative from the last, as the caller asked. */
  readonly axis: number;
  readonly mean: readonly number[];
  /** Mean of the squares. */
  readonly meanSquare: readonly number[];
  readonly maxAbs: readonly number[];
  readonly min: readonly number[];
  readonly max: readonly number[];
}

/** What calibration keeps of one value: its size does not depend on the number of samples. */
export interface ValueStatistics {
  /** Samples in which the value had elements. */
  readonly samples: number;
  readonly elements: number;
  readonly min: number;
  readonly max: number;
  /** Averages over the samples of each sample's extremes; later samples count for more. */
  readonly movingMin: number;
  readonly movingMax: number;
  /** Elements that are exactly 0, which every quantized form holds exactly; the histogram has the others. */
  readonly zeros: number;
  readonly histogram: Histogram;
  /** Null where none were asked for, or the samples have different numbers of channels. */
  readonly channels: ChannelStatistics | null;
}

/** What is gathered, and how. */
export interface CollectSettings {
  /**
   * Weight of a new sample's extremes in the moving average; the first 1 / constant samples count alike, so that the
   * average does not hang on the first sample. Default 0.01, as onnxruntime and PyTorch have it.
   */
  readonly averagingConstant?: number;
  /** The axis along which a value's channels are described; undefined for none. */
  readonly channelAxis?: (name: string) => number | undefined;
}

/** Gathers statistics sample by sample; no sample is kept. */
export interface Collector {
  /** Adds one sample of a float value. Throws a UserError where it holds NaN or infinity. */
  add(name: string, tensor: Tensor): void;
  /** What was gathered so far; values that never had elements are left out. */
  statistics(): ReadonlyMap<string, ValueStatistics>;
}

interface State {
  samples: number;
  elements: number;
  min: number;
  max: number;
  movingMin: number;
  movingMax: number;
  zeros: number;
  histogram: GrowingHistogram;
  channels: ChannelSums | null | undefined;
}

interface ChannelSums {
  readonly axis: number;
  /** Elements of each channel. */
  count: number;
  readonly sums: Float64Array;
  readonly squares: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
}

/** Starts with nothing gathered. */
export function startCollecting(settings: CollectSettings = {}): Collector {
  const constant = settings.averagingConstant ?? 0.01;
  const states = new Map<string, State>();
  return {
    add(name, tensor) {
      const values = numbersOf(tensor);
      if (values.length === 0) return;
      const { min, max, zeros } = extremes(values, name, tensor);
      let state = states.get(name);
      if (!state) {
        state = {
          samples: 0,
          elements: 0,
          min,
          max,
          movingMin: min,
          movingMax: max,
          zeros: 0,
          histogram: emptyHistogram,
          channels: undefined,
        };
        states.set(name, state);
      }
      state.samples++;
      state.elements += values.length;
      state.min = Math.min(state.min, min);
      state.max = Math.max(state.max, max);
      const weight = Math.max(constant, 1 / state.samples);
      // rounding must not lead outside
      state.movingMin = Math.max(state.min, state.movingMin + weight * (min - state.movingMin));
      state.movingMax = Math.min(state.max, state.movingMax + weight * (max - state.movingMax));
      state.zeros += zeros;
      state.histogram = addToHistogram(state.histogram, values, state.min, state.max);
      const axis = settings.channelAxis?.(name);
      if (axis !== undefined && state.channels !== null) {
        state.channels = addChannels(state.channels, values, tensor.shape, axis);
      }
    },
    statistics() {
      return new Map([...states].map(([name, state]) => [name, { ...state, channels: channelsOf(state.channels) }]));
    },
  };
}

function extremes(values: ArrayLike<number>, name: string, { shape }: Tensor) {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let zeros = 0;
  for (let at = 0; at < values.length; at++) {
    const value = values[at]!;
    // NaN for infinities and NaN only
    if (value - value !== 0) {
      const what = Number.isNaN(value) ? "NaN (not a number)" : "infinity";
      throw new UserError(`value "${name}" (${formatShape(shape)}) holds ${what}; it cannot be calibrated`);
    }
    if (value < min) min = value;
    if (value > max) max = value;
    if (value === 0) zeros++;
  }
  // no negative zero, which JSON does not keep
  return { min: min + 0, max: max + 0, zeros };
}

/** Null where the channels cannot be described: no such axis, or another number of channels than before. */
function addChannels(
  earlier: ChannelSums | undefined,
  values: ArrayLike<number>,
  shape: readonly number[],
  axis: number,
): ChannelSums | null {
  const at = axis < 0 ? axis + shape.length : axis;
  const channels = shape[at];
  if (channels === undefined || (earlier && earlier.sums.length !== channels)) return null;
  const found = earlier ?? {
    axis,
    count: 0,
    sums: new Float64Array(channels),
    squares: new Float64Array(channels),
    min: new Float64Array(channels).fill(Number.POSITIVE_INFINITY),
    max: new Float64Array(channels).fill(Number.NEGATIVE_INFINITY),
  };
  const { sums, squares } = found;
  const inner = elementCount(shape.slice(at + 1));
  found.count += values.length / channels;
  let channel = 0;
  for (let start = 0; start < values.length; start += inner) {
    let sum = 0;
    let square = 0;
    let least = found.min[channel]!;
    let most = found.max[channel]!;
    for (let index = start; index < start + inner; index++) {
      const value = values[index]!;
      sum += value;
      square += value * value;
      if (value < least) least = value;
      if (value > most) most = value;
    }
    sums[channel]! += sum;
    squares[channel]! += square;
    found.min[channel] = least;
    found.max[channel] = most;
    channel = channel + 1 === channels ? 0 : channel + 1;
  }
  return found;
}

function channelsOf(found: ChannelSums | null | undefined): ChannelStatistics | null {
  if (!found) return null;
  const { axis, count, sums, squares } = found;
  // no negative zeros, which JSON does not keep
  const [min, max] = [found.min, found.max].map((all) => Array.from(all, (value) => value + 0)) as [number[], number[]];
  return {
    axis,
    mean: Array.from(sums, (sum) => sum / count),
    meanSquare: Array.from(squares, (square) => square / count),
    maxAbs: min.map((value, at) => Math.max(0 - value, max[at]!)),
    min,
    max,
  };
}
