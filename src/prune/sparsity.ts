import {
  graphsOf,
  type ModelProto,
  type ReadExternal,
  readTensor,
  type TensorProto,
  tensorInfo,
} from "../formats/onnx.js";
import { cloneModel } from "../graph/clone.js";
import { intAttribute } from "../graph/node.js";
import { type Scope, viewModel } from "../graph/scope.js";
import { type StoreBytes, storedTensor } from "../graph/stored.js";
import { castTensor } from "../tensor/cast.js";
import { numbersOf } from "../tensor/numbers.js";
import { elementCount, type Tensor } from "../tensor/tensor.js";
import { operatorOf } from "./node-names.js";

/**
 * Which weights become zero: of each `of` in a row along the axis that is summed over all but the largest `keep` (2:4), or
 * the smallest `share` of all, over the whole model or in every tensor.
 */
export type SparsityPattern =
  | { readonly kind: "blocks"; readonly keep: number; readonly of: number }
  | { readonly kind: "smallest"; readonly share: number; readonly over: "model" | "tensor" };

export interface Sparse {
  readonly model: ModelProto;
  /** Tensors looked at, their elements, and those of them that are zero now. */
  readonly tensors: number;
  readonly elements: number;
  readonly zeros: number;
}

/** A weight of a product or convolution. */
interface Weight {
  readonly tensor: TensorProto;
  /** The axis that is summed over. */
  readonly axis: number;
}

const floats: ReadonlySet<string> = new Set(["float32", "float16", "float64"]);

/**
 * The model with zeros among the weights of its products and convolutions, by magnitude. The file is no smaller for it and
 * onnxruntime no faster: it has no kernels that leave zeros out. For runtimes that have, and for measuring what a model
 * bears. `model` stays as it is; weights matching `keep` stay too.
 */
export function sparsify(
  model: ModelProto,
  pattern: SparsityPattern,
  keep: readonly RegExp[],
  readExternal: ReadExternal,
  store: StoreBytes | undefined,
): Sparse {
  const result = cloneModel(model);
  const all = weightsOf(result).filter(({ tensor }) => !keep.some((one) => tensor.name.search(one) >= 0));
  const read = ({ tensor }: Weight) => readFloats(tensor, readExternal);
  const weights = pattern.kind === "blocks" ? all.filter((one) => one.tensor.dims[one.axis]! >= pattern.of) : all;
  const replaced = new Map<TensorProto, TensorProto>();
  let [elements, zeros] = [0, 0];
  const common =
    pattern.kind === "smallest" && pattern.over === "model" ? createCut(weights, read, pattern.share) : undefined;
  for (const weight of weights) {
    const { shape, data } = read(weight);
    if (pattern.kind === "blocks") zeroInBlocks(data, shape, weight.axis, pattern.keep, pattern.of);
    else (common ?? createCut([weight], () => ({ shape, data }), pattern.share))(data);
    elements += data.length;
    for (const value of data) if (value === 0) zeros += 1;
    replaced.set(weight.tensor, rewritten(weight.tensor, { dtype: "float32", shape, data }, store));
  }
  for (const graph of graphsOf(result.graph!)) {
    graph.initializer = graph.initializer.map((tensor) => replaced.get(tensor) ?? tensor);
  }
  return { model: result, tensors: weights.length, elements, zeros };
}

