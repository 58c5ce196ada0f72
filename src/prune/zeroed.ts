import { type ModelProto, makeTensor, type NodeProto, readTensor, type TensorProto } from "../formats/onnx.js";
import { freshNames } from "../graph/names.js";
import { makeNode } from "../graph/node.js";
import { isNumericDType, tensorOfNumbers } from "../tensor/numbers.js";
import type { DType } from "../tensor/tensor.js";
import { copyOf } from "./copies.js";
import { operatorOf } from "./node-names.js";
import type { Removed } from "./plan.js";
import type { Rows } from "./row.js";
import { zeroStates } from "./states.js";
import type { Structure } from "./structure.js";

/**
 * The model as it is, but with zeros wherever a sum runs over channels that are removed, and statistics of normalisations
 * over the others alone: what the pruned model must compute. Made without any slicing, to hold that against.
 */
export function zeroedModel(structure: Structure, removed: Removed, rows: Rows): ModelProto {
  const { model, view, sizeContext, labels, contractions, statistics, readExternal } = structure;
  const { model: result, nodes: copies, graphs } = copyOf(model);
  const scopes = new Map(view.scopes.flatMap((scope) => scope.graph.node.map((node) => [node, scope] as const)));
  const holderOf = (node: NodeProto) => graphs.get(scopes.get(node)!.graph)!;
  const fresh = freshNames(result);
  const isGone = (label: number) => removed.has(labels.find(label));
  const maskOf = (axis: Int32Array, rank: number, position: number, dtype: DType) => {
    const shape = Array.from({ length: rank }, (_, at) => (at === position ? axis.length : 1));
    let at = 0;
    return tensorOfNumbers(isNumericDType(dtype) ? dtype : "float32", shape, () => (isGone(axis[at++]!) ? 0 : 1));
  };
  const dtypeOf = (node: NodeProto, name: string): DType =>
    sizeContext.form(scopes.get(node)!, name)?.dtype ?? "float32";
  const zeroed = new Map<TensorProto, TensorProto>();
  for (const { node, labels: axis, weight, value } of contractions) {
    if (![...axis].some(isGone)) continue;
    const holder = holderOf(node);
    const copy = copies.get(node)!;
    if (value) {
      const name = copy.input[value.input]!;
      const rank = structure.ranks.get(node)?.[value.input];
      if (rank === undefined) throw new Error(`the rank of ${name} is not known`);
      const mask = fresh(`${name}_mask`);
      const masked = fresh(`${name}_masked`);
      holder.initializer.push(makeTensor(mask, maskOf(axis, rank, value.axis, dtypeOf(node, value.name))));
      holder.node.splice(holder.node.indexOf(copy), 0, makeNode("Mul", "", [name, mask], [masked]));
      copy.input[value.input] = masked;
    } else if (weight) {
      const before = zeroed.get(weight.tensor) ?? weight.tensor;
      const { dtype, shape, data } = readTensor(before, readExternal);
      const inner = shape.slice(weight.axis + 1).reduce((product, size) => product * size, 1);
      // all bits zero is 0 in every type of floats
      const rest = (data as Float32Array).slice();
      for (let at = 0; at < rest.length; at++) if (isGone(axis[Math.floor(at / inner) % axis.length]!)) rest[at] = 0;
      zeroed.set(weight.tensor, makeTensor(weight.tensor.name, { dtype, shape, data: rest }));
    }
  }
  for (const graph of graphs.values()) {
    graph.initializer = graph.initializer.map((tensor) => zeroed.get(tensor) ?? tensor);
  }
  for (const found of statistics) {
    if (![...found.labels].some(isGone)) continue;
    const masked = rows[operatorOf(found.node)]?.masked;
    if (!masked) throw new Error(`${operatorOf(found.node)} has statistics, but no masked form`);
    const holder = holderOf(found.node);
    const copy = copies.get(found.node)!;
    const kept = [...found.labels.keys()].filter((at) => !isGone(found.labels[at]!));
    const parts = masked({
      ...found,
      node: copy,
      kept,
      fresh,
      rank: structure.ranks.get(found.node)![0]!,
      opset: structure.opset,
    });
    holder.initializer.push(...parts.initializers);
    holder.node.splice(holder.node.indexOf(copy), 1, ...parts.nodes);
  }
  zeroStates(structure.states, result.graph!, isGone, maskOf, fresh);
  return result;
}
