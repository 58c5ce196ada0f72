import type { QuantizedForm, QuantizedWeight } from "./quantized.js";
import { elementCount } from "./tensor.js";

/** The floats that a quantized tensor stands for, row-major: (q - zero point) * scale in float32, as ONNX has it. */
export function dequantize({ form, shape, values, scales, zeroPoints }: QuantizedWeight): Float32Array<ArrayBuffer> {
  const count = elementCount(shape);
  const result = new Float32Array(count);
  const placeOf = scalePlace(form, shape);
  const integers = form.bits === 8 ? values : unpackNibbles(values, count, form.signed);
  for (let at = 0; at < count; at++) {
    const place = placeOf(at);
    result[at] = (integers[at]! - (zeroPoints?.[place] ?? 0)) * scales[place]!;
  }
  return result;
}

/** The place of the scale of each element of a tensor, by the element's own place. */
export function scalePlace(
  { granularity, axis, blockSize = 1 }: QuantizedForm,
  shape: readonly number[],
): (at: number) => number {
  if (granularity === "tensor") return () => 0;
  const size = shape[axis]!;
  const inner = elementCount(shape.slice(axis + 1));
  if (granularity === "channel") return (at) => Math.floor(at / inner) % size;
  const blocks = Math.ceil(size / blockSize);
  return (at) => {
    const outer = Math.floor(at / (inner * size));
    return (outer * blocks + Math.floor((Math.floor(at / inner) % size) / blockSize)) * inner + (at % inner);
  };
}

/** The 4-bit values of packed bytes, one an element: 0 to 15, or -8 to 7 where they are signed. */
export function unpackNibbles(packed: Uint8Array | Int8Array, count: number, signed: boolean): Int8Array<ArrayBuffer> {
  const values = new Int8Array(count);
  for (let at = 0; at < count; at++) {
    const nibble = (packed[at >> 1]! >> ((at & 1) * 4)) & 15;
    values[at] = signed && nibble > 7 ? nibble - 16 : nibble;
  }
  return values;
}
