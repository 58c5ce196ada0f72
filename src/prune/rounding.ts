import type { NodeProto, TensorProto } from "../formats/onnx.js";
import type { ChannelGroup } from "./groups.js";
import { operatorOf } from "./node-names.js";
import { readersOf } from "./readers.js";
import type { Structure } from "./structure.js";

/** How the channels of a group make up the length of an axis. */
export interface Width {
  /** Indices that one channel has. */
  readonly each: number;
  /** Indices of others there, which stay. */
  readonly fixed: number;
}

/** Weights of convolutions, whose kernels are the ones that odd widths make slow. */
export function convolutionWeights(structure: Structure): ReadonlySet<TensorProto> {
  const isWeight = ({ node, input }: { readonly node: NodeProto; readonly input: number }) =>
    input === 1 && /^Conv(Transpose)?$/.test(operatorOf(node));
  return new Set([...readersOf(structure)].flatMap(([tensor, readers]) => (readers.some(isWeight) ? [tensor] : [])));
}

/**
 * The width that is to stay a multiple: that of a convolution that a group has for itself, else of its longest axis
 * (attention heads: channels times the width of a head), else together with indices that stay anyway. Where several
 * groups share every axis, each has a round width of its own, and so has the axis.
 */
export function widthOf(
  { labels, tensors }: Structure,
  group: ChannelGroup,
  convolutions: ReadonlySet<TensorProto>,
): Width {
  const axes = group.axes.map(({ tensor, axis, width }) => {
    const own = tensors.get(tensor)![axis]!;
    const fixed = own.reduce((count, label) => count + (labels.frozenBy(label) ? 1 : 0), 0);
    const isShared = own.length !== group.channels.length * width + fixed;
    return { each: width, fixed, isShared, isConvolution: convolutions.has(tensor) };
  });
  const places = [axes.filter((axis) => !axis.isShared && axis.fixed === 0), axes.filter((axis) => !axis.isShared)];
  for (const place of places) {
    const convolved = place.filter(({ isConvolution }) => isConvolution);
    if (convolved.length > 0) return convolved.reduce((a, b) => (b.each < a.each ? b : a));
    if (place.length > 0) return place.reduce((a, b) => (b.each > a.each ? b : a));
  }
  return { each: Math.max(...axes.map(({ each }) => each)), fixed: 0 };
}
