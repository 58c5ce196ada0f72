import { makeTensor, type TensorProto } from "../formats/onnx.js";
import { packNibbles } from "../tensor/kernels/reference.js";
import { halfBits } from "../tensor/numbers.js";
import type { QuantizedForm, QuantizedWeight } from "../tensor/quantized.js";
import type { GraphEdit } from "./edit.js";
import type { Site } from "./sites.js";

/** ONNX codes of the packed types. */
const packedTypes = { int4: 22, uint4: 21 } as const;

/** A tensor of 4-bit integers (opset 21) of `shape` from packed bytes. */
function makePacked(
  name: string,
  type: keyof typeof packedTypes,
  shape: readonly number[],
  packed: Uint8Array<ArrayBuffer>,
): TensorProto {
  const tensor = makeTensor(name, { dtype: "uint8", shape: [packed.length], data: packed });
  tensor.dataType = packedTypes[type];
  tensor.dims = shape.map(BigInt);
  return tensor;
}

/** A tensor of a form's integers: 8-bit values as they are, or 4-bit ones packed. */
function integerTensor(
  name: string,
  { bits, signed }: QuantizedForm,
  shape: readonly number[],
  values: QuantizedWeight["values"],
): TensorProto {
  if (bits === 8) return makeTensor(name, { dtype: signed ? "int8" : "uint8", shape, data: values });
  return makePacked(name, signed ? "int4" : "uint4", shape, values as Uint8Array<ArrayBuffer>);
}

/** Puts integers, scales and zero points (where there are some) in the place of a site's tensor, as DequantizeLinear reads them. */
export function storeWeight(
  { scope, tensor, info }: Site,
  { values, shape, scales, scaleShape, zeroPoints, form }: QuantizedWeight,
  edit: GraphEdit,
): readonly [TensorProto, TensorProto, ...TensorProto[]] {
  const name = (part: string) => edit.fresh(`${info.name}_${part}`);
  const half = info.type === "float16";
  const parts: [TensorProto, TensorProto, ...TensorProto[]] = [
    integerTensor(name("quantized"), form, shape, values),
    half
      ? makeTensor(name("scale"), { dtype: "float16", shape: scaleShape, data: Uint16Array.from(scales, halfBits) })
      : makeTensor(name("scale"), { dtype: "float32", shape: scaleShape, data: scales }),
  ];
  if (zeroPoints) {
    const packed = form.bits === 4 ? packNibbles(zeroPoints) : zeroPoints;
    parts.push(integerTensor(name("zero_point"), form, scaleShape, packed));
  }
  edit.drop(scope, tensor);
  for (const part of parts) edit.add(scope, part);
  return parts;
}
