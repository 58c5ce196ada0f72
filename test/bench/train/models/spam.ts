// Text classifiers over word ids: embedding, pre-norm blocks of attention and dense layers, mean over what the mask
// leaves. Inputs `input_ids` and `attention_mask` [batch, sequence], output `probabilities` [batch, 2].
import type { ModelProto } from "../../../../src/formats/onnx.js";
import type { Value } from "../../../../src/graph/builder.js";
import { vocabulary } from "../spam.js";
import { type Author, createAuthor } from "./author.js";

export interface SpamSize {
  readonly width: number;
  readonly heads: number;
  readonly blocks: number;
}

export const spamTeacher: SpamSize = { width: 64, heads: 4, blocks: 2 };
export const spamStudent: SpamSize = { width: 12, heads: 2, blocks: 1 };

/** Stands for the size of the sequence axis while the model is written. */
const sequence = 8;

export function spamClassifier({ width, heads, blocks }: SpamSize, seed: number): ModelProto {
  const author = createAuthor("spam", seed);
  const { b } = author;
  const ids = author.input("input_ids", "int64", ["batch", "sequence"], [1, sequence]);
  const mask = author.input("attention_mask", "int64", ["batch", "sequence"], [1, sequence]);
  const words = author.weight("words", [vocabulary, width], { deviation: 0.1 });
  let x = b.op("Gather", [words, ids], { dtype: "float32", shape: [1, sequence, width] }, { axis: 0 });
  const seen = b.cast(mask, "bool");
  const unsqueeze = (value: Value, axes: readonly number[], shape: readonly number[]) =>
    b.op("Unsqueeze", [value, b.ints(axes)], { dtype: value.dtype, shape });
  const keys = unsqueeze(seen, [1, 2], [1, 1, 1, sequence]);
  for (let at = 1; at <= blocks; at++) x = block(author, `block${at}`, x, keys, heads);
  x = author.norm("norm", x);
  const counted = unsqueeze(b.cast(mask, "float32"), [2], [1, sequence, 1]);
  const sum = b.reduce("ReduceSum", b.mul(x, counted), [1], false);
  const mean = b.div(sum, b.reduce("ReduceSum", counted, [1], false));
  return author.finish(author.linear("head", mean, 2), ["batch", 2], true);
}

function block(author: Author, name: string, x: Value, keys: Value, heads: number): Value {
  const { b } = author;
  const width = x.shape[2]!;
  const y = author.norm(`${name}_norm1`, x);
  const split = (part: string, order: readonly number[]) => {
    const all = author.linear(`${name}_${part}`, y, width);
    const shape = [1, sequence, heads, width / heads];
    return b.transpose(b.op("Reshape", [all, b.ints([0, 0, heads, width / heads])], { dtype: x.dtype, shape }), order);
  };
  const scores = b.matmul(split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1]));
  const masked = b.where(keys, b.mul(scores, 1 / Math.sqrt(width / heads)), -1e9);
  const attended = b.transpose(b.matmul(b.softmax(masked, -1), split("value", [0, 2, 1, 3])), [0, 2, 1, 3]);
  const joined = b.op("Reshape", [attended, b.ints([0, 0, width])], x);
  const middle = b.add(x, author.linear(`${name}_out`, joined, width));
  const up = b.map("Relu", author.linear(`${name}_up`, author.norm(`${name}_norm2`, middle), 2 * width));
  return b.add(middle, author.linear(`${name}_down`, up, width));
}
