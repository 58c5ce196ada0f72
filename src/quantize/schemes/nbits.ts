import { makeTensor, type NodeProto, type TensorProto } from "../../formats/onnx.js";
import { floatAttribute, intAttribute, isStandard, makeNode } from "../../graph/node.js";
import type { Use } from "../../graph/scope.js";
import { unpackNibbles } from "../../tensor/dequantize.js";
import { packNibbles } from "../../tensor/kernels/reference.js";
import type { QuantizedWeight } from "../../tensor/quantized.js";
import type { GraphEdit } from "../edit.js";
import { packedBytes } from "../forms.js";
import type { Scheme } from "../scheme.js";
import { targetOf } from "../settings.js";
import { type Site, sumAxis } from "../sites.js";
import { isAtLeast, ortSince } from "../target.js";

/** Sizes MatMulNBits takes. */
const blockSizes = [16, 32, 64, 128, 256];

/** 8 bits: the fastest size with the next finer one's noise (K = N = 2048: 0.18 ms, 0.22 with 32); 4 bits need finer ones. */
const defaultBlock = { 8: 128, 4: 32 } as const;

/**
 * MatMul and Gemm as com.microsoft.MatMulNBits: weights [N, blocks, bytes], a scale for each block, activations quantized
 * block by block inside (accuracy_level 4; the others are many times slower). Not a standard operator: onnxruntime only.
 */
export const nbits: Scheme = {
  id: "nbits",
  words: "MatMulNBits",
  plan(site, settings) {
    const refusal = whyNot(site);
    if (refusal !== undefined) return refusal;
    const bits = settings.bits ?? 8;
    const since = bits === 8 ? ortSince.nbits8 : ortSince.nbits4;
    const { ortMin } = targetOf(settings);
    if (!isAtLeast(ortMin, since)) return `MatMulNBits with ${bits} bits needs onnxruntime ${since}`;
    const axis = sumAxis(site)!;
    const depth = site.info.shape[axis]!;
    const columns = site.info.shape[1 - axis]!;
    const blockSize = settings.blockSize ?? smaller(depth, defaultBlock[bits]);
    if (!blockSizes.includes(blockSize)) return `MatMulNBits takes blocks of ${blockSizes.join(", ")} elements`;
    const blocks = Math.ceil(depth / blockSize);
    const symmetric = !settings.asymmetric;
    return {
      // without a zero point the kernel takes the middle of the unsigned range
      form: { bits, signed: false, symmetric, granularity: "block", axis, blockSize },
      bytesAfter:
        columns * (blocks * packedBytes(blockSize, bits) + blocks * 4 + (symmetric ? 0 : packedBytes(blocks, bits))),
    };
  },
  apply(site, _, weight, edit) {
    const { depth, columns, blockSize, values, scales, zeroPoints } = turned(weight);
    const { bits, symmetric } = weight.form;
    const blocks = Math.ceil(depth / blockSize);
    const name = (part: string) => edit.fresh(`${site.info.name}_${part}`);
    const store = (
      part: string,
      shape: readonly number[],
      data: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
    ) => {
      const dtype = data instanceof Float32Array ? "float32" : "uint8";
      const tensor = makeTensor(name(part), { dtype, shape, data });
      edit.add(site.scope, tensor);
      return tensor;
    };
    edit.drop(site.scope, site.tensor);
    edit.useDomain("com.microsoft", 1);
    const integers = store("quantized", [columns, blocks, packedBytes(blockSize, bits)], values);
    const zeros = symmetric ? [] : [store("zero_point", [columns, packedBytes(blocks, bits)], zeroPoints)];
    const scaleOf = (alpha: number): TensorProto =>
      edit.once(site.scope, `nbits:${site.info.name}:${alpha}`, () =>
        store("scale", [columns, blocks], alpha === 1 ? scales : scales.map((scale) => scale * alpha)),
      );
    for (const use of site.weightUses) {
      const scale = scaleOf(alphaOf(use.node));
      const weights = [integers, scale, ...zeros].map((tensor) => tensor.name);
      edit.replace(
        use.scope,
        use.node,
        matMulNBits(use, weights, { K: depth, N: columns, bits, block_size: blockSize }, edit),
      );
    }
    return integers;
  },
};

