// What the timed models are trained on: the same seeded batches for every engine, in turn.
import { uniform } from "../../../src/data/random.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { readFashion } from "./fashion.js";

/** Batches of one model: [steps, ...one batch's shape]. */
export interface TimedBatches {
  readonly x: Tensor;
  /** int64, one class for each row or position. */
  readonly labels: Tensor;
}

/** How many batches there are; as many first losses are compared. */
export const timedSteps = 20;

/** Pictures for the first two models (made-up ones where Fashion-MNIST cannot be had), tokens for the transformer. */
export function timedBatches(model: "mlp" | "transformer" | "cnn"): TimedBatches {
  if (model === "transformer") return tokens(16, 64, 1000);
  const batch = 64;
  const shape = model === "mlp" ? [784] : [1, 28, 28];
  const count = timedSteps * batch;
  const real = readFashion()?.train;
  const next = uniform(5);
  const images = real?.images.slice(0, count * 784) ?? Float32Array.from({ length: count * 784 }, () => 2 * next() - 1);
  const labels = BigInt64Array.from({ length: count }, (_, at) => BigInt(real?.labels[at] ?? at % 10));
  return {
    x: { dtype: "float32", shape: [timedSteps, batch, ...shape], data: images },
    labels: { dtype: "int64", shape: [timedSteps, batch], data: labels },
  };
}

/** Sequences that count on from a random token in steps of 1 to 3, and the token that follows each position. */
function tokens(batch: number, length: number, words: number): TimedBatches {
  const next = uniform(6);
  const ids = new BigInt64Array(timedSteps * batch * length);
  const labels = new BigInt64Array(ids.length);
  for (let row = 0; row < timedSteps * batch; row++) {
    const [start, stride] = [Math.floor(words * next()), 1 + Math.floor(3 * next())];
    for (let at = 0; at < length; at++) {
      ids[row * length + at] = BigInt((start + stride * at) % words);
      labels[row * length + at] = BigInt((start + stride * (at + 1)) % words);
    }
  }
  const shape = [timedSteps, batch, length];
  return { x: { dtype: "int64", shape, data: ids }, labels: { dtype: "int64", shape, data: labels } };
}
