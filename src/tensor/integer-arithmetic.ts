import { type IntegerData, integerLimits, roundHalfEven } from "./quantize-linear.js";
import { elementCount, formatShape } from "./tensor.js";

/** A tensor of 8-bit integers. */
export interface IntegerTensor {
  readonly shape: readonly number[];
  readonly data: Int8Array | Uint8Array;
}

export interface Int32Tensor {
  readonly shape: readonly number[];
  readonly data: Int32Array<ArrayBuffer>;
}

/**
 * How products are summed: exactly, or as x86 processors with AVX2 but without VNNI sum unsigned times signed bytes
 * (vpmaddubsw): neighbouring pairs in 16 bits that saturate. Other mixtures of signs are exact there as well.
 */
export type Arithmetic = "exact" | "avx2";

const { fround, max, min } = Math;

/** Sum of products of `depth` pairs of raw integers, the steps between them being `aStep` and `bStep`. */
function dot(
  a: IntegerData,
  aAt: number,
  aStep: number,
  b: IntegerData,
  bAt: number,
  bStep: number,
  depth: number,
  pairs: boolean,
): number {
  let sum = 0;
  for (let k = 0; k < depth; k++) {
    const product = a[aAt + k * aStep]! * b[bAt + k * bStep]!;
    if (!pairs) {
      sum += product;
      continue;
    }
    k++;
    const second = k < depth ? a[aAt + k * aStep]! * b[bAt + k * bStep]! : 0;
    sum += max(-32768, min(32767, product + second));
  }
  return sum;
}

function sumOf(data: IntegerData, start: number, step: number, count: number): number {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += data[start + k * step]!;
  return sum;
}

const saturates = (a: IntegerData, b: IntegerData, arithmetic: Arithmetic) =>
  arithmetic === "avx2" && a instanceof Uint8Array && b instanceof Int8Array;

/**
 * ONNX MatMulInteger: (A - zero point) x (B - zero point) in int32, for ranks from 2 up with NumPy's broadcasting of
 * the leading axes. Zero points: one, or one for each row of A and each column of B. Throws a RangeError when the
 * shapes do not fit.
 */
export function matMulInteger(
  a: IntegerTensor,
  b: IntegerTensor,
  aZeros: ArrayLike<number> = [0],
  bZeros: ArrayLike<number> = [0],
  arithmetic: Arithmetic = "exact",
): Int32Tensor {
  const [rows, depth] = a.shape.slice(-2);
  const [bDepth, columns] = b.shape.slice(-2);
  if (a.shape.length < 2 || b.shape.length < 2 || depth !== bDepth) {
    throw new RangeError(`shapes ${formatShape(a.shape)} and ${formatShape(b.shape)} cannot be multiplied`);
  }
  const rank = max(a.shape.length, b.shape.length) - 2;
  const aLead = padded(a.shape.slice(0, -2), rank);
  const bLead = padded(b.shape.slice(0, -2), rank);
  const lead = aLead.map((size, at) => (size === 1 ? bLead[at]! : size));
  const shape = [...lead, rows!, columns!];
  const data = new Int32Array(elementCount(shape));
  const pairs = saturates(a.data, b.data, arithmetic);
  for (let batch = 0; batch < elementCount(lead); batch++) {
    const aStart = broadcastIndex(batch, lead, aLead) * rows! * depth!;
    const bStart = broadcastIndex(batch, lead, bLead) * depth! * columns!;
    for (let row = 0; row < rows!; row++) {
      const aAt = aStart + row * depth!;
      const aZero = aZeros[aZeros.length === 1 ? 0 : row]!;
      const aSum = sumOf(a.data, aAt, 1, depth!);
      for (let column = 0; column < columns!; column++) {
        const bAt = bStart + column;
        const bZero = bZeros[bZeros.length === 1 ? 0 : column]!;
        const raw = dot(a.data, aAt, 1, b.data, bAt, columns!, depth!, pairs);
        const bSum = sumOf(b.data, bAt, columns!, depth!);
        data[(batch * rows! + row) * columns! + column] = raw - aZero * bSum - bZero * aSum + depth! * aZero * bZero;
      }
    }
  }
  return { shape, data };
}

