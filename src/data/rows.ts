import { UserError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
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
    throw new UserError(
      `${where}: --rows: array "${name}" has ${count ?? "no"} rows, which make no samples like the others`,
    );
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
