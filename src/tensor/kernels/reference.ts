import { halfValue } from "../numbers.js";
import type { Clip, QuantizedForm, QuantizedWeight, QuantizerSource } from "../quantized.js";
import { elementCount } from "../tensor.js";
import { type Group, groupAt, groupLayout } from "./groups.js";

/** Elements of a group whose squares are summed by themselves: parts of a large group can then be done in any order. */
export const pieceLength = 65536;
/** Elements whose errors are summed in float32 while a clip is searched. */
const searchLength = 1024;
/** Clips tried: 100 %, 99 % .. 80 %. */
export const clipCount = 21;
/** Below this a scale is no normal float32, and division by it is not exact any more (FLT_MIN). */
const smallestScale = 1.1754943508222875e-38;
/** Adding and taking away 1.5 * 2^52 rounds a double to an integer, halves to even, as ONNX asks. */
const rounder = 6755399441055744;

// jest runs modules where each look-up of a global costs more than the arithmetic
const { fround, max, min } = Math;

/** Range, zero point and limits of one group. Limits are of q before the zero point is added. */
interface GroupRange {
  readonly low: number;
  readonly high: number;
  readonly zeroPoint: number;
  readonly lowest: number;
  readonly highest: number;
}

/**
 * The definition of quantization here, in plain TypeScript; the SIMD kernels agree with it bit for bit.
 *
 * Scale, in float64 and then rounded to float32: `clip * max|w| / (127 or 7)`, or `clip * (max(w, 0) - min(w, 0)) / (255
 * or 15)`; 1 where that is below FLT_MIN. Zero point of asymmetric forms: round(qmin - min / scale) of the unclipped
 * range in float64. q = clamp(round(w / scale)) + zero point with the quotient in float32 and halves to even: what
 * QuantizeLinear of ONNX makes with these scales.
 *
 * Signal and noise are float64 sums of squares, the noise of float32 differences to what DequantizeLinear makes. A group
 * is taken in row-major order, in pieces of `pieceLength`; element p of a piece is added to sum p mod 4, then the four
 * are added up; pieces, then groups are added in order. A source that is not finite gives a signal that is not.
 *
 * The clip is searched per group from 1.00 down to 0.80: least sum of squared errors wins, the larger clip among equals.
 * The sums are made of float32 squares of errors in steps, in four lanes for each 1024 elements, then in float64.
 */
export function quantizeReference(source: QuantizerSource, form: QuantizedForm, clip: Clip): QuantizedWeight {
  const { shape } = source;
  const layout = groupLayout(shape, form);
  const size = elementCount(shape);
  const floats = source.dtype === "float32" ? (source.data as Float32Array) : undefined;
  const bytes = form.signed ? new Int8Array(size) : new Uint8Array(size);
  const scales = new Float32Array(layout.count);
  const zeroPoints = form.signed ? new Int8Array(layout.count) : new Uint8Array(layout.count);
  let scratch = new Float32Array(0);
  let signal = 0;
  let noise = 0;
  for (let index = 0; index < layout.count; index++) {
    const group = groupAt(layout, index);
    const count = group.runs * group.runLength;
    const direct = floats !== undefined && group.runs === 1;
    if (!direct && scratch.length < count) scratch = new Float32Array(count);
    if (!direct) gather(source, group, scratch);
    const values = direct ? floats : scratch;
    const start = direct ? group.base : 0;
    const range = rangeOf(values, start, count, form);
    const percent =
      clip === "max"
        ? 100
        : bestOf(range.low, range.high, form, (_, scale) => errorOf(values, start, count, scale, range));
    const scale = scaleOf(range.low, range.high, form, percent) || 1;
    scales[index] = scale;
    zeroPoints[index] = range.zeroPoint;
    const sums = quantizeGroup(values, start, count, scale, range, bytes, group);
    signal += sums.signal;
    noise += sums.noise;
  }
  return {
    form,
    shape,
    values: form.bits === 4 ? packNibbles(bytes) : bytes,
    scales,
    scaleShape: layout.scaleShape,
    zeroPoints: form.symmetric && form.signed ? null : zeroPoints,
    signal,
    noise,
  };
}

function gather(source: QuantizerSource, group: Group, into: Float32Array): void {
  const { data, dtype } = source;
  let to = 0;
  for (let run = 0; run < group.runs; run++) {
    const start = group.base + run * group.runStride;
    for (let at = start; at < start + group.runLength; at++) {
      const raw = data[at]!;
      into[to++] = dtype === "float32" ? raw : dtype === "float16" ? halfValue(raw) : bfloat16Value(raw);
    }
  }
}

const word = new Uint32Array(1);
const wordAsFloat = new Float32Array(word.buffer);

function bfloat16Value(bits: number): number {
  word[0] = bits << 16;
  return wordAsFloat[0]!;
}

/** The least and the largest q of a form, zero point included. */
function limitsOf(form: QuantizedForm): readonly [smallest: number, largest: number] {
  const count = form.bits === 4 ? 16 : 256;
  return form.signed ? [-count / 2, count / 2 - 1] : [0, count - 1];
}

