import { quantizeReference } from "../tensor/kernels/reference.js";
import type { Quantizer, QuantizerSource } from "../tensor/quantized.js";

/** Stored type of 8-bit weights: unsigned with zero point 128, or signed with zero point 0. */
export type WeightType = "uint8" | "int8";

/** A tensor quantized symmetrically with one scale per index of one axis. */
export interface QuantizedChannels {
  /** Row-major like the source; uint8 values carry the zero point 128. */
  readonly values: Uint8Array<ArrayBuffer> | Int8Array<ArrayBuffer>;
  /** One scale per channel, float32. */
  readonly scales: Float32Array<ArrayBuffer>;
  /** Sum of squares of the source. */
  readonly signal: number;
  /** Sum of squared differences between source and dequantized values. */
  readonly noise: number;
}

/** Below this a scale is no normal float32, and division by it is not exact any more (FLT_MIN). */
const smallestScale = 1.1754943508222875e-38;

/** Adding and taking away 1.5 * 2^52 rounds a double to an integer, halves to even, as ONNX asks. */
const rounder = 6755399441055744;

// jest runs modules where each look-up of a global costs more than the arithmetic
const { abs, fround } = Math;

/**
 * Quantizes float32 `data` of row-major `shape` to 8 bits, symmetric, per channel of `axis`: scale = max |w| / 127
 * (float32; 1 for a channel of zeros), q = round half to even of (w / scale in float32), which stays within -127 .. 127.
 * The result equals QuantizeLinear of ONNX with these scales, byte for byte. `data` must be finite.
 */
export function quantizeChannels(
  data: Float32Array,
  shape: readonly number[],
  axis: number,
  type: WeightType,
): QuantizedChannels {
  const channels = shape[axis]!;
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const peaks = new Float32Array(channels);
  eachRun(data.length, channels, inner, (channel, start, end) => {
    let peak = peaks[channel]!;
    for (let at = start; at < end; at++) {
      const size = abs(data[at]!);
      if (size > peak) peak = size;
    }
    peaks[channel] = peak;
  });
  const scales = peaks.map((peak) => (fround(peak / 127) < smallestScale ? 1 : peak / 127));
  const zeroPoint = type === "uint8" ? 128 : 0;
  const values = type === "uint8" ? new Uint8Array(data.length) : new Int8Array(data.length);
  let signal = 0;
  let noise = 0;
  eachRun(data.length, channels, inner, (channel, start, end) => {
    const scale = scales[channel]!;
    for (let at = start; at < end; at++) {
      const source = data[at]!;
      // |w| / (max |w| / 127) can round up to no more than 127.00001, which is 127 again
      const q = fround(source / scale) + rounder - rounder;
      values[at] = q + zeroPoint;
      const error = source - q * scale;
      signal += source * source;
      noise += error * error;
    }
  });
  return { values, scales, signal, noise };
}

/** Calls `visit` for each contiguous run of elements of one channel: elements `start` to `end` - 1. */
function eachRun(
  length: number,
  channels: number,
  inner: number,
  visit: (channel: number, start: number, end: number) => void,
): void {
  let channel = 0;
  for (let start = 0; start < length; start += inner) {
    visit(channel, start, start + inner);
    channel = channel + 1 === channels ? 0 : channel + 1;
  }
}

/** Whether every element is finite: infinities and NaN have no 8-bit form. */
export function isFiniteData(data: Float32Array): boolean {
  // x - x is NaN for exactly these
  for (let at = 0; at < data.length; at++) if (data[at]! - data[at]! !== 0) return false;
  return true;
}

/** {@link isFiniteData}, also of bit patterns. */
export function isFiniteSource({ dtype, data }: QuantizerSource): boolean {
  if (data instanceof Float32Array) return isFiniteData(data);
  // all exponent bits set
  const exponent = dtype === "float16" ? 0x7c00 : 0x7f80;
  return !data.some((bits) => (bits & exponent) === exponent);
}

/** The plain reference as a {@link Quantizer}. */
export function plainQuantizer(): Quantizer {
  return {
    quantize: async (source, form, clip) => quantizeReference(source, form, clip),
    close: async () => {},
  };
}
