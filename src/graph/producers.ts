import type { NodeProto } from "../formats/onnx.js";
import type { Scope } from "./scope.js";

const producersOf = new WeakMap<Scope, ReadonlyMap<string, NodeProto>>();

/** The node of a scope that makes each of its values. */
export function producers(scope: Scope): ReadonlyMap<string, NodeProto> {
  const known = producersOf.get(scope);
  if (known) return known;
  const found = new Map(scope.graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  producersOf.set(scope, found);
  return found;
}
