import type { Batch } from "../../src/data/batch.js";
import { normal } from "../../src/data/random.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto, makeTensor, type NodeProto, type TensorProto } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { elementCount } from "../../src/tensor/tensor.js";
import { makeModel } from "../onnx-model.js";
import { floatTensor } from "./run-loss.js";

/** Nodes and weights of a model that is written step by step. */
export interface Sketch {
  readonly nodes: NodeProto[];
  readonly initializers: TensorProto[];
  node(opType: string, inputs: readonly string[], output: string, attributes?: Parameters<typeof makeNode>[4]): string;
  /** Seeded normal elements, times `scale`. */
  weight(name: string, shape: readonly number[], scale?: number): string;
}

export function sketch(seed = 1): Sketch {
  const next = normal(seed);
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  return {
    nodes,
    initializers,
    node(opType, inputs, output, attributes) {
      nodes.push(makeNode(opType, `${output}_node`, inputs, [output], attributes));
      return output;
    },
    weight(name, shape, scale = 0.4) {
      const data = Array.from({ length: elementCount(shape) }, () => scale * next());
      initializers.push(makeTensor(name, floatTensor(shape, data)));
      return name;
    },
  };
}

export const noFiles = (): never => {
  throw new Error("there are no other files");
};

/**
 * x [N, 8] -> residual blocks r0, r1, ... -> probabilities [N, 5]; `scales` are those of the blocks' weights, as many as
 * there are blocks.
 */
export function residualModel(scales: readonly number[], seed = 1): ModelProto {
  const s = sketch(seed);
  let at = s.node("MatMul", ["x", s.weight("stem", [8, 8])], "h");
  scales.forEach((scale, block) => {
    const up = s.node("MatMul", [at, s.weight(`up${block}`, [8, 16])], `up${block}_out`);
    const active = s.node("Relu", [up], `relu${block}`);
    const down = s.node("MatMul", [active, s.weight(`down${block}`, [16, 8], scale)], `down${block}_out`);
    at = s.node("Add", [at, down], `r${block}`);
  });
  s.node("Softmax", [s.node("MatMul", [at, s.weight("head", [8, 5])], "logits")], "y", { axis: -1 });
  return makeModel({
    inputs: [["x", "float32", ["N", 8]]],
    outputs: [["y", "float32", ["N", 5]]],
    nodes: s.nodes,
    initializers: s.initializers,
    opset: 17,
  });
}

/** x [N, T, 8] and mask [N, T] -> layers of attention and feed-forward, normalised before each -> logits [N, T, 6]. */
export function transformerModel(count: number, width = 8, seed = 2): ModelProto {
  const s = sketch(seed);
  s.initializers.push(makeTensor("far", floatTensor([1], [-1e9])), makeTensor("unit", floatTensor([1], [1])));
  s.initializers.push(makeTensor("axes", { dtype: "int64", shape: [2], data: BigInt64Array.of(1n, 2n) }));
  s.initializers.push(makeTensor("heads", { dtype: "int64", shape: [4], data: BigInt64Array.of(0n, 0n, 2n, -1n) }));
  s.initializers.push(
    makeTensor("merged", { dtype: "int64", shape: [3], data: BigInt64Array.of(0n, 0n, BigInt(width)) }),
  );
  const gone = s.node("Mul", [s.node("Sub", ["unit", "mask"], "padding"), "far"], "gone");
  const bias = s.node("Unsqueeze", [gone, "axes"], "bias");
  let at = s.node("MatMul", ["x", s.weight("stem", [8, width])], "h");
  const norm = (from: string, name: string) =>
    s.node(
      "LayerNormalization",
      [from, s.weight(`${name}_scale`, [width], 1), s.weight(`${name}_bias`, [width])],
      name,
      {
        axis: -1,
      },
    );
  for (let layer = 0; layer < count; layer++) {
    const n = norm(at, `norm_a${layer}`);
    const part = (name: string, perm: readonly number[]) => {
      const flat = s.node("MatMul", [n, s.weight(`w${name}${layer}`, [width, width])], `${name}${layer}_flat`);
      return s.node("Transpose", [s.node("Reshape", [flat, "heads"], `${name}${layer}_heads`)], `${name}${layer}`, {
        perm,
      });
    };
    const [q, k, v] = [part("q", [0, 2, 1, 3]), part("k", [0, 2, 3, 1]), part("v", [0, 2, 1, 3])];
    const scores = s.node("Add", [s.node("MatMul", [q, k], `qk${layer}`), bias], `scores${layer}`);
    const map = s.node("Softmax", [scores], `map${layer}`, { axis: -1 });
    const context = s.node("Transpose", [s.node("MatMul", [map, v], `mv${layer}`)], `context${layer}`, {
      perm: [0, 2, 1, 3],
    });
    const flat = s.node("Reshape", [context, "merged"], `merged${layer}`);
    const out = s.node("MatMul", [flat, s.weight(`wo${layer}`, [width, width])], `attention${layer}`);
    at = s.node("Add", [at, out], `a${layer}`);
    const wide = s.node("MatMul", [norm(at, `norm_f${layer}`), s.weight(`wi${layer}`, [width, 16])], `wide${layer}`);
    const thin = s.node(
      "MatMul",
      [s.node("Relu", [wide], `relu${layer}`), s.weight(`wf${layer}`, [16, width])],
      `thin${layer}`,
    );
    at = s.node("Add", [at, thin], `f${layer}`);
  }
  s.node("MatMul", [norm(at, "last"), s.weight("head", [width, 6])], "logits");
  return makeModel({
    inputs: [
      ["x", "float32", ["N", "T", 8]],
      ["mask", "float32", ["N", "T"]],
    ],
    outputs: [["logits", "float32", ["N", "T", 6]]],
    nodes: s.nodes,
    initializers: s.initializers,
    opset: 17,
  });
}

/** Samples of one row with seeded normal elements. */
export function rowsOf(count: number, shape: readonly number[], seed = 7, more: Batch = new Map()): readonly Batch[] {
  const next = normal(seed);
  return Array.from({ length: count }, () => {
    const data = Array.from({ length: elementCount(shape) }, () => next());
    return new Map([["x", floatTensor(shape, data)], ...more]);
  });
}

/** What a model's first output holds. */
export async function outputOf(model: ModelProto, feeds: Batch): Promise<Float32Array> {
  const session = await openSession(encodeModel(model));
  const outputs = await session.run(feeds);
  await session.close();
  return [...outputs.values()][0]!.data as Float32Array;
}
