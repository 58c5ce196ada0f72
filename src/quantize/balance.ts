import type { QuantizedWeight } from "../tensor/quantized.js";

/** No element is moved further from its float than this part of a step. */
const farthest = 1;

/** Over what errors are made to cancel out: each kernel (one output, one input channel), or all kernels of an output, too. */
export type Balance = "kernels" | "outputs";

/**
 * Rounds some elements the other way, so that errors do not add up: first such that those of each kernel
 * sum to at most half a step, then those of each output. Neighbouring pixels are alike, and
 * behind a Relu all inputs are positive: what the errors sum to harms more than what they are. Where biases make up for
 * the means, outputs are better left alone: then only what varies counts, which channels have less in common. Needs no samples. `floats`
 * are those of a weight [outputs, inputs / group, ...kernel] with one symmetric scale for each output and 8 bits. Returns
 * a new weight. Source: SQuant, Guo et al. 2022, arXiv:2202.07471.
 */
export function balanceErrors(floats: ArrayLike<number>, weight: QuantizedWeight, over: Balance): QuantizedWeight {
  const { shape, scales, form } = weight;
  const zeroPoint = form.signed ? 0 : 128;
  const [outputs, inputs] = shape as [number, number];
  const perOutput = floats.length / outputs;
  const kernel = perOutput / inputs;
  const values = weight.values.slice();
  /** Quantized minus float, in steps; of one output. */
  const errors = new Float64Array(perOutput);
  const sums = new Float64Array(inputs);
  let noise = weight.noise;
  for (let output = 0; output < outputs; output++) {
    const base = output * perOutput;
    const scale = scales[output]!;
    for (let at = 0; at < perOutput; at++) errors[at] = values[base + at]! - zeroPoint - floats[base + at]! / scale;
    /** Moves the element of a kernel that loses the least by it; false where none can be moved. */
    const move = (input: number, step: number): boolean => {
      let best = -1;
      for (let at = input * kernel; at < (input + 1) * kernel; at++) {
        const error = errors[at]!;
        // not twice, not beyond the clip, not past what the type holds
        if (Math.abs(error) > 0.5 || Math.abs(error + step) > farthest) continue;
        if (Math.abs(values[base + at]! - zeroPoint + step) > 127) continue;
        if (best < 0 || step * error < step * errors[best]!) best = at;
      }
      if (best < 0) return false;
      noise += ((errors[best]! + step) ** 2 - errors[best]! ** 2) * scale * scale;
      errors[best]! += step;
      values[base + best]! += step;
      return true;
    };
    let total = 0;
    for (let input = 0; input < inputs; input++) {
      let sum = 0;
      for (let at = input * kernel; at < (input + 1) * kernel; at++) sum += errors[at]!;
      const step = -Math.sign(sum);
      while (kernel > 1 && Math.abs(sum) > 0.5 && move(input, step)) sum += step;
      sums[input] = sum;
      total += sum;
    }
    const step = -Math.sign(total);
    const count = inputs === 1 || over === "kernels" ? 0 : Math.round(Math.abs(total));
    if (count === 0) continue;
    // the kernels whose sums are the farthest off on that side
    const order = Array.from(sums.keys()).sort((a, b) => step * (sums[a]! - sums[b]!));
    for (const input of order.slice(0, count)) {
      if (step * sums[input]! >= 0) break;
      move(input, step);
    }
  }
  return { ...weight, values, noise };
}
