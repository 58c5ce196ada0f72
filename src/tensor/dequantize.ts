import type { QuantizedWeight } from "./quantized.js";
import { elementCount } from "./tensor.js";

/** The floats that a quantized tensor stands for, row-major: (q - zero point) * scale in float32, as ONNX has it. */
export function dequantize({ form, shape, values, scales, zeroPoints }: QuantizedWeight): Float32Array<ArrayBuffer> {
  const { granularity, axis, blockSize = 1, bits, signed } = form;
  const count = elementCount(shape);
  const result = new Float32Array(count);
  const size = granularity === "tensor" ? 1 : shape[axis]!;
  const inner = granularity === "tensor" ? count : elementCount(shape.slice(axis + 1));
  const blocks = Math.ceil(size / blockSize);
  const integers = bits === 8 ? values : unpackNibbles(values, count, signed);
  for (let at = 0; at < count; at++) {
    const index = Math.floor(at / inner) % size;
    let place = 0;
    if (granularity === "channel") place = index;
    if (granularity === "block") {
      const outer = Math.floor(at / (inner * size));
      place = (outer * blocks + Math.floor(index / blockSize)) * inner + (at % inner);
    }
    result[at] = (integers[at]! - (zeroPoints?.[place] ?? 0)) * scales[place]!;
  }
  return result;
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
