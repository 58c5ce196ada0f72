import { create } from "@bufbuild/protobuf";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import type { ModelProto, NodeProto, TensorProto, ValueInfoProto } from "../formats/onnx.js";
import { onnxTypeOf } from "../formats/onnx-types.js";
import type { DType } from "../tensor/tensor.js";

/** A value as an input or output; a string is the name of a dynamic axis. */
export interface Port {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly (number | string)[];
}

/** Where onnxruntime keeps its operators on a blocked layout. */
const blocked = "com.microsoft.nchwc";

/** A whole model of opset 21 from nodes, constants and ports. */
export function assembleModel(parts: {
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly TensorProto[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly name?: string;
}): ModelProto {
  return create(ModelProtoSchema, {
    irVersion: 10n,
    producerName: "deepseek-compat",
    opsetImport: [
      create(OperatorSetIdProtoSchema, { domain: "", version: 21n }),
      create(OperatorSetIdProtoSchema, { domain: "com.microsoft", version: 1n }),
      ...(parts.nodes.some(({ domain }) => domain === blocked)
        ? [create(OperatorSetIdProtoSchema, { domain: blocked, version: 1n })]
        : []),
    ],
    graph: create(GraphProtoSchema, {
      name: parts.name ?? "main",
      node: [...parts.nodes],
      initializer: [...parts.initializers],
      input: parts.inputs.map(portInfo),
      output: parts.outputs.map(portInfo),
    }),
  });
}

/** A value as a model declares it. */
export function portInfo({ name, dtype, shape }: Port): ValueInfoProto {
  const dim = shape.map((size) => ({
    value:
      typeof size === "number"
        ? { case: "dimValue" as const, value: BigInt(size) }
        : { case: "dimParam" as const, value: size },
  }));
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, {
      value: { case: "tensorType", value: { elemType: onnxTypeOf(dtype).code, shape: { dim } } },
    }),
  });
}
