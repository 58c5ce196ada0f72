import type { ModelProto } from "../formats/onnx.js";
import { shallowCopy } from "../graph/clone.js";
import { freshNames } from "../graph/names.js";
import { isPutOut } from "../graph/normalise/pass.js";
import { viewModel } from "../graph/scope.js";

/**
 * Moves the initializers of nested graphs (If branches) to the main graph, where each has a name of its own; those that
 * a nested graph puts out stay. What the model computes stays the same. Changes `model`.
 */
export function hoistInitializers(model: ModelProto): void {
  const view = viewModel(model);
  const fresh = freshNames(model);
  const defined = new Map<string, number>();
  for (const { graph } of view.scopes) {
    const names = [...graph.input, ...graph.initializer].map(({ name }) => name);
    for (const name of new Set([...names, ...graph.node.flatMap(({ output }) => output)])) {
      defined.set(name, (defined.get(name) ?? 0) + 1);
    }
  }
  for (const scope of view.scopes) {
    if (!scope.parent) continue;
    const { graph } = scope;
    const stays = (name: string) => scope.inputs.has(name) || isPutOut(scope, name);
    for (const tensor of graph.initializer) {
      if (stays(tensor.name)) continue;
      const moved = shallowCopy(tensor);
      moved.name = defined.get(tensor.name) === 1 ? tensor.name : fresh(tensor.name);
      for (const { node, input } of view.usesOf(scope, tensor.name)) node.input[input] = moved.name;
      view.root.graph.initializer.push(moved);
    }
    graph.initializer = graph.initializer.filter(({ name }) => stays(name));
  }
}
