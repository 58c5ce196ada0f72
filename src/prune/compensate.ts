import { type ModelProto, readTensor } from "../formats/onnx.js";
import { cloneModel } from "../graph/clone.js";
import { floatAttribute, intAttribute, intsAttribute } from "../graph/node.js";
import type { StoreBytes } from "../graph/stored.js";
import { numbersOf } from "../tensor/numbers.js";
import { elementCount } from "../tensor/tensor.js";
import type { AxisMoments, Moments } from "./activations.js";
import { type AffineEditor, type AffineLayer, createAffineEditor } from "./affine-layers.js";
import { operatorOf } from "./node-names.js";
import type { Removed } from "./plan.js";
import type { Contraction, StatisticsAxis } from "./row.js";
import type { Structure } from "./structure.js";

/** A pruned model that makes up for what its removed channels did, and how many of its nodes do. */
export interface Compensated {
  readonly model: ModelProto;
  /** Products and convolutions that got the mean of what is gone as their bias. */
  readonly biases: number;
  /** Normalisations whose scale was brought to that of before. */
  readonly scales: number;
}

/**
 * Gives back what is known beforehand of removed channels. Products and convolutions get the mean of what they no longer
 * sum, b += W[:, removed] mean(x[removed]) (FLAP, An et al. 2023); where a convolution pads with zeros that is too much at
 * the edges, and for strides of a ConvTranspose it is the mean over positions. Normalisations over channels get a scale
 * by how their statistics change: the mean square (RMS), or the variance that the moments tell of (layers: that of
 * means and variances of channels, as if channels had nothing to do with each other).
 *
 * `moments` are those of the model before; `pruned` is a slice of it and stays as it is.
 */
export function compensateMeans(
  structure: Structure,
  removed: Removed,
  moments: Moments,
  pruned: ModelProto,
  store: StoreBytes | undefined,
): Compensated {
  const model = cloneModel(pruned);
  const editor = createAffineEditor(model, structure.readExternal, store);
  const layers = new Map(editor.layers.map((layer) => [layer.made, layer]));
  let [biases, scales] = [0, 0];
  for (const contraction of structure.contractions) {
    const layer = layers.get(contraction.node.output[0]!);
    if (layer && addMeans(structure, removed, moments, contraction, editor, layer)) biases += 1;
  }
  for (const found of structure.statistics) {
    const layer = layers.get(found.node.output[0]!);
    if (layer && keepScale(structure, removed, moments, found, editor, layer)) scales += 1;
  }
  return { model, biases, scales };
}

/** Adds to a layer's bias what the mean of its removed inputs gave it. */
function addMeans(
  { labels, tensors, readExternal }: Structure,
  removed: Removed,
  moments: Moments,
  { node, weight, value, labels: axis }: Contraction,
  editor: AffineEditor,
  layer: AffineLayer,
): boolean {
  const seen = value?.input === 0 && weight ? moments.of(value.name, value.axis) : undefined;
  if (!weight || !seen || !layer.canShift) return false;
  const gone = [...axis.keys()].filter((at) => removed.has(labels.find(axis[at]!)));
  if (gone.length === 0) return false;
  const { shape, ...rest } = readTensor(weight.tensor, readExternal);
  const numbers = numbersOf({ shape, ...rest });
  const out = 1 - weight.axis;
  // the weight as [axis 0, axis 1, kernel]
  const kernel = elementCount(shape.slice(2));
  const strides = [shape[1]! * kernel, kernel];
  const outAxis = tensors.get(weight.tensor)![out];
  const kept = Array.from({ length: shape[out]! }, (_, at) => at).filter(
    (at) => !outAxis || !removed.has(labels.find(outAxis[at]!)),
  );
  if (kept.length !== layer.size) return false;
  const factor = operatorOf(node) === "Gemm" ? floatAttribute(node, "alpha", 1) : shareOfKernel(node);
  const shift = Float64Array.from(kept, (to) => {
    let sum = 0;
    for (const from of gone) {
      const start = to * strides[out]! + from * strides[weight.axis]!;
      let taps = 0;
      for (let k = 0; k < kernel; k++) taps += numbers[start + k]!;
      sum += taps * seen.mean[from]!;
    }
    return sum * factor;
  });
  editor.change(layer, undefined, shift);
  return true;
}

/** How much of its kernel a transposed convolution uses at a position, in the mean. */
function shareOfKernel(node: Contraction["node"]): number {
  if (operatorOf(node) !== "ConvTranspose") return 1;
  return (intsAttribute(node, "strides") ?? []).reduce((share, stride) => share / Number(stride), 1);
}

/** Brings the output of a normalisation back to the scale it had with all channels. */
function keepScale(
  { labels }: Structure,
  removed: Removed,
  moments: Moments,
  { node, axis, labels: own }: StatisticsAxis,
  editor: AffineEditor,
  layer: AffineLayer,
): boolean {
  const seen = moments.of(node.input[0]!, axis);
  const kept = [...own.keys()].filter((at) => !removed.has(labels.find(own[at]!)));
  if (!seen || !layer.canScale || kept.length === own.length || kept.length !== layer.size) return false;
  const spread = withMean.has(operatorOf(node)) ? variance : meanSquare;
  const size = own.length / (operatorOf(node) === "GroupNormalization" ? intAttribute(node, "num_groups", 1) : 1);
  const groupOf = (at: number) => Math.floor(at / size);
  const factors = Array.from({ length: own.length / size }, (_, group) => {
    const inside = (at: number) => groupOf(at) === group;
    const [before, after] = [spread(seen, [...own.keys()].filter(inside)), spread(seen, kept.filter(inside))];
    return before > 0 && after > 0 ? Math.sqrt(after / before) : undefined;
  });
  if (factors.includes(undefined)) return false;
  // the bias is added to what has the old scale again
  const scale = Float64Array.from(kept, (at) => factors[groupOf(at)]!);
  editor.scaleWeight(layer, scale);
  return true;
}

/** Normalisations that take the mean away first. */
const withMean: ReadonlySet<string> = new Set(["LayerNormalization", "GroupNormalization"]);

function meanSquare({ meanSquare: squares }: AxisMoments, indices: readonly number[]): number {
  return indices.reduce((sum, at) => sum + squares[at]!, 0) / indices.length;
}

function variance(seen: AxisMoments, indices: readonly number[]): number {
  const mean = indices.reduce((sum, at) => sum + seen.mean[at]!, 0) / indices.length;
  return meanSquare(seen, indices) - mean ** 2;
}
