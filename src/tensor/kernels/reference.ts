import { halfValue } from "../numbers.js";
import type { Balance, Clip, QuantizedForm, QuantizedWeight, QuantizerSource } from "../quantized.js";
import { elementCount } from "../tensor.js";
import { balanceGroup } from "./balance.js";
import { type Group, groupAt, groupLayout } from "./groups.js";

/** Elements of a group whose squares are summed by themselves: parts of a large group can then be done in any order. */
export const pieceLength = 65536;
/** Elements whose squares are summed in float32. */
const partLength = 1024;
/** Clips tried: from 100 % down in steps of 1 %, or of 3 % for 4 bits, which gain more from clipping. */
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
 * Scale: `max|w| / (127 or 7)`, or `(max(w, 0) - min(w, 0)) / (255 or 15)`, times the clip, in float64 and then rounded to
 * float32; 1 where that is below FLT_MIN. Zero point of asymmetric forms: round(qmin - min / scale), of the unclipped
 * range and in float64. q = clamp(round(w / scale)) + zero point with the quotient in float32 and halves to even: what
 * QuantizeLinear of ONNX makes with these scales.
 *
 * Signal and noise are sums of squares of w / scale and of what rounding and clamping take from it, times scale^2. The
 * elements of a group in row-major order are cut into pieces of `pieceLength` and those into parts of `partLength`. In a
 * part, element p is squared and added to sum p mod 4 in float32; (sum 0 + sum 2) + (sum 1 + sum 3), parts, pieces and
 * groups are added in float64 and in order. A source that is not finite gives a signal that is not.
 *
 * The clip is searched per group from 1.00 down to 0.80 in steps of 0.01 (8 bits), or to 0.40 in steps of 0.03 (4 bits):
 * the least sum of squared errors wins, the larger clip among equals. Those sums are made like the noise, but with w * (1 / scale) in float32 instead of a division.
 */
export function quantizeReference(
  source: QuantizerSource,
  form: QuantizedForm,
  clip: Clip,
  kernel = 0,
  over: Balance = "outputs",
): QuantizedWeight {
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
    const done = quantizeGroup(values, start, count, scale, range, bytes, group);
    signal += done.signal;
    noise +=
      done.noise +
      (kernel > 0 ? balanceGroup(values, start, count, kernel, scale, range.zeroPoint, bytes, group.base, over) : 0);
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

/** The unclipped scale in float64. */
function baseOf(low: number, high: number, form: QuantizedForm): number {
  const levels = form.bits === 4 ? 15 : 255;
  return form.symmetric ? max(-low, high) / ((levels - 1) / 2) : (high - low) / levels;
}

/** The scale of a range clipped to `percent` of itself; 0 where it is too small to divide by. */
export function scaleOf(low: number, high: number, form: QuantizedForm, percent: number): number {
  const scale = fround(percent * 0.01 * baseOf(low, high, form));
  return scale < smallestScale ? 0 : scale;
}

/** Range, zero point and limits from min(w, 0) and max(w, 0). */
export function pointOf(low: number, high: number, form: QuantizedForm): GroupRange {
  const [smallest, largest] = limitsOf(form);
  if (form.symmetric) {
    const half = form.bits === 4 ? 7 : 127;
    return { low, high, zeroPoint: form.signed ? 0 : half + 1, lowest: -half, highest: half };
  }
  const point = scaleOf(low, high, form, 100) === 0 ? 0 : roundEven(smallest - low / baseOf(low, high, form));
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
  const step = form.bits === 4 ? 3 : 1;
  let best = 100;
  let least = Number.POSITIVE_INFINITY;
  for (let clip = 0; clip < clipCount; clip++) {
    const scale = scaleOf(low, high, form, 100 - clip * step);
    if (scale === 0) break;
    const error = stepsOf(clip, scale) * (scale * scale);
    if (error < least) {
      least = error;
      best = 100 - clip * step;
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
  for (let part = 0; part < count; part += partLength) {
    const end = min(part + partLength, count);
    sums.fill(0);
    for (let at = part; at < end; at++) {
      const steps = fround(values[start + at]! * inverse);
      const lost = fround(steps - (max(lowest, min(highest, steps)) + rounder - rounder));
      sums[at & 3]! += fround(lost * lost);
    }
    total += fold(sums);
  }
  return total;
}

const sums = new Float32Array(4);
const signalSums = new Float32Array(4);

function fold(four: Float32Array): number {
  return four[0]! + four[2]! + (four[1]! + four[3]!);
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
  let signal = 0;
  let noise = 0;
  let to = group.base;
  let runEnd = to + runLength;
  for (let piece = 0; piece < count; piece += pieceLength) {
    let pieceSignal = 0;
    let pieceNoise = 0;
    for (let part = piece; part < min(piece + pieceLength, count); part += partLength) {
      const end = min(part + partLength, count);
      sums.fill(0);
      signalSums.fill(0);
      for (let at = part; at < end; at++) {
        const steps = fround(values[start + at]! / scale);
        const q = max(lowest, min(highest, steps)) + rounder - rounder;
        bytes[to] = q + zeroPoint;
        const lost = fround(steps - q);
        signalSums[at & 3]! += fround(steps * steps);
        sums[at & 3]! += fround(lost * lost);
        if (++to === runEnd) {
          to += runStride - runLength;
          runEnd += runStride;
        }
      }
      pieceSignal += fold(signalSums);
      pieceNoise += fold(sums);
    }
    signal += pieceSignal;
    noise += pieceNoise;
  }
  const square = scale * scale;
  return { signal: signal * square, noise: noise * square };
}

/** Two values in a byte, the earlier in the low half. */
export function packNibbles(values: Uint8Array | Int8Array): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array((values.length + 1) >> 1);
  const pairs = values.length >> 1;
  for (let at = 0; at < pairs; at++) packed[at] = (values[2 * at]! & 15) | ((values[2 * at + 1]! & 15) << 4);
  if (values.length & 1) packed[pairs] = values[values.length - 1]! & 15;
  return packed;
}