/** Why MatMulNBits cannot take the place of what reads a site; undefined where it can. */
function whyNot(site: Site): string | undefined {
  const { info, scope, uses, weightUses } = site;
  if (info.type !== "float32") return `is ${info.type}; MatMulNBits is emitted for float32 only`;
  if (info.shape.length !== 2) return `has ${info.shape.length} axes; MatMulNBits takes 2`;
  if (uses.length > weightUses.length) return "other operators read its float values too";
  if (scope.outputs.has(info.name)) return "is an output too";
  for (const { node, input } of weightUses) {
    const { opType } = node;
    if (opType !== "MatMul" && opType !== "Gemm") return `${opType} has no MatMulNBits form`;
    if (input !== 1) return "the weight stands on the left";
    if (opType === "Gemm" && intAttribute(node, "transA", 0) !== 0) return "Gemm turns its input round (transA)";
  }
  return sumAxis(site) === undefined ? "its uses read it both ways round" : undefined;
}

/** The largest size that is no more than `most` and not twice the depth or more. */
function smaller(depth: number, most: number): number {
  return blockSizes.filter((size) => size <= most && (size === 16 || size < depth * 2)).at(-1)!;
}

function alphaOf(node: NodeProto): number {
  return node.opType === "Gemm" && isStandard(node) ? floatAttribute(node, "alpha", 1) : 1;
}

function matMulNBits(
  { node }: Use,
  weights: readonly string[],
  attributes: Readonly<Record<string, number>>,
  edit: GraphEdit,
): readonly NodeProto[] {
  const label = node.name || node.output[0]!;
  const bias = node.opType === "Gemm" ? node.input[2] : undefined;
  const product = bias ? edit.fresh(`${label}_product`) : node.output[0]!;
  const kernel = makeNode("MatMulNBits", edit.fresh(`${label}_nbits`), [node.input[0]!, ...weights], [product], {
    ...attributes,
    accuracy_level: 4,
  });
  kernel.domain = "com.microsoft";
  if (!bias) return [kernel];
  const beta = floatAttribute(node, "beta", 1);
  const add = (value: string) => makeNode("Add", edit.fresh(`${label}_bias`), [product, value], [node.output[0]!]);
  if (beta === 1) return [kernel, add(bias)];
  const scaled = edit.fresh(`${label}_scaled_bias`);
  const factor = makeNode("Constant", edit.fresh(`${label}_beta`), [], [edit.fresh(`${label}_beta`)], {
    value_float: { float: beta },
  });
  const mul = makeNode("Mul", edit.fresh(`${label}_scale_bias`), [bias, factor.output[0]!], [scaled]);
  return [kernel, factor, mul, add(scaled)];
}

interface Turned {
  readonly depth: number;
  readonly columns: number;
  readonly blockSize: number;
  /** [N, blocks, bytes], the last block filled up with its zero point. */
  readonly values: Uint8Array<ArrayBuffer>;
  /** [N, blocks] */
  readonly scales: Float32Array<ArrayBuffer>;
  /** [N, bytes], packed for 4 bits. */
  readonly zeroPoints: Uint8Array<ArrayBuffer>;
}

/** A weight [K, N] or [N, K], cut along K, in the layout of the kernel. */
function turned({ form, shape, values, scales, zeroPoints }: QuantizedWeight): Turned {
  const { axis, bits } = form;
  const blockSize = form.blockSize!;
  const [depth, columns] = [shape[axis]!, shape[1 - axis]!];
  const blocks = Math.ceil(depth / blockSize);
  const flat = bits === 4 ? unpackNibbles(values, depth * columns, false) : values;
  const padded = new Uint8Array(columns * blocks * blockSize);
  const scale = new Float32Array(columns * blocks);
  const zero = new Uint8Array(columns * blocks);
  // distance of neighbours along K and N, in values and in scales
  const [step, stride] = axis === 0 ? [columns, 1] : [1, depth];
  const [scaleStep, scaleStride] = axis === 0 ? [columns, 1] : [1, blocks];
  for (let column = 0; column < columns; column++) {
    for (let block = 0; block < blocks; block++) {
      const from = block * scaleStep + column * scaleStride;
      const to = column * blocks + block;
      scale[to] = scales[from]!;
      zero[to] = zeroPoints ? zeroPoints[from]! : 1 << (bits - 1);
      const start = to * blockSize;
      const end = Math.min(blockSize, depth - block * blockSize);
      for (let at = 0; at < end; at++) padded[start + at] = flat[(block * blockSize + at) * step + column * stride]!;
      padded.fill(zero[to]!, start + end, start + blockSize);
    }
  }
  const result = { depth, columns, blockSize, scales: scale };
  if (bits === 8) return { ...result, values: padded, zeroPoints: zero };
  // the zero points of each column start at a whole byte
  const bytes = packedBytes(blocks, 4);
  const packed = new Uint8Array(columns * bytes);
  for (let column = 0; column < columns; column++) {
    packed.set(packNibbles(zero.subarray(column * blocks, (column + 1) * blocks)), column * bytes);
  }
  return { ...result, values: packNibbles(padded), zeroPoints: packed };
}
