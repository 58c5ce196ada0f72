import { type ReadExternal, readTensor, type TensorProto } from "../formats/onnx.js";
import type { Tensor } from "../tensor/tensor.js";

/** How far a sum of squares may be from what sines and cosines give; halves of 16 bits were rounded to 5e-4. */
const tolerance = 4e-3;

/** Tensors among these that hold sines and cosines of positions: two of one shape whose squares add up to 1, or both in one. */
export function fixedTables(tensors: readonly TensorProto[], readExternal: ReadExternal): ReadonlySet<string> {
  const found = new Set<string>();
  const bounded = tensors.flatMap((tensor) => {
    const data = readTensor(tensor, readExternal).data as Float32Array;
    return data.every((value) => Math.abs(value) <= 1 + tolerance) ? [{ tensor, data }] : [];
  });
  for (const { tensor, data } of bounded) {
    const width = Number(tensor.dims.at(-1));
    if (found.has(tensor.name) || width < 2) continue;
    if (hasEvenRows(data, width)) found.add(tensor.name);
    const other = bounded.find(
      (one) => one.tensor !== tensor && one.tensor.dims.join() === tensor.dims.join() && isPair(data, one.data),
    );
    if (other) found.add(tensor.name).add(other.tensor.name);
  }
  return found;
}

function isPair(one: Float32Array, other: Float32Array): boolean {
  return one.every((value, at) => Math.abs(value ** 2 + other[at]! ** 2 - 1) <= tolerance);
}

/** Whether the squares of every row add up to half its width, as those of sines and cosines of the same angles do. */
function hasEvenRows(data: Float32Array, width: number): boolean {
  if (width % 2 !== 0 || width < 8 || data.length < 4 * width) return false;
  for (let row = 0; row < data.length; row += width) {
    let sum = 0;
    for (let at = row; at < row + width; at++) sum += data[at]! ** 2;
    if (Math.abs(sum / (width / 2) - 1) > tolerance) return false;
  }
  return true;
}

/** Whether a tensor says what counts instead of how much: huge values, or zeros and ones over two axes. */
export function isMask({ shape, data }: Tensor): boolean {
  const values = data as Float32Array;
  if (values.some((value) => !(Math.abs(value) <= 1e4))) return true;
  const [rows, columns] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
  return rows > 1 && columns > 1 && values.every((value) => value === 0 || value === 1);
}
