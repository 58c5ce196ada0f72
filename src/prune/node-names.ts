import type { NodeProto } from "../formats/onnx.js";
import { isStandard } from "../graph/node.js";

/** How a node is called in reports. */
export function nodeName(node: NodeProto): string {
  return node.name || node.output.find(Boolean) || node.opType;
}

/** The key of a row. */
export function operatorOf(node: NodeProto): string {
  return isStandard(node) ? node.opType : `${node.domain}:${node.opType}`;
}
