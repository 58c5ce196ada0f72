import { dequantize } from "../tensor/dequantize.js";
import { packNibbles } from "../tensor/kernels/reference.js";
import { numbersOf } from "../tensor/numbers.js";
import type { QuantizedWeight, QuantizerSource } from "../tensor/quantized.js";
import { elementCount } from "../tensor/tensor.js";
import { unpackNibbles } from "./forms.js";
import type { ProductLayout } from "./product-layout.js";
import type { SecondMoments } from "./second-moments.js";

/** A weight rounded for its outputs' sake. */
export interface Rounded {
  readonly weight: QuantizedWeight;
  /** Noise power over signal power of the node's output on the inputs of the calibration, rounded to nearest and now. */
  readonly before: number;
  readonly after: number;
  /** Elements that are not rounded to nearest. */
  readonly moved: number;
  /** Whether there was time for every output. */
  readonly finished: boolean;
}

/** Share of the mean of the diagonal that is added to it, so that few samples do not count for more than they tell. */
const damping = 0.01;

/** An output is done when a round moves nothing, and after this many rounds in any case: hardly any needs ten. */
const maxRounds = 30;

/**
 * Chooses for each element between rounding down and up so that the node's output changes least on the inputs of the
 * calibration: the objective of AdaRound (Nagel et al. 2020, arXiv:2004.10568), error^T H error for every output with H
 * the second moments of the inputs. It is minimised by coordinate descent from rounding to nearest, which takes one product with
 * H for each output and one row of it for each element that moves, where soft rounding with Adam takes a product with H for
 * each of thousands of steps. Never worse than nearest; the same input always gives the same result.
 */
export async function adaRound(
  source: QuantizerSource,
  nearest: QuantizedWeight,
  layout: ProductLayout,
  moments: SecondMoments,
  hasTime: () => boolean = () => true,
  onOutput: (done: number, total: number) => void | Promise<void> = () => {},
): Promise<Rounded> {
  const { outputs, groups } = layout;
  const { form } = nearest;
  const floats = numbersOf(source);
  const known = dequantize(nearest);
  const count = elementCount(nearest.shape);
  const integers = form.bits === 4 ? unpackNibbles(nearest.values, count, form.signed) : nearest.values.slice();
  const stepOf = steps(nearest);
  const [least, most] = limits(nearest);
  const matrices = moments.groups.map((matrix) => damped(matrix, moments.size));
  const perGroup = outputs / groups;
  let [before, after, signal, moved, done] = [0, 0, 0, 0, 0];
  for (let output = 0; output < outputs && hasTime(); output++) {
    const matrix = matrices[Math.floor(output / perGroup)]!;
    const places = placesOf(layout, output);
    const w = places.map((at) => floats[at]!);
    const error = Float64Array.from(places, (at, k) => known[at]! - w[k]!);
    const step = Float64Array.from(places, stepOf);
    const lowest = Int32Array.from(places, (at) => least(at) - integers[at]!);
    const highest = Int32Array.from(places, (at) => most(at) - integers[at]!);
    const [started, reached, shifts] = descend(matrix, error, step, lowest, highest);
    before += started;
    after += reached;
    signal += quadratic(matrix, Float64Array.from(w));
    places.forEach((at, k) => {
      if (shifts[k] === 0) return;
      integers[at]! += shifts[k]!;
      moved++;
    });
    done++;
    if (output % 64 === 0) await onOutput(output, outputs);
  }
  const values = form.bits === 4 ? packNibbles(integers) : (integers as QuantizedWeight["values"]);
  const weight = { ...nearest, values };
  const found = dequantize(weight);
  let noise = 0;
  for (let at = 0; at < count; at++) noise += (found[at]! - floats[at]!) ** 2;
  const share = (power: number) => (signal > 0 ? power / signal : 0);
  return {
    weight: { ...weight, noise },
    before: share(before),
    after: share(after),
    moved,
    finished: done === outputs,
  };
}

