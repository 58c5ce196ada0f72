import type { GraphBuilder, Value } from "../../graph/builder.js";
import { type ConvGeometry, convAttributes, isOne, product, spatial } from "./geometry.js";
import { padded } from "./place.js";

/**
 * A way to write the weight gradient of a convolution: x [N, Cin, large...], g [N, Cout, small...] ->
 * [Cout, Cin / group, kernel...].
 */
export type WeightForm = (b: GraphBuilder, x: Value, g: Value, geometry: ConvGeometry) => Value;

/** Patches of more bytes than this are made of a few rows of the batch at a time, so that they stay in the cache. */
const mostPatches = 8 << 20;
const cachedPatches = 2 << 20;
const mostParts = 16;
/** With fewer channels than this, runs of them are too short to be worth their order. */
const leastChannels = 16;

/** The weight gradient, in the form that is fastest for the geometry. */
export const weightGradient: WeightForm = (b, x, g, geometry) => {
  const form = formFor(x, g, geometry);
  const [rows, channels] = x.shape as readonly [number, number];
  const bytes = 4 * rows * channels * product(geometry.kernel) * product(geometry.small);
  if (form !== unfoldForm || bytes <= mostPatches) return form(b, x, g, geometry);
  const part = Math.max(1, Math.floor((rows * cachedPatches) / bytes), Math.ceil(rows / mostParts));
  const sizes = Array.from({ length: Math.ceil(rows / part) }, (_, at) => Math.min(part, rows - at * part));
  const gs = b.split(g, sizes, 0);
  const parts = b.split(x, sizes, 0).map((one, at) => form(b, one, gs[at]!, geometry));
  return parts.length === 1 ? parts[0]! : b.op("Sum", parts, parts[0]!);
};

/**
 * By test/bench/train/conv-forms.ts on a Xeon with AVX-512 (onnxruntime 1.30, one thread, CPU-ms). 64->64 3x3 on 7x7, batch
 * 64: window 2.1, unfold 3.7, slices 4.3 to 5.8, swapped Conv 4.7. 32->32 on 14x14: 2.6, 3.9, 5.4, 7.4. 16->32 3x3/2 on
 * 28x28: 1.7, 2.2, 5.5, 4.4. 16->16 3x3 on 28x28: 4.8, 7.2 (5.0 to 5.5 a few rows at a time), 9.8, 12. 8->16: window 3.3,
 * unfold 2.5. Depthwise 96 3x3, batch 8: tap by tap 5.2, unfold 6.4.
 */
function formFor(x: Value, g: Value, { kernel, group }: ConvGeometry): WeightForm {
  if (isOne(kernel) && group === 1) return singleTapForm;
  if (group === 1 && kernel.length <= 2 && x.shape[1]! >= leastChannels) return windowForm;
  if (group === x.shape[1]! && group === g.shape[1]! && product(kernel) <= 9) return depthwiseForm;
  return unfoldForm;
}

/** What tap `at` of the kernel sees: [N, Cin, small...] out of padded x. */
export function tapOf(b: GraphBuilder, x: Value, tap: readonly number[], geometry: ConvGeometry): Value {
  const { strides, dilations, small } = geometry;
  const starts = tap.map((at, axis) => at * dilations[axis]!);
  const ends = starts.map((start, axis) => start + (small[axis]! - 1) * strides[axis]! + 1);
  const whole = starts.every((start, axis) => start === 0 && ends[axis] === x.shape[axis + 2]);
  if (whole && isOne(strides)) return x;
  const axes = tap.map((_, axis) => axis + 2);
  const inputs = [x, b.ints(starts), b.ints(ends), b.ints(axes), b.ints(strides)];
  return b.op("Slice", inputs, { dtype: x.dtype, shape: [...x.shape.slice(0, 2), ...small] });
}

/** The taps of a kernel, row after row. */
export function tapsOf(kernel: readonly number[]): readonly (readonly number[])[] {
  return kernel.reduce<readonly (readonly number[])[]>(
    (all, size) => all.flatMap((tap) => Array.from({ length: size }, (_, at) => [...tap, at])),
    [[]],
  );
}

/** x with the pads of the convolution. */
export function withPads(b: GraphBuilder, x: Value, { begin, end }: ConvGeometry): Value {
  return padded(b, x, [0, 0, ...begin], [0, 0, ...end]);
}

/** [N, C, all places]. */
export function flatten(b: GraphBuilder, x: Value): Value {
  return b.reshape(x, [x.shape[0]!, x.shape[1]!, product(spatial(x))]);
}

