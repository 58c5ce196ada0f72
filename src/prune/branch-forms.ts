import type { ModelProto, ReadExternal } from "../formats/onnx.js";
import { graphsIn, isStandard } from "../graph/node.js";
import type { ModelView, Scope } from "../graph/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { graphAttribute } from "./bodies.js";
import { type Forms, type Found, formsFor, type ValueForm } from "./shapes.js";

/** What is known of a model by several inputs of it. */
interface SeenForms {
  readonly forms: Forms;
  /** Branches that none of them takes; those inside others of them left out. */
  readonly untaken: readonly Scope[];
}

/**
 * Finds the shape of every value: of the main graph for the first of `feeds`, of a branch for the first of them that takes
 * it, like what is around it where that does.
 */
export async function findForms(
  model: ModelProto,
  view: ModelView,
  feeds: readonly ReadonlyMap<string, Tensor>[],
  readExternal: ReadExternal,
): Promise<SeenForms> {
  const runs: Run[] = [];
  for (const fed of feeds) {
    const found = await formsFor(model, view, fed, readExternal);
    runs.push({ ...found, taken: takenIn(view, found) });
  }
  const chosen = new Map<Scope, Run>([[view.root, runs[0]!]]);
  const forms = new Map<Scope, ReadonlyMap<string, ValueForm>>([[view.root, runs[0]!.forms.get(view.root)!]]);
  for (const scope of view.scopes.slice(1)) {
    const around = chosen.get(scope.parent!)!;
    const inOrder = [around, ...runs];
    const run =
      inOrder.find(({ taken }) => taken.get(scope) === "yes") ??
      inOrder.find(({ taken }) => taken.get(scope) === "maybe") ??
      around;
    chosen.set(scope, run);
    forms.set(scope, run === around ? run.forms.get(scope)! : allSeen(run, scope));
  }
  const isUntaken = (scope: Scope) => runs.every(({ taken }) => taken.get(scope) === "no");
  return { forms, untaken: view.scopes.filter((scope) => isUntaken(scope) && !isUntaken(scope.parent!)) };
}

interface Run extends Found {
  readonly taken: ReadonlyMap<Scope, "yes" | "no" | "maybe">;
}

/** Whether each graph is run. */
function takenIn(view: ModelView, { known }: Found): Run["taken"] {
  const taken = new Map<Scope, "yes" | "no" | "maybe">([[view.root, "yes"]]);
  for (const scope of view.scopes.slice(1)) {
    const around = taken.get(scope.parent!)!;
    const node = scope.parent!.graph.node.find((each) => graphsIn(each).includes(scope.graph))!;
    const isBranch = isStandard(node) && node.opType === "If";
    const condition = isBranch ? known(scope.parent!, node.input[0]!) : undefined;
    const own = condition && graphAttribute(node, condition.data[0] ? "then_branch" : "else_branch") === scope.graph;
    taken.set(scope, around === "no" || own === false ? "no" : isBranch && !condition ? "maybe" : around);
  }
  return taken;
}

/** What a scope sees around it, and its own. */
function allSeen({ forms }: Run, scope: Scope): ReadonlyMap<string, ValueForm> {
  const around = scope.parent ? allSeen({ forms } as Run, scope.parent) : [];
  return new Map([...around, ...forms.get(scope)!]);
}
