import { halfBits, numbersOf } from "./numbers.js";
import { type DType, type Tensor, type TensorData, typedArrays } from "./tensor.js";

const isFloat = (dtype: DType): boolean => dtype.includes("float");

/**
 * Converts elements as ONNX's Cast does: to integers towards zero, to bool by "is not 0". Undefined where that is not
 * exactly known here: text, a target of bfloat16, float64 to float16 (runtimes round twice), values a target integer
 * does not have, integers beyond 2^53 that would become floats.
 */
export function castTensor(tensor: Tensor, to: DType): Tensor | undefined {
  const { dtype, shape, data } = tensor;
  if (dtype === to) return tensor;
  if (dtype === "string" || to === "string" || to === "bfloat16") return undefined;
  if (dtype === "float64" && to === "float16") return undefined;
  if (is64(to) && data instanceof BigInt64Array) return { dtype: to, shape, data: new typedArrays[to](data) };
  if (is64(to) && data instanceof BigUint64Array) return { dtype: to, shape, data: new typedArrays[to](data) };
  if (to !== "bool" && (data instanceof BigInt64Array || data instanceof BigUint64Array)) {
    for (const value of data) if (!Number.isSafeInteger(Number(value))) return undefined;
  }
  const numbers = numbersOf(tensor);
  const result = new typedArrays[to](numbers.length);
  if (isFloat(dtype) && !isFloat(to) && to !== "bool") {
    const [low, high] = integerRange(to);
    for (let at = 0; at < numbers.length; at++) {
      const value = Math.trunc(numbers[at]!);
      // NaN fails, too
      if (!(value >= low && value <= high)) return undefined;
    }
  }
  for (let at = 0; at < numbers.length; at++) {
    const value = numbers[at]!;
    if (result instanceof BigInt64Array || result instanceof BigUint64Array) result[at] = BigInt(Math.trunc(value));
    else if (to === "bool") result[at] = value !== 0 ? 1 : 0;
    else if (to === "float16") result[at] = halfBits(value);
    else result[at] = value;
  }
  return { dtype: to, shape, data: result as TensorData };
}

function is64(dtype: DType): dtype is "int64" | "uint64" {
  return dtype === "int64" || dtype === "uint64";
}

/** The values an integer type has; for 64 bits those that numbers hold exactly. */
function integerRange(dtype: DType): readonly [number, number] {
  const bits = Number(dtype.replace(/\D/g, ""));
  if (bits === 64) return [dtype === "int64" ? Number.MIN_SAFE_INTEGER : 0, Number.MAX_SAFE_INTEGER];
  return dtype.startsWith("u") ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}
