import { create } from "@bufbuild/protobuf";
import { OperatorSetIdProtoSchema } from "onnx-buf";
import { normal } from "../../src/data/random.js";
import { type ModelProto, makeTensor, type NodeProto, type TensorProto } from "../../src/formats/onnx.js";
import { type AttributeValue, makeNode } from "../../src/graph/node.js";
import { elementCount } from "../../src/tensor/tensor.js";
import { makeModel, type Value } from "../onnx-model.js";

/** Writes the nodes of a small model; every value is a name. */
export interface Sketch {
  /** A node with one output. */
  op(opType: string, inputs: readonly string[], attributes?: Readonly<Record<string, AttributeValue>>): string;
  /** A node with several. */
  ops(
    opType: string,
    inputs: readonly string[],
    count: number,
    attributes?: Readonly<Record<string, AttributeValue>>,
    domain?: string,
  ): readonly string[];
  /** Stored floats, roughly normal and small enough for sums of them to stay near 1. */
  weight(name: string, shape: readonly number[]): string;
  floats(values: readonly number[], shape?: readonly number[]): string;
  ints(values: readonly number[], shape?: readonly number[]): string;
  /** x W + b, named `name`. */
  linear(name: string, x: string, from: number, to: number): string;
  /** A convolution of kernel `kernel` that keeps height and width for a stride of 1, with a bias. */
  conv(name: string, x: string, from: number, to: number, how?: Convolution): string;
  /** Scale, shift, mean and variance of `channels`. */
  batchNorm(name: string, x: string, channels: number): string;
  /** `sizes` joined: names of vectors or scalars of sizes, or numbers. */
  sizes(parts: readonly (string | number)[]): string;
  /** Element `at` of the shape of a value, as a scalar. */
  size(x: string, at: number): string;
  model(inputs: readonly Value[], outputs: readonly Value[], opset?: number): ModelProto;
}

interface Convolution {
  readonly kernel?: number;
  readonly stride?: number;
  readonly group?: number;
}

export function sketch(seed = 1): Sketch {
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const next = normal(seed);
  let count = 0;
  const ops: Sketch["ops"] = (opType, inputs, outputs, attributes = {}, domain = "") => {
    const made = Array.from({ length: outputs }, () => `${opType.toLowerCase()}_${count++}`);
    const node = makeNode(opType, `n${count++}`, inputs, made, attributes);
    node.domain = domain;
    nodes.push(node);
    return made;
  };
  const op: Sketch["op"] = (opType, inputs, attributes) => ops(opType, inputs, 1, attributes)[0]!;
  const weight: Sketch["weight"] = (name, shape) => {
    const scale =
      1 /
      Math.sqrt(
        shape.length > 1
          ? shape.slice(shape.length === 4 ? 1 : 0, shape.length === 4 ? 4 : -1).reduce((a, b) => a * b, 1)
          : 4,
      );
    const data = Float32Array.from({ length: elementCount(shape) }, () => next() * scale);
    initializers.push(makeTensor(name, { dtype: "float32", shape, data }));
    return name;
  };
  const ints: Sketch["ints"] = (values, shape = [values.length]) => {
    const name = `ints_${count++}`;
    initializers.push(makeTensor(name, { dtype: "int64", shape, data: BigInt64Array.from(values, BigInt) }));
    return name;
  };
  return {
    op,
    ops,
    weight,
    ints,
    floats(values, shape = [values.length]) {
      const name = `floats_${count++}`;
      initializers.push(makeTensor(name, { dtype: "float32", shape, data: Float32Array.from(values) }));
      return name;
    },
    linear(name, x, from, to) {
      const product = op("MatMul", [x, weight(`${name}.w`, [from, to])]);
      return op("Add", [product, weight(`${name}.b`, [to])]);
    },
    conv(name, x, from, to, { kernel = 3, stride = 1, group = 1 } = {}) {
      const pad = (kernel - 1) / 2;
      const attributes = { strides: [stride, stride], pads: [pad, pad, pad, pad], group };
      return op(
        "Conv",
        [x, weight(`${name}.w`, [to, from / group, kernel, kernel]), weight(`${name}.b`, [to])],
        attributes,
      );
    },
    batchNorm(name, x, channels) {
      const positive = Array.from({ length: channels }, (_, at) => 0.5 + ((at * 7) % 11) / 11);
      const stored = (kind: string, values: readonly number[]) => {
        initializers.push(
          makeTensor(`${name}.${kind}`, { dtype: "float32", shape: [channels], data: Float32Array.from(values) }),
        );
        return `${name}.${kind}`;
      };
      return op("BatchNormalization", [
        x,
        stored("scale", positive),
        weight(`${name}.shift`, [channels]),
        weight(`${name}.mean`, [channels]),
        stored("var", positive),
      ]);
    },
    sizes(parts) {
      if (parts.every((part) => typeof part === "number")) return ints(parts as number[]);
      const vectors = parts.map((part) =>
        typeof part === "number" ? ints([part]) : op("Unsqueeze", [part, ints([0])]),
      );
      return op("Concat", vectors, { axis: 0 });
    },
    size: (x, at) => op("Gather", [op("Shape", [x]), ints([at], [])], { axis: 0 }),
    model(inputs, outputs, opset = 17) {
      const model = makeModel({ inputs, outputs, nodes, initializers, opset, ir: opset > 21 ? 10 : 8 });
      model.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: "com.microsoft", version: 1n }));
      return model;
    },
  };
}
