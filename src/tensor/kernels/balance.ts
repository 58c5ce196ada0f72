import type { Balance } from "../quantized.js";

/** No element is moved further from its float than this part of a step. */
const farthest = 1;

// jest runs modules where each look-up of a global costs more than the arithmetic
const { abs } = Math;

/**
 * Rounds some elements of one output channel the other way, so that errors do not add up: first such that those of each
 * kernel (one output, one input channel) sum to at most half a step, then, over `outputs`, those of the whole channel.
 * Neighbouring pixels are alike, and behind a Relu all inputs are positive: what the errors sum to harms more than what
 * they are. Where biases make up for the means, outputs are better left alone: then only what varies counts, which
 * channels have less in common. `floats`
 * from `start` on and `values` from `base` on hold `count` elements, `kernel` for each input channel, with one symmetric
 * scale and 8 bits. Changes `values`; returns what that adds to the noise. Source: SQuant, Guo et al. 2022,
 * arXiv:2202.07471.
 */
export function balanceGroup(
  floats: ArrayLike<number>,
  start: number,
  count: number,
  kernel: number,
  scale: number,
  zeroPoint: number,
  values: Uint8Array | Int8Array,
  base: number,
  over: Balance,
): number {
  const inputs = count / kernel;
  /** Quantized minus float, in steps. */
  const errors = new Float64Array(count);
  const sums = new Float64Array(inputs);
  for (let at = 0; at < count; at++) errors[at] = values[base + at]! - zeroPoint - floats[start + at]! / scale;
  let gained = 0;
  /** Moves the element of a kernel that loses the least by it; false where none can be moved. */
  const move = (input: number, step: number): boolean => {
    let best = -1;
    let bestError = 2;
    for (let at = input * kernel; at < (input + 1) * kernel; at++) {
      const error = step * errors[at]!;
      // not twice, not beyond the clip, not past what the type holds
      if (error >= bestError || abs(error) > 0.5 || error + 1 > farthest) continue;
      if (abs(values[base + at]! - zeroPoint + step) > 127) continue;
      best = at;
      bestError = error;
    }
    if (best < 0) return false;
    const before = errors[best]!;
    const after = before + step;
    gained += after * after - before * before;
    errors[best] = after;
    values[base + best]! += step;
    return true;
  };
  let total = 0;
  for (let input = 0; input < inputs; input++) {
    let sum = 0;
    for (let at = input * kernel; at < (input + 1) * kernel; at++) sum += errors[at]!;
    const step = sum > 0 ? -1 : 1;
    while (kernel > 1 && abs(sum) > 0.5 && move(input, step)) sum += step;
    sums[input] = sum;
    total += sum;
  }
  const step = total > 0 ? -1 : 1;
  for (let left = inputs === 1 || over === "kernels" ? 0 : abs(total); left >= 0.5; left -= 1) {
    // the kernel whose sum is the farthest off on that side
    let worst = -1;
    let least = 0;
    for (let input = 0; input < inputs; input++) {
      const sum = step * sums[input]!;
      if (sum >= least) continue;
      least = sum;
      worst = input;
    }
    if (worst < 0) break;
    sums[worst] = 0;
    move(worst, step);
  }
  return gained * (scale * scale);
}
