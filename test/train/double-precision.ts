// A graph in float64. What onnxruntime has no float64 kernel for is written with what it has, which is slow and exact.

import { type ModelProto, makeTensor, type NodeProto, readTensor, type TensorProto } from "../../src/formats/onnx.js";
import { onnxType, onnxTypeOf } from "../../src/formats/onnx-types.js";
import { axisOf, createBuilder, type GraphBuilder, type Value } from "../../src/graph/builder.js";
import { copy } from "../../src/graph/clone.js";
import { freshNames } from "../../src/graph/names.js";
import { floatAttribute, intAttribute, intsAttribute, setAttribute, stringAttribute } from "../../src/graph/node.js";
import { numbersOf } from "../../src/tensor/numbers.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import type { Decomposition, DecompositionTable } from "../../src/train/decompose/decomposition.js";
import { decomposed } from "../../src/train/decompose/index.js";
import { formsOf } from "../../src/train/forms.js";
import { groupOf, product, spatial, windowOf } from "../../src/train/rules/geometry.js";
import { interpolationMatrix } from "../../src/train/rules/interpolation.js";

const none = () => {
  throw new Error("nothing lies elsewhere");
};
const [float, double] = [onnxTypeOf("float32").code, onnxTypeOf("float64").code];

/** A tensor with its float32 elements as float64. */
export function widened(tensor: Tensor): Tensor {
  return tensor.dtype === "float32"
    ? { ...tensor, dtype: "float64", data: Float64Array.from(tensor.data as Float32Array) }
    : tensor;
}

/** The model with float64 in the place of float32; `feeds` are any tensors it can be run on, of float32. */
export async function inDoublePrecision(model: ModelProto, feeds: ReadonlyMap<string, Tensor>): Promise<ModelProto> {
  const result = copy<ModelProto>(model);
  const graph = result.graph!;
  const fresh = freshNames(result);
  const forms = new Map(
    await formsOf(
      { nodes: model.graph!.node, initializers: model.graph!.initializer, feeds, like: model, readExternal: none },
      fresh,
    ),
  );
  const constants = new Map<string, Tensor>();
  for (const tensor of graph.initializer) constants.set(tensor.name, readTensor(tensor, none));
  for (const [name, { dtype, shape }] of [...feeds, ...constants]) forms.set(name, { name, dtype, shape });
  const wide = (value: Value): Value => (value.dtype === "float32" ? { ...value, dtype: "float64" } : value);
  const b = createBuilder(fresh);
  graph.node = graph.node.flatMap((node) => {
    const how = exact[node.domain === "" ? node.opType : `${node.domain}:${node.opType}`];
    if (!how) return [widenedNode(node)];
    const formOf = (name: string) => (forms.has(name) ? wide(forms.get(name)!) : b.values.get(name));
    return decomposed(node, how, b, formOf, (name) => constants.get(name));
  });
  const inDouble = (name: string, tensor: Tensor): TensorProto => makeTensor(name, widened(tensor));
  graph.initializer = [...[...constants].map(([name, tensor]) => inDouble(name, tensor)), ...b.initializers];
  for (const { type } of [...graph.input, ...graph.output]) {
    if (type?.value.case === "tensorType" && type.value.value.elemType === float) type.value.value.elemType = double;
  }
  return result;
}

/** A node that has a float64 kernel. */
function widenedNode(node: NodeProto): NodeProto {
  for (const { name, t } of node.attribute) {
    if (t && onnxType(t.dataType)?.dtype === "float32") {
      setAttribute(node, name, { tensor: makeTensor(t.name, widened(readTensor(t, none))) });
    }
  }
  if (node.opType === "Cast" && intAttribute(node, "to", 0) === float) setAttribute(node, "to", double);
  return node;
}

