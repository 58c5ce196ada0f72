import { elementCount, formatShape } from "./tensor.js";

/** Integers that QuantizeLinear makes; those of 4 and 2 bits lie one in a byte here. */
export type QuantizedType = "int8" | "uint8" | "int16" | "uint16" | "int4" | "uint4" | "int2" | "uint2";

export type IntegerData = Int8Array | Uint8Array | Int16Array | Uint16Array;

/** Least and largest value of each type. */
export const integerLimits: Readonly<Record<QuantizedType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int4: [-8, 7],
  uint4: [0, 15],
  int2: [-2, 1],
  uint2: [0, 3],
};

const arrays = {
  ...{ int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array },
  ...{ int4: Int8Array, uint4: Uint8Array, int2: Int8Array, uint2: Uint8Array },
};

/** Scales and zero points of a tensor, as the ONNX operators take them. */
export interface Scaling {
  readonly scales: ArrayLike<number>;
  /** As many as scales; without them they are 0. */
  readonly zeroPoints?: ArrayLike<number> | null | undefined;
  /** One scale: one for all. As many as the axis is long: one each. More: blocks of `blockSize` along the axis. */
  readonly axis?: number;
  readonly blockSize?: number;
}

const { fround, max, min } = Math;

/** The integer nearest to a number, halves to even, up to 2^51. */
export function roundHalfEven(value: number): number {
  return value + 6755399441055744 - 6755399441055744;
}

/**
 * The index of the scale for every element of a tensor, as a function of its index. Throws a RangeError when the
 * number of scales fits neither one, the axis, nor the blocks.
 */
function scaleIndex(shape: readonly number[], scaling: Scaling): (at: number) => number {
  const count = scaling.scales.length;
  const rank = shape.length;
  const axis = ((scaling.axis ?? 1) + rank) % Math.max(1, rank);
  const length = shape[axis] ?? 1;
  const inner = elementCount(shape.slice(axis + 1));
  const { blockSize = 0 } = scaling;
  if (blockSize > 0) {
    const blocks = Math.ceil(length / blockSize);
    if (count !== (elementCount(shape) / length) * blocks) throw unfit(count, shape);
    return (at) => {
      const along = Math.floor(at / inner) % length;
      const outer = Math.floor(at / (inner * length));
      return (outer * blocks + Math.floor(along / blockSize)) * inner + (at % inner);
    };
  }
  if (count === 1) return () => 0;
  if (count !== length) throw unfit(count, shape);
  return (at) => Math.floor(at / inner) % length;
}

function unfit(count: number, shape: readonly number[]): RangeError {
  return new RangeError(`${count} scales do not fit shape ${formatShape(shape)}`);
}

/** ONNX QuantizeLinear of float32: saturate(round(x / scale) + zero point), halves to even. */
export function quantizeLinear(
  data: ArrayLike<number>,
  shape: readonly number[],
  scaling: Scaling,
  type: QuantizedType,
): IntegerData {
  const [least, largest] = integerLimits[type];
  const indexOf = scaleIndex(shape, scaling);
  const result = new arrays[type](data.length);
  for (let at = 0; at < data.length; at++) {
    const index = indexOf(at);
    const zeroPoint = scaling.zeroPoints?.[index] ?? 0;
    // clamped first: a quotient can be too large to round
    const quotient = max(-70000, min(70000, fround(data[at]! / scaling.scales[index]!)));
    result[at] = max(least, min(largest, roundHalfEven(quotient) + zeroPoint));
  }
  return result;
}

/** ONNX DequantizeLinear to float32: (q - zero point) * scale. */
export function dequantizeLinear(
  data: ArrayLike<number>,
  shape: readonly number[],
  scaling: Scaling,
): Float32Array<ArrayBuffer> {
  const indexOf = scaleIndex(shape, scaling);
  const result = new Float32Array(data.length);
  for (let at = 0; at < data.length; at++) {
    const index = indexOf(at);
    // int32 becomes a float32 before it is multiplied
    result[at] = fround(data[at]! - (scaling.zeroPoints?.[index] ?? 0)) * scaling.scales[index]!;
  }
  return result;
}

/** What DynamicQuantizeLinear gives. */
export interface DynamicallyQuantized {
  readonly values: Uint8Array<ArrayBuffer>;
  readonly scale: number;
  readonly zeroPoint: number;
}

/** ONNX DynamicQuantizeLinear: float32 to uint8 over the range of the data and 0, all in float32. */
export function dynamicQuantizeLinear(data: ArrayLike<number>): DynamicallyQuantized {
  let low = 0;
  let high = 0;
  for (let at = 0; at < data.length; at++) {
    low = min(low, data[at]!);
    high = max(high, data[at]!);
  }
  const scale = low === high ? 1 : fround(fround(high - low) / 255);
  const zeroPoint = roundHalfEven(max(0, min(255, fround(0 - fround(low / scale)))));
  const scaling = { scales: [scale], zeroPoints: [zeroPoint] };
  return { values: Uint8Array.from(quantizeLinear(data, [data.length], scaling, "uint8")), scale, zeroPoint };
}
