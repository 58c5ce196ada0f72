import { UserError } from "../errors.js";
import { isNumericDType, tensorOfNumbers } from "../tensor/numbers.js";
import { type DType, elementCount } from "../tensor/tensor.js";
import type { Batch } from "./batch.js";
import { normal, uniform } from "./random.js";

/** More numbers than this are not made up: 2 GiB of float32. */
const maxNumbers = 2 ** 29;

/**
 * Seeded made-up samples, for speed and for "does it run", not for accuracy: floats are standard normal, 8-bit
 * integers (pixels, quantized values) uniform over what is not negative, wider integers and bool 0 or 1 (token ids,
 * masks and segment ids of nearly every model). `shapes` must hold every input; throws a UserError for string inputs
 * and for more numbers than a memory should hold.
 */
export function syntheticBatches(
  inputs: readonly { readonly name: string; readonly dtype: DType }[],
  shapes: ReadonlyMap<string, readonly number[]>,
  count: number,
  seed: number,
): readonly Batch[] {
  const numbers = [...shapes.values()].reduce((sum, shape) => sum + elementCount(shape), 0) * count;
  if (numbers > maxNumbers) {
    throw new UserError(`--shape: ${count} random samples of these sizes are ${numbers} numbers; choose smaller sizes`);
  }
  const gaussian = normal(seed);
  const even = uniform(seed ^ 0x5bd1e995);
  return Array.from({ length: count }, () => {
    return new Map(
      inputs.map(({ name, dtype }) => {
        if (!isNumericDType(dtype)) {
          throw new UserError(`input "${name}" is of type ${dtype}, which cannot be made up; give samples with --data`);
        }
        return [name, tensorOfNumbers(dtype, shapes.get(name)!, valuesOf(dtype, gaussian, even))];
      }),
    );
  });
}

function valuesOf(dtype: DType, gaussian: () => number, even: () => number): () => number {
  if (dtype.startsWith("float")) return gaussian;
  const top = dtype === "uint8" ? 256 : dtype === "int8" ? 128 : 2;
  return () => Math.floor(even() * top);
}
