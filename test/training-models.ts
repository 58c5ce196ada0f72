import { uniform } from "../src/data/random.js";
import { encodeNpz } from "../src/formats/npz.js";
import type { ModelProto } from "../src/formats/onnx.js";
import { makeNode } from "../src/graph/node.js";
import { floats, makeModel } from "./onnx-model.js";

/** Numbers of a seed, about normal. */
const drawn = (count: number, seed: number, scale: number): readonly number[] => {
  const next = uniform(seed);
  return Array.from({ length: count }, () => scale * (next() + next() + next() + next() - 2) * 1.7);
};

const drawnFloats = (name: string, shape: readonly number[], seed: number, scale: number) =>
  floats(
    name,
    shape,
    drawn(
      shape.reduce((product, size) => product * size, 1),
      seed,
      scale,
    ),
  );

/** x [n, 8] to the probabilities of 4 classes, through hidden layers of a width. */
export function classifier(width: number, layers: number, seed: number, softmax = true): ModelProto {
  const sizes = [8, ...Array.from({ length: layers }, () => width), 4];
  const nodes = sizes.slice(1).flatMap((_, at) => {
    const last = at === sizes.length - 2;
    const out = last ? (softmax ? "logits" : "scores") : `sum${at}`;
    return [
      makeNode("Gemm", `fc${at}`, [at === 0 ? "x" : `h${at - 1}`, `w${at}`, `b${at}`], [out]),
      ...(last ? [] : [makeNode("Relu", `relu${at}`, [out], [`h${at}`])]),
    ];
  });
  return makeModel({
    inputs: [["x", "float32", ["n", 8]]],
    outputs: [["scores", "float32", ["n", 4]]],
    nodes: [...nodes, ...(softmax ? [makeNode("Softmax", "softmax", ["logits"], ["scores"], { axis: 1 })] : [])],
    initializers: sizes
      .slice(1)
      .flatMap((out, at) => [
        drawnFloats(`w${at}`, [sizes[at]!, out], seed + 2 * at, 1.6 / Math.sqrt(sizes[at]!)),
        drawnFloats(`b${at}`, [out], seed + 2 * at + 1, 0.1),
      ]),
  });
}

/** So many rows of 8 numbers, as one .npz file. */
export function rowsFile(count: number, seed: number): Uint8Array {
  const data = Float32Array.from(drawn(count * 8, seed, 1));
  return encodeNpz(new Map([["x", { dtype: "float32", shape: [count, 8], data }]]));
}