/** The scale of a range clipped to `percent` of itself; 0 where it is too small to divide by. */
export function scaleOf(low: number, high: number, form: QuantizedForm, percent: number): number {
  const clip = percent / 100;
  const levels = form.bits === 4 ? 15 : 255;
  const scale = fround(form.symmetric ? (clip * max(-low, high)) / ((levels - 1) / 2) : (clip * (high - low)) / levels);
  return scale < smallestScale ? 0 : scale;
}

/** Range, zero point and limits from min(w, 0) and max(w, 0). */
export function pointOf(low: number, high: number, form: QuantizedForm): GroupRange {
  const [smallest, largest] = limitsOf(form);
  if (form.symmetric) {
    const half = form.bits === 4 ? 7 : 127;
    return { low, high, zeroPoint: form.signed ? 0 : half + 1, lowest: -half, highest: half };
  }
  const step = (high - low) / (largest - smallest);
  const point = scaleOf(low, high, form, 100) === 0 ? 0 : roundEven(smallest - low / step);
  const zeroPoint = max(smallest, min(largest, point));
  return { low, high, zeroPoint, lowest: smallest - zeroPoint, highest: largest - zeroPoint };
}

function roundEven(value: number): number {
  return value + rounder - rounder;
}

function rangeOf(values: Float32Array, start: number, count: number, form: QuantizedForm): GroupRange {
  let low = 0;
  let high = 0;
  for (let at = start; at < start + count; at++) {
    const value = values[at]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return pointOf(low, high, form);
}

/**
 * The clip in percent with the least error, see `quantizeReference`; `stepsOf` tells the squared errors, in steps, of the
 * scale of a clip. All scales are above FLT_MIN then.
 */
export function bestOf(
  low: number,
  high: number,
  form: QuantizedForm,
  stepsOf: (clip: number, scale: number) => number,
): number {
  let best = 100;
  let least = Number.POSITIVE_INFINITY;
  for (let clip = 0; clip < clipCount; clip++) {
    const scale = scaleOf(low, high, form, 100 - clip);
    if (scale === 0) break;
    const error = stepsOf(clip, scale) * (scale * scale);
    if (error < least) {
      least = error;
      best = 100 - clip;
    }
  }
  return best;
}

/** Sum of squared errors in steps of the scale. */
function errorOf(values: Float32Array, start: number, count: number, scale: number, range: GroupRange): number {
  let steps = 0;
  for (let at = 0; at < count; at += pieceLength) {
    steps += errorOfPiece(values, start + at, min(pieceLength, count - at), scale, range);
  }
  return steps;
}

function errorOfPiece(values: Float32Array, start: number, count: number, scale: number, range: GroupRange): number {
  const { lowest, highest } = range;
  const inverse = fround(1 / scale);
  let total = 0;
  for (let part = start; part < start + count; part += searchLength) {
    const end = min(part + searchLength, start + count);
    let a = fround(0);
    let b = a;
    let c = a;
    let d = a;
    for (let at = part; at < end; at++) {
      const steps = fround(values[at]! * inverse);
      const clamped = max(lowest, min(highest, steps));
      const lost = fround(steps - (clamped + rounder - rounder));
      const sum = fround(a + fround(lost * lost));
      // the four sums take turns
      a = b;
      b = c;
      c = d;
      d = sum;
    }
    // on to the end of the round, where they are in order again
    for (let turn = end - part; turn % 4 !== 0; turn++) {
      const first = a;
      a = b;
      b = c;
      c = d;
      d = first;
    }
    total += a + b + c + d;
  }
  return total;
}

function quantizeGroup(
  values: Float32Array,
  start: number,
  count: number,
  scale: number,
  range: GroupRange,
  bytes: Uint8Array | Int8Array,
  group: Group,
): { readonly signal: number; readonly noise: number } {
  const { lowest, highest, zeroPoint } = range;
  const { runLength, runStride } = group;
  const signals = new Float64Array(4);
  const noises = new Float64Array(4);
  let signal = 0;
  let noise = 0;
  let to = group.base;
  let runEnd = to + runLength;
  for (let piece = 0; piece < count; piece += pieceLength) {
    const end = min(piece + pieceLength, count);
    signals.fill(0);
    noises.fill(0);
    for (let at = piece; at < end; at++) {
      const value = values[start + at]!;
      const steps = fround(value / scale);
      const q = max(lowest, min(highest, steps)) + rounder - rounder;
      bytes[to] = q + zeroPoint;
      const lost = fround(value - fround(q * scale));
      // pieces begin at multiples of 4
      signals[at & 3]! += value * value;
      noises[at & 3]! += lost * lost;
      if (++to === runEnd) {
        to += runStride - runLength;
        runEnd += runStride;
      }
    }
    signal += signals[0]! + signals[1]! + signals[2]! + signals[3]!;
    noise += noises[0]! + noises[1]! + noises[2]! + noises[3]!;
  }
  return { signal, noise };
}

/** Two values in a byte, the earlier in the low half. */
export function packNibbles(values: Uint8Array | Int8Array): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array((values.length + 1) >> 1);
  const pairs = values.length >> 1;
  for (let at = 0; at < pairs; at++) packed[at] = (values[2 * at]! & 15) | ((values[2 * at + 1]! & 15) << 4);
  if (values.length & 1) packed[pairs] = values[values.length - 1]! & 15;
  return packed;
}
