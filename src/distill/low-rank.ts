import type { Batch } from "../data/batch.js";
import { type ModelProto, makeTensor, type NodeProto, type ReadExternal, readTensor } from "../formats/onnx.js";
import { cloneModel, copy } from "../graph/clone.js";
import { freshNames } from "../graph/names.js";
import { removeAttributes } from "../graph/node.js";
import { numbersOf } from "../tensor/numbers.js";
import type { Tensor } from "../tensor/tensor.js";
import { symmetricEigen } from "./eigen.js";
import { fromOutputs, mirrored, momentsOf } from "./moments.js";
import type { ThickWeight } from "./thick-weights.js";

/** Directions along which a product is worth keeping, best first, and what share of its power each brings. */
export interface RankBasis {
  readonly weight: ThickWeight;
  /** `left` [out, n] and `right` [n, inner] for the first n: M is about left[:, :r] right[:r]. */
  readonly left: Float64Array;
  readonly right: Float64Array;
  readonly size: number;
  /** What each brings of the product's power, as a share of it, on samples that the basis was not made of. */
  readonly power: Float64Array;
  /** Positions at which the product is computed, in one sample. */
  readonly positions: number;
}

/** Positions per feature that are looked at. */
const lookedAt = { samples: 8, judged: 2 } as const;

/**
 * The best bases for what the products come to on the samples (without samples, for the weights themselves): principal
 * directions of the outputs, or for very wide ones of the inputs under the weight. Their power is that on the samples
 * `judged`, or without such on the samples themselves.
 */
export async function rankBases(
  model: ModelProto,
  weights: readonly ThickWeight[],
  samples: readonly Batch[],
  readExternal: ReadExternal,
  judged: readonly Batch[] = [],
): Promise<readonly RankBasis[]> {
  const tensors = new Map(model.graph!.initializer.map((tensor) => [tensor.name, tensor]));
  const seen = await momentsOf(model, weights, samples, readExternal, lookedAt.samples);
  const others = judged.length > 0 ? await momentsOf(model, weights, judged, readExternal, lookedAt.judged) : undefined;
  return weights.map((weight) => {
    const m = matrixOf(weight, numbersOf(readTensor(tensors.get(weight.name)!, readExternal)));
    const output = fromOutputs(weight);
    const n = output ? weight.out : weight.inner;
    const plain = output ? gram(m, weight.out, weight.inner) : identity(n);
    const { moment, positions, perSample } = seen.get(weight)!;
    const doubted = withDoubt(moment, positions, plain, n);
    const basis = output ? outputBasis(weight, m, doubted) : inputBasis(weight, m, doubted);
    return { ...basis, power: powerOn(basis, others?.get(weight)?.moment ?? doubted), positions: perSample };
  });
}

/**
 * The share of the product's power that each direction brings: its left side is orthonormal but for scale, so that what
 * some ranks leave out is the sum of what each of them brings.
 */
function powerOn(
  { weight, left, right, size }: Omit<RankBasis, "power" | "positions">,
  moment: Float64Array,
): Float64Array {
  const { out, inner } = weight;
  const output = fromOutputs(weight);
  const n = output ? out : inner;
  const powers = new Float64Array(size);
  for (let r = 0; r < size; r++) {
    let square = 0;
    for (let o = 0; o < out; o++) square += left[o * size + r]! ** 2;
    const direction = output
      ? Float64Array.from({ length: n }, (_, o) => left[o * size + r]!)
      : right.subarray(r * inner, (r + 1) * inner);
    let sum = 0;
    for (let i = 0; i < n; i++) {
      let row = 0;
      for (let j = 0; j < n; j++) row += moment[i * n + j]! * direction[j]!;
      sum += row * direction[i]!;
    }
    powers[r] = Math.max(0, output ? sum : sum * square);
  }
  const total = powers.reduce((sum, value) => sum + value, 0) || 1;
  return powers.map((value) => value / total);
}

/** Positions without preference per feature. */
const doubt = 0.01;

/**
 * Moments as if more positions (`doubt` per feature) had been seen, of inputs without any preference: where few
 * were seen (what is pooled shows itself once a sample), those alone must not decide what is kept.
 */
function withDoubt(moment: Float64Array, seen: number, plain: Float64Array, n: number): Float64Array {
  const trace = (matrix: Float64Array) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += matrix[i * n + i]!;
    return sum;
  };
  const power = trace(moment);
  if (seen === 0 || power === 0) return plain;
  const share = (((doubt * n) / seen) * power) / Math.max(trace(plain), 1e-30);
  return moment.map((one, at) => one + share * plain[at]!);
}

function identity(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0));
}

/** M, row-major. */
function matrixOf({ out, inner, turned }: ThickWeight, elements: ArrayLike<number>): Float64Array {
  if (!turned) return Float64Array.from(elements);
  const m = new Float64Array(out * inner);
  for (let i = 0; i < inner; i++) for (let o = 0; o < out; o++) m[o * inner + i] = elements[i * out + o]!;
  return m;
}

/** M = Q QT M for orthonormal Q; the first columns of Q are the principal directions of the outputs. */
function outputBasis(
  weight: ThickWeight,
  m: Float64Array,
  moment: Float64Array,
): Omit<RankBasis, "power" | "positions"> {
  const { out, inner } = weight;
  const size = Math.min(out, inner);
  const { vectors } = symmetricEigen(moment, out);
  const left = new Float64Array(out * size);
  const right = new Float64Array(size * inner);
  for (let r = 0; r < size; r++) {
    const q = vectors[r]!;
    for (let o = 0; o < out; o++) {
      left[o * size + r] = q[o]!;
      for (let i = 0; i < inner; i++) right[r * inner + i] = right[r * inner + i]! + q[o]! * m[o * inner + i]!;
    }
  }
  return { weight, left, right, size };
}

