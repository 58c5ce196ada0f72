import { makeTensor, type NodeProto, type TensorProto } from "../../formats/onnx.js";
import { makeNode } from "../../graph/node.js";
import type { QuantizedForm, QuantizedWeight } from "../../tensor/quantized.js";
import { elementCount } from "../../tensor/tensor.js";
import type { GraphEdit } from "../edit.js";
import { packedBytes, scaleCount, weightForm } from "../forms.js";
import type { Scheme } from "../scheme.js";
import { type Site, sumAxis } from "../sites.js";

/**
 * Unpacked at load: Cast and Mul turn the integers back into floats. Unlike DequantizeLinear, runtimes fold these while
 * they load a model, so that it runs exactly as fast as with float weights, without any session option. Held against
 * onnxruntime 1.22 to 1.30: folded before every operator, in bodies of If and Loop, for weights in an outer graph and
 * for tensors of any size. Standard operators of opset 13 in every form: 4-bit values are looked up by byte.
 */
export const unpack: Scheme = {
  id: "unpack",
  words: "unpacked to floats once, at load (Cast, Mul)",
  plan(site, settings) {
    const { shape, elements } = site.info;
    const own = weightForm(firstUse(site), settings, true);
    if (typeof own === "string") return own;
    const form = byRow(site, own);
    const scales = scaleCount(shape, form);
    // zero points are whole bytes here
    const bytesAfter = packedBytes(elements, form.bits) + scales * (form.symmetric ? 4 : 5);
    return { form, bytesAfter };
  },
  apply(site, _, weight, edit) {
    edit.drop(site.scope, site.tensor);
    return unpackWeight(site, weight, edit, site.info.name).integers;
  },
};

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
  const axis = sumAxis(firstUse(site));
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
): { readonly integers: TensorProto; readonly scale: TensorProto } {
  const { form, shape, values, scales, zeroPoints } = weight;
  const name = (part: string) => edit.fresh(`${info.name}_${part}`);
  const nodes: NodeProto[] = [];
  const put = (opType: string, part: string, input: readonly string[], attributes = {}): string => {
    const output = name(part);
    nodes.push(makeNode(opType, name(opType.toLowerCase()), input, [output], attributes));
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
  const integers =
    form.bits === 4
      ? makeTensor(name("quantized"), { dtype: "uint8", shape: [values.length], data: values })
      : makeTensor(name("quantized"), { dtype: form.signed ? "int8" : "uint8", shape, data: values });
  add(integers);
  let floats: string;
  if (form.bits === 4) {
    const bytes = put("Cast", "bytes", [integers.name], { to: 6 });
    const pairs = put("Gather", "pairs", [nibbleTable(scope, form, edit), bytes]);
    const count = elementCount(shape);
    const even =
      count % 2 === 0
        ? pairs
        : put("Slice", "even", [put("Reshape", "flat", [pairs, ints([-1])]), ints([0]), ints([count])]);
    floats = put("Reshape", "unscaled", [even, ints(shape)]);
  } else floats = put("Cast", "unscaled", [integers.name], { to: 1 });

  // symmetric 4-bit values had theirs taken away by the table, 8-bit ones are signed
  if (zeroPoints && !form.symmetric) {
    const zero = makeTensor(name("zero_point"), { dtype: "uint8", shape: stretchShape(weight), data: zeroPoints });
    floats = put("Sub", "centred", [floats, stretch(put("Cast", "zero", [add(zero)], { to: 1 }))]);
  }
  const scale = makeTensor(name("scale"), { dtype: "float32", shape: stretchShape(weight), data: scales });
  const to = info.type === "float16" ? 10 : info.type === "bfloat16" ? 16 : 1;
  const product = put("Mul", "unpacked", [floats, stretch(add(scale))]);
  if (to !== 1) put("Cast", "narrowed", [product], { to });
  nodes.at(-1)!.output = [result];
  edit.prepend(scope, ...nodes);
  return { integers, scale };

  /** Scales as wide as the weight, or such that they stretch by themselves. */
  function stretch(value: string): string {
    const { axis, blockSize } = form;
    const size = shape[axis]!;
    if (form.granularity !== "block" || blockSize! >= size) return value;
    const blocks = Math.ceil(size / blockSize!);
    const before = shape.slice(0, axis);
    const after = shape.slice(axis + 1);
    const wide = put("Expand", "wide", [value, ints([...before, blocks, blockSize!, ...after])]);
    const long = put("Reshape", "long", [wide, ints([...before, blocks * blockSize!, ...after])]);
    return blocks * blockSize! === size ? long : put("Slice", "cut", [long, ints([0]), ints([size]), ints([axis])]);
  }
}

/** The shape in which scales are stored: 1 where they stretch, and behind each block an axis that does. */
function stretchShape({ form, shape, scaleShape }: QuantizedWeight): readonly number[] {
  const { granularity, axis, blockSize } = form;
  if (granularity === "tensor") return [];
  if (granularity === "channel") return shape.map((size, at) => (at === axis ? size : 1));
  if (blockSize! >= shape[axis]!) return scaleShape;
  return [...scaleShape.slice(0, axis + 1), 1, ...scaleShape.slice(axis + 1)];
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
