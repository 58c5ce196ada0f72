import type { NodeProto, TensorProto } from "../formats/onnx.js";
import type { Structure } from "./structure.js";

/** A node that reads a stored tensor as its input number `input`. */
interface Reader {
  readonly node: NodeProto;
  readonly input: number;
}

/** The nodes that read each stored tensor, in the order of the graphs. */
export function readersOf({ view }: Pick<Structure, "view">): ReadonlyMap<TensorProto, readonly Reader[]> {
  const readers = new Map<TensorProto, Reader[]>();
  for (const scope of view.scopes) {
    for (const node of scope.graph.node) {
      node.input.forEach((name, input) => {
        const tensor = name ? view.initializerOf(scope, name)?.tensor : undefined;
        if (!tensor) return;
        const list = readers.get(tensor);
        if (list) list.push({ node, input });
        else readers.set(tensor, [{ node, input }]);
      });
    }
  }
  return readers;
}
