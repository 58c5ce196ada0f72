import { UserError } from "../errors.js";
import { type DType, formatShape, type Tensor } from "../tensor/tensor.js";
import type { Batch, DeclaredInput } from "./batch.js";

/** A batch made to fit, and what was converted for it, without the place. */
export interface FittedBatch {
  readonly batch: Batch;
  readonly notes: readonly string[];
}

/**
 * Checks that a sample is what the model takes: the same names, dtypes and shapes. numpy's default dtypes are
 * converted (float64 -> float32, int32 -> int64) and noted; everything else that differs is a UserError naming file
 * (`where`), array, what was expected and what was found.
 */
export function checkBatch(inputs: readonly DeclaredInput[], batch: Batch, where: string): FittedBatch {
  const names = (list: Iterable<string>) => [...list].join(", ") || "none";
  for (const name of batch.keys()) {
    if (inputs.some((input) => input.name === name)) continue;
    throw new UserError(
      `${where}: array "${name}" is no input of the model; its inputs: ${names(inputs.map((input) => input.name))}`,
    );
  }
  const notes: string[] = [];
  const fitted = new Map<string, Tensor>();
  for (const input of inputs) {
    const tensor = batch.get(input.name);
    if (!tensor) {
      throw new UserError(`${where}: array "${input.name}" is missing; the file holds: ${names(batch.keys())}`);
    }
    if (!shapeFits(input.shape, tensor.shape)) {
      throw new UserError(
        `${where}: array "${input.name}": the model expects shape ${formatShape(input.shape.map((axis) => (typeof axis === "number" ? axis : null)))}, found ${formatShape(tensor.shape)}`,
      );
    }
    const converted = convert(tensor, input.dtype);
    if (!converted) {
      throw new UserError(
        `${where}: array "${input.name}": the model expects ${input.dtype}, found ${tensor.dtype}; save it as ${input.dtype}`,
      );
    }
    if (converted !== tensor) notes.push(`array "${input.name}" converted from ${tensor.dtype} to ${input.dtype}`);
    fitted.set(input.name, converted);
  }
  return { batch: fitted, notes };
}

function shapeFits(declared: DeclaredInput["shape"], shape: readonly number[]): boolean {
  // rank 0 may also stand for "rank unknown"
  if (declared.length === 0) return true;
  return (
    declared.length === shape.length && declared.every((axis, at) => typeof axis !== "number" || axis === shape[at])
  );
}

function convert(tensor: Tensor, dtype: DType): Tensor | undefined {
  if (tensor.dtype === dtype) return tensor;
  if (tensor.dtype === "float64" && dtype === "float32") {
    return { dtype, shape: tensor.shape, data: Float32Array.from(tensor.data as Float64Array) };
  }
  if (tensor.dtype === "int32" && dtype === "int64") {
    return { dtype, shape: tensor.shape, data: BigInt64Array.from(tensor.data as Int32Array, BigInt) };
  }
  return undefined;
}
