import { type GraphProto, graphsOf, type ModelProto } from "../formats/onnx.js";
import { shallowCopy } from "./clone.js";

/** Bytes of what {@link shortenNames} would make short or drop, nearly. */
export function nameBytes(model: ModelProto): number {
  let bytes = 0;
  for (const { node, initializer, valueInfo } of graphsOf(model.graph!)) {
    for (const { name } of initializer) bytes += name.length;
    for (const { name, docString, input, output } of node) {
      bytes += name.length + docString.length;
      for (const value of input) bytes += value.length;
      for (const value of output) bytes += value.length;
    }
    // a shape takes about as much as a name
    for (const { name } of valueInfo) bytes += 2 * name.length;
  }
  return bytes;
}

/**
 * Gives every value inside a model a name of a few characters and drops what only people read: names of nodes, doc
 * strings, stated shapes of values between inputs and outputs. In files of many small tensors that is up to 2 %. Inputs
 * and outputs keep their names, and so do the insides of local functions. Returns the new names of initializers by their
 * old ones, which must differ between graphs for those that are looked up. Changes `model`, but none of its tensors.
 */
export function shortenNames(model: ModelProto): ReadonlyMap<string, string> {
  const main = model.graph!;
  const kept = new Set([...main.input, ...main.output].map(({ name }) => name));
  for (const graph of graphsOf(main)) {
    for (const { values } of graph.sparseInitializer) if (values) kept.add(values.name);
  }
  let count = 0;
  const next = (): string => {
    let name: string;
    do name = (count++).toString(36);
    while (kept.has(name));
    return name;
  };
  const initializers = new Map<string, string>();
  const visit = (graph: GraphProto, outer: ReadonlyMap<string, string>): void => {
    const names = new Map(outer);
    const own = new Set<string>();
    const define = (name: string) => {
      if (name === "" || own.has(name)) return;
      own.add(name);
      const sparse = graph.sparseInitializer.some(({ values }) => values?.name === name);
      names.set(name, sparse || (graph === main && kept.has(name)) ? name : next());
    };
    for (const { name } of [...graph.input, ...graph.initializer]) define(name);
    for (const { output } of graph.node) for (const name of output) define(name);
    const short = (name: string) => names.get(name) ?? name;
    graph.valueInfo = [];
    graph.quantizationAnnotation = [];
    graph.docString = "";
    if (graph !== main) for (const value of [...graph.input, ...graph.output]) value.name = short(value.name);
    graph.initializer = graph.initializer.map((tensor) => {
      const copy = shallowCopy(tensor);
      copy.name = short(tensor.name);
      copy.docString = "";
      initializers.set(tensor.name, copy.name);
      return copy;
    });
    for (const node of graph.node) {
      node.name = "";
      node.docString = "";
      node.input = node.input.map(short);
      node.output = node.output.map(short);
      for (const { g, graphs } of node.attribute)
        for (const nested of g ? [g, ...graphs] : graphs) visit(nested, names);
    }
  };
  visit(main, new Map());
  return initializers;
}
