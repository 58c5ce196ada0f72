import { elementCount, type Tensor, type TensorData } from "./tensor.js";

/** Reorders the axes of a tensor: axis k of the result is axis `order[k]` of the source. */
export function transposeTensor(tensor: Tensor, order: readonly number[]): Tensor {
  const { dtype, shape, data } = tensor;
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const sizes = order.map((axis) => shape[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  const count = data.length;
  if (!ArrayBuffer.isView(data)) {
    const result: string[] = [];
    eachSource(sizes, steps, (from) => result.push(data[from]!));
    return { dtype, shape: sizes, data: result };
  }
  const result = new (data.constructor as new (length: number) => Float32Array)(count);
  const source = data as Float32Array;
  let at = 0;
  eachSource(sizes, steps, (from) => {
    result[at++] = source[from]!;
  });
  return { dtype, shape: sizes, data: result as TensorData };
}

/** Calls `visit` with the place in the source of each element of the result, in the result's order. */
function eachSource(sizes: readonly number[], steps: readonly number[], visit: (from: number) => void): void {
  const rank = sizes.length;
  if (rank === 0) visit(0);
  if (rank === 0 || sizes.includes(0)) return;
  const index = new Array<number>(rank).fill(0);
  const [inner, step] = [sizes[rank - 1]!, steps[rank - 1]!];
  for (let start = 0; ; ) {
    for (let k = 0, from = start; k < inner; k++, from += step) visit(from);
    let axis = rank - 2;
    for (; axis >= 0; axis--) {
      start += steps[axis]!;
      if (++index[axis]! < sizes[axis]!) break;
      start -= steps[axis]! * sizes[axis]!;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}
