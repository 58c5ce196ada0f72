import type { Batch } from "../data/batch.js";
import { type ModelProto, makeTensor, type NodeProto, type ReadExternal, readTensor } from "../formats/onnx.js";
import { cloneModel, copy } from "../graph/clone.js";
import { freshNames } from "../graph/names.js";
import { removeAttributes } from "../graph/node.js";
import { numbersOf } from "../tensor/numbers.js";
import type { Tensor } from "../tensor/tensor.js";
import { openValues } from "./damage.js";
import { symmetricEigen } from "./eigen.js";
import type { ThickWeight } from "./thick-weights.js";

/** Directions along which a product is worth keeping, best first, and what share of its power each brings. */
export interface RankBasis {
  readonly weight: ThickWeight;
  /** `left` [out, n] and `right` [n, inner] for the first n: M is about left[:, :r] right[:r]. */
  readonly left: Float64Array;
  readonly right: Float64Array;
  readonly size: number;
  readonly power: Float64Array;
}

/** Products of more outputs are looked at from the side of their inputs. */
const widest = 1024;

/**
 * The best bases for what the products come to on the samples (without samples, for the weights themselves): principal
 * directions of the outputs, or for very wide ones of the inputs under the weight.
 */
export async function rankBases(
  model: ModelProto,
  weights: readonly ThickWeight[],
  samples: readonly Batch[],
  readExternal: ReadExternal,
): Promise<readonly RankBasis[]> {
  const graph = model.graph!;
  const tensors = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const numbers = (name: string) => numbersOf(readTensor(tensors.get(name)!, readExternal));
  const fromOutputs = ({ out, kind }: ThickWeight) => out <= widest || kind === "Conv";
  const moments = new Map(
    weights.map((weight) => [weight, new Float64Array((fromOutputs(weight) ? weight.out : weight.inner) ** 2)]),
  );
  const positions = new Map<ThickWeight, number>();
  if (samples.length > 0 && weights.length > 0) {
    const lookedAt = (weight: ThickWeight) => (fromOutputs(weight) ? weight.output : weight.input);
    const fed = new Set(graph.input.map(({ name }) => name));
    const values = new Set(weights.map(lookedAt).filter((name) => !fed.has(name)));
    // a model that is one product of its input needs no run
    const session = values.size > 0 ? await openValues(model, [...values], readExternal) : undefined;
    try {
      for (const feeds of samples) {
        const results: Batch = (await session?.run(feeds)) ?? new Map();
        for (const [weight, sum] of moments) {
          const value = lookedAt(weight);
          const output = fromOutputs(weight);
          const bias = output && weight.bias && tensors.has(weight.bias) ? numbers(weight.bias) : undefined;
          const seen = addMoments(
            sum,
            results.get(value) ?? feeds.get(value)!,
            output && weight.kind === "Conv" ? 1 : -1,
            bias,
          );
          positions.set(weight, (positions.get(weight) ?? 0) + seen);
        }
      }
    } finally {
      await session?.close();
    }
  }
  return weights.map((weight) => {
    const m = matrixOf(weight, numbers(weight.name));
    const seen = positions.get(weight) ?? 0;
    const output = fromOutputs(weight);
    const n = output ? weight.out : weight.inner;
    const plain = output ? gram(m, weight.out, weight.inner) : identity(n);
    const moment = withDoubt(mirrored(moments.get(weight)!, n), seen, plain, n);
    return output ? outputBasis(weight, m, moment) : inputBasis(weight, m, moment);
  });
}

/** Positions without preference per feature. */
const doubt = 0.1;

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

/** Positions of one sample that are looked at. */
const mostPositions = 2048;

/** Adds the products of all pairs of features, at some positions. */
function addMoments(
  sum: Float64Array,
  { shape, ...rest }: Tensor,
  axis: number,
  bias: ArrayLike<number> | undefined,
): number {
  const data = numbersOf({ shape, ...rest });
  const at = axis < 0 ? shape.length - 1 : axis;
  const n = shape[at]!;
  const stride = shape.slice(at + 1).reduce((product, size) => product * size, 1);
  const positions = data.length / n;
  const step = Math.max(1, Math.ceil(positions / mostPositions));
  const row = new Float64Array(n);
  let seen = 0;
  for (let p = 0; p < positions; p += step) {
    seen += 1;
    const start = Math.floor(p / stride) * stride * n + (p % stride);
    for (let i = 0; i < n; i++) row[i] = data[start + i * stride]! - (bias ? bias[i]! : 0);
    for (let i = 0; i < n; i++) {
      const one = row[i]!;
      for (let j = 0; j <= i; j++) sum[i * n + j] = sum[i * n + j]! + one * row[j]!;
    }
  }
  return seen;
}

function mirrored(lower: Float64Array, n: number): Float64Array {
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) lower[j * n + i] = lower[i * n + j]!;
  return lower;
}

/** M = Q QT M for orthonormal Q; the first columns of Q are the principal directions of the outputs. */
function outputBasis(weight: ThickWeight, m: Float64Array, moment: Float64Array): RankBasis {
  const { out, inner } = weight;
  const size = Math.min(out, inner);
  const { values, vectors } = symmetricEigen(moment, out);
  const left = new Float64Array(out * size);
  const right = new Float64Array(size * inner);
  for (let r = 0; r < size; r++) {
    const q = vectors[r]!;
    for (let o = 0; o < out; o++) {
      left[o * size + r] = q[o]!;
      for (let i = 0; i < inner; i++) right[r * inner + i] = right[r * inner + i]! + q[o]! * m[o * inner + i]!;
    }
  }
  return { weight, left, right, size, power: powerOf(values, size) };
}

/** M = (M S V) (VT S^-1) with S the root of the inputs' moments and V the right singular vectors of M S. */
function inputBasis(weight: ThickWeight, m: Float64Array, moment: Float64Array): RankBasis {
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
  const { values, vectors } = symmetricEigen(mirrored(turned, inner), inner);
  const v = new Float64Array(inner * size);
  const right = new Float64Array(size * inner);
  for (let r = 0; r < size; r++) {
    for (let i = 0; i < inner; i++) v[i * size + r] = vectors[r]![i]!;
    right.set(product(vectors[r]!, inverse, 1, inner, inner), r * inner);
  }
  return { weight, left: product(scaled, v, out, inner, size), right, size, power: powerOf(values, size) };
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

function powerOf(values: Float64Array, size: number): Float64Array {
  const positive = values.map((value) => Math.max(0, value));
  const total = positive.reduce((sum, value) => sum + value, 0) || 1;
  return positive.slice(0, size).map((value) => value / total);
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
