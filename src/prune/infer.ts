import { create } from "@bufbuild/protobuf";
import { ValueInfoProtoSchema } from "onnx-buf";
import { openSession, type Session } from "../engine/session.js";
import {
  encodeModel,
  type GraphProto,
  type ModelProto,
  makeTensor,
  type NodeProto,
  type ReadExternal,
} from "../formats/onnx.js";
import { assembleModel } from "../graph/assemble.js";
import { graphsIn, makeNode } from "../graph/node.js";
import type { DType, Tensor } from "../tensor/tensor.js";

interface Form {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Nodes in their order, and what they read: contents of small values, shapes of all others. */
export interface Part {
  /** Whose operator sets they are of. */
  readonly model: ModelProto;
  readonly nodes: readonly NodeProto[];
  readonly values: ReadonlyMap<string, Tensor>;
  readonly forms: ReadonlyMap<string, Form>;
}

/** The shapes that onnxruntime infers, all sizes of which it knows; of as many nodes as it takes. */
export async function inferForms(part: Part, readExternal: ReadExternal): Promise<ReadonlyMap<string, Form>> {
  const found = new Map<string, Form>();
  const { session, nodes } = await openMost(part, readExternal);
  if (!session) return found;
  const scalars: string[] = [];
  const types = new Map(session.outputs.map(({ name, dtype }) => [name, dtype]));
  for (const { name, dtype, shape } of session.outputs) {
    if (shape.length === 0) scalars.push(name);
    else if (shape.every((size) => typeof size === "number")) found.set(name, { dtype, shape: shape as number[] });
  }
  await session.close();
  if (scalars.length === 0) return found;
  // no axes, or nobody knows which: the length of the shape tells
  const ranks = scalars.map((_, at) => `rank_asked_for_${at}`);
  const asked = scalars.map((name, at) => makeNode("Shape", "", [name], [ranks[at]!]));
  const second = await tryOpen({ ...part, nodes: [...nodes, ...asked] }, ranks, readExternal);
  for (const { name, shape } of second?.outputs ?? []) {
    const of = scalars[ranks.indexOf(name)]!;
    if (shape[0] === 0) found.set(of, { dtype: types.get(of)!, shape: [] });
  }
  await second?.close();
  return found;
}

/** What nodes compute that read values alone; nothing where they cannot run. */
export async function runConstants(part: Part, readExternal: ReadExternal): Promise<ReadonlyMap<string, Tensor>> {
  const { session } = await openMost(part, readExternal);
  try {
    return (await session?.run(new Map())) ?? new Map();
  } catch {
    return new Map();
  } finally {
    await session?.close();
  }
}

/** Names that a node reads from around it, for its nested graphs too. */
export function namesRead(node: NodeProto): readonly string[] {
  const inside = graphsIn(node).flatMap((graph) => {
    const own = new Set([
      ...graph.input.map(({ name }) => name),
      ...graph.initializer.map(({ name }) => name),
      ...graph.node.flatMap(({ output }) => output),
    ]);
    const read = [...graph.node.flatMap(namesRead), ...graph.output.map(({ name }) => name)];
    return read.filter((name) => !own.has(name));
  });
  return [...node.input.filter(Boolean), ...inside];
}

/** How many nodes that onnxruntime refuses are left out before the rest is given up. */
const mostRefused = 8;

/** A session with all values of the nodes as outputs, but for nodes that are refused and those that need them. */
async function openMost(
  part: Part,
  readExternal: ReadExternal,
): Promise<{ readonly session: Session | undefined; readonly nodes: readonly NodeProto[] }> {
  const { values, forms } = part;
  const refused = new Set<NodeProto>();
  const open = (nodes: readonly NodeProto[]) => {
    const made = nodes.flatMap(({ output }) => output.filter(Boolean));
    return tryOpen({ ...part, nodes }, made, readExternal);
  };
  while (refused.size < mostRefused) {
    const seen = new Set([...values.keys(), ...forms.keys()]);
    const nodes = part.nodes.filter((node) => {
      if (refused.has(node) || !namesRead(node).every((name) => seen.has(name))) return false;
      for (const name of node.output) seen.add(name);
      return true;
    });
    if (nodes.length === 0) break;
    const session = await open(nodes);
    if (session) return { session, nodes };
    let [good, bad] = [0, nodes.length];
    while (bad - good > 1) {
      const middle = (good + bad) >> 1;
      const other = await open(nodes.slice(0, middle));
      await other?.close();
      if (other) good = middle;
      else bad = middle;
    }
    refused.add(nodes[bad - 1]!);
  }
  return { session: undefined, nodes: [] };
}

/** Nodes as a model of their own, of which nothing is rewritten; undefined where onnxruntime refuses it. */
async function tryOpen(
  { model, nodes, values, forms }: Part,
  outputs: readonly string[],
  readExternal: ReadExternal,
): Promise<Session | undefined> {
  const part = assembleModel({
    nodes,
    initializers: [...values].map(([name, tensor]) => makeTensor(name, tensor)),
    inputs: [...forms].map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    outputs: [],
  });
  like(part, model, outputs);
  try {
    return await openSession(encodeModel(part, readExternal), { graphOptimization: "disabled" });
  } catch {
    return undefined;
  }
}

function like(part: ModelProto, model: ModelProto, outputs: readonly string[]): void {
  part.irVersion = model.irVersion;
  part.opsetImport = model.opsetImport;
  part.functions = model.functions;
  part.graph!.output = outputs.map((name) => create(ValueInfoProtoSchema, { name }));
}

/** The shapes of what these nodes of a main graph put out, by one run; nothing where it cannot run. */
export async function observeForms(
  model: ModelProto,
  graph: GraphProto,
  nodes: readonly NodeProto[],
  known: ReadonlyMap<string, unknown>,
  feeds: ReadonlyMap<string, Tensor>,
  readExternal: ReadExternal,
): Promise<ReadonlyMap<string, Form>> {
  const found = new Map<string, Form>();
  const unknown = nodes.flatMap(({ output }) => output.filter((name) => name && !known.has(name)));
  const open = async (names: readonly string[]): Promise<Session | undefined> => {
    const shapes = names.map((name) => makeNode("Shape", "", [name], [`${name}_shape_asked_for`]));
    const part = assembleModel({
      nodes: [...graph.node, ...shapes],
      initializers: graph.initializer,
      inputs: [...feeds].map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
      outputs: [],
    });
    like(part, model, [...names, ...shapes.flatMap(({ output }) => output)]);
    try {
      return await openSession(encodeModel(part, readExternal), { graphOptimization: "disabled" });
    } catch {
      return undefined;
    }
  };
  const session = await open(unknown);
  if (!session) return found;
  try {
    const types = new Map(session.outputs.map(({ name, dtype }) => [name, dtype]));
    const results = await session.runFor(
      feeds,
      unknown.map((name) => `${name}_shape_asked_for`),
    );
    for (const name of unknown) {
      const dtype = types.get(name);
      const shape = Array.from(results.get(`${name}_shape_asked_for`)!.data as BigInt64Array, Number);
      if (dtype) found.set(name, { dtype, shape });
    }
  } catch {
    // a model that cannot be run so keeps what cannot be told
  } finally {
    await session.close();
  }
  return found;
}
