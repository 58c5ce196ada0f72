import type { FunctionProto, NodeProto } from "../formats/onnx.js";
import { graphsIn } from "./node.js";

/** What a local function is called by: domain, name and overload. */
export function functionKey({ domain, name, overload }: FunctionProto): string {
  return keyOf(domain, name, overload);
}

/** The key of the function a node calls, if it calls one. */
export function callKey({ domain, opType, overload }: NodeProto): string {
  return keyOf(domain, opType, overload);
}

function keyOf(domain: string, name: string, overload: string): string {
  return JSON.stringify([domain === "ai.onnx" ? "" : domain, name, overload]);
}

/** All nodes of a list and of the graphs nested in them. */
export function* allNodes(nodes: readonly NodeProto[]): Generator<NodeProto> {
  for (const node of nodes) {
    yield node;
    for (const nested of graphsIn(node)) yield* allNodes(nested.node);
  }
}
