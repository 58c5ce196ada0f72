import { graphsOf, type ModelProto } from "../formats/onnx.js";

/** Gives names that no graph of the model uses yet: `base`, else `base_1`, `base_2`, ... */
export type FreshName = (base: string) => string;

/** Collects every value and node name of a model, nested graphs included; local functions have names of their own. */
export function freshNames(model: ModelProto): FreshName {
  const taken = new Set<string>();
  for (const graph of graphsOf(model.graph!)) {
    for (const { name } of [...graph.input, ...graph.output, ...graph.initializer]) taken.add(name);
    for (const { values } of graph.sparseInitializer) if (values) taken.add(values.name);
    for (const node of graph.node) for (const name of [node.name, ...node.input, ...node.output]) taken.add(name);
  }
  return freshFrom(taken);
}

/** Gives names that are not among these, and takes them into account from then on. */
export function freshFrom(taken: Set<string>): FreshName {
  // names are never given back: what was tried for a base need not be tried again
  const next = new Map<string, number>();
  return (base) => {
    let name = base;
    let at = next.get(base) ?? 1;
    for (; taken.has(name); at++) name = `${base}_${at}`;
    next.set(base, at);
    taken.add(name);
    return name;
  };
}
