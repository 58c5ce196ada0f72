import type { NodeProto } from "../formats/onnx.js";
import { isStandard } from "./node.js";
import type { ModelView, Scope, Use } from "./scope.js";

/** Operators that put elements in other places and change none. */
const movers: ReadonlySet<string> = new Set([
  ...["Identity", "Slice", "Split", "Concat", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Gather"],
]);

/**
 * Finds what constants become: `usesOf` gives the uses of a constant behind operators that only move its elements and
 * whose other inputs are constants too (an exporter that reorders the gates of an LSTM writes Slice and Concat). What
 * lies between is constant, so runtimes carry it out when they load the model.
 */
export function movedConstants(view: ModelView): { usesOf(scope: Scope, name: string): readonly Use[] } {
  const makers = new Map(
    view.scopes.map((scope) => [
      scope,
      new Map(scope.graph.node.flatMap((node) => node.output.map((output) => [output, node] as const))),
    ]),
  );
  const known = new Map<NodeProto, boolean>();
  const isConstant = (scope: Scope, name: string): boolean => {
    if (name === "") return true;
    const found = view.initializerOf(scope, name);
    if (found) return !found.scope.inputs.has(name);
    for (let at: Scope | null = scope; at; at = at.parent) {
      const maker = makers.get(at)!.get(name);
      if (maker) return maker.opType === "Constant" || onlyMoves(at, maker);
      if (at.inputs.has(name)) return false;
    }
    return false;
  };
  const onlyMoves = (scope: Scope, node: NodeProto): boolean => {
    const found = known.get(node);
    if (found !== undefined) return found;
    // a cycle is no constant
    known.set(node, false);
    const result = isStandard(node) && movers.has(node.opType) && node.input.every((name) => isConstant(scope, name));
    known.set(node, result);
    return result;
  };
  const usesOf = (scope: Scope, name: string): readonly Use[] =>
    view.usesOf(scope, name).flatMap((use) => {
      if (!onlyMoves(use.scope, use.node)) return [];
      return use.node.output.flatMap((output) => [
        ...view.usesOf(use.scope, output).filter(({ node, scope: home }) => !onlyMoves(home, node)),
        ...usesOf(use.scope, output),
      ]);
    });
  return { usesOf };
}
