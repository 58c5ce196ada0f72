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
  for (let at = 0; at < count; at++) {
    const index = Math.floor(at / inner) % size;
    let place = 0;
    if (granularity === "channel") place = index;
    if (granularity === "block") {
      const outer = Math.floor(at / (inner * size));
      place = (outer * blocks + Math.floor(index / blockSize)) * inner + (at % inner);
    }
    const q = bits === 8 ? values[at]! : nibble(values, at, signed);
    result[at] = (q - (zeroPoints?.[place] ?? 0)) * scales[place]!;
  }
  return result;
}

/** A 4-bit value: the earlier of two lies in the low half of their byte. */
function nibble(values: Uint8Array | Int8Array, at: number, signed: boolean): number {
  const half = (values[at >> 1]! >> (at % 2 === 0 ? 0 : 4)) & 15;
  return signed && half > 7 ? half - 16 : half;
}
