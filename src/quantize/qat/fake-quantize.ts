import { makeTensor, type NodeProto, type TensorProto } from "../../formats/onnx.js";
import type { FreshName } from "../../graph/names.js";
import { type AttributeValue, makeNode } from "../../graph/node.js";
import type { QuantizedWeight } from "../../tensor/quantized.js";
import type { Tensor } from "../../tensor/tensor.js";
import { weightBounds } from "./rounding.js";

/** Nodes and constants of fake quantization in the making. */
export interface NodeWriter {
  readonly fresh: FreshName;
  readonly nodes: NodeProto[];
  readonly initializers: TensorProto[];
  /** Writes a node; without `output` its output gets a name made of the hint. Returns the output. */
  put(
    opType: string,
    inputs: readonly string[],
    hint: string,
    output?: string,
    attributes?: Readonly<Record<string, AttributeValue>>,
  ): string;
  /** A float32 or int64 constant; small equal ones are shared. */
  constant(tensor: Tensor): string;
  scalar(value: number): string;
  ints(values: readonly number[]): string;
}

export function startNodes(fresh: FreshName): NodeWriter {
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const shared = new Map<string, string>();
  const constant = (tensor: Tensor): string => {
    const key = tensor.data.length > 8 ? undefined : `${tensor.dtype} ${tensor.shape} ${[...(tensor.data as never[])]}`;
    const found = key === undefined ? undefined : shared.get(key);
    if (found !== undefined) return found;
    const proto = makeTensor(fresh("fake_constant"), tensor);
    initializers.push(proto);
    if (key !== undefined) shared.set(key, proto.name);
    return proto.name;
  };
  return {
    fresh,
    nodes,
    initializers,
    put(opType, inputs, hint, output = fresh(hint), attributes = {}) {
      nodes.push(makeNode(opType, fresh(`${hint}_${opType}`), inputs, [output], attributes));
      return output;
    },
    constant,
    scalar: (value) => constant({ dtype: "float32", shape: [], data: Float32Array.of(value) }),
    ints: (values) =>
      constant({ dtype: "int64", shape: [values.length], data: BigInt64Array.from(values, (value) => BigInt(value)) }),
  };
}

/** How the scales of a weight lie beside it. */
export interface StepLayout {
  /** The shape the weight is looked at in: as it is, or its axis cut into [blocks, size]. */
  readonly sizes: readonly number[];
  /** The shape of the scales, row-major as in the file; they broadcast over `sizes` unless the last block is shorter. */
  readonly steps: readonly number[];
  readonly ragged: boolean;
}

export function stepLayout({
  form,
  shape,
  scaleShape,
}: Pick<QuantizedWeight, "form" | "shape" | "scaleShape">): StepLayout {
  const { granularity, axis, blockSize = 1 } = form;
  if (granularity === "tensor") return { sizes: shape, steps: [], ragged: false };
  if (granularity === "channel") {
    return { sizes: shape, steps: shape.map((size, at) => (at === axis ? size : 1)), ragged: false };
  }
  const size = shape[axis]!;
  if (blockSize >= size) return { sizes: shape, steps: scaleShape, ragged: false };
  const around = (middle: readonly number[]) => [...shape.slice(0, axis), ...middle, ...shape.slice(axis + 1)];
  const ragged = size % blockSize !== 0;
  return {
    sizes: ragged ? shape : around([size / blockSize, blockSize]),
    steps: around([scaleShape[axis]!, 1]),
    ragged,
  };
}

/**
 * Rounds the float weight called `source` to what its integers will stand for: Div, Clip, Round, Mul with the scales
 * called `scale` (of the layout's shape), zero points by Add and Sub. In this order the rules of Clip and Mul give the
 * straight-through gradient, and that of learned step sizes (LSQ), by themselves. The result is called `output`.
 */
export function fakeWeight(
  work: NodeWriter,
  source: string,
  scale: string,
  weight: Pick<QuantizedWeight, "form" | "shape" | "scaleShape" | "zeroPoints">,
  output: string,
): void {
  const { form, shape, zeroPoints } = weight;
  const { axis, blockSize = 1 } = form;
  const { sizes, steps, ragged } = stepLayout(weight);
  const { low, high } = weightBounds(form);
  const hint = output;
  const cut = sizes.length !== shape.length;
  const stretch = (value: string): string => {
    if (!ragged) return value;
    const blocks = steps[axis]!;
    const around = (middle: readonly number[]) => [...shape.slice(0, axis), ...middle, ...shape.slice(axis + 1)];
    const wide = work.put("Expand", [value, work.ints(around([blocks, blockSize]))], hint);
    const long = work.put("Reshape", [wide, work.ints(around([blocks * blockSize]))], hint);
    return work.put("Slice", [long, ...[[0], [shape[axis]!], [axis]].map(work.ints)], hint);
  };
  const step = stretch(scale);
  const zero =
    form.symmetric || !zeroPoints
      ? undefined
      : stretch(work.constant({ dtype: "float32", shape: steps, data: Float32Array.from(zeroPoints) }));
  let value = cut ? work.put("Reshape", [source, work.ints(sizes)], hint) : source;
  value = work.put("Div", [value, step], hint);
  if (zero !== undefined) value = work.put("Add", [value, zero], hint);
  value = work.put("Clip", [value, work.scalar(low), work.scalar(high)], hint);
  value = work.put("Round", [value], hint);
  if (zero !== undefined) value = work.put("Sub", [value, zero], hint);
  value = work.put("Mul", [value, step], hint, cut ? undefined : output);
  if (cut) work.put("Reshape", [value, work.ints(shape)], hint, output);
}

/** As QuantizeLinear, but the result is a float with the zero point taken away: Div, Clip, Round. */
export function fakeQuantizeLinear(
  work: NodeWriter,
  source: string,
  scale: string,
  { low, high }: { readonly low: number; readonly high: number },
  output: string,
): void {
  const quotient = work.put("Div", [source, scale], output);
  const clipped = work.put("Clip", [quotient, work.scalar(low), work.scalar(high)], output);
  work.put("Round", [clipped], output, output);
}

/** The largest float32 below 2^31: no bias becomes an integer beyond 32 bits. */
export const largestInteger = 2 ** 31 - 128;

/** The bias called `source` as its 32-bit integers will stand for it; its scales are the product of two. */
export function fakeBias(
  work: NodeWriter,
  source: string,
  weightScale: string,
  inputScale: string,
  channels: number,
  output: string,
): void {
  const row = work.put("Reshape", [weightScale, work.ints([channels])], output);
  const scale = work.put("Mul", [row, inputScale], output);
  const bounds = { low: -largestInteger, high: largestInteger };
  const whole = work.fresh(`${output}_integers`);
  fakeQuantizeLinear(work, source, scale, bounds, whole);
  work.put("Mul", [whole, scale], output, output);
}
