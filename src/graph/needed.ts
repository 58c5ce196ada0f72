import type { NodeProto } from "../formats/onnx.js";
import { graphsIn } from "./node.js";

/** Names that these values are made of, themselves included; nodes must come in the order in which they run. */
export function neededNames(nodes: readonly NodeProto[], values: Iterable<string>): ReadonlySet<string> {
  const needed = new Set(values);
  const read = (node: NodeProto): void => {
    for (const name of node.input) needed.add(name);
    for (const graph of graphsIn(node)) {
      for (const { name } of graph.output) needed.add(name);
      graph.node.forEach(read);
    }
  };
  for (const node of nodes.toReversed()) if (node.output.some((name) => needed.has(name))) read(node);
  return needed;
}
