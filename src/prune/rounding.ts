import type { TensorProto } from "../formats/onnx.js";
import type { ChannelGroup } from "./groups.js";
import { operatorOf, type Structure } from "./structure.js";

/** How the channels of a group make up a width. */
export interface Width {
  /** Indices that one channel has. */
  readonly each: number;
  /** Channels are kept in multiples of this, so that the width is a multiple of what is wanted. */
  readonly step: number;
}

/** Weights of convolutions, whose kernels are the ones that odd widths make slow. */
export function convolutionWeights({ view }: Structure): ReadonlySet<TensorProto> {
  const found = new Set<TensorProto>();
  for (const scope of view.scopes) {
    for (const node of scope.graph.node) {
      if (!/^Conv(Transpose)?$/.test(operatorOf(node))) continue;
      const weight = view.initializerOf(scope, node.input[1] ?? "");
      if (weight) found.add(weight.tensor);
    }
  }
  return found;
}

/**
 * The width that is to stay a multiple of `round`: that of the convolutions a group has, else its longest axis (attention
 * heads: channels times the width of a head). Axes that others share a part of come last: where every group on one has a
 * round width of its own, so has the axis.
 */
export function widthOf(group: ChannelGroup, round: number, convolutions: ReadonlySet<TensorProto>): Width {
  const count = group.channels.length;
  const alone = group.axes.filter(({ tensor, axis, width }) => Number(tensor.dims[axis]!) === count * width);
  const convolved = alone.filter(({ tensor }) => convolutions.has(tensor));
  const each =
    convolved.length > 0
      ? Math.min(...convolved.map(({ width }) => width))
      : Math.max(...(alone.length > 0 ? alone : group.axes).map(({ width }) => width));
  return { each, step: round / divisor(round, each) };
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