/** M = (M S V) (VT S^-1) with S the root of the inputs' moments and V the right singular vectors of M S. */
function inputBasis(
  weight: ThickWeight,
  m: Float64Array,
  moment: Float64Array,
): Omit<RankBasis, "power" | "positions"> {
  const { out, inner } = weight;
  const size = Math.min(out, inner);
  const [root, inverse] = roots(moment, inner);
  const scaled = product(m, root, out, inner, inner);
  const turned = new Float64Array(inner * inner);
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < inner; i++) {
      const one = scaled[o * inner + i]!;
      for (let j = 0; j <= i; j++) turned[i * inner + j] = turned[i * inner + j]! + one * scaled[o * inner + j]!;
    }
  }
  const { vectors } = symmetricEigen(mirrored(turned, inner), inner);
  const v = new Float64Array(inner * size);
  const right = new Float64Array(size * inner);
  for (let r = 0; r < size; r++) {
    for (let i = 0; i < inner; i++) v[i * size + r] = vectors[r]![i]!;
    right.set(product(vectors[r]!, inverse, 1, inner, inner), r * inner);
  }
  return { weight, left: product(scaled, v, out, inner, size), right, size };
}

/** The square root of a matrix of moments and its inverse; directions that hardly occur are taken to occur a little. */
function roots(moment: Float64Array, n: number): readonly [Float64Array, Float64Array] {
  const { values, vectors } = symmetricEigen(moment, n);
  const least = Math.max(1e-6 * values[0]!, 1e-30);
  const made = [new Float64Array(n * n), new Float64Array(n * n)] as const;
  for (let r = 0; r < n; r++) {
    const scale = Math.sqrt(Math.max(values[r]!, least));
    const vector = vectors[r]!;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const one = vector[i]! * vector[j]!;
        made[0][i * n + j] = made[0][i * n + j]! + one * scale;
        made[1][i * n + j] = made[1][i * n + j]! + one / scale;
      }
    }
  }
  return made;
}

function gram(m: Float64Array, rows: number, columns: number): Float64Array {
  const result = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < columns; k++) sum += m[i * columns + k]! * m[j * columns + k]!;
      result[i * rows + j] = sum;
    }
  }
  return mirrored(result, rows);
}

function product(a: Float64Array, b: Float64Array, rows: number, inner: number, columns: number): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inner; k++) {
      const one = a[i * inner + k]!;
      for (let j = 0; j < columns; j++) {
        result[i * columns + j] = result[i * columns + j]! + one * b[k * columns + j]!;
      }
    }
  }
  return result;
}

/** A copy of a model in which products run through fewer directions. */
export function withRanks(
  model: ModelProto,
  choices: readonly { readonly basis: RankBasis; readonly rank: number }[],
): ModelProto {
  const result = cloneModel(model);
  const graph = result.graph!;
  const fresh = freshNames(result);
  const byOutput = new Map(choices.map((choice) => [choice.basis.weight.output, choice]));
  graph.node = graph.node.flatMap((node) => {
    const choice = byOutput.get(node.output[0] ?? "");
    if (!choice) return [node];
    const { weight } = choice.basis;
    const [a, b] = factors(choice.basis, choice.rank);
    const names = [fresh(`${weight.name}_a`), fresh(`${weight.name}_b`)] as const;
    graph.initializer = graph.initializer.filter(({ name }) => name !== weight.name);
    graph.initializer.push(makeTensor(names[0], a), makeTensor(names[1], b));
    return split(node, names, fresh);
  });
  return result;
}

/** The two tensors, as the operator wants them. */
function factors({ weight, left, right, size }: RankBasis, rank: number): readonly [Tensor, Tensor] {
  const { out, inner, kind, turned, shape } = weight;
  const a = new Float32Array(rank * inner);
  const b = new Float32Array(out * rank);
  for (let r = 0; r < rank; r++) {
    // both sides alike in size: training moves them alike
    let [ofLeft, ofRight] = [0, 0];
    for (let o = 0; o < out; o++) ofLeft += left[o * size + r]! ** 2;
    for (let i = 0; i < inner; i++) ofRight += right[r * inner + i]! ** 2;
    const scale = ofLeft > 0 && ofRight > 0 ? (ofRight / inner / (ofLeft / out)) ** 0.25 : 1;
    for (let o = 0; o < out; o++) b[turned ? r * out + o : o * rank + r] = left[o * size + r]! * scale;
    for (let i = 0; i < inner; i++) a[turned ? i * rank + r : r * inner + i] = right[r * inner + i]! / scale;
  }
  const float = (dims: readonly number[], data: Float32Array): Tensor => ({ dtype: "float32", shape: dims, data });
  if (kind === "Conv") {
    return [float([rank, ...shape.slice(1)], a), float([out, rank, ...shape.slice(2).map(() => 1)], b)];
  }
  return turned ? [float([inner, rank], a), float([rank, out], b)] : [float([rank, inner], a), float([out, rank], b)];
}

/** The node as two in a row; the second takes over name, output and bias. */
function split(node: NodeProto, [a, b]: readonly [string, string], fresh: (base: string) => string): NodeProto[] {
  const [first, second] = [copy(node), copy(node)];
  const between = fresh(`${node.output[0]}_rank`);
  first.name = fresh(`${node.name || node.opType}_rank`);
  first.input = [node.input[0]!, a];
  first.output = [between];
  second.input = [between, b, ...node.input.slice(2)];
  if (node.opType === "Conv") {
    removeAttributes(second, "kernel_shape", "strides", "pads", "dilations", "auto_pad");
  }
  return [first, second];
}
