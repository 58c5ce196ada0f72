import { UserError } from "../errors.js";
import { formatShape, type Tensor } from "../tensor/tensor.js";
import type { Batch, DeclaredInput } from "./batch.js";

/** How an array of many rows is cut: `samples` pieces of `rows` rows of the first axis. */
export interface Rows {
  readonly samples: number;
  readonly rows: number;
}

/**
 * Whether a file's arrays hold several samples along their first axis: where the model takes a fixed number of rows and
 * every array has the same multiple of it, or, with `byRow`, always, a row each. Null where the file is one sample.
 */
export function sampleRows(batch: Batch, inputs: readonly DeclaredInput[], byRow: boolean, where: string): Rows | null {
  let found: Rows | null = null;
  for (const [name, { shape }] of batch) {
    const declared = inputs.find((input) => input.name === name)?.shape;
    const count = shape[0];
    const fixed = declared?.[0];
    const rows = typeof fixed === "number" ? fixed : byRow ? 1 : 0;
    const samples = count === undefined || rows === 0 ? 0 : count / rows;
    const fits = declared?.length === shape.length && Number.isInteger(samples) && samples > 0;
    if (fits && (found === null || found.samples === samples)) {
      found ??= { samples, rows };
      continue;
    }
    if (!byRow) return null;
    throw new UserError(`${where}: --rows: array "${name}" ${misfit(name, shape, inputs, rows, found)}`);
  }
  return found === null || (!byRow && found.samples === 1) ? null : found;
}

/** Piece `at` of `count` equal ones along the first axis of every array; elements are shared, not copied. */
export function rowsOf(batch: Batch, at: number, count: number): Batch {
  return new Map(
    [...batch].map(([name, tensor]): [string, Tensor] => {
      const size = tensor.data.length / count;
      const data = tensor.data as Float32Array;
      const part = Array.isArray(data)
        ? data.slice(at * size, (at + 1) * size)
        : data.subarray(at * size, (at + 1) * size);
      return [name, { ...tensor, shape: [tensor.shape[0]! / count, ...tensor.shape.slice(1)], data: part }];
    }),
  );
}

/** Why an array has no rows that are samples. */
function misfit(
  name: string,
  shape: readonly number[],
  inputs: readonly DeclaredInput[],
  rows: number,
  found: Rows | null,
): string {
  const declared = inputs.find((input) => input.name === name)?.shape;
  if (!declared)
    return `is no input of the model; its inputs: ${inputs.map((input) => input.name).join(", ") || "none"}`;
  if (declared.length === 0) return "is for an input without rows; leave --rows out";
  if (declared.length !== shape.length) {
    const expected = formatShape(declared.map((axis) => (typeof axis === "number" ? axis : null)));
    return `has shape ${formatShape(shape)}, but the model expects ${expected}`;
  }
  if (shape[0] === 0) return "has no rows";
  if (found && Number.isInteger(shape[0]! / rows)) {
    return `has ${shape[0]} rows, which make no samples like the others`;
  }
  return `has ${shape[0]} rows, but the model takes ${rows} at a time`;
}