/** Windows of one element: what they see is x itself, or every so many of its elements. */
export const singleTapForm: WeightForm = (b, x, g, geometry) => {
  const seen = tapOf(
    b,
    withPads(b, x, geometry),
    geometry.kernel.map(() => 0),
    geometry,
  );
  return overPatches(b, flatten(b, seen), g, geometry);
};

/** A channel of its own for each filter: for each tap a product element by element, and its sum. */
export const depthwiseForm: WeightForm = (b, x, g, geometry) => {
  const whole = withPads(b, x, geometry);
  const axes = [0, ...geometry.small.map((_, at) => at + 2)];
  const sums = tapsOf(geometry.kernel).map((tap) => {
    const sum = b.reduce("ReduceSum", b.mul(tapOf(b, whole, tap, geometry), g), axes, false);
    return b.reshape(sum, [g.shape[1]!, 1]);
  });
  return b.reshape(b.concat(sums, 1), [g.shape[1]!, 1, ...geometry.kernel]);
};

/**
 * A Conv with g as its filters: the window is all places at once, and moves by one tap. Rows of the batch are groups, and
 * the channels an axis of places of their own, of which each sees only itself; last, so that whole runs of them are read.
 * Strides and dilations change places. Of up to two axes, as onnxruntime has no convolution of four.
 */
export const windowForm: WeightForm = (b, x, g, { kernel, strides, dilations, begin, large, small }) => {
  const [n, cin] = x.shape as readonly [number, number];
  const cout = g.shape[1]!;
  const filters = b.reshape(g, [n * cout, 1, ...small, 1]);
  const seen = small.map((size, at) => (size - 1) * strides[at]! + 1);
  const end = kernel.map((size, at) => Math.max(0, (size - 1) * dilations[at]! + seen[at]! - large[at]! - begin[at]!));
  // more taps than the kernel has where its last ones do not reach the end
  const taps = large.map((size, at) => Math.floor((size + begin[at]! + end[at]! - seen[at]!) / dilations[at]!) + 1);
  const attributes = {
    kernel_shape: [...small, 1],
    strides: [...dilations, 1],
    dilations: [...strides, 1],
    pads: [...begin, 0, ...end, 0],
    group: n,
  };
  const form = { dtype: x.dtype, shape: [1, n * cout, ...taps, cin] };
  const each = b.op("Conv", [b.reshape(channelsLast(b, x), [1, n, ...large, cin]), filters], form, attributes);
  const sums = b.reduce("ReduceSum", b.reshape(each, [n, cout, ...taps, cin]), [0], false);
  const axes = kernel.map((_, at) => at + 1);
  const whole = taps.every((count, at) => count === kernel[at]);
  const starts = axes.map(() => 0);
  const cut = whole ? sums : b.slice(sums, axes, starts, kernel);
  return b.transpose(cut, [0, axes.length + 1, ...axes]);
};

/** [N, places..., C]. */
function channelsLast(b: GraphBuilder, x: Value): Value {
  return b.transpose(x, [0, ...spatial(x).map((_, at) => at + 2), 1]);
}

/** The patches by a grouped Conv whose filters have a single 1 each; any geometry. */
export const unfoldForm: WeightForm = (b, x, g, geometry) => {
  const [n, cin] = x.shape as readonly [number, number];
  const taps = product(geometry.kernel);
  const eye = new Float32Array(cin * taps * taps);
  for (let row = 0; row < cin * taps; row++) eye[row * taps + (row % taps)] = 1;
  const filters = b.constant({ dtype: "float32", shape: [cin * taps, 1, ...geometry.kernel], data: eye }, "unfold");
  const form = { dtype: x.dtype, shape: [n, cin * taps, ...geometry.small] };
  const patches = b.op("Conv", [x, filters], form, convAttributes(geometry, cin));
  return overPatches(b, flatten(b, patches), g, geometry);
};

/** patches [N, Cin * K, places] and g [N, Cout, ...] -> [Cout, Cin / group, kernel...], summed over N and places. */
export function overPatches(b: GraphBuilder, patches: Value, g: Value, { group, kernel }: ConvGeometry): Value {
  const [n, rows, places] = patches.shape as readonly [number, number, number];
  const cout = g.shape[1]!;
  const split = group === 1 ? [n] : [n, group];
  const left = b.reshape(patches, [...split, rows / group, places]);
  const right = b.reshape(g, [...split, cout / group, places]);
  // the patches are the left side, as onnxruntime repacks the right one
  const sums = b.reduce("ReduceSum", b.matmul(left, right, { transY: true }), [0], false);
  const turned = b.transpose(sums, group === 1 ? [1, 0] : [0, 2, 1]);
  return b.reshape(turned, [cout, rows / group / product(kernel), ...kernel]);
}