/** x [N, C, ...] with a window of `filters` [M, C / group, ...] over it, as one product for each group. */
function convolved(
  b: GraphBuilder,
  x: Value,
  filters: Value,
  out: readonly number[],
  {
    strides,
    dilations,
    begin,
    group,
  }: Readonly<Record<"strides" | "dilations" | "begin", readonly number[]>> & { group: number },
): Value {
  const [batch, channels] = x.shape as [number, number];
  const kernel = filters.shape.slice(2);
  const [taps, places] = [product(kernel), product(out)];
  const [own, made] = [channels / group, filters.shape[0]! / group];
  const reach = out.map((size, at) => (size - 1) * strides[at]! + (kernel[at]! - 1) * dilations[at]! + 1);
  const sized = padded(
    b,
    x,
    begin,
    reach.map((size, at) => size - x.shape[at + 2]! - begin[at]!),
  );
  // by tap all places, or by place all taps: whichever is fewer slices
  const byTap = taps <= places;
  const [outer, inner] = byTap ? [kernel, out] : [out, kernel];
  const [jump, step] = byTap ? [dilations, strides] : [strides, dilations];
  const parts = indicesOf(outer).map((index) => {
    const starts = index.map((at, axis) => at * jump[axis]!);
    const part = strided(b, sized, starts, step, inner);
    return b.reshape(part, byTap ? [batch, group, own, 1, places] : [batch, group, own, taps, 1]);
  });
  const columns = b.reshape(b.concat(parts, byTap ? 3 : 4), [batch, group, own * taps, places]);
  const result = b.matmul(b.reshape(filters, [1, group, made, own * taps]), columns);
  return b.reshape(result, [batch, group * made, ...out]);
}

/** Zeros before and behind every spatial axis; what is negative is cut off. */
function padded(b: GraphBuilder, x: Value, begin: readonly number[], end: readonly number[]): Value {
  if ([...begin, ...end].every((pad) => pad === 0)) return x;
  const shape = x.shape.map((size, at) => size + (begin[at - 2] ?? 0) + (end[at - 2] ?? 0));
  return b.op("Pad", [x, b.ints([0, 0, ...begin, 0, 0, ...end])], { dtype: x.dtype, shape });
}

function strided(
  b: GraphBuilder,
  x: Value,
  starts: readonly number[],
  steps: readonly number[],
  sizes: readonly number[],
): Value {
  const shape = [...x.shape.slice(0, 2), ...sizes];
  if (shape.every((size, at) => size === x.shape[at])) return x;
  const ends = sizes.map((size, at) => starts[at]! + (size - 1) * steps[at]! + 1);
  const axes = sizes.map((_, at) => at + 2);
  return b.op("Slice", [x, b.ints(starts), b.ints(ends), b.ints(axes), b.ints(steps)], { dtype: x.dtype, shape });
}

function indicesOf(sizes: readonly number[]): readonly (readonly number[])[] {
  return sizes.reduce<readonly (readonly number[])[]>(
    (all, size) => all.flatMap((index) => Array.from({ length: size }, (_, at) => [...index, at])),
    [[]],
  );
}

/** A bias for each channel. */
function biased(b: GraphBuilder, x: Value, bias: Value | undefined): Value {
  return bias
    ? b.add(
        x,
        b.reshape(
          bias,
          x.shape.map((_, at) => (at === 1 ? bias.shape[0]! : 1)),
        ),
      )
    : x;
}

const conv: Decomposition = ({ node, b, inputs, outputs }) => {
  const [x, w, bias] = inputs as readonly [Value, Value, Value | undefined];
  const out = spatial(outputs[0]!);
  const window = windowOf(node, w.shape.slice(2), spatial(x), out);
  return [biased(b, convolved(b, x, w, out, { ...window, group: groupOf(node) }), bias)];
};

