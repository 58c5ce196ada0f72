import { numbersOf } from "../tensor/numbers.js";
import { elementCount, type Tensor } from "../tensor/tensor.js";
import type { InputChannels } from "./weight-error.js";

/** The mean of each index of one axis, counted from the last where negative. */
export function meansOf(value: Tensor, axis: number): readonly number[] {
  const at = axis < 0 ? axis + value.shape.length : axis;
  const count = value.shape[at] ?? 0;
  const inner = elementCount(value.shape.slice(at + 1));
  const sums = new Float64Array(count);
  const numbers = numbersOf(value);
  for (let element = 0; element < numbers.length; element++)
    sums[Math.floor(element / inner) % count]! += numbers[element]!;
  return Array.from(sums, (sum) => (sum * count) / numbers.length);
}

/**
 * Of several means of each channel the middle one; undefined where they are not finite, or not of the same channels. The
 * mean square is that of the mean: what varies is not known here.
 */
export function middleMeans(all: readonly (readonly number[])[]): InputChannels | undefined {
  const [first = []] = all;
  if (first.length === 0 || all.some((means) => means.length !== first.length)) return undefined;
  const mean = first.map((_, channel) => all.map((means) => means[channel]!).sort((a, b) => a - b)[all.length >> 1]!);
  if (!all.every((means) => means.every(Number.isFinite))) return undefined;
  return { mean, meanSquare: mean.map((value) => value * value) };
}
