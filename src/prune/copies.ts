import { type GraphProto, graphsOf, type ModelProto, type NodeProto } from "../formats/onnx.js";
import { cloneModel } from "../graph/clone.js";

/** A copy of a model, and what stands in it for each node and graph. */
export interface ModelCopy {
  readonly model: ModelProto;
  readonly nodes: ReadonlyMap<NodeProto, NodeProto>;
  readonly graphs: ReadonlyMap<GraphProto, GraphProto>;
}

/** Copies a model as {@link cloneModel} does. */
export function copyOf(model: ModelProto): ModelCopy {
  const copy = cloneModel(model);
  const nodes = new Map<NodeProto, NodeProto>();
  const graphs = new Map<GraphProto, GraphProto>();
  const copied = [...graphsOf(copy.graph!)];
  [...graphsOf(model.graph!)].forEach((graph, at) => {
    graphs.set(graph, copied[at]!);
    graph.node.forEach((node, position) => void nodes.set(node, copied[at]!.node[position]!));
  });
  return { model: copy, nodes, graphs };
}
