import type { GraphProto, ModelProto, NodeProto, TensorProto } from "../formats/onnx.js";

/** A use of a value: input number `input` of `node`, which stands in `scope`. */
export interface Use {
  readonly node: NodeProto;
  readonly input: number;
  readonly scope: Scope;
}

/**
 * One graph of a model and what its names mean. A nested graph (If, Loop, Scan body) sees its own names and those of
 * the graphs around it.
 */
export interface Scope {
  readonly graph: GraphProto;
  readonly parent: Scope | null;
  /** `main`, or the way to a nested graph: `main/If_12.then_branch`; no two scopes share one. */
  readonly path: string;
  readonly initializers: ReadonlyMap<string, TensorProto>;
  /** Names that callers of this graph give a value. */
  readonly inputs: ReadonlySet<string>;
  readonly outputs: ReadonlySet<string>;
  readonly children: readonly Scope[];
}

/** The scopes of a model, outermost first; `root` is the main graph. */
export interface ModelView {
  readonly root: Scope;
  readonly scopes: readonly Scope[];
  /** All uses of a value by nodes, in its scope and those nested in it; graph outputs do not count. */
  usesOf(scope: Scope, name: string): readonly Use[];
  /** The initializer a name stands for where `scope` uses it, and the scope that holds it. */
  initializerOf(scope: Scope, name: string): { readonly tensor: TensorProto; readonly scope: Scope } | undefined;
}

/** Builds the view. It describes the model as it is now: build a new one after edits. */
export function viewModel(model: ModelProto): ModelView {
  const scopes: Scope[] = [];
  const root = scopeOf(model.graph!, null, "main", scopes);
  const owners = new Map<Scope, Set<string>>(scopes.map((scope) => [scope, ownedNames(scope)]));
  const owner = (scope: Scope, name: string): Scope | undefined => {
    for (let at: Scope | null = scope; at; at = at.parent) if (owners.get(at)!.has(name)) return at;
    return undefined;
  };
  const uses = new Map<Scope, Map<string, Use[]>>(scopes.map((scope) => [scope, new Map()]));
  for (const scope of scopes) {
    for (const node of scope.graph.node) {
      node.input.forEach((name, input) => {
        const holder = name ? owner(scope, name) : undefined;
        if (!holder) return;
        const list = uses.get(holder)!;
        if (!list.has(name)) list.set(name, []);
        list.get(name)!.push({ node, input, scope });
      });
    }
  }
  return {
    root,
    scopes,
    usesOf: (scope, name) => uses.get(scope)!.get(name) ?? [],
    initializerOf(scope, name) {
      const holder = owner(scope, name);
      const tensor = holder?.initializers.get(name);
      return holder && tensor ? { tensor, scope: holder } : undefined;
    },
  };
}

function scopeOf(graph: GraphProto, parent: Scope | null, path: string, all: Scope[]): Scope {
  const children: Scope[] = [];
  const scope: Scope = {
    graph,
    parent,
    path,
    initializers: new Map(graph.initializer.map((tensor) => [tensor.name, tensor])),
    inputs: new Set(graph.input.map(({ name }) => name)),
    outputs: new Set(graph.output.map(({ name }) => name)),
    children,
  };
  all.push(scope);
  for (const { node, name, graph: nested } of nestedGraphs(graph)) {
    const way = `${path}/${node.name || node.output[0] || node.opType}.${name}`;
    // node names need not be unique
    const twins = children.filter((child) => child.path === way || child.path.startsWith(`${way}#`)).length;
    children.push(scopeOf(nested, scope, twins > 0 ? `${way}#${twins + 1}` : way, all));
  }
  return scope;
}

/** The graphs held by a graph's own nodes, with the attribute that holds each. */
function* nestedGraphs(graph: GraphProto): Generator<{ node: NodeProto; name: string; graph: GraphProto }> {
  for (const node of graph.node) {
    for (const attribute of node.attribute) {
      if (attribute.g) yield { node, name: attribute.name, graph: attribute.g };
      for (const [at, nested] of attribute.graphs.entries()) {
        yield { node, name: `${attribute.name}[${at}]`, graph: nested };
      }
    }
  }
}

function ownedNames(scope: Scope): Set<string> {
  const names = new Set([...scope.inputs, ...scope.initializers.keys()]);
  for (const sparse of scope.graph.sparseInitializer) if (sparse.values) names.add(sparse.values.name);
  for (const node of scope.graph.node) for (const output of node.output) if (output) names.add(output);
  return names;
}
