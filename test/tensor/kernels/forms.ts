import { halfBits } from "../../../src/tensor/numbers.js";
import type { QuantizedForm, QuantizedWeight, QuantizerSource } from "../../../src/tensor/quantized.js";
import { elementCount } from "../../../src/tensor/tensor.js";
import fc from "../../property.js";

/** Any form that fits a shape. */
export function formFor(shape: readonly number[]): fc.Arbitrary<QuantizedForm> {
  return fc
    .record({
      bits: fc.constantFrom(8 as const, 4 as const),
      signed: fc.boolean(),
      symmetric: fc.boolean(),
      granularity: fc.constantFrom("tensor" as const, "channel" as const, "block" as const),
      axis: fc.nat(shape.length - 1),
      blockSize: fc.constantFrom(1, 2, 3, 5, 16, 32),
    })
    .map(({ blockSize, ...form }) => (form.granularity === "block" ? { ...form, blockSize } : form));
}

/** Floats of every size a float32 can have, near each other or far apart. */
export function floatsFor(count: number): fc.Arbitrary<Float32Array> {
  const any = fc.float({ noNaN: true, noDefaultInfinity: true });
  const usual = fc.float({ min: -1, max: 1, noNaN: true });
  const halves = fc.integer({ min: -300, max: 300 }).map((step) => step / 2);
  const subnormal = fc.float({ min: Math.fround(-1e-38), max: Math.fround(1e-38), noNaN: true });
  const huge = fc.float({ min: Math.fround(1e38), noNaN: true, noDefaultInfinity: true });
  const sized = (element: fc.Arbitrary<number>) =>
    fc.array(element, { minLength: count, maxLength: count, size: "max" });
  return fc
    .oneof(...[usual, halves, any, subnormal, huge, fc.oneof(usual, any, subnormal)].map(sized))
    .map((list) => Float32Array.from(list));
}

/** The same numbers as a source of another dtype; float16 holds those up to 65504. */
export function sourceOf(
  data: Float32Array,
  shape: readonly number[],
  dtype: QuantizerSource["dtype"],
): QuantizerSource {
  if (dtype === "float32") return { dtype, shape, data };
  if (dtype === "float16") {
    return {
      dtype,
      shape,
      data: Uint16Array.from(data, (value) => halfBits(Math.max(-65504, Math.min(65504, value)))),
    };
  }
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
  return { dtype, shape, data: Uint16Array.from(words, (word) => word >>> 16) };
}

/** Seeded floats, roughly normal, for shapes too large for a property. */
export function seededFloats(shape: readonly number[], seed = 1): Float32Array {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  return Float32Array.from({ length: elementCount(shape) }, () => next() + next() + next());
}

/** A result as plain data, down to the signs of zeros, for `toEqual`. */
export function plain({ values, scales, zeroPoints, ...rest }: QuantizedWeight) {
  const hex = (array: Uint8Array | Int8Array | Float32Array) =>
    Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("hex");
  return {
    ...rest,
    kind: values.constructor.name,
    values: hex(values),
    scales: hex(scales),
    zeroPoints: zeroPoints && `${zeroPoints.constructor.name} ${hex(zeroPoints)}`,
  };
}
