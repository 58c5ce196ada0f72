/** What an update of AdamW takes; all numbers are rounded to float32 by whoever uses them. */
interface AdamwNumbers {
  /** Gradients are multiplied by it first. */
  readonly scale: number;
  /** 1 - beta1. */
  readonly share1: number;
  readonly beta2: number;
  /** 1 - beta2. */
  readonly share2: number;
  /** 1 / sqrt(1 - beta2^t). */
  readonly correction: number;
  readonly epsilon: number;
  /** rate / (1 - beta1^t). */
  readonly rate: number;
  /** What a parameter is multiplied by first: 1 - rate * decay. */
  readonly keep: number;
}

interface SgdNumbers {
  readonly scale: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly rate: number;
  readonly keep: number;
}

/**
 * The arithmetic of training steps on arrays in one memory of floats: arrays are given by where they start, a multiple
 * of 4, and every group of 4 they touch belongs to them. float32 throughout, each operation rounded.
 */
export interface OptimizerKernels {
  /**
   * AdamW (Loshchilov and Hutter, ICLR 2019) in PyTorch's order: m += share1 (g - m), v = beta2 v + share2 g²,
   * p = keep p - rate m / (sqrt(v) correction + epsilon).
   */
  adamw(p: number, m: number, v: number, g: number, count: number, numbers: AdamwNumbers): void;
  /** Momentum as in PyTorch: m = momentum m + g; p = keep p - rate m, or with Nesterov's p = keep p - rate (g + momentum m). */
  sgd(p: number, m: number, g: number, count: number, numbers: SgdNumbers): void;
  /** e += share (p - e). */
  average(e: number, p: number, count: number, share: number): void;
  /** sum += scale g. */
  addScaled(sum: number, g: number, count: number, scale: number): void;
  /** In float64, every fourth element apart: (s0 + s2) + (s1 + s3). */
  sumOfSquares(g: number, count: number): number;
}

const { fround: f, sqrt } = Math;

/** The kernels in plain arithmetic: what assembly/optimizer.ts is held against, and what runs where there is no SIMD. */
export function referenceKernels(floats: Float32Array): OptimizerKernels {
  return {
    adamw(p, m, v, g, count, numbers) {
      const [scale, share1, beta2, share2] = [f(numbers.scale), f(numbers.share1), f(numbers.beta2), f(numbers.share2)];
      const [correction, epsilon, rate, keep] = [
        f(numbers.correction),
        f(numbers.epsilon),
        f(numbers.rate),
        f(numbers.keep),
      ];
      for (let at = 0; at < count; at++) {
        const gradient = f(floats[g + at]! * scale);
        const before = floats[m + at]!;
        const mean = f(before + f(share1 * f(gradient - before)));
        floats[m + at] = mean;
        const square = f(f(beta2 * floats[v + at]!) + f(share2 * f(gradient * gradient)));
        floats[v + at] = square;
        const size = f(f(f(sqrt(square)) * correction) + epsilon);
        floats[p + at] = f(keep * floats[p + at]!) - f(rate * f(mean / size));
      }
    },
    sgd(p, m, g, count, numbers) {
      const [scale, momentum, rate, keep] = [f(numbers.scale), f(numbers.momentum), f(numbers.rate), f(numbers.keep)];
      for (let at = 0; at < count; at++) {
        const gradient = f(floats[g + at]! * scale);
        let step = f(f(momentum * floats[m + at]!) + gradient);
        floats[m + at] = step;
        if (numbers.nesterov) step = f(gradient + f(momentum * step));
        floats[p + at] = f(keep * floats[p + at]!) - f(rate * step);
      }
    },
    average(e, p, count, share) {
      const part = f(share);
      for (let at = 0; at < count; at++) {
        const before = floats[e + at]!;
        floats[e + at] = before + f(part * f(floats[p + at]! - before));
      }
    },
    addScaled(sum, g, count, scale) {
      const by = f(scale);
      for (let at = 0; at < count; at++) floats[sum + at] = floats[sum + at]! + f(by * floats[g + at]!);
    },
    sumOfSquares(g, count) {
      const sums = new Float64Array(4);
      for (let at = 0; at < count; at++) {
        const value = floats[g + at]!;
        sums[at & 3] = sums[at & 3]! + value * value;
      }
      return sums[0]! + sums[2]! + (sums[1]! + sums[3]!);
    },
  };
}
