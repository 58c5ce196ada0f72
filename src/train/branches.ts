import { UserError } from "../errors.js";
import type { GraphProto, NodeProto } from "../formats/onnx.js";
import { copy } from "../graph/clone.js";
import type { FreshName } from "../graph/names.js";
import { isStandard, makeNode } from "../graph/node.js";
import { renameValues } from "../graph/normalise/functions.js";

export function isBranch(node: NodeProto): boolean {
  return node.opType === "If" && isStandard(node);
}

/** Values of both branches of an If, of which one is taken. */
export interface Choice {
  readonly node: NodeProto;
  readonly values: readonly (readonly [string, string])[];
}

/**
 * Both branches of an If, and a Where that takes the one or the other: for a condition that changes with the data. Right
 * where both make values of one shape, which is to be checked.
 */
export function bothBranches(
  node: NodeProto,
  fresh: FreshName,
): { readonly nodes: readonly NodeProto[]; readonly choice: Choice } {
  const sides = [true, false].map((condition) => {
    const output = node.output.map((name) => name && fresh(`${name}_${condition ? "then" : "else"}`));
    return { output, nodes: branchOf(node, output, condition, fresh) };
  });
  const [then, otherwise] = sides as [(typeof sides)[0], (typeof sides)[0]];
  const values = node.output.flatMap((name, at) => (name ? [[then.output[at]!, otherwise.output[at]!] as const] : []));
  const choices = node.output.flatMap((name, at) => {
    const input = [node.input[0]!, then.output[at]!, otherwise.output[at]!];
    return name ? [makeNode("Where", fresh(`${name}_node`), input, [name])] : [];
  });
  return { nodes: [...then.nodes, ...otherwise.nodes, ...choices], choice: { node, values } };
}

/** The nodes of the branch an If takes, in its place. Values inside keep their names where those are free. */
export function takenBranch(node: NodeProto, condition: boolean, fresh: FreshName): readonly NodeProto[] {
  return branchOf(node, node.output, condition, fresh);
}

/** The nodes of a branch, which put out their values under these names. */
function branchOf(
  node: NodeProto,
  outputs: readonly string[],
  condition: boolean,
  fresh: FreshName,
): readonly NodeProto[] {
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
    const outer = outputs[at];
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
