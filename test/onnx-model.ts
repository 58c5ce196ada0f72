import { create } from "@bufbuild/protobuf";
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
} from "onnx-buf";
import { type GraphProto, type ModelProto, makeTensor, type NodeProto, type TensorProto } from "../src/formats/onnx.js";
import { portInfo } from "../src/graph/assemble.js";
import { makeNode } from "../src/graph/node.js";
import { type DType, elementCount } from "../src/tensor/tensor.js";

/** A value by name, element type and shape; a string axis is dynamic. */
export type Value = readonly [name: string, dtype: DType, shape: readonly (number | string)[]];

interface GraphParts {
  readonly inputs?: readonly Value[];
  readonly outputs: readonly Value[];
  readonly nodes: readonly NodeProto[];
  readonly initializers?: readonly TensorProto[];
}

const valueInfo = ([name, dtype, shape]: Value) => portInfo({ name, dtype, shape });

export function makeGraph({ inputs = [], outputs, nodes, initializers = [] }: GraphParts): GraphProto {
  return create(GraphProtoSchema, {
    name: "g",
    input: inputs.map(valueInfo),
    output: outputs.map(valueInfo),
    node: [...nodes],
    initializer: [...initializers],
  });
}

export function makeModel(parts: GraphParts & { readonly opset?: number; readonly ir?: number }): ModelProto {
  return create(ModelProtoSchema, {
    irVersion: BigInt(parts.ir ?? 8),
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: "", version: BigInt(parts.opset ?? 13) })],
    graph: makeGraph(parts),
  });
}

/** A float32 initializer of seeded, roughly normal values, or of the given ones. */
export function floats(name: string, shape: readonly number[], values?: readonly number[]): TensorProto {
  let state = 12345 + name.length;
  const next = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 32;
  };
  const count = elementCount(shape);
  const data = values ?? Array.from({ length: count }, () => next() + next() + next() - 1.5);
  return makeTensor(name, { dtype: "float32", shape, data: Float32Array.from(data) });
}

/** An int64 initializer. */
export function ints(name: string, values: readonly number[]): TensorProto {
  return makeTensor(name, { dtype: "int64", shape: [values.length], data: BigInt64Array.from(values.map(BigInt)) });
}

/** A Constant node that holds a tensor under its name. */
export function constant(tensor: TensorProto): NodeProto {
  const node = makeNode("Constant", `${tensor.name}_node`, [], [tensor.name]);
  node.attribute.push(create(AttributeProtoSchema, { name: "value", type: AttributeType.TENSOR, t: tensor }));
  return node;
}

/** Hangs graphs on a node: `If` branches, a `Loop` body. */
export function withGraphs(node: NodeProto, graphs: Readonly<Record<string, GraphProto>>): NodeProto {
  for (const [name, g] of Object.entries(graphs)) {
    node.attribute.push(create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g }));
  }
  return node;
}
