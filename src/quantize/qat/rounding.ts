import { scalePlace } from "../../tensor/dequantize.js";
import { packNibbles } from "../../tensor/kernels/reference.js";
import { halfValue } from "../../tensor/numbers.js";
import { roundHalfEven } from "../../tensor/quantize-linear.js";
import type { QuantizedForm, QuantizedWeight } from "../../tensor/quantized.js";
import { elementCount } from "../../tensor/tensor.js";
import { halvesOf, leastHalved } from "../schemes/unpack.js";
import type { SchemeId } from "../settings.js";

/** Least and largest integer of a weight in training, its zero point not taken away where it has one of its own. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}

/**
 * The integers that training rounds the weights of a form to: those PTQ uses, and -8 besides where it has 7 on either
 * side: with so few steps one more counts. Symmetric ones have their zero point taken away, whatever they are stored as.
 */
export function weightBounds({ bits, symmetric }: QuantizedForm): Bounds {
  if (!symmetric) return { low: 0, high: 2 ** bits - 1 };
  return bits === 8 ? { low: -127, high: 127 } : { low: -8, high: 7 };
}

/**
 * Powers of two near step sizes: training changes their quotients, which are about 1 for all channels, however different
 * these are. A product with a power of two is exact, so nothing is rounded by that.
 */
export function unitsOf(scales: Float32Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(scales, (scale) => 2 ** Math.floor(Math.log2(scale)));
}

/** Whether the file stores the scales of a weight as halves. */
export function holdsHalves(scheme: SchemeId | "half" | null, { scales }: QuantizedWeight): boolean {
  return (scheme === "unpack" || scheme === "gather") && scales.length >= leastHalved;
}

/** Step sizes as near as the file holds them where it stores halves: {@link halvesOf} keeps these exactly. */
export function asHalves(scales: Float32Array): Float32Array<ArrayBuffer> {
  const { bits, exponent } = halvesOf(scales);
  return Float32Array.from(bits, (half) => Math.max(halfValue(half), 2 ** -24) * 2 ** exponent);
}

/**
 * The integers that a trained weight is rounded to, each by the same float32 arithmetic as in the training graph: Div,
 * Add of its zero point where that is no constant of the form, Clip, Round.
 */
export function roundWeight(
  data: Float32Array,
  scales: Float32Array<ArrayBuffer>,
  { form, shape, scaleShape, zeroPoints }: Pick<QuantizedWeight, "form" | "shape" | "scaleShape" | "zeroPoints">,
): QuantizedWeight {
  const count = elementCount(shape);
  const { low, high } = weightBounds(form);
  const placeOf = scalePlace(form, shape);
  const stored = form.signed ? new Int8Array(count) : new Uint8Array(count);
  const middle = form.symmetric && !form.signed ? 2 ** (form.bits - 1) : 0;
  let [signal, noise] = [0, 0];
  for (let at = 0; at < count; at++) {
    const place = placeOf(at);
    const zero = form.symmetric ? 0 : (zeroPoints?.[place] ?? 0);
    const quotient = Math.fround(data[at]! / scales[place]!);
    const whole = roundHalfEven(Math.max(low, Math.min(high, zero === 0 ? quotient : Math.fround(quotient + zero))));
    stored[at] = whole + middle;
    signal += data[at]! ** 2;
    noise += (Math.fround((whole - zero) * scales[place]!) - data[at]!) ** 2;
  }
  return {
    ...{ form, shape, scales, scaleShape, zeroPoints, signal, noise },
    values: form.bits === 4 ? packNibbles(stored) : stored,
  };
}
