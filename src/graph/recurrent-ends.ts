import type { ModelProto, NodeProto } from "../formats/onnx.js";
import { graphsIn, isStandard } from "./node.js";
import { type Made, makerOf } from "./producers.js";
import { type ModelView, type Scope, viewModel } from "./scope.js";

/** Through which inputs and outputs of a model recurrent states come and go. */
interface RecurrentEnds {
  /** Inputs that some recurrent operator starts from. */
  readonly starts: ReadonlySet<string>;
  /** Whether an output of the main graph is nothing but what a recurrent operator ends with. */
  isLast(output: string): boolean;
}

const recurrent: ReadonlySet<string> = new Set(["LSTM", "GRU", "RNN"]);

/** Operators that put elements in other places and change none. */
const movers: ReadonlySet<string> = new Set([
  ...["Identity", "Cast", "Slice", "Split", "Concat", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose"],
  ...["Gather", "Pad"],
]);

/** Looks through nested graphs, too. */
export function recurrentEnds(view: ModelView): RecurrentEnds {
  const starts = new Set<string>();
  const seen = new Map<Scope, Set<string>>(view.scopes.map((scope) => [scope, new Set()]));
  const open = view.scopes.flatMap((scope) =>
    scope.graph.node
      .filter(isRecurrent)
      .flatMap(({ opType, input }) => [input[5], opType === "LSTM" ? input[6] : undefined])
      .map((name) => [scope, name ?? ""] as const),
  );
  for (let next = open.pop(); next; next = open.pop()) {
    const [from, name] = next;
    const made = makerOf(from, name);
    if (!made || seen.get(made.scope)!.has(name)) continue;
    seen.get(made.scope)!.add(name);
    if (!made.node && !made.scope.parent) starts.add(name);
    open.push(...sourcesOf(made));
  }
  const known = new Map<string, boolean>();
  const ends = (scope: Scope, name: string): boolean => {
    const made = makerOf(scope, name);
    if (!made?.node) return false;
    const key = `${made.scope.path} ${name}`;
    if (!known.has(key)) known.set(key, comesLast(made, made.node));
    return known.get(key)!;
  };
  const comesLast = (made: Made, node: NodeProto): boolean => {
    if (isRecurrent(node)) return node.output.indexOf(made.name) > 0;
    if (graphsIn(node).length === 0 && !(isStandard(node) && movers.has(node.opType))) return false;
    return sourcesOf(made).some(([own, source]) => ends(own, source));
  };
  return { starts, isLast: (output) => starts.size > 0 && ends(view.root, output) };
}

/** Outputs through which recurrent states go out. */
export function stateOutputs(model: ModelProto): ReadonlySet<string> {
  const view = viewModel(model);
  const { isLast } = recurrentEnds(view);
  return new Set(view.root.graph.output.map(({ name }) => name).filter(isLast));
}

const isRecurrent = (node: NodeProto): boolean => isStandard(node) && recurrent.has(node.opType);

/** Values that a value may be made of, each as a scope sees it; indices, sizes and conditions among them. */
function sourcesOf({ scope, name, node }: Made): readonly (readonly [Scope, string])[] {
  if (!node) {
    const holder = scope.parent?.graph.node.find((each) => graphsIn(each).includes(scope.graph));
    return (holder?.input ?? []).filter(Boolean).map((source) => [scope.parent!, source]);
  }
  const graphs = graphsIn(node);
  const inside = scope.children
    .filter(({ graph }) => graphs.includes(graph))
    .flatMap((child): (readonly [Scope, string])[] => {
      // of an If the same place in each branch
      const place = node.opType === "If" ? node.output.indexOf(name) : undefined;
      const outputs = child.graph.output.filter((_, at) => place === undefined || at === place);
      return outputs.map((output) => [child, output.name]);
    });
  return [...node.input.filter(Boolean).map((source) => [scope, source] as const), ...inside];
}
