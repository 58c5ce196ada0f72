import { numbersOf } from "../tensor/numbers.js";
import type { Tensor } from "../tensor/tensor.js";

/** The likeliest classes of each position and their probabilities, likeliest first: [..., k]. */
export interface TopTensors {
  /** int64. */
  readonly classes: Tensor;
  /** float32. */
  readonly shares: Tensor;
}

/** Probabilities of one row of logits at a temperature, and the classes in the order of them. */
function ranked(logits: ArrayLike<number>, start: number, count: number, temperature: number) {
  let most = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < count; at++) most = Math.max(most, logits[start + at]!);
  const shares = new Float64Array(count);
  let sum = 0;
  for (let at = 0; at < count; at++) {
    shares[at] = Math.exp((logits[start + at]! - most) / temperature);
    sum += shares[at]!;
  }
  for (let at = 0; at < count; at++) shares[at] = shares[at]! / sum;
  const order = Uint32Array.from({ length: count }, (_, at) => at).sort((a, b) => shares[b]! - shares[a]! || a - b);
  return { shares, order };
}

/** Keeps the k likeliest classes of logits whose last axis is that of classes. */
export function topClasses(logits: Tensor, k: number, temperature: number): TopTensors {
  const count = logits.shape.at(-1)!;
  const numbers = numbersOf(logits);
  const rows = numbers.length / count;
  const classes = new BigInt64Array(rows * k);
  const kept = new Float32Array(rows * k);
  for (let row = 0; row < rows; row++) {
    const { shares, order } = ranked(numbers, row * count, count, temperature);
    for (let at = 0; at < k; at++) {
      classes[row * k + at] = BigInt(order[at]!);
      kept[row * k + at] = shares[order[at]!]!;
    }
  }
  const shape = [...logits.shape.slice(0, -1), k];
  return { classes: { dtype: "int64", shape, data: classes }, shares: { dtype: "float32", shape, data: kept } };
}

/** How many classes must be kept so that they hold this share of the probability in the mean over positions. */
export function classesForShare(logits: Tensor, share: number, temperature: number): number {
  const count = logits.shape.at(-1)!;
  const numbers = numbersOf(logits);
  const rows = numbers.length / count;
  const mean = new Float64Array(count);
  for (let row = 0; row < rows; row++) {
    const { shares, order } = ranked(numbers, row * count, count, temperature);
    for (let at = 0; at < count; at++) mean[at] = mean[at]! + shares[order[at]!]! / rows;
  }
  let held = 0;
  for (let at = 0; at < count; at++) {
    held += mean[at]!;
    if (held >= share) return at + 1;
  }
  return count;
}
