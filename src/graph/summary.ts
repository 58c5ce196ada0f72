import type { TypeProto } from "onnx-buf";
import { type ModelProto, type TensorInfo, tensorInfo, tensorsOf, type ValueInfoProto } from "../formats/onnx.js";
import { typeName } from "../formats/onnx-types.js";
import { viewModel } from "./scope.js";

/** An input or output as the file declares it; a shape of null is one the file does not state. */
export interface DeclaredValue {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string | null)[] | null;
}

/** Tensors of one element type. */
interface TypeTotal {
  readonly type: string;
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

/** What a model file holds. */
export interface ModelSummary {
  readonly irVersion: number;
  readonly opsets: readonly { readonly domain: string; readonly version: number }[];
  readonly producer: string;
  readonly inputs: readonly DeclaredValue[];
  readonly outputs: readonly DeclaredValue[];
  /** Graphs nested in If, Loop and Scan nodes. */
  readonly nestedGraphs: number;
  readonly localFunctions: number;
  /** Node counts by operator over all graphs, most frequent first; operators of other domains carry theirs. */
  readonly operators: readonly { readonly operator: string; readonly nodes: number }[];
  /** Stored tensors by element type, largest first: initializers and those in node attributes. */
  readonly types: readonly TypeTotal[];
  /** Elements and bytes of all stored tensors. */
  readonly parameters: { readonly elements: number; readonly bytes: number };
  /** How many stored tensors are Constant nodes' rather than initializers. */
  readonly inConstantNodes: number;
  readonly largest: readonly Pick<TensorInfo, "name" | "type" | "shape" | "bytes">[];
}

/** How many tensors `largest` names. */
const largestShown = 10;

/** Counts what a model holds, nested graphs included; no tensor is read. */
export function summarizeModel(model: ModelProto): ModelSummary {
  const { root, scopes } = viewModel(model);
  const stored = scopes.flatMap(({ graph }) => {
    const constants = new Map(
      graph.node.flatMap((node) =>
        node.attribute.flatMap(({ t }) => (t ? [[t, node.output[0] ?? t.name] as const] : [])),
      ),
    );
    return [...tensorsOf(graph)].map((tensor) => ({
      ...tensorInfo(tensor),
      name: constants.get(tensor) ?? tensor.name,
    }));
  });
  const initializers = scopes.reduce((count, { graph }) => count + graph.initializer.length, 0);
  const operators = new Map<string, number>();
  for (const node of scopes.flatMap(({ graph }) => graph.node)) {
    const operator = node.domain && node.domain !== "ai.onnx" ? `${node.domain}.${node.opType}` : node.opType;
    operators.set(operator, (operators.get(operator) ?? 0) + 1);
  }
  const isInitializer = new Set(root.initializers.keys());
  return {
    irVersion: Number(model.irVersion),
    opsets: model.opsetImport.map(({ domain, version }) => ({ domain: domain || "ai.onnx", version: Number(version) })),
    producer: [model.producerName, model.producerVersion].filter(Boolean).join(" "),
    inputs: root.graph.input.filter(({ name }) => !isInitializer.has(name)).map(declared),
    outputs: root.graph.output.map(declared),
    nestedGraphs: scopes.length - 1,
    localFunctions: model.functions.length,
    operators: [...operators]
      .map(([operator, nodes]) => ({ operator, nodes }))
      .sort((a, b) => b.nodes - a.nodes || a.operator.localeCompare(b.operator)),
    types: totals(stored),
    parameters: sum(stored),
    inConstantNodes: stored.length - initializers,
    largest: [...stored]
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, largestShown)
      .map(({ name, type, shape, bytes }) => ({ name, type, shape, bytes })),
  };
}

function sum(tensors: readonly TensorInfo[]): { readonly elements: number; readonly bytes: number } {
  return tensors.reduce(
    (total, { elements, bytes }) => ({ elements: total.elements + elements, bytes: total.bytes + bytes }),
    { elements: 0, bytes: 0 },
  );
}

function totals(tensors: readonly TensorInfo[]): TypeTotal[] {
  const types = [...new Set(tensors.map(({ type }) => type))];
  return types
    .map((type) => {
      const same = tensors.filter((tensor) => tensor.type === type);
      return { type, tensors: same.length, ...sum(same) };
    })
    .sort((a, b) => b.bytes - a.bytes);
}

function declared({ name, type }: ValueInfoProto): DeclaredValue {
  if (type?.value.case !== "tensorType") return { name, type: kindOf(type), shape: null };
  const { elemType, shape } = type.value.value;
  return {
    name,
    type: typeName(elemType),
    shape:
      shape?.dim.map(({ value }) => {
        if (value.case === "dimValue") return Number(value.value);
        return value.case === "dimParam" && value.value ? value.value : null;
      }) ?? null,
  };
}

function kindOf(type: TypeProto | undefined): string {
  return type?.value.case?.replace("Type", "") ?? "unknown";
}
