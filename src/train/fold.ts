import type { NodeProto, TensorProto } from "../formats/onnx.js";
import { onnxType } from "../formats/onnx-types.js";
import type { Value } from "../graph/builder.js";
import { intAttribute, isStandard } from "../graph/node.js";
import { elementCount, type Tensor } from "../tensor/tensor.js";
import { type RunnableNodes, withNodes } from "./run-nodes.js";
import { never, readsOf, type Variations } from "./variation.js";

/** Larger values are computed anew in each step, not kept. */
const keptElements = 1 << 22;

export interface Folded {
  /** What is left to be run. */
  readonly nodes: readonly NodeProto[];
  /** What was carried out, where a node that is left, or `outputs`, reads it. */
  readonly constants: ReadonlyMap<string, Tensor>;
}

/** Carries out the nodes whose results are the same in every batch of these shapes. */
export async function foldConstants(
  part: RunnableNodes,
  outputs: readonly string[],
  values: ReadonlyMap<string, Value>,
  variations: Variations,
): Promise<Folded> {
  const needed = new Set(outputs);
  const wanted: string[] = [];
  const known = new Map<string, Tensor>();
  const left: NodeProto[] = [];
  const constantNodes: NodeProto[] = [];
  const unreadable = new Set(part.initializers.filter(isUnreadable).map(({ name }) => name));
  for (const node of [...part.nodes].reverse()) {
    const names = node.output.filter(Boolean);
    if (names.some((name) => variations.elements(name) !== never)) {
      left.push(node);
      for (const name of readsOf(node)) needed.add(name);
      continue;
    }
    const shape = shapeValue(node, values);
    if (shape) {
      // kept for those carried out below, too
      known.set(names[0]!, shape);
      continue;
    }
    constantNodes.push(node);
    const asked = names.filter((name) => needed.has(name));
    if (asked.length === 0) continue;
    const isKept = (name: string) => {
      const form = values.get(name);
      return form !== undefined && elementCount(form.shape) <= keptElements;
    };
    if (asked.every(isKept) || readsOf(node).some((name) => unreadable.has(name))) wanted.push(...asked);
    else {
      left.push(node);
      for (const name of readsOf(node)) needed.add(name);
    }
  }
  const constants = new Map([...known].filter(([name]) => needed.has(name)));
  if (wanted.length > 0) {
    const feeds = new Map([...part.feeds, ...known]);
    const nodes = ancestors(constantNodes.reverse(), wanted);
    const found = await withNodes({ ...part, nodes, feeds }, wanted, (session, fed) => session.runFor(fed, wanted));
    for (const [name, tensor] of found) constants.set(name, tensor);
  }
  return { nodes: left.reverse(), constants };
}

/** The nodes among these that others of them, or `wanted`, read; in order. */
export function ancestors(nodes: readonly NodeProto[], wanted: Iterable<string>): readonly NodeProto[] {
  const needed = new Set(wanted);
  const found: NodeProto[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.output.some((name) => needed.has(name))) continue;
    found.push(node);
    for (const name of readsOf(node)) needed.add(name);
  }
  return found.reverse();
}

/** What a Shape or Size node gives. */
function shapeValue(node: NodeProto, values: ReadonlyMap<string, Value>): Tensor | undefined {
  const shape = values.get(node.input[0] ?? "")?.shape;
  if (!shape || !isStandard(node)) return undefined;
  if (node.opType === "Size") {
    return { dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(elementCount(shape))) };
  }
  if (node.opType !== "Shape") return undefined;
  const sizes = shape.slice(intAttribute(node, "start", 0), intAttribute(node, "end", shape.length));
  return { dtype: "int64", shape: [sizes.length], data: BigInt64Array.from(sizes.map(BigInt)) };
}

function isUnreadable({ dataType }: TensorProto): boolean {
  return onnxType(dataType)?.dtype === undefined;
}
