// Really small models, where what surrounds a step costs more than the step.
import { uniform } from "../../../../src/data/random.js";
import { elementCount } from "../../../../src/tensor/tensor.js";
import type { TimedBatches } from "../batches.js";
import { type Author, createAuthor } from "./author.js";
import type { Authored } from "./speed.js";

/** x [batch, sizes[0]], products with biases, Relu between. */
export function perceptron(sizes: readonly number[], seed: number): Authored {
  const author = createAuthor("perceptron", seed);
  let x = author.input("x", "float32", ["batch", sizes[0]!], [1, sizes[0]!]);
  for (const [at, out] of sizes.slice(1).entries()) {
    if (at > 0) x = author.b.map("Relu", x);
    x = author.linear(`fc${at + 1}`, x, out);
  }
  return { model: author.finish(x, ["batch", sizes.at(-1)!]), weights: author.weights };
}

/** x [batch, length, inputs] through a GRU, classes from its last state. */
export function recurrent(length: number, inputs: number, hidden: number, classes: number, seed: number): Authored {
  const author = createAuthor("recurrent", seed);
  const { b } = author;
  const x = author.input("x", "float32", ["batch", length, inputs], [1, length, inputs]);
  const last = gru(author, hidden, b.transpose(x, [1, 0, 2]));
  const flat = b.op("Squeeze", [last, b.ints([0])], { dtype: "float32", shape: [1, hidden] });
  const logits = author.linear("head", flat, classes);
  return { model: author.finish(logits, ["batch", classes]), weights: author.weights };
}

function gru({ b, weight }: Author, hidden: number, x: Parameters<typeof b.map>[1]) {
  const [length, batch, inputs] = x.shape;
  const deviation = 1 / Math.sqrt(hidden);
  const [, last] = b.node(
    "GRU",
    [
      x,
      weight("input", [1, 3 * hidden, inputs!], { deviation }),
      weight("state", [1, 3 * hidden, hidden], { deviation }),
      weight("bias", [1, 6 * hidden], { value: 0 }),
    ],
    [
      { dtype: "float32", shape: [length!, 1, batch!, hidden] },
      { dtype: "float32", shape: [1, batch!, hidden] },
    ],
    { hidden_size: hidden, linear_before_reset: 1 },
  );
  return last!;
}

/** Numbers drawn at random, and classes that a random projection of their sums makes. */
export function tinyBatches(steps: number, batch: number, shape: readonly number[], classes: number): TimedBatches {
  const next = uniform(7);
  const size = elementCount(shape);
  const x = Float32Array.from({ length: steps * batch * size }, () => 2 * next() - 1);
  const directions = Float32Array.from({ length: classes * size }, () => 2 * next() - 1);
  const labels = BigInt64Array.from({ length: steps * batch }, (_, row) => {
    let best = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (let at = 0; at < classes; at++) {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += x[row * size + i]! * directions[at * size + i]!;
      if (sum > most) [best, most] = [at, sum];
    }
    return BigInt(best);
  });
  return {
    x: { dtype: "float32", shape: [steps, batch, ...shape], data: x },
    labels: { dtype: "int64", shape: [steps, batch], data: labels },
  };
}
