import type { NodeProto } from "../../formats/onnx.js";
import type { Value } from "../../graph/builder.js";
import { intAttribute, intsAttribute, stringAttribute } from "../../graph/node.js";

/** A sliding window over the spatial axes of x [N, C, ...]: what Conv, ConvTranspose and pooling share. One number an axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begin: readonly number[];
  readonly end: readonly number[];
}

/** The geometry of a convolution from the large side (a Conv's input) to the small side (its output). */
export interface ConvGeometry extends Window {
  readonly group: number;
  /** Spatial sizes. */
  readonly large: readonly number[];
  readonly small: readonly number[];
}

export function spatial({ shape }: Value): readonly number[] {
  return shape.slice(2);
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1);
}

/** The attributes of a node with its automatic pads resolved. `large` and `small` are the spatial sizes of the two sides. */
export function windowOf(
  node: NodeProto,
  kernel: readonly number[],
  large: readonly number[],
  small: readonly number[],
): Window {
  const ints = (name: string) => intsAttribute(node, name)?.map(Number);
  const ones = kernel.map(() => 1);
  const [strides, dilations] = [ints("strides") ?? ones, ints("dilations") ?? ones];
  const given = ints("pads");
  const auto = stringAttribute(node, "auto_pad", "NOTSET");
  const pads = kernel.map((size, at): readonly [number, number] => {
    const shared = ints("output_shape") !== undefined;
    if (!shared && (auto === "NOTSET" || auto === "")) return [given?.[at] ?? 0, given?.[at + kernel.length] ?? 0];
    if (!shared && auto === "VALID") return [0, 0];
    const reach = (small[at]! - 1) * strides[at]! + (size - 1) * dilations[at]! + 1;
    const total = Math.max(0, reach - large[at]!);
    const less = Math.floor(total / 2);
    return auto === "SAME_UPPER" ? [less, total - less] : [total - less, less];
  });
  return { kernel, strides, dilations, begin: pads.map(([first]) => first), end: pads.map(([, last]) => last) };
}

/** The window of a convolution as the attributes of a Conv or ConvTranspose. */
export function convAttributes({ kernel, strides, dilations, begin, end }: Window, group: number) {
  return { kernel_shape: kernel, strides, dilations, pads: [...begin, ...end], group };
}

/** What is left of the large side behind the last place of the window: the output_padding of the transposed convolution. */
export function rest({ large, small, kernel, strides, dilations, begin, end }: ConvGeometry): readonly number[] {
  return large.map(
    (size, at) =>
      size + begin[at]! + end[at]! - dilations[at]! * (kernel[at]! - 1) - 1 - (small[at]! - 1) * strides[at]!,
  );
}

export function groupOf(node: NodeProto): number {
  return intAttribute(node, "group", 1);
}

export function isOne(numbers: readonly number[]): boolean {
  return numbers.every((one) => one === 1);
}
