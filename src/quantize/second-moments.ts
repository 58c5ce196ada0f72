import { intsAttribute, stringAttribute } from "../graph/node.js";
import { numbersOf } from "../tensor/numbers.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ProductLayout } from "./product-layout.js";
import type { WeightUse } from "./sites.js";

/** Sums over rows of a node's input of x x^T, for each group of its channels: [size, size] row-major, size = inputs * taps. */
export interface SecondMoments {
  readonly size: number;
  readonly rows: number;
  readonly groups: readonly Float64Array[];
}

/** Gathers second moments; memory depends on the layout alone. */
export interface MomentCollector {
  /** Adds at most `rows` rows of an input of the node, spread evenly. */
  add(use: Pick<WeightUse, "node">, input: Tensor, rows: number): void;
  moments(): SecondMoments;
}

/** Starts for one weight; `taps` are the sizes of a convolution's kernel. */
export function startMoments(
  { inputs, groups: count, kernel }: ProductLayout,
  taps: readonly number[],
): MomentCollector {
  const size = inputs * kernel;
  const groups = Array.from({ length: count }, () => new Float64Array(size * size));
  // several rows at a time go through the matrix once
  const pending = groups.map(() => new Float64Array(together * size));
  const filled = groups.map(() => 0);
  let total = 0;
  const flush = (group: number) => {
    const rows = pending[group]!;
    rows.fill(0, filled[group]! * size);
    addProducts(groups[group]!, rows, size);
    filled[group] = 0;
  };
  const place = (group: number) => {
    if (filled[group] === together) flush(group);
    return filled[group]!++ * size;
  };
  return {
    add({ node }, input, wanted) {
      const values = numbersOf(input);
      if (node.opType !== "Conv") {
        const count = values.length / size;
        for (const row of spread(count, wanted)) {
          const at = place(0);
          for (let k = 0; k < size; k++) pending[0]![at + k] = values[row * size + k]!;
          total++;
        }
        return;
      }
      const windows = windowsOf(node, taps, input.shape, inputs * count);
      for (const position of spread(windows.positions, wanted)) {
        for (let group = 0; group < count; group++) {
          windows.copy(values, position, group * inputs, inputs, pending[group]!, place(group));
        }
        total++;
      }
    },
    moments() {
      for (let group = 0; group < count; group++) flush(group);
      for (const matrix of groups) mirror(matrix, size);
      return { size, rows: total, groups };
    },
  };
}

const together = 8;

/** Adds the rows' products to the upper triangle. */
function addProducts(matrix: Float64Array, rows: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) {
    const [a, b, c, d] = [rows[i]!, rows[size + i]!, rows[2 * size + i]!, rows[3 * size + i]!];
    const [e, f, g, h] = [rows[4 * size + i]!, rows[5 * size + i]!, rows[6 * size + i]!, rows[7 * size + i]!];
    const base = i * size;
    for (let j = i; j < size; j++) {
      matrix[base + j]! +=
        a * rows[j]! +
        b * rows[size + j]! +
        c * rows[2 * size + j]! +
        d * rows[3 * size + j]! +
        e * rows[4 * size + j]! +
        f * rows[5 * size + j]! +
        g * rows[6 * size + j]! +
        h * rows[7 * size + j]!;
    }
  }
}

function mirror(matrix: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) matrix[i * size + j] = matrix[j * size + i]!;
}

/** At most `wanted` of the numbers below `count`; odd steps, so that no column of an image is preferred. */
function* spread(count: number, wanted: number): Generator<number> {
  if (count <= wanted) {
    for (let at = 0; at < count; at++) yield at;
    return;
  }
  for (let at = 0; at < wanted; at++) yield Math.floor(((at + 0.5) * count) / wanted);
}

/** The windows of a convolution's input. */
function windowsOf(node: WeightUse["node"], taps: readonly number[], shape: readonly number[], channels: number) {
  const sizes = shape.slice(2);
  const list = (name: string, fallback: readonly number[]) => intsAttribute(node, name)?.map(Number) ?? fallback;
  const ones = sizes.map(() => 1);
  const strides = list("strides", ones);
  const dilations = list("dilations", ones);
  const mode = stringAttribute(node, "auto_pad", "NOTSET");
  const reach = taps.map((tap, axis) => (tap - 1) * dilations[axis]! + 1);
  const given = list("pads", [...ones, ...ones].fill(0));
  const same = mode === "SAME_UPPER" || mode === "SAME_LOWER";
  const starts = sizes.map((size, axis) => {
    if (!same) return mode === "VALID" ? 0 : given[axis]!;
    const whole = Math.max(0, (Math.ceil(size / strides[axis]!) - 1) * strides[axis]! + reach[axis]! - size);
    return mode === "SAME_UPPER" ? Math.floor(whole / 2) : Math.ceil(whole / 2);
  });
  const outputs = sizes.map((size, axis) => {
    if (same) return Math.ceil(size / strides[axis]!);
    const padded = mode === "VALID" ? size : size + given[axis]! + given[axis + sizes.length]!;
    return Math.floor((padded - reach[axis]!) / strides[axis]!) + 1;
  });
  const perImage = outputs.reduce((product, size) => product * size, 1);
  const plane = sizes.reduce((product, size) => product * size, 1);
  const kernel = taps.reduce((product, size) => product * size, 1);
  return {
    positions: shape[0]! * perImage,
    copy(values: ArrayLike<number>, position: number, first: number, count: number, into: Float64Array, at: number) {
      const image = Math.floor(position / perImage);
      for (let tap = 0; tap < kernel; tap++) {
        let [rest, step, offset, stride, inside] = [position % perImage, tap, 0, 1, true];
        for (let axis = sizes.length - 1; axis >= 0; axis--) {
          const out = rest % outputs[axis]!;
          const own = step % taps[axis]!;
          rest = Math.floor(rest / outputs[axis]!);
          step = Math.floor(step / taps[axis]!);
          const place = out * strides[axis]! - starts[axis]! + own * dilations[axis]!;
          if (place < 0 || place >= sizes[axis]!) inside = false;
          offset += place * stride;
          stride *= sizes[axis]!;
        }
        for (let channel = 0; channel < count; channel++) {
          into[at + channel * kernel + tap] = inside
            ? values[(image * channels + first + channel) * plane + offset]!
            : 0;
        }
      }
    },
  };
}
