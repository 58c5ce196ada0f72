import type { GraphProto, NodeProto } from "../formats/onnx.js";
import { graphsOf } from "../formats/onnx.js";
import { graphsIn } from "../graph/node.js";

/** How data flow through a main graph: from inputs to outputs, parameters and sizes (Shape, Size) left out. */
export interface Flow {
  /** The nodes that read a value as data. */
  readersOf(value: string): readonly NodeProto[];
  /** What a node reads as data, values that its nested graphs read among it. */
  readBy(node: NodeProto): readonly string[];
  /** The first value behind this one that everything it leads to goes through; undefined where there is none. */
  next(value: string): string | undefined;
  /** The nodes on the ways from one value to another. */
  between(from: string, to: string): readonly NodeProto[];
  /** The inputs that bring data. */
  readonly inputs: readonly string[];
}

/** Operators that give sizes, not data. */
const sizes = new Set(["Shape", "Size"]);

/** Follows the data; the nodes must stand in order. */
export function flowOf(graph: GraphProto): Flow {
  const stored = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.map(({ name }) => name).filter((name) => !stored.has(name));
  const data = new Set(inputs);
  const reads = new Map<NodeProto, readonly string[]>();
  const readers = new Map<string, NodeProto[]>();
  for (const node of graph.node) {
    if (sizes.has(node.opType)) continue;
    const read = [...new Set([...node.input, ...captured(node)])].filter((name) => data.has(name));
    if (read.length === 0) continue;
    reads.set(node, read);
    for (const name of read) readers.set(name, [...(readers.get(name) ?? []), node]);
    for (const name of node.output) if (name) data.add(name);
  }
  const readersOf = (value: string) => readers.get(value) ?? [];
  const next = postdominators(graph, readersOf, inputs);
  return {
    inputs,
    readersOf,
    readBy: (node) => reads.get(node) ?? [],
    next: (value) => next.get(value)?.next,
    between(from, to) {
      const forward = new Set<NodeProto>();
      const wave = [from];
      for (let value = wave.pop(); value !== undefined; value = wave.pop()) {
        for (const node of readersOf(value)) {
          if (forward.has(node)) continue;
          forward.add(node);
          if (!node.output.includes(to)) wave.push(...node.output.filter(Boolean));
        }
      }
      // from the end backwards, along the same ways
      const wanted = new Set([to]);
      const found: NodeProto[] = [];
      for (const node of graph.node.toReversed()) {
        if (!forward.has(node) || !node.output.some((name) => wanted.has(name))) continue;
        found.push(node);
        for (const name of reads.get(node)!) if (name !== from) wanted.add(name);
      }
      return found.reverse();
    },
  };
}

function captured(node: NodeProto): readonly string[] {
  return graphsIn(node).flatMap((graph) =>
    [...graphsOf(graph)].flatMap((one) => [
      ...one.node.flatMap(({ input }) => input),
      ...one.output.map(({ name }) => name),
    ]),
  );
}

interface Place {
  readonly next: string | undefined;
  readonly depth: number;
}

/** The immediate postdominator of each value that leads to an output (Cooper, Harvey and Kennedy 2001; the graph has no circles, so one pass does). */
function postdominators(
  graph: GraphProto,
  readersOf: (value: string) => readonly NodeProto[],
  inputs: readonly string[],
): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  const outputs = new Set(graph.output.map(({ name }) => name));
  const meet = (one: string | undefined, other: string | undefined): string | undefined => {
    let [a, b] = [one, other];
    while (a !== b) {
      if (a === undefined || b === undefined) return undefined;
      if (places.get(a)!.depth > places.get(b)!.depth) a = places.get(a)!.next;
      else b = places.get(b)!.next;
    }
    return a;
  };
  const place = (value: string) => {
    const after = readersOf(value).flatMap(({ output }) => output.filter((name) => places.has(name)));
    if (after.length === 0 && !outputs.has(value)) return;
    // an output leads out of the graph, past everything
    const next = outputs.has(value)
      ? undefined
      : after.slice(1).reduce<string | undefined>((met, one) => meet(met, one), after[0]);
    places.set(value, { next, depth: next === undefined ? 0 : places.get(next)!.depth + 1 });
  };
  for (const node of graph.node.toReversed()) for (const name of node.output) if (name) place(name);
  for (const name of inputs) place(name);
  return places;
}
