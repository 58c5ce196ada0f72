import type { ObservedValue, StaticSettings } from "./settings.js";

/** How 8-bit integers stand for a value: real = (q - zeroPoint) * scale. */
export interface ActivationScale {
  /** A float32. */
  readonly scale: number;
  readonly zeroPoint: number;
  readonly signed: boolean;
}

/** Smallest normal float32: below it a scale cannot be divided by. */
const smallestScale = 1.1754943508222875e-38;

/**
 * Scale and zero point of a range, as onnxruntime's quantizer computes them (quant_utils.py, compute_scale_zp): 0 is made
 * to lie in the range; zero point = round half to even of (qmin - min / scale).
 */
export function activationScale(
  range: Pick<ObservedValue, "min" | "max">,
  settings: Pick<StaticSettings, "activationSigned" | "symmetric" | "minRealRange">,
): ActivationScale {
  const signed = settings.activationSigned;
  const lowest = signed ? -128 : 0;
  const low = Math.min(0, range.min);
  let high = Math.max(0, range.max);
  high = Math.max(high, low + settings.minRealRange);
  if (settings.symmetric && low < 0) {
    high = Math.max(-low, high);
    // 127 steps on each side
    const scale = Math.fround(high / 127);
    return scale < smallestScale ? { scale: 1, zeroPoint: 0, signed } : { scale, zeroPoint: lowest + 128, signed };
  }
  const scale = Math.fround((high - low) / 255);
  if (scale < smallestScale) return { scale: 1, zeroPoint: lowest === 0 ? 0 : 0, signed };
  return { scale, zeroPoint: roundHalfEven(lowest - low / scale), signed };
}

/** A scale times a number, as a graph of float32 multiplies them. */
export function scaledBy(scale: number, factor: number): number {
  return Math.fround(scale * Math.fround(factor));
}

/** Real numbers that a scale reaches. */
export function reach({ scale, zeroPoint, signed }: ActivationScale): { readonly min: number; readonly max: number } {
  const lowest = signed ? -128 : 0;
  return { min: (lowest - zeroPoint) * scale, max: (lowest + 255 - zeroPoint) * scale };
}

export function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