/** As a convolution of the filters turned round over x with zeros between its elements. */
const convTranspose: Decomposition = ({ node, b, inputs, outputs }) => {
  const [x, w, bias] = inputs as readonly [Value, Value, Value | undefined];
  const group = groupOf(node);
  const kernel = w.shape.slice(2);
  const [small, large] = [spatial(x), spatial(outputs[0]!)];
  const { strides, dilations, begin } = windowOf(node, kernel, large, small);
  const ones = kernel.map(() => 1);
  const apart = b.reshape(x, [...x.shape.slice(0, 2), ...small.flatMap((size) => [size, 1])]);
  const between = padded(
    b,
    apart,
    kernel.flatMap(() => [0, 0]),
    strides.flatMap((stride) => [0, stride - 1]),
  );
  const spread = b.reshape(between, [...x.shape.slice(0, 2), ...small.map((size, at) => size * strides[at]!)]);
  const first = kernel.map((size, at) => dilations[at]! * (size - 1) - begin[at]!);
  const last = kernel.map((size, at) => large[at]! + dilations[at]! * (size - 1) - first[at]! - spread.shape[at + 2]!);
  const [own, made, taps] = [w.shape[0]! / group, w.shape[1]!, product(kernel)];
  const swapped = b.transpose(b.reshape(w, [group, own, made, taps]), [0, 2, 1, 3]);
  const back = b.ints(Array.from({ length: taps }, (_, at) => taps - 1 - at));
  const turned = taps === 1 ? swapped : b.op("Gather", [swapped, back], swapped, { axis: 3 });
  const filters = b.reshape(turned, [group * made, own, ...kernel]);
  const how = { strides: ones, dilations, begin: ones.map(() => 0), group };
  return [biased(b, convolved(b, padded(b, spread, first, last), filters, large, how), bias)];
};

const averagePool: Decomposition = ({ node, b, inputs, outputs, refuse }) => {
  const x = inputs[0]!;
  if (intAttribute(node, "ceil_mode", 0) !== 0) return refuse("it rounds up");
  const [kernel, out] = [intsAttribute(node, "kernel_shape")!.map(Number), spatial(outputs[0]!)];
  const ones = (shape: readonly number[]) => b.filled(1, { dtype: x.dtype, shape });
  const sums = (of: Value) => {
    const how = { ...windowOf(node, kernel, spatial(x), out), group: of.shape[1]! };
    return convolved(b, of, ones([of.shape[1]!, 1, ...kernel]), out, how);
  };
  if (intAttribute(node, "count_include_pad", 0) === 1) return [b.mul(sums(x), 1 / product(kernel))];
  return [b.div(sums(x), sums(ones([1, 1, ...spatial(x)])))];
};

/** A matrix along each axis that is resized. */
const resize: Decomposition = ({ node, b, inputs, outputs, constant }) => {
  const word = (name: string, fallback: string) => stringAttribute(node, name, fallback) as never;
  const how = {
    mode: word("mode", "nearest"),
    coordinates: word("coordinate_transformation_mode", "half_pixel"),
    nearest: word("nearest_mode", "round_prefer_floor"),
    cubicA: floatAttribute(node, "cubic_coeff_a", -0.75),
    excludeOutside: intAttribute(node, "exclude_outside", 0) === 1,
  };
  const scales = constant(2) ? numbersOf(constant(2)!) : [];
  return [
    outputs[0]!.shape.reduce((x, resized, axis) => {
      const size = x.shape[axis]!;
      if (size === resized) return x;
      const matrix = interpolationMatrix(how, size, resized, Math.fround(scales[axis] ?? resized / size));
      const [ahead, behind] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
      const map = b.constant({ dtype: "float64", shape: [resized, size], data: Float64Array.from(matrix) });
      const rows = b.reshape(x, [elementCount(ahead), size, elementCount(behind)]);
      return b.reshape(b.matmul(map, rows), [...ahead, resized, ...behind]);
    }, inputs[0]!),
  ];
};

const fusedMatMul: Decomposition = ({ node, b, inputs }) => {
  const flag = (name: string) => intAttribute(node, name, 0) === 1;
  const how = { transX: flag("transA"), transY: flag("transB"), alpha: floatAttribute(node, "alpha", 1) };
  return [b.matmul(inputs[0]!, inputs[1]!, how)];
};

const hardSigmoid: Decomposition = ({ node, b, inputs }) => {
  const line = b.add(b.mul(inputs[0]!, floatAttribute(node, "alpha", 0.2)), floatAttribute(node, "beta", 0.5));
  return [b.binary("Min", b.binary("Max", line, 0), 1)];
};

