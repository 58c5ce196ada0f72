import { type DType, elementCount, type Tensor, type TensorData, typedArrays } from "./tensor.js";

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The value of an IEEE 754 binary16 bit pattern. */
export function halfValue(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** The IEEE 754 binary16 bit pattern nearest to a number, ties to even; overflow gives infinity. */
export function halfBits(value: number): number {
  float[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  if (Number.isNaN(value)) return sign | 0x7e00;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  // the spacing of halves around the value; below 2^-14 they are evenly spaced
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const steps = roundEven(magnitude / 2 ** (exponent - 10));
  // a carry out of the fraction raises the exponent, which is the right result
  return sign | (exponent === -14 ? steps : steps + ((exponent + 14) << 10));
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/**
 * The elements of a tensor as plain numbers, without a copy where they already are: halves decoded, 64-bit integers
 * rounded to the nearest double. Throws a TypeError for strings.
 */
export function numbersOf(tensor: Tensor): ArrayLike<number> {
  const { dtype, data } = tensor;
  if (dtype === "float16") return widened(data as Uint16Array, halfValue);
  if (dtype === "bfloat16") return widened(data as Uint16Array, bfloat16Value);
  if (dtype === "string") throw new TypeError("text has no numbers");
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float64Array.from(data as never, Number);
  return data as Float32Array;
}

function widened(halves: Uint16Array, decode: (half: number) => number): Float32Array {
  const values = new Float32Array(halves.length);
  // all 65536 values first, where there are more than those to decode
  const table = halves.length > 65536 ? Float32Array.from({ length: 65536 }, (_, half) => decode(half)) : undefined;
  if (table) for (let at = 0; at < halves.length; at++) values[at] = table[halves[at]!]!;
  else for (let at = 0; at < halves.length; at++) values[at] = decode(halves[at]!);
  return values;
}

function bfloat16Value(half: number): number {
  bits[0] = half << 16;
  return float[0]!;
}

/** The dtypes `tensorOfNumbers` can make. */
export type NumericDType = Exclude<DType, "string" | "bfloat16">;

/** Whether `tensorOfNumbers` can make this dtype. */
export function isNumericDType(dtype: DType): dtype is NumericDType {
  return dtype !== "string" && dtype !== "bfloat16";
}

/** A tensor whose elements are taken from `next`, in row-major order; integers for integer dtypes. */
export function tensorOfNumbers(dtype: NumericDType, shape: readonly number[], next: () => number): Tensor {
  const data = new typedArrays[dtype](elementCount(shape));
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let at = 0; at < data.length; at++) data[at] = BigInt(next());
  } else {
    const half = dtype === "float16";
    for (let at = 0; at < data.length; at++) data[at] = half ? halfBits(next()) : next();
  }
  return { dtype, shape, data: data as TensorData };
}