/** Places of an output's elements, in the order of the second moments. */
function placesOf({ inputs, kernel, outputStride, inputStride }: ProductLayout, output: number): readonly number[] {
  return Array.from(
    { length: inputs * kernel },
    (_, k) => output * outputStride + Math.floor(k / kernel) * inputStride + (k % kernel),
  );
}

/**
 * Moves single elements one step towards the other side of their float while that lowers error^T matrix error. Returns
 * the objective at the start and at the end, and by how many steps each element moved.
 */
function descend(
  matrix: Float64Array,
  error: Float64Array,
  step: Float64Array,
  lowest: Int32Array,
  highest: Int32Array,
): readonly [started: number, reached: number, shifts: Int8Array] {
  const size = error.length;
  const slope = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const by = error[i]!;
    if (by === 0) continue;
    const row = i * size;
    for (let j = 0; j < size; j++) slope[j]! += by * matrix[row + j]!;
  }
  let objective = 0;
  for (let i = 0; i < size; i++) objective += error[i]! * slope[i]!;
  const started = objective;
  const shifts = new Int8Array(size);
  for (let round = 0, moving = true; moving && round < maxRounds; round++) {
    moving = false;
    for (let i = 0; i < size; i++) {
      // the other neighbour of the float: errors of clipped elements are longer than a step
      const way = error[i]! > 0 ? -1 : 1;
      const shift = shifts[i]! + way;
      if (shift < lowest[i]! || shift > highest[i]!) continue;
      const by = way * step[i]!;
      const gain = 2 * by * slope[i]! + by * by * matrix[i * size + i]!;
      if (gain >= -1e-9 * started) continue;
      objective += gain;
      error[i]! += by;
      shifts[i] = shift;
      moving = true;
      const row = i * size;
      for (let j = 0; j < size; j++) slope[j]! += by * matrix[row + j]!;
    }
  }
  // sums of many gains are not exact
  const reached = Math.min(started, objective);
  return reached < started ? [started, Math.max(0, reached), shifts] : [started, started, new Int8Array(size)];
}

function quadratic(matrix: Float64Array, vector: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) {
    let row = 0;
    for (let j = 0; j < vector.length; j++) row += matrix[i * vector.length + j]! * vector[j]!;
    sum += vector[i]! * row;
  }
  return sum;
}

function damped(matrix: Float64Array, size: number): Float64Array {
  let trace = 0;
  for (let i = 0; i < size; i++) trace += matrix[i * size + i]!;
  const result = matrix.slice();
  for (let i = 0; i < size; i++) result[i * size + i]! += (damping * trace) / size || 1;
  return result;
}

/** Which scale an element has: its index. */
function scaleIndex({ form, shape }: QuantizedWeight): (at: number) => number {
  const { granularity, axis, blockSize = 1 } = form;
  if (granularity === "tensor") return () => 0;
  const size = shape[axis]!;
  const inner = elementCount(shape.slice(axis + 1));
  if (granularity === "channel") return (at) => Math.floor(at / inner) % size;
  const blocks = Math.ceil(size / blockSize);
  return (at) => {
    const outer = Math.floor(at / (inner * size));
    return (outer * blocks + Math.floor((Math.floor(at / inner) % size) / blockSize)) * inner + (at % inner);
  };
}

function steps(weight: QuantizedWeight): (at: number) => number {
  const index = scaleIndex(weight);
  return (at) => weight.scales[index(at)]!;
}

/** The least and the largest integer of an element. */
function limits(weight: QuantizedWeight): readonly [least: (at: number) => number, most: (at: number) => number] {
  const { bits, signed, symmetric } = weight.form;
  const levels = bits === 4 ? 16 : 256;
  const [smallest, largest] = signed ? [-levels / 2, levels / 2 - 1] : [0, levels - 1];
  if (!symmetric) return [() => smallest, () => largest];
  // symmetric forms leave one value out
  return [() => smallest + 1, () => largest];
}