/** erf x = 2 / sqrt(pi) e^-t x (1 + 2 t / 3 + (2 t)^2 / (3 5) + ...), t = x^2, as far as it is not 1. */
function erf(b: GraphBuilder, x: Value): Value {
  const inside = b.binary("Max", b.binary("Min", x, 6), -6);
  const square = b.mul(inside, inside);
  let sum: Value = b.filled(1, x);
  for (let term = 130; term > 0; term--) sum = b.add(b.mul(b.mul(sum, square), 2 / (2 * term + 1)), 1);
  return b.mul(b.mul(b.map("Exp", b.map("Neg", square)), b.mul(inside, sum)), 2 / Math.sqrt(Math.PI));
}

const gelu: Decomposition = ({ node, b, inputs: [x] }) => {
  const cubic = () => b.mul(b.add(x!, b.mul(b.binary("Pow", x!, 3), 0.044715)), Math.sqrt(2 / Math.PI));
  const isTanh = stringAttribute(node, "approximate", "none") === "tanh";
  const share = isTanh ? b.map("Tanh", cubic()) : erf(b, b.mul(x!, Math.SQRT1_2));
  return [b.mul(b.mul(x!, 0.5), b.add(share, 1))];
};

const layerNormalization: Decomposition = ({ node, b, inputs }) => {
  const [x, scale, shift] = inputs as readonly [Value, Value, Value | undefined];
  const first = axisOf(intAttribute(node, "axis", -1), x.shape.length);
  const axes = x.shape.flatMap((_, at) => (at < first ? [] : [at]));
  const mean = b.reduce("ReduceMean", x, axes);
  const centred = b.sub(x, mean);
  const variance = b.reduce("ReduceMean", b.mul(centred, centred), axes);
  const inverse = b.map("Reciprocal", b.map("Sqrt", b.add(variance, floatAttribute(node, "epsilon", 1e-5))));
  const scaled = b.mul(b.mul(centred, inverse), scale);
  return [shift ? b.add(scaled, shift) : scaled, mean, inverse];
};

const instanceNormalization: Decomposition = ({ node, b, inputs }) => {
  const [x, scale, shift] = inputs as readonly [Value, Value, Value];
  const axes = spatial(x).map((_, at) => at + 2);
  const centred = b.sub(x, b.reduce("ReduceMean", x, axes));
  const variance = b.reduce("ReduceMean", b.mul(centred, centred), axes);
  const spread = b.map("Sqrt", b.add(variance, floatAttribute(node, "epsilon", 1e-5)));
  const byChannel = (value: Value) => b.reshape(value, [1, value.shape[0]!, ...axes.map(() => 1)]);
  return [b.add(b.mul(b.div(centred, spread), byChannel(scale)), byChannel(shift))];
};

/** Operators without a float64 kernel. */
const exact: DecompositionTable = {
  Conv: conv,
  ConvTranspose: convTranspose,
  AveragePool: averagePool,
  GlobalAveragePool: ({ b, inputs: [x] }) => [
    b.reduce(
      "ReduceMean",
      x!,
      spatial(x!).map((_, at) => at + 2),
    ),
  ],
  MaxUnpool({ b, inputs, outputs }) {
    const [x, places] = inputs as readonly [Value, Value];
    const flat = (value: Value) => b.reshape(value, [elementCount(value.shape)]);
    const zeros = b.filled(0, { dtype: x.dtype, shape: [elementCount(outputs[0]!.shape)] });
    return [b.reshape(b.op("ScatterElements", [zeros, flat(places), flat(x)], zeros, { axis: 0 }), outputs[0]!.shape)];
  },
  Resize: resize,
  HardSigmoid: hardSigmoid,
  LeakyRelu: ({ node, b, inputs: [x] }) => [
    b.add(b.binary("Max", x!, 0), b.mul(b.binary("Min", x!, 0), floatAttribute(node, "alpha", 0.01))),
  ],
  PRelu: ({ b, inputs: [x, slope] }) => [b.add(b.binary("Max", x!, 0), b.mul(b.binary("Min", x!, 0), slope!))],
  Erf: ({ b, inputs: [x] }) => [erf(b, x!)],
  Gelu: gelu,
  InstanceNormalization: instanceNormalization,
  // its statistics are float32 otherwise
  LayerNormalization: layerNormalization,
  "com.microsoft:FusedMatMul": fusedMatMul,
};
