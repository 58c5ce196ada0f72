import { makeTensor, type NodeProto, type TensorProto } from "../../formats/onnx.js";
import { makeNode } from "../../graph/node.js";
import { halfBits } from "../../tensor/numbers.js";
import type { QuantizedForm, QuantizedWeight } from "../../tensor/quantized.js";
import { elementCount } from "../../tensor/tensor.js";
import type { GraphEdit } from "../edit.js";
import { packedBytes, scaleCount, weightForm } from "../forms.js";
import type { Scheme } from "../scheme.js";
import type { QuantizeSettings } from "../settings.js";
import { type Site, sumAxis } from "../sites.js";

/**
 * Unpacked at load: Cast and Mul turn the integers back into floats. Unlike DequantizeLinear, runtimes fold these while
 * they load a model, so that it runs exactly as fast as with float weights, without any session option. Held against
 * onnxruntime 1.20 to 1.30 and its WebAssembly: folded before every operator, in bodies, for weights in an outer graph and
 * for tensors of any size. Standard operators of opset 13 in every form: 4-bit values are looked up by byte.
 */
export const unpack: Scheme = {
  id: "unpack",
  words: "unpacked to floats once, at load (Cast, Mul)",
  plan(site, settings) {
    const { shape, elements } = site.info;
    const own = site.weightUses.length > 0 ? weightForm(firstUse(site), settings, true) : looseForm(site, settings);
    if (typeof own === "string") return own;
    const form = byRow(site, own);
    const scales = scaleCount(shape, form);
    // zero points are whole bytes here
    const bytesOfScale = (scales >= leastHalved ? 2 : 4) + (form.symmetric ? 0 : 1);
    const bytesAfter = packedBytes(elements, form.bits) + scales * bytesOfScale;
    return { form, bytesAfter };
  },
  apply(site, _, weight, edit) {
    edit.drop(site.scope, site.tensor);
    return unpackWeight(site, weight, edit, site.info.name);
  },
};

/** As many scales as pay for the nodes that turn them from float16 into float32. */
export const leastHalved = 64;

/**
 * Scales in float16, which loses less than 0.05 % of each: `scale = half * 2^exponent`, where the exponent is 0 unless
 * some would leave the range in which halves are that exact. It is a multiple of 4, so that weights share factors.
 */
export function halvesOf(scales: Float32Array): { readonly bits: Uint16Array<ArrayBuffer>; readonly exponent: number } {
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  for (const scale of scales) {
    if (scale < least) least = scale;
    if (scale > most) most = scale;
  }
  const fits = least >= 2 ** -14 && most < 2 ** 15;
  const exponent = fits ? 0 : Math.ceil((Math.log2(most) - 15) / 4) * 4;
  return { bits: Uint16Array.from(scales, (scale) => halfBits(scale / 2 ** exponent)), exponent };
}

/** The form of a weight whose pieces are moved first: a scale for each row, or what stands for one. */
function looseForm({ info: { shape } }: Site, { asymmetric }: QuantizeSettings): QuantizedForm | string {
  const axis = shape.findIndex((size, at) => size > 1 && at < shape.length - 1);
  if (axis < 0) return "has no rows";
  return { bits: 8, signed: !asymmetric, symmetric: !asymmetric, granularity: "channel", axis };
}

/** The floats do not mind along which axis their scales run: where the uses disagree, the first one decides. */
function firstUse(site: Site): Site {
  return { ...site, weightUses: site.weightUses.slice(0, 1) };
}

/**
 * A scale for each row that products are summed along, instead of one for each index of the channel axis, where a third
 * axis would share them: the directions of an LSTM, the batches of MatMul.
 */
function byRow(site: Site, form: QuantizedForm): QuantizedForm {
  const { shape, elements } = site.info;
  const axis = site.weightUses.length > 0 ? sumAxis(firstUse(site)) : undefined;
  if (form.granularity !== "channel" || axis === undefined || elements === shape[axis]! * shape[form.axis]!)
    return form;
  return { ...form, granularity: "block", axis, blockSize: shape[axis]! };
}

