import type { Batch } from "../data/batch.js";
import { type ModelProto, type ReadExternal, readTensor } from "../formats/onnx.js";
import { numbersOf } from "../tensor/numbers.js";
import type { Tensor } from "../tensor/tensor.js";
import { openValues } from "./damage.js";
import type { ThickWeight } from "./thick-weights.js";

/** Products of more outputs are looked at from the side of their inputs. */
const widest = 1024;

/** Whether a product is looked at where it comes out, or where it goes in. */
export const fromOutputs = ({ out, kind }: ThickWeight) => out <= widest || kind === "Conv";

/** Second moments of what is looked at of a product. */
export interface Moments {
  /** Sums of the products of all pairs of features, [n, n]. */
  readonly moment: Float64Array;
  /** Positions that were looked at. */
  readonly positions: number;
  /** Positions of the product in one sample, on average. */
  readonly perSample: number;
}

/**
 * What is looked at of each product, on the samples: at so many positions in all of them together, per feature. More tell
 * little more, and cost time.
 */
export async function momentsOf(
  model: ModelProto,
  weights: readonly ThickWeight[],
  samples: readonly Batch[],
  readExternal: ReadExternal,
  positionsPerFeature: number,
): Promise<ReadonlyMap<ThickWeight, Moments>> {
  const graph = model.graph!;
  const tensors = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const numbers = (name: string) => numbersOf(readTensor(tensors.get(name)!, readExternal));
  const sizeOf = (weight: ThickWeight) => (fromOutputs(weight) ? weight.out : weight.inner);
  const moments = new Map(weights.map((weight) => [weight, new Float64Array(sizeOf(weight) ** 2)]));
  const positions = new Map<ThickWeight, number>();
  const all = new Map<ThickWeight, number>();
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
          const { seen, there } = addMoments(
            sum,
            results.get(value) ?? feeds.get(value)!,
            output && weight.kind === "Conv" ? 1 : -1,
            bias,
            Math.ceil((positionsPerFeature * sizeOf(weight)) / samples.length),
          );
          positions.set(weight, (positions.get(weight) ?? 0) + seen);
          all.set(weight, (all.get(weight) ?? 0) + there);
        }
      }
    } finally {
      await session?.close();
    }
  }
  return new Map(
    [...moments].map(([weight, moment]) => [
      weight,
      {
        moment: mirrored(moment, sizeOf(weight)),
        positions: positions.get(weight) ?? 0,
        perSample: (all.get(weight) ?? 0) / Math.max(1, samples.length),
      },
    ]),
  );
}

/** Adds the products of all pairs of features, at some positions; how many of those there are. */
function addMoments(
  sum: Float64Array,
  { shape, ...rest }: Tensor,
  axis: number,
  bias: ArrayLike<number> | undefined,
  most: number,
): { readonly seen: number; readonly there: number } {
  const data = numbersOf({ shape, ...rest });
  const at = axis < 0 ? shape.length - 1 : axis;
  const n = shape[at]!;
  const stride = shape.slice(at + 1).reduce((product, size) => product * size, 1);
  const positions = data.length / n;
  const step = Math.max(1, Math.ceil(positions / most));
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
  return { seen, there: positions };
}

/** Fills in the other half of a symmetric matrix. */
export function mirrored(lower: Float64Array, n: number): Float64Array {
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) lower[j * n + i] = lower[i * n + j]!;
  return lower;
}
