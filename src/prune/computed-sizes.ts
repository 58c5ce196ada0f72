import type { GraphProto, NodeProto } from "../formats/onnx.js";
import type { FreshName } from "../graph/names.js";
import type { Scope } from "../graph/scope.js";
import type { Structure } from "./structure.js";

/**
 * Changes element `at` of the vector of sizes that a node reads: follows it through Concat, Unsqueeze, Cast, Gather and
 * the like to the constant that holds it, and gives this node's way a constant of its own. False where it cannot.
 */
export function setComputedSize(
  _structure: Structure,
  _scope: Scope,
  _node: NodeProto,
  _input: number,
  _at: number,
  _size: number,
  _nodes: ReadonlyMap<NodeProto, NodeProto>,
  _graphs: ReadonlyMap<GraphProto, GraphProto>,
  _fresh: FreshName,
): boolean {
  return false;
}