/** Puts in a weight's integers and the nodes that turn them into the floats called `result`. */
export function unpackWeight(
  { scope, info }: Pick<Site, "scope" | "info">,
  weight: QuantizedWeight,
  edit: GraphEdit,
  result: string,
): TensorProto {
  const { form, shape, values, scales, zeroPoints } = weight;
  // short names, and none for nodes: there are several of each for every weight
  const name = (part: string) => edit.fresh(`${info.name}_${part}`);
  const nodes: NodeProto[] = [];
  const put = (opType: string, part: string, input: readonly string[], attributes = {}): string => {
    const output = name(part);
    nodes.push(makeNode(opType, "", input, [output], attributes));
    return output;
  };
  const add = (tensor: TensorProto): string => {
    edit.add(scope, tensor);
    return tensor.name;
  };
  const ints = (sizes: readonly number[]): string =>
    edit.once(scope, `unpack:${sizes}`, () =>
      add(
        makeTensor(edit.fresh(`unpack_${sizes.join("x")}`), {
          dtype: "int64",
          shape: [sizes.length],
          data: BigInt64Array.from(sizes, BigInt),
        }),
      ),
    );
  const layout = layoutOf(weight);
  const integers = makeTensor(name("q"), {
    dtype: form.bits === 4 || !form.signed ? "uint8" : "int8",
    shape: layout.stored,
    data: values,
  });
  add(integers);
  let floats: string;
  if (form.bits === 4) {
    const bytes = put("Cast", "b", [integers.name], { to: 6 });
    floats = put("Gather", "p", [nibbleTable(scope, form, edit), bytes]);
    const count = elementCount(shape);
    if (count % 2 === 1) {
      floats = put("Slice", "e", [put("Reshape", "r", [floats, ints([-1])]), ints([0]), ints([count])]);
    }
    if (!layout.inPlace) floats = put("Reshape", "f", [floats, ints(shape)]);
  } else floats = put("Cast", "f", [integers.name], { to: 1 });

  // symmetric 4-bit values had theirs taken away by the table, 8-bit ones are signed
  if (zeroPoints && !form.symmetric) {
    const zero = makeTensor(name("z"), { dtype: "uint8", shape: layout.scales, data: zeroPoints });
    floats = put("Sub", "d", [floats, stretch(put("Cast", "c", [add(zero)], { to: 1 }))]);
  }
  const scaleShape = layout.scales;
  const { bits, exponent } = halvesOf(scales);
  const halved = scales.length >= leastHalved;
  const scale = halved
    ? makeTensor(name("s"), { dtype: "float16", shape: scaleShape, data: bits })
    : makeTensor(name("s"), { dtype: "float32", shape: scaleShape, data: scales });
  let factor = halved ? put("Cast", "g", [add(scale)], { to: 1 }) : add(scale);
  if (halved && exponent !== 0) factor = put("Mul", "h", [factor, powerOfTwo(exponent)]);
  const to = info.type === "float16" ? 10 : info.type === "bfloat16" ? 16 : 1;
  floats = put("Mul", "u", [floats, stretch(factor)]);
  if (layout.reshapes) floats = put("Reshape", "v", [floats, ints(shape)]);
  if (to !== 1) put("Cast", "n", [floats], { to });
  nodes.at(-1)!.output = [result];
  edit.prepend(scope, ...nodes);
  return integers;

  function powerOfTwo(power: number): string {
    return edit.once(scope, `power:${power}`, () =>
      add(
        makeTensor(edit.fresh(`unpack_2e${power}`), { dtype: "float32", shape: [], data: Float32Array.of(2 ** power) }),
      ),
    );
  }

  /** Scales as wide as the weight, where they do not stretch by themselves. */
  function stretch(value: string): string {
    if (!layout.ragged) return value;
    const { axis, blockSize } = form;
    const size = shape[axis]!;
    const blocks = Math.ceil(size / blockSize!);
    const before = shape.slice(0, axis);
    const after = shape.slice(axis + 1);
    const wide = put("Expand", "w", [value, ints([...before, blocks, blockSize!, ...after])]);
    const long = put("Reshape", "l", [wide, ints([...before, blocks * blockSize!, ...after])]);
    return put("Slice", "t", [long, ints([0]), ints([size]), ints([axis])]);
  }
}

interface Layout {
  /** The shape integers are stored in; bytes for 4 bits. */
  readonly stored: readonly number[];
  readonly scales: readonly number[];
  /** Looked up by byte, 4-bit values have the shape that scales stretch to. */
  readonly inPlace: boolean;
  /** The last block is shorter, so scales must be made as wide as the weight. */
  readonly ragged: boolean;
  /** The product has another shape than the weight. */
  readonly reshapes: boolean;
}

/**
 * Integers are stored such that scales stretch over them by themselves: [.., blocks, size, ..] with scales [.., blocks,
 * 1, ..], and 4-bit values with a last axis of 2 for a byte. A runtime keeps everything it folds until all is folded, so
 * each node less is a copy of the weights less in memory.
 */
function layoutOf({ form, shape, scaleShape, values }: QuantizedWeight): Layout {
  const { granularity, axis, blockSize = 1, bits } = form;
  const isCut = granularity === "block" && blockSize < shape[axis]!;
  const ragged = isCut && shape[axis]! % blockSize !== 0;
  const cut = isCut && !ragged;
  const around = (size: readonly number[]) => [...shape.slice(0, axis), ...size, ...shape.slice(axis + 1)];
  const sizes = cut ? around([shape[axis]! / blockSize, blockSize]) : shape;
  let scales: readonly number[] = scaleShape;
  if (granularity === "channel") scales = shape.map((size, at) => (at === axis ? size : 1));
  if (isCut) scales = around([scaleShape[axis]!, 1]);
  if (bits === 8) return { stored: sizes, scales, inPlace: true, ragged, reshapes: cut };
  const last = sizes.at(-1)!;
  if (ragged || last % 2 === 1) {
    // looked up flat, and shaped like the weight: scales must be, too
    return { stored: [values.length], scales, inPlace: false, ragged: isCut, reshapes: false };
  }
  const paired =
    scales.length === 0 ? scales : [...scales.slice(0, -1), ...(scales.at(-1) === 1 ? [1, 1] : [last / 2, 2])];
  return { stored: [...sizes.slice(0, -1), last / 2], scales: paired, inPlace: true, ragged, reshapes: true };
}

/** The two floats a byte of 4-bit values stands for, by byte: [256, 2]; of symmetric ones, the zero point taken away. */
function nibbleTable(scope: Site["scope"], { signed, symmetric }: QuantizedForm, edit: GraphEdit): string {
  return edit.once(scope, `nibbles:${signed}:${symmetric}`, () => {
    const value = (nibble: number) => (signed ? (nibble ^ 8) - 8 : nibble - (symmetric ? 8 : 0));
    const data = Float32Array.from({ length: 512 }, (_, at) => value(((at >> 1) >> ((at & 1) * 4)) & 15));
    const tensor = makeTensor(edit.fresh("nibbles"), { dtype: "float32", shape: [256, 2], data });
    edit.add(scope, tensor);
    return tensor.name;
  });
}
