// The three models whose training is timed; their weights are named as peer.py reads them.
import type { ModelProto } from "../../../../src/formats/onnx.js";
import type { Value } from "../../../../src/graph/builder.js";
import type { Tensor } from "../../../../src/tensor/tensor.js";
import { type Author, createAuthor } from "./author.js";

/** A model as it starts, and its weights by name. */
export interface Authored {
  readonly model: ModelProto;
  readonly weights: ReadonlyMap<string, Tensor>;
}

/** 784-256-10, Gemm with weights as PyTorch has them. */
export function mlp(seed: number): Authored {
  const author = createAuthor("mlp", seed);
  const x = author.input("x", "float32", ["batch", 784], [1, 784]);
  const hidden = author.b.map("Relu", gemm(author, "fc1", x, 256));
  const logits = gemm(author, "fc2", hidden, 10);
  return done(author, logits, ["batch", 10]);
}

function gemm(author: Author, name: string, x: Value, out: number): Value {
  const inner = x.shape[1]!;
  const weight = author.weight(`${name}.weight`, [out, inner], { deviation: 1 / Math.sqrt(inner) });
  const bias = author.weight(`${name}.bias`, [out], { value: 0 });
  return author.b.op("Gemm", [x, weight, bias], { dtype: "float32", shape: [1, out] }, { transB: 1 });
}

/** One pre-norm block over 64 tokens of a vocabulary of 1,000: width 128, 4 heads, causal; 462,720 weights. */
export function transformer(seed: number): Authored {
  const [length, width, heads, words] = [64, 128, 4, 1000];
  const author = createAuthor("transformer", seed);
  const { b } = author;
  const ids = author.input("x", "int64", ["batch", length], [1, length]);
  const tokens = author.weight("tokens", [words, width], { deviation: 0.02 });
  const positions = author.weight("positions", [length, width], { deviation: 0.02 });
  const embedded = b.op("Gather", [tokens, ids], { dtype: "float32", shape: [1, length, width] }, { axis: 0 });
  let x = b.add(embedded, positions);
  const y = author.norm("norm1", x);
  const split = (name: string, order: readonly number[]) =>
    b.transpose(author.rows(author.linear(name, y, width), [1, length, heads, width / heads]), order);
  const [query, key, value] = [split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1]), split("value", [0, 2, 1, 3])];
  const scores = b.mul(b.matmul(query, key), 1 / Math.sqrt(width / heads));
  const seen = Uint8Array.from({ length: length * length }, (_, at) =>
    at % length <= Math.floor(at / length) ? 1 : 0,
  );
  const causal = b.constant({ dtype: "bool", shape: [length, length], data: seen }, "causal");
  const attended = b.matmul(b.softmax(b.where(causal, scores, -1e9), -1), value);
  const joined = author.rows(b.transpose(attended, [0, 2, 1, 3]), [1, length, width]);
  x = b.add(x, author.linear("out", joined, width));
  const up = b.map("Gelu", author.linear("up", author.norm("norm2", x), 4 * width));
  x = b.add(x, author.linear("down", up, width));
  const logits = author.linear("head", author.norm("norm3", x), words, { bias: false });
  return done(author, logits, ["batch", length, words]);
}

/** A stem and three residual blocks of 16, 32 and 64 channels; no normalization (or one that is folded). */
export function cnn(seed: number): Authored {
  const author = createAuthor("cnn", seed);
  const { b } = author;
  const image = author.input("x", "float32", ["batch", 1, 28, 28], [1, 1, 28, 28]);
  let x = b.map("Relu", author.conv("stem", image, 16, 3));
  for (const [at, channels] of [16, 32, 64].entries()) {
    const name = `block${at + 1}`;
    const stride = at === 0 ? 1 : 2;
    const first = b.map("Relu", author.conv(`${name}_first`, x, channels, 3, { stride }));
    const second = author.conv(`${name}_second`, first, channels, 3, { gain: 0.5 });
    const short = at === 0 ? x : author.conv(`${name}_short`, x, channels, 1, { stride, gain: 1 });
    x = b.map("Relu", b.add(second, short));
  }
  return done(author, gemm(author, "head", author.globalAverage(x), 10), ["batch", 10]);
}

function done(author: Author, logits: Value, shape: readonly (number | string)[]): Authored {
  const model = author.finish(logits, shape);
  return { model, weights: author.weights };
}
