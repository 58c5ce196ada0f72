import { create } from "@bufbuild/protobuf";
import { ValueInfoProtoSchema } from "onnx-buf";
import { openSession, type Session } from "../engine/session.js";
import { encodeModel, type ModelProto, type NodeProto, type ReadExternal, type TensorProto } from "../formats/onnx.js";
import { assembleModel } from "../graph/assemble.js";
import { elementCount, type Tensor } from "../tensor/tensor.js";
import { readsOf } from "./variation.js";

/** Nodes as a model of their own, and what they need. */
export interface RunnableNodes {
  readonly nodes: readonly NodeProto[];
  /** Stored in the model; those nothing reads are left out. */
  readonly initializers: readonly TensorProto[];
  /** Given to it; those nothing reads are left out. */
  readonly feeds: ReadonlyMap<string, Tensor>;
  /** Whose operator sets and functions it imports. */
  readonly like: ModelProto;
  readonly readExternal: ReadExternal;
}

/**
 * Loads nodes as they are, without any rewriting, with `outputs` as outputs of whatever type they have; `use` gets the
 * session and what is to be fed.
 */
export async function withNodes<T>(
  { nodes, initializers, feeds, like, readExternal }: RunnableNodes,
  outputs: readonly string[],
  use: (session: Session, feeds: ReadonlyMap<string, Tensor>) => Promise<T>,
): Promise<T> {
  const read = new Set([...outputs, ...nodes.flatMap(readsOf)]);
  const fed = new Map([...feeds].filter(([name]) => read.has(name)));
  const model = assembleModel({
    nodes,
    initializers: initializers.filter(({ name }) => read.has(name) && !fed.has(name)),
    inputs: [...fed].map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    outputs: [],
  });
  model.irVersion = like.irVersion;
  model.opsetImport = like.opsetImport;
  model.functions = like.functions;
  model.graph!.output = outputs.map((name) => create(ValueInfoProtoSchema, { name }));
  const session = await openSession(encodeModel(model, readExternal), { graphOptimization: "disabled" });
  try {
    return await use(session, fed);
  } finally {
    await session.close();
  }
}

/** Only this much of a stored tensor is put into a model's bytes; larger ones are fed. */
const storedElements = 16384;

/** Whether a tensor is better fed than stored. */
export function isLarge({ dims }: TensorProto): boolean {
  return elementCount(dims.map(Number)) > storedElements;
}
