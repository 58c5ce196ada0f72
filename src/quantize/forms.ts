import type { QuantizedForm, QuantizerSource } from "../tensor/quantized.js";
import { elementCount } from "../tensor/tensor.js";
import type { QuantizeSettings } from "./settings.js";
import { channelAxis, type Site, sumAxis } from "./sites.js";

/** Elements that share a scale in 4 bits unless told otherwise. */
const defaultBlock4 = 32;

/**
 * The form a site's weight takes under the settings, with the axes of its own layout; a reason where it has none. Only
 * weights with a single axis that products are summed over are cut into blocks or stored in 4 bits: in the few products
 * of a convolution's channel 16 steps are too coarse unless it is trained for them, and a table's rows are blocks already.
 */
export function weightForm(site: Site, settings: QuantizeSettings, signed: boolean): QuantizedForm | string {
  const channel = channelAxis(site);
  if (typeof channel === "string") return channel;
  const convolves = settings.bits === 4 && settings.convolutions4 === true && isConvolution(site);
  const sum = convolves ? channelsIn(site) : sumAxis(site);
  const symmetric = !settings.asymmetric;
  const bits = settings.bits === 4 && sum !== undefined ? 4 : 8;
  // a zero point of its own only pays where all values of the type count
  const base = { bits, signed: signed && symmetric, symmetric } as const;
  if (settings.perTensor) return { ...base, granularity: "tensor", axis: channel };
  const blockSize = settings.blockSize ?? (bits === 4 ? defaultBlock4 : undefined);
  if (sum === undefined || blockSize === undefined) return { ...base, granularity: "channel", axis: channel };
  return { ...base, granularity: "block", axis: sum, blockSize };
}

/** Whether all that read a site's weight are convolutions over many channels: of others there is little to save. */
function isConvolution({ weightUses, info: { shape } }: Site): boolean {
  return weightUses.every(({ node }) => /^Conv(Transpose)?$/.test(node.opType)) && shape[1]! > 1;
}

/** The axis of input channels of a convolution's weight: at each place of the kernel, products are summed along it. */
function channelsIn({ weightUses: [first] }: Site): number {
  return first!.node.opType === "Conv" ? 1 : 0;
}

/** Whether a form needs a zero point per scale. */
export function hasZeroPoints({ signed, symmetric }: QuantizedForm): boolean {
  return !signed || !symmetric;
}

/** How many scales a tensor of these sizes has. */
export function scaleCount(shape: readonly number[], { granularity, axis, blockSize }: QuantizedForm): number {
  if (granularity === "tensor") return 1;
  if (granularity === "channel") return shape[axis]!;
  return elementCount(shape.map((size, at) => (at === axis ? Math.ceil(size / blockSize!) : size)));
}

/** Bytes of `count` integers of some bits. */
export function packedBytes(count: number, bits: 8 | 4): number {
  return Math.ceil((count * bits) / 8);
}

/** Whether tensors of an element type can be quantized. */
export function isQuantizable(type: string): type is QuantizerSource["dtype"] {
  return type === "float32" || type === "float16" || type === "bfloat16";
}
