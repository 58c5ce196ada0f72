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

/** Where a value comes from: the scope that owns it, and the node there that makes it, unless it is an input. */
export interface Made {
  readonly scope: Scope;
  readonly name: string;
  readonly node: NodeProto | undefined;
}

/** Looks outwards from a scope; undefined for stored tensors and for names that nothing here gives. */
export function makerOf(from: Scope, name: string): Made | undefined {
  if (!name) return undefined;
  for (let scope: Scope | null = from; scope; scope = scope.parent) {
    if (scope.initializers.has(name)) return undefined;
    if (scope.inputs.has(name)) return { scope, name, node: undefined };
    const node = producers(scope).get(name);
    if (node) return { scope, name, node };
  }
  return undefined;
}
