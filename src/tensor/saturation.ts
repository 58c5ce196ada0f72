import { type IntegerTensor, tapMajor } from "./integer-arithmetic.js";
import { elementCount } from "./tensor.js";

/** Weights as a matrix: element (output, k) at `output * outputStep + k * depthStep`; products are summed over k. */
export interface WeightMatrix {
  readonly data: Int8Array;
  readonly outputs: number;
  readonly depth: number;
  readonly outputStep: number;
  readonly depthStep: number;
}

/** What saturation may do to a product with these weights. */
export interface SaturationRisk {
  /** Pairs whose sum of products can leave 16 bits. */
  readonly pairs: number;
  /** Outputs with such a pair. */
  readonly outputs: number;
  /** The largest amount by which a pair can be cut. */
  readonly worst: number;
}

/**
 * Whether products of these signed weights with unsigned activations up to `largest` can saturate on x86 with AVX2 but
 * without VNNI, which adds neighbours along k as 16-bit numbers (vpmaddubsw). Only neighbours of one sign can: with all
 * of 0 .. 255 exactly those whose sum is over 128 or under -128.
 */
export function saturationRisk(weights: WeightMatrix, largest = 255): SaturationRisk {
  const { data, outputs, depth, outputStep, depthStep } = weights;
  let pairs = 0;
  let risky = 0;
  let worst = 0;
  for (let output = 0; output < outputs; output++) {
    const before = pairs;
    for (let k = 0; k + 1 < depth; k += 2) {
      const at = output * outputStep + k * depthStep;
      const first = data[at]!;
      const second = data[at + depthStep]!;
      // activations are free to be 0, so each weight counts on its own side only
      const high = largest * (Math.max(0, first) + Math.max(0, second)) - 32767;
      const low = -32768 - largest * (Math.min(0, first) + Math.min(0, second));
      const cut = Math.max(high, low);
      if (cut > 0) {
        pairs++;
        if (cut > worst) worst = cut;
      }
    }
    if (pairs > before) risky++;
  }
  return { pairs, outputs: risky, worst };
}

/**
 * The same for the weights of a convolution, [M, C / group, ...kernel]: their neighbours are the channels of one kernel
 * position. Depthwise convolutions have kernels of their own, which are exact.
 */
export function convolutionRisk({ shape, data }: IntegerTensor, largest = 255): SaturationRisk {
  const [outputs, ...rest] = shape;
  const depth = elementCount(rest);
  const ordered = tapMajor({ shape, data });
  if (ordered instanceof Uint8Array) return { pairs: 0, outputs: 0, worst: 0 };
  return saturationRisk({ data: ordered, outputs: outputs!, depth, outputStep: depth, depthStep: 1 }, largest);
}
