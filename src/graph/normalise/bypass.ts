import type { ModelProto, NodeProto } from "../../formats/onnx.js";
import { typeName } from "../../formats/onnx-types.js";
import { intAttribute, isStandard } from "../node.js";
import { type ModelView, type Scope, viewModel } from "../scope.js";
import { constantOf, counted, isPutOut, type Pass } from "./pass.js";

/**
 * Nodes that pass a value on as it is are left out: Identity, Dropout (which does nothing when a model is run), Cast to
 * the type the value has. Such nodes stand between operators that belong together. Kept where a graph puts out their
 * value.
 */
export const bypassPass: Pass = {
  name: "bypass",
  words: (changes) => `${counted(changes, "node")} that change nothing left out`,
  run(model) {
    let total = 0;
    // of several in a row, one a round
    for (let round = 0; round < 100; round++) {
      const gone = bypassOnce(model);
      total += gone;
      if (gone === 0) break;
    }
    return total;
  },
};

function bypassOnce(model: ModelProto): number {
  const view = viewModel(model);
  const gone = new Set<NodeProto>();
  // a value that is on either side of a node left out waits for the next round
  const touched = new Set<string>();
  for (const scope of view.scopes) {
    const types = statedTypes(scope);
    for (const node of scope.graph.node) {
      const [input] = node.input;
      const [output, ...others] = node.output;
      if (!input || !output || touched.has(input) || touched.has(output) || isPutOut(scope, output)) continue;
      if (!isStandard(node) || !changesNothing(view, scope, node, types)) continue;
      if (others.some((name) => name && (isPutOut(scope, name) || view.usesOf(scope, name).length > 0))) continue;
      if (isDefinedInside(scope, input)) continue;
      for (const use of view.usesOf(scope, output)) use.node.input[use.input] = input;
      touched.add(input).add(output);
      gone.add(node);
    }
  }
  for (const { graph } of view.scopes) graph.node = graph.node.filter((node) => !gone.has(node));
  return gone.size;
}

function changesNothing(view: ModelView, scope: Scope, node: NodeProto, types: ReadonlyMap<string, number>): boolean {
  if (node.opType === "Identity") return true;
  if (node.opType === "Cast") {
    const from = types.get(node.input[0]!);
    return from !== undefined && from === intAttribute(node, "to", 0);
  }
  if (node.opType !== "Dropout" || intAttribute(node, "is_test", 1) !== 1) return false;
  if (!node.input[2]) return true;
  const training = constantOf(view, scope, node.input[2])?.tensor;
  return training !== undefined && typeName(training.dataType) === "bool" && training.rawData[0] === 0;
}

/** Element types by value, as far as the file states them or a Cast makes them. */
function statedTypes({ graph, parent }: Scope): Map<string, number> {
  const types = parent ? statedTypes(parent) : new Map<string, number>();
  for (const { name, type } of [...graph.input, ...graph.valueInfo, ...graph.output]) {
    if (type?.value.case === "tensorType") types.set(name, type.value.value.elemType);
  }
  for (const { name, dataType } of graph.initializer) types.set(name, dataType);
  for (const node of graph.node) {
    if (node.opType === "Cast" && isStandard(node)) types.set(node.output[0]!, intAttribute(node, "to", 0));
  }
  return types;
}

/** Whether a graph nested in this one has a value of that name of its own. */
function isDefinedInside(scope: Scope, name: string): boolean {
  return scope.children.some(
    (child) =>
      child.inputs.has(name) ||
      child.initializers.has(name) ||
      child.graph.node.some(({ output }) => output.includes(name)) ||
      isDefinedInside(child, name),
  );
}
