import { UserError } from "../errors.js";
import type { GraphProto, NodeProto } from "../formats/onnx.js";
import { copy } from "../graph/clone.js";
import type { FreshName } from "../graph/names.js";
import { isStandard, makeNode } from "../graph/node.js";
import { renameValues } from "../graph/normalise/functions.js";

export function isBranch(node: NodeProto): boolean {
  return node.opType === "If" && isStandard(node);
}

/** The nodes of the branch an If takes, in its place. Values inside keep their names where those are free. */
export function takenBranch(node: NodeProto, condition: boolean, fresh: FreshName): readonly NodeProto[] {
  const name = condition ? "then_branch" : "else_branch";
  const graph = node.attribute.find((attribute) => attribute.name === name)?.g;
  if (!graph) throw new UserError(`node ${node.name || node.output[0]} (If): has no ${name}`);
  const branch = copy<GraphProto>(graph);
  const made = new Set(branch.node.flatMap(({ output }) => output));
  const names = new Map<string, string>([["", ""]]);
  const passed: NodeProto[] = [];
  // what stays stored in the branch because the branch puts it out
  const stored = branch.initializer.map((tensor) => {
    const own = fresh(tensor.name);
    names.set(tensor.name, own);
    return makeNode("Constant", fresh(`${own}_node`), [], [own], { value: { tensor } });
  });
  branch.output.forEach((output, at) => {
    const outer = node.output[at];
    if (!outer) return;
    if (made.has(output.name) && !names.has(output.name)) names.set(output.name, outer);
    else {
      const from = names.get(output.name) ?? output.name;
      passed.push(makeNode("Identity", fresh(`${outer}_node`), [from], [outer]));
    }
  });
  renameValues(branch.node, names, fresh);
  return [...stored, ...branch.node, ...passed];
}
