// Networks for Fashion-MNIST: 3x3 convolutions, each pooled to half its size, and two dense layers.
import type { ModelProto } from "../../../../src/formats/onnx.js";
import type { Value } from "../../../../src/graph/builder.js";
import { elementCount } from "../../../../src/tensor/tensor.js";
import { type Author, createAuthor } from "./author.js";

/** Channels of the convolutions, and the width before the last layer. */
export interface FashionSize {
  readonly channels: readonly number[];
  readonly hidden: number;
}

/** 241,546 weights. */
export const fashionTeacher: FashionSize = { channels: [32, 64, 128], hidden: 128 };

/** 59,722 weights, 24.7 % of the teacher's; most of them behind the convolutions, where it learns pictures by heart. */
export const fashionStudent: FashionSize = { channels: [12, 24], hidden: 48 };

/** Input `x` [batch, 1, 28, 28] from -1 to 1, output `probabilities` [batch, 10]. */
export function fashionCnn({ channels, hidden }: FashionSize, seed: number): ModelProto {
  const author = createAuthor("fashion", seed);
  const { b } = author;
  let x = author.input("x", "float32", ["batch", 1, 28, 28], [1, 1, 28, 28]);
  for (const [at, count] of channels.entries()) {
    x = halved(author, b.map("Relu", author.conv(`conv${at + 1}`, x, count, 3)));
  }
  const flat = b.op("Flatten", [x], { dtype: x.dtype, shape: [1, elementCount(x.shape)] }, { axis: 1 });
  const wide = b.map("Relu", author.linear("fc1", flat, hidden, { gain: Math.SQRT2 }));
  const logits = author.linear("fc2", wide, 10);
  return author.finish(logits, ["batch", 10], true);
}

/** 2x2 max pooling; an odd row or column at the end is dropped. */
function halved({ b }: Author, x: Value): Value {
  const [batch, channels, ...sizes] = x.shape;
  const shape = [batch!, channels!, ...sizes.map((size) => Math.floor(size / 2))];
  return b.op("MaxPool", [x], { dtype: x.dtype, shape }, { kernel_shape: [2, 2], strides: [2, 2] });
}
