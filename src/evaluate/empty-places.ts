import { elementCount, type Tensor } from "../tensor/tensor.js";
import type { RunAt } from "./agreement.js";

/** Places along an axis of an output that is a state where a changed model has nothing but zeros, for what was there is gone. */
export interface EmptyPlaces {
  readonly output: string;
  readonly axis: number;
  readonly indices: readonly number[];
}

/**
 * The same runs with zeros at these places: what a model is held against that has nothing there, so that only what remains
 * is compared.
 */
export function emptiedRun(run: RunAt, places: readonly EmptyPlaces[]): RunAt {
  const some = places.filter(({ indices }) => indices.length > 0);
  if (some.length === 0) return run;
  return async (feeds, at) => {
    const outputs = new Map(await run(feeds, at));
    for (const one of some) {
      const tensor = outputs.get(one.output);
      if (tensor) outputs.set(one.output, emptied(tensor, one));
    }
    return outputs;
  };
}

function emptied(tensor: Tensor, { axis, indices }: EmptyPlaces): Tensor {
  const { shape, data } = tensor;
  // all bits zero is 0 in every type of floats
  if (!ArrayBuffer.isView(data)) return tensor;
  const zeroed = (data as Float32Array).slice();
  const inner = elementCount(shape.slice(axis + 1));
  const size = shape[axis] ?? 0;
  for (let start = 0; start < zeroed.length; start += size * inner) {
    for (const index of indices) zeroed.fill(0, start + index * inner, start + (index + 1) * inner);
  }
  return { ...tensor, data: zeroed } as Tensor;
}
