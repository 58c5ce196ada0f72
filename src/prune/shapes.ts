import { create } from "@bufbuild/protobuf";
import { ValueInfoProtoSchema } from "onnx-buf";
import { openSession, type Session } from "../engine/session.js";
import { encodeModel, type ModelProto, type NodeProto, type ReadExternal, type TensorProto } from "../formats/onnx.js";
import { onnxType } from "../formats/onnx-types.js";
import { assembleModel, type Port } from "../graph/assemble.js";
import { makeNode } from "../graph/node.js";
import type { ModelView, Scope } from "../graph/scope.js";
import { type DType, elementCount, type Tensor } from "../tensor/tensor.js";

/** The sizes of a value's axes, all known. */
export interface ValueForm {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** What each scope's own values look like; those that nobody can tell are left out. */
export type Forms = ReadonlyMap<Scope, ReadonlyMap<string, ValueForm>>;

/** Constants of more elements do not decide shapes, and need not be there to infer them. */
const mostElements = 1024;

/**
 * Finds the shape of every value for the shapes of these inputs, as onnxruntime infers them without weights and without a
 * run; for values of the main graph that it cannot, by one run on `feeds` where there are some.
 */
export async function findForms(
  model: ModelProto,
  view: ModelView,
  feeds: ReadonlyMap<string, Tensor>,
  readExternal: ReadExternal,
): Promise<Forms> {
  const forms = new Map<Scope, ReadonlyMap<string, ValueForm>>();
  const visit = async (scope: Scope, given: ReadonlyMap<string, ValueForm>): Promise<void> => {
    const own = new Map(given);
    for (const { name, dataType, dims } of scope.graph.initializer) {
      const dtype = onnxType(dataType)?.dtype;
      if (dtype) own.set(name, { dtype, shape: dims.map(Number) });
    }
    const around = visible(scope, forms, own);
    for (const [name, form] of await inferred(model, scope, around, readExternal)) own.set(name, form);
    if (!scope.parent) {
      for (const [name, form] of await observed(model, scope, own, feeds, readExternal)) own.set(name, form);
    }
    forms.set(scope, own);
    for (const child of scope.children) await visit(child, new Map());
  };
  const inputs = [...feeds].map(([name, { dtype, shape }]) => [name, { dtype, shape }] as const);
  await visit(view.root, new Map(inputs));
  return forms;
}

/** Everything a scope's nodes can read: its own values over those around it. */
function visible(scope: Scope, forms: Forms, own: ReadonlyMap<string, ValueForm>): ReadonlyMap<string, ValueForm> {
  const all = new Map<string, ValueForm>();
  const ways: ReadonlyMap<string, ValueForm>[] = [own];
  for (let at = scope.parent; at; at = at.parent) ways.push(forms.get(at)!);
  for (const way of ways.reverse()) for (const [name, form] of way) all.set(name, form);
  return all;
}

async function inferred(
  model: ModelProto,
  scope: Scope,
  known: ReadonlyMap<string, ValueForm>,
  readExternal: ReadExternal,
): Promise<ReadonlyMap<string, ValueForm>> {
  const { node: nodes } = scope.graph;
  const made = nodes.flatMap(({ output }) => output.filter(Boolean));
  const stored = constantsAround(scope);
  const found = new Map<string, ValueForm>();
  let rest = made;
  // what the runtime refuses to put out (sequences) is left out in a second try
  let session: Session;
  try {
    session = await openPart(model, nodes, stored, known, rest, readExternal);
  } catch {
    return found;
  }
  const scalars: string[] = [];
  for (const { name, dtype, shape } of session.outputs) {
    if (shape.length === 0) scalars.push(name);
    else if (shape.every((size) => typeof size === "number")) found.set(name, { dtype, shape: shape as number[] });
  }
  const types = new Map(session.outputs.map(({ name, dtype }) => [name, dtype]));
  await session.close();
  if (scalars.length === 0) return found;
  // no axes, or nobody knows which: the length of the shape tells
  rest = scalars.map((name, at) => `${name}_rank_${at}`);
  const asked = scalars.map((name, at) => makeNode("Shape", "", [name], [rest[at]!]));
  session = await openPart(model, [...nodes, ...asked], stored, known, rest, readExternal);
  for (const { name, shape } of session.outputs) {
    const of = scalars[rest.indexOf(name)]!;
    if (shape[0] === 0) found.set(of, { dtype: types.get(of)!, shape: [] });
  }
  await session.close();
  return found;
}

/** Stored tensors that nodes of a scope can read, the nearest of a name. */
function constantsAround(scope: Scope): ReadonlyMap<string, TensorProto> {
  const all = new Map<string, TensorProto>();
  for (let at: Scope | null = scope; at; at = at.parent) {
    for (const [name, tensor] of at.initializers) if (!all.has(name)) all.set(name, tensor);
  }
  return all;
}

/** Nodes as a model whose weights are inputs, with `outputs`; nothing of it is rewritten. */
async function openPart(
  model: ModelProto,
  nodes: readonly NodeProto[],
  stored: ReadonlyMap<string, TensorProto>,
  known: ReadonlyMap<string, ValueForm>,
  outputs: readonly string[],
  readExternal: ReadExternal,
): Promise<Session> {
  const made = new Set(nodes.flatMap(({ output }) => output));
  const small = [...stored.values()].filter(
    ({ name, dims, dataType }) =>
      !made.has(name) && (elementCount(dims.map(Number)) <= mostElements || !onnxType(dataType)?.dtype),
  );
  const held = new Set(small.map(({ name }) => name));
  const inputs: Port[] = [...known].flatMap(([name, { dtype, shape }]) =>
    held.has(name) || made.has(name) ? [] : [{ name, dtype, shape }],
  );
  const part = assembleModel({ nodes, initializers: small, inputs, outputs: [] });
  part.irVersion = model.irVersion;
  part.opsetImport = model.opsetImport;
  part.functions = model.functions;
  part.graph!.output = outputs.map((name) => create(ValueInfoProtoSchema, { name }));
  return openSession(encodeModel(part, readExternal), { graphOptimization: "disabled" });
}

/** By one run: the values of the main graph that inference knew nothing of. */
async function observed(
  model: ModelProto,
  { graph }: Scope,
  known: ReadonlyMap<string, ValueForm>,
  feeds: ReadonlyMap<string, Tensor>,
  readExternal: ReadExternal,
): Promise<ReadonlyMap<string, ValueForm>> {
  const found = new Map<string, ValueForm>();
  const unknown = graph.node.flatMap(({ output }) => output.filter((name) => name && !known.has(name)));
  if (unknown.length === 0) return found;
  const shapes = unknown.map((name, at) => `${name}_shape_${at}`);
  const asked = unknown.map((name, at) => makeNode("Shape", "", [name], [shapes[at]!]));
  const part = assembleModel({
    nodes: [...graph.node, ...asked],
    initializers: graph.initializer,
    inputs: [...feeds].map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    outputs: [],
  });
  part.irVersion = model.irVersion;
  part.opsetImport = model.opsetImport;
  part.functions = model.functions;
  part.graph!.output = [...unknown, ...shapes].map((name) => create(ValueInfoProtoSchema, { name }));
  let session: Session;
  try {
    session = await openSession(encodeModel(part, readExternal), { graphOptimization: "disabled" });
  } catch {
    return found;
  }
  try {
    const types = new Map(session.outputs.map(({ name, dtype }) => [name, dtype]));
    const results = await session.runFor(feeds, shapes);
    unknown.forEach((name, at) => {
      const dtype = types.get(name);
      const shape = Array.from(results.get(shapes[at]!)!.data as BigInt64Array, Number);
      if (dtype) found.set(name, { dtype, shape });
    });
  } catch {
    // a model that cannot be run so keeps what cannot be told
  } finally {
    await session.close();
  }
  return found;
}