function padded(shape: readonly number[], rank: number): readonly number[] {
  return [...new Array<number>(rank - shape.length).fill(1), ...shape];
}

/** The index within a broadcast shape that an index of the full shape reads. */
function broadcastIndex(index: number, full: readonly number[], own: readonly number[]): number {
  let rest = index;
  let result = 0;
  let stride = 1;
  for (let axis = full.length - 1; axis >= 0; axis--) {
    const along = rest % full[axis]!;
    rest = Math.floor(rest / full[axis]!);
    if (own[axis] !== 1) result += along * stride;
    stride *= own[axis]!;
  }
  return result;
}

/** Attributes of Conv and its integer forms; what is left out has ONNX's default. */
export interface ConvAttributes {
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  /** Begin of each axis, then end of each. */
  readonly pads?: readonly number[];
  readonly group?: number;
  readonly autoPad?: "NOTSET" | "VALID" | "SAME_UPPER" | "SAME_LOWER";
}

/**
 * ONNX ConvInteger: x [N, C, ...spatial], w [M, C / group, ...kernel] -> int32 [N, M, ...spatial], padded with the zero
 * point of x. wZeros: one, or one for each of M. Products are summed kernel position by kernel position, channels
 * innermost, which matters where pairs saturate: so does onnxruntime in QLinearConv, while its ConvInteger and all its
 * depthwise convolutions are exact everywhere.
 */
export function convInteger(
  x: IntegerTensor,
  w: IntegerTensor,
  xZero = 0,
  wZeros: ArrayLike<number> = [0],
  attributes: ConvAttributes = {},
  arithmetic: Arithmetic = "exact",
): Int32Tensor {
  const { group = 1 } = attributes;
  const [batches, channels, ...size] = x.shape;
  const [features, perGroup, ...kernel] = w.shape;
  if (size.length !== kernel.length || perGroup! * group !== channels || features! % group !== 0) {
    throw new RangeError(`shapes ${formatShape(x.shape)} and ${formatShape(w.shape)} cannot be convolved`);
  }
  const strides = attributes.strides ?? size.map(() => 1);
  const dilations = attributes.dilations ?? size.map(() => 1);
  const { begins, output } = placeKernel(size, kernel, strides, dilations, attributes);
  const positions = elementCount(output);
  const taps = elementCount(kernel);
  const depth = taps * perGroup!;
  const weights = tapMajor(w);
  const shape = [batches!, features!, ...output];
  const data = new Int32Array(elementCount(shape));
  const patch = x.data instanceof Int8Array ? new Int8Array(depth) : new Uint8Array(depth);
  const pairs = saturates(x.data, w.data, arithmetic);
  const spatial = elementCount(size);
  const perOutput = features! / group;
  for (let batch = 0; batch < batches!; batch++) {
    for (let part = 0; part < group; part++) {
      for (let position = 0; position < positions; position++) {
        for (let tap = 0; tap < taps; tap++) {
          const from = inputIndex(position, tap, { size, kernel, output, strides, dilations, begins });
          for (let channel = 0; channel < perGroup!; channel++) {
            const plane = (batch * channels! + part * perGroup! + channel) * spatial;
            patch[tap * perGroup! + channel] = from < 0 ? xZero : x.data[plane + from]!;
          }
        }
        const patchSum = sumOf(patch, 0, 1, depth);
        for (let feature = part * perOutput; feature < (part + 1) * perOutput; feature++) {
          const wZero = wZeros[wZeros.length === 1 ? 0 : feature]!;
          const raw = dot(patch, 0, 1, weights, feature * depth, 1, depth, pairs);
          const wSum = sumOf(weights, feature * depth, 1, depth);
          data[(batch * features! + feature) * positions + position] =
            raw - xZero * wSum - wZero * patchSum + depth * xZero * wZero;
        }
      }
    }
  }
  return { shape, data };
}