/** Each stored weight once, by the first node that multiplies with it. */
function weightsOf(model: ModelProto): readonly Weight[] {
  const view = viewModel(model);
  const found = new Map<TensorProto, Weight>();
  const add = (scope: Scope, name: string | undefined, axisOf: (rank: number) => number) => {
    const held = name ? view.initializerOf(scope, name) : undefined;
    if (!held || held.scope.inputs.has(name!) || found.has(held.tensor)) return;
    const { shape, type } = tensorInfo(held.tensor);
    if (floats.has(type) && shape.length >= 2)
      found.set(held.tensor, { tensor: held.tensor, axis: axisOf(shape.length) });
  };
  for (const scope of view.scopes) {
    for (const node of scope.graph.node) {
      const [a, b] = node.input;
      switch (operatorOf(node)) {
        case "Conv":
          add(scope, b, () => 1);
          break;
        case "ConvTranspose":
          add(scope, b, () => 0);
          break;
        case "MatMul":
          add(scope, a, (rank) => rank - 1);
          add(scope, b, (rank) => rank - 2);
          break;
        case "Gemm":
          add(scope, a, () => (intAttribute(node, "transA", 0) ? 0 : 1));
          add(scope, b, () => (intAttribute(node, "transB", 0) ? 1 : 0));
      }
    }
  }
  return [...found.values()];
}

interface Floats {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** A copy that can be changed. */
function readFloats(tensor: TensorProto, readExternal: ReadExternal): Floats {
  const read = readTensor(tensor, readExternal);
  return { shape: read.shape, data: Float32Array.from(numbersOf(read)) };
}

function rewritten(before: TensorProto, floats32: Tensor, store: StoreBytes | undefined): TensorProto {
  const { type } = tensorInfo(before);
  const made = storedTensor(before.name, castTensor(floats32, type as Tensor["dtype"])!, store);
  made.docString = before.docString;
  return made;
}

/** Of the `of` elements that lie in a row along the axis only the largest `keep` stay; so too of fewer at the end. */
function zeroInBlocks(data: Float32Array, shape: readonly number[], axis: number, keep: number, of: number): void {
  const size = shape[axis]!;
  const inner = elementCount(shape.slice(axis + 1));
  for (let start = 0; start < data.length; start += size * inner) {
    for (let at = 0; at < inner; at++) {
      for (let block = 0; block < size; block += of) {
        const places = Array.from({ length: Math.min(of, size - block) }, (_, i) => start + (block + i) * inner + at);
        places.sort((a, b) => Math.abs(data[b]!) - Math.abs(data[a]!) || a - b);
        for (const place of places.slice(keep)) data[place] = 0;
      }
    }
  }
}

/**
 * Sets the smallest share of all elements of these weights to zero, weight by weight in their order; of equal ones the
 * first. Found by counting the bits of magnitudes, half of them at a time, since they rise as magnitudes do.
 */
function createCut(
  weights: readonly Weight[],
  read: (weight: Weight) => Floats,
  share: number,
): (data: Float32Array) => void {
  const total = weights.reduce((sum, { tensor }) => sum + tensorInfo(tensor).elements, 0);
  const wanted = Math.round(share * total);
  const countBits = (digitOf: (bits: number) => number | undefined): Uint32Array => {
    const counts = new Uint32Array(65536);
    for (const weight of weights) {
      const { data } = read(weight);
      for (const bits of new Uint32Array(data.buffer)) {
        const digit = digitOf(bits & 0x7fffffff);
        if (digit !== undefined) counts[digit] = counts[digit]! + 1;
      }
    }
    return counts;
  };
  const place = (counts: Uint32Array, before: number): readonly [digit: number, before: number] => {
    let sum = before;
    for (let digit = 0; digit < counts.length; digit++) {
      if (sum + counts[digit]! >= wanted) return [digit, sum];
      sum += counts[digit]!;
    }
    return [65535, sum];
  };
  const [high, beforeHigh] = place(
    countBits((bits) => bits >>> 16),
    0,
  );
  const [low, before] = place(
    countBits((bits) => (bits >>> 16 === high ? bits & 0xffff : undefined)),
    beforeHigh,
  );
  const limit = high * 65536 + low;
  let ties = wanted - before;
  return (data) => {
    const bits = new Uint32Array(data.buffer);
    for (let at = 0; at < bits.length; at++) {
      const magnitude = bits[at]! & 0x7fffffff;
      if (magnitude < limit || (magnitude === limit && ties-- > 0)) data[at] = 0;
    }
  };
}
