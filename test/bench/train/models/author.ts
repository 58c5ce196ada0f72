// How the models of the training benchmark are written: ordinary .onnx files with seeded initial weights.
import { normal } from "../../../../src/data/random.js";
import { type ModelProto, makeTensor, type TensorProto } from "../../../../src/formats/onnx.js";
import { assembleModel, type Port } from "../../../../src/graph/assemble.js";
import { createBuilder, type GraphBuilder, type Value } from "../../../../src/graph/builder.js";
import { elementCount, type Tensor } from "../../../../src/tensor/tensor.js";

/** Writes one model; forms are those of one row, and the first axis of every port is dynamic. */
export interface Author {
  readonly b: GraphBuilder;
  /** The model's weights as they start, by name. */
  readonly weights: ReadonlyMap<string, Tensor>;
  input(name: string, dtype: Value["dtype"], shape: readonly (number | string)[], example: readonly number[]): Value;
  /** A weight that starts normally distributed with this deviation, or with one value. */
  weight(
    name: string,
    shape: readonly number[],
    start: { readonly deviation: number } | { readonly value: number },
  ): Value;
  /** x [.., in] by `<name>.weight` [in, out], plus a bias. */
  linear(name: string, x: Value, out: number, how?: { readonly bias?: boolean; readonly gain?: number }): Value;
  /** A square convolution of x [1, channels, height, width], padded so that only the stride changes sizes. */
  conv(
    name: string,
    x: Value,
    out: number,
    size: number,
    how?: { readonly stride?: number; readonly gain?: number },
  ): Value;
  norm(name: string, x: Value): Value;
  /** The sizes of one row, the first axis as the batch has it. */
  rows(x: Value, shape: readonly number[]): Value;
  /** [1, channels, height, width] -> [1, channels]. */
  globalAverage(x: Value): Value;
  /** The model whose output is `logits`, or `probabilities` behind them. */
  finish(logits: Value, shape: Port["shape"], softened?: boolean): ModelProto;
}

export function createAuthor(name: string, seed: number): Author {
  const taken = new Set<string>();
  const fresh = (base: string) => {
    let free = base;
    for (let at = 1; taken.has(free); at++) free = `${base}_${at}`;
    taken.add(free);
    return free;
  };
  const b = createBuilder(fresh);
  const next = normal(seed);
  const inputs: Port[] = [];
  const initializers: TensorProto[] = [];
  const weights = new Map<string, Tensor>();
  const author: Author = {
    b,
    weights,
    input(name, dtype, shape, example) {
      inputs.push({ name: fresh(name), dtype, shape });
      return { name, dtype, shape: example };
    },
    weight(name, shape, start) {
      const value = "value" in start ? () => start.value : () => start.deviation * next();
      const tensor: Tensor = {
        dtype: "float32",
        shape,
        data: Float32Array.from({ length: elementCount(shape) }, value),
      };
      weights.set(fresh(name), tensor);
      initializers.push(makeTensor(name, tensor));
      return { name, dtype: "float32", shape };
    },
    linear(name, x, out, { bias = true, gain = 1 } = {}) {
      const inner = x.shape.at(-1)!;
      const product = b.matmul(
        x,
        author.weight(`${name}.weight`, [inner, out], { deviation: gain / Math.sqrt(inner) }),
      );
      return bias ? b.add(product, author.weight(`${name}.bias`, [out], { value: 0 })) : product;
    },
    conv(name, x, out, size, { stride = 1, gain = Math.SQRT2 } = {}) {
      const [batch, inner, ...sizes] = x.shape;
      const deviation = gain / Math.sqrt(inner! * size ** sizes.length);
      const kernel = sizes.map(() => size);
      const weight = author.weight(`${name}.weight`, [out, inner!, ...kernel], { deviation });
      const bias = author.weight(`${name}.bias`, [out], { value: 0 });
      const shape = [batch!, out, ...sizes.map((n) => Math.ceil(n / stride))];
      const pads = [...sizes, ...sizes].map(() => (size - 1) / 2);
      const attributes = { kernel_shape: kernel, strides: sizes.map(() => stride), pads };
      return b.op("Conv", [x, weight, bias], { dtype: "float32", shape }, attributes);
    },
    norm(name, x) {
      const shape = [x.shape.at(-1)!];
      const scale = author.weight(`${name}.weight`, shape, { value: 1 });
      const bias = author.weight(`${name}.bias`, shape, { value: 0 });
      return b.op("LayerNormalization", [x, scale, bias], x, { axis: -1, epsilon: { float: 1e-5 } });
    },
    rows(x, shape) {
      const [first, ...rest] = shape;
      return b.op("Reshape", [x, b.ints([0, ...rest])], { dtype: x.dtype, shape: [first!, ...rest] });
    },
    globalAverage(x) {
      const pooled = b.op("GlobalAveragePool", [x], { dtype: x.dtype, shape: [...x.shape.slice(0, 2), 1, 1] });
      return b.op("Flatten", [pooled], { dtype: x.dtype, shape: x.shape.slice(0, 2) }, { axis: 1 });
    },
    finish(logits, shape, softened = false) {
      const last = softened ? "probabilities" : "logits";
      const [named] = b.node("Identity", [logits], [logits], {}, { names: [fresh("logits")] });
      if (softened) b.node("Softmax", [named], [logits], { axis: -1 }, { names: [fresh(last)] });
      return assembleModel({
        name,
        nodes: b.nodes,
        initializers: [...initializers, ...b.initializers],
        inputs,
        outputs: [{ name: last, dtype: "float32", shape }],
      });
    },
  };
  return author;
}
