import { UserError } from "../errors.js";
import { graphsOf, type ModelProto, makeTensor, type TensorProto } from "../formats/onnx.js";
import { onnxType, typeName } from "../formats/onnx-types.js";
import { halfBits } from "../tensor/numbers.js";
import { formatShape, type Tensor } from "../tensor/tensor.js";
import type { Parameter } from "./graph.js";

/**
 * Puts trained parameters into a model, in the element type it has them in: the `base` of a trainable model, or a clone of
 * it. Parameters the model does not have (step sizes, projections) are passed over. Changes `model`, but no TensorProto.
 */
export function writeBack(model: ModelProto, parameters: ReadonlyMap<string, Parameter>): void {
  for (const graph of graphsOf(model.graph!)) {
    graph.initializer = graph.initializer.map((tensor) => {
      const parameter = parameters.get(tensor.name);
      return parameter ? trained(tensor, parameter) : tensor;
    });
  }
}

function trained(tensor: TensorProto, { name, shape, data }: Parameter): TensorProto {
  const dims = tensor.dims.map(Number);
  if (dims.length !== shape.length || dims.some((size, at) => size !== shape[at])) {
    throw new Error(`parameter ${name} is ${formatShape(shape)}, the model's ${formatShape(dims)}`);
  }
  const result = makeTensor(name, stored(name, shape, data, tensor.dataType));
  result.metadataProps = tensor.metadataProps;
  if (tensor.docString) result.docString = tensor.docString;
  return result;
}

function stored(name: string, shape: readonly number[], data: Float32Array, code: number): Tensor {
  const dtype = onnxType(code)?.dtype;
  if (dtype === "float32") return { dtype, shape, data: data.slice() };
  if (dtype === "float16") return { dtype, shape, data: Uint16Array.from(data, halfBits) };
  if (dtype === "bfloat16") return { dtype, shape, data: bfloat16Bits(data) };
  throw new UserError(`tensor ${name}: trained values cannot be stored as ${typeName(code)}`);
}

/** Rounded to nearest, ties to even; NaN stays NaN. */
function bfloat16Bits(data: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(data.slice().buffer);
  return Uint16Array.from(bits, (word, at) =>
    Number.isNaN(data[at]!) ? 0x7fc0 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16,
  );
}