/** Weights [M, C / group, ...kernel] in the order their products are summed in: [M, ...kernel, C / group]. */
export function tapMajor(w: IntegerTensor): Int8Array<ArrayBuffer> | Uint8Array<ArrayBuffer> {
  const [features, perGroup, ...kernel] = w.shape;
  const taps = elementCount(kernel);
  const result = w.data instanceof Int8Array ? new Int8Array(w.data.length) : new Uint8Array(w.data.length);
  for (let feature = 0; feature < features!; feature++) {
    for (let channel = 0; channel < perGroup!; channel++) {
      for (let tap = 0; tap < taps; tap++) {
        result[(feature * taps + tap) * perGroup! + channel] = w.data[(feature * perGroup! + channel) * taps + tap]!;
      }
    }
  }
  return result;
}

interface Placement {
  readonly size: readonly number[];
  readonly kernel: readonly number[];
  readonly output: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begins: readonly number[];
}

/** Padding before each axis, and the size of the output. */
function placeKernel(
  size: readonly number[],
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
  { pads, autoPad = "NOTSET" }: ConvAttributes,
): Pick<Placement, "begins" | "output"> {
  const begins: number[] = [];
  const output: number[] = [];
  size.forEach((length, axis) => {
    const reach = (kernel[axis]! - 1) * dilations[axis]! + 1;
    const stride = strides[axis]!;
    if (autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER") {
      const steps = Math.ceil(length / stride);
      const total = max(0, (steps - 1) * stride + reach - length);
      begins.push(autoPad === "SAME_UPPER" ? total >> 1 : (total + 1) >> 1);
      output.push(steps);
      return;
    }
    const begin = autoPad === "VALID" ? 0 : (pads?.[axis] ?? 0);
    const end = autoPad === "VALID" ? 0 : (pads?.[axis + size.length] ?? 0);
    begins.push(begin);
    output.push(max(0, Math.floor((length + begin + end - reach) / stride) + 1));
  });
  return { begins, output };
}

/** Index within a plane of x that a kernel position sees at an output position; -1 in the padding. */
function inputIndex(position: number, tap: number, place: Placement): number {
  let index = 0;
  let stride = 1;
  for (let axis = place.size.length - 1; axis >= 0; axis--) {
    const out = position % place.output[axis]!;
    const at = tap % place.kernel[axis]!;
    position = Math.floor(position / place.output[axis]!);
    tap = Math.floor(tap / place.kernel[axis]!);
    const along = out * place.strides[axis]! + at * place.dilations[axis]! - place.begins[axis]!;
    if (along < 0 || along >= place.size[axis]!) return -1;
    index += along * stride;
    stride *= place.size[axis]!;
  }
  return index;
}

/**
 * The 8-bit result of QLinearMatMul and QLinearConv from their int32 sums: saturate(round(sum * scale) + zero point) in
 * float32. `scaleAt` tells input scale * weight scale / output scale, in float32, for the index of an element.
 */
export function requantize(
  sums: Int32Tensor,
  scaleAt: (at: number) => number,
  zeroPoint: number,
  type: "int8" | "uint8",
): IntegerTensor {
  const [least, largest] = integerLimits[type];
  const data = type === "int8" ? new Int8Array(sums.data.length) : new Uint8Array(sums.data.length);
  for (let at = 0; at < sums.data.length; at++) {
    const value = fround(fround(sums.data[at]!) * scaleAt(at));
    data[at] = roundHalfEven(max(least - zeroPoint, min(largest - zeroPoint, value))) + zeroPoint;
  }
  return { shape: sums.shape, data };
}

/** `x scale * w scale / y scale` in float32 and in this order. */
export function outputScale(xScale: number, wScale: number, yScale: number): number {
  return fround(fround(xScale * wScale) / yScale);
}
