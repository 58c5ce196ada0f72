import { FormatError } from "../errors.js";
import type { FunctionProto, GraphProto, ModelProto, NodeProto } from "../formats/onnx.js";
import { allNodes, callKey, functionKey } from "./calls.js";
import { graphsIn } from "./node.js";

/**
 * Refuses a graph that no runtime could make sense of: a value made twice, a value read or put out that nothing makes,
 * nodes that wait for each other in a circle, a
 * function that calls itself. Throws a FormatError that names nodes and values. Nested graphs and local
 * functions are checked too; the order of the nodes is free (see {@link sortNodes}).
 */
export function checkGraphs(model: ModelProto, file: string): void {
  checkBody(bodyOfGraph(model.graph!), new Set(), file);
  for (const held of model.functions) checkBody(bodyOfFunction(held), new Set(), `${file}: function ${held.name}`);
  checkCalls(model, file);
}

/** Refuses functions that call each other in a circle. */
function checkCalls({ functions }: ModelProto, file: string): void {
  const held = new Map(functions.map((called) => [functionKey(called), called]));
  const done = new Set<string>();
  const visit = (key: string, way: readonly string[]): void => {
    const called = held.get(key);
    if (!called || done.has(key)) return;
    if (way.includes(key)) throw new FormatError(`${file}: function ${called.name} calls itself`);
    for (const node of allNodes(called.node)) visit(callKey(node), [...way, key]);
    done.add(key);
  };
  for (const key of held.keys()) visit(key, []);
}

/** Puts the nodes of every graph into an order in which values are made before they are read. Returns how many graphs changed. */
export function sortNodes(graphs: Iterable<GraphProto>): number {
  let changed = 0;
  for (const graph of graphs) {
    const { order } = orderOf(graph.node);
    if (order.every((node, at) => node === graph.node[at])) continue;
    graph.node = [...order];
    changed += 1;
  }
  return changed;
}

/** How a node is called in messages: its name, else its first output, and its operator. */
function nodeLabel(node: NodeProto): string {
  const name = node.name || node.output.find(Boolean);
  return name ? `${name} (${node.opType})` : node.opType;
}

/** What graphs and functions have in common. */
interface Body {
  readonly kind: string;
  readonly inputs: readonly string[];
  readonly initializers: readonly string[];
  readonly nodes: readonly NodeProto[];
  readonly outputs: readonly string[];
}

function bodyOfGraph(graph: GraphProto): Body {
  return {
    kind: "graph",
    inputs: graph.input.map(({ name }) => name),
    initializers: [...graph.initializer, ...graph.sparseInitializer.flatMap(({ values }) => values ?? [])].map(
      ({ name }) => name,
    ),
    nodes: graph.node,
    outputs: graph.output.map(({ name }) => name),
  };
}

function bodyOfFunction({ input, node, output }: FunctionProto): Body {
  return { kind: "function", inputs: input, initializers: [], nodes: node, outputs: output };
}

function checkBody(body: Body, outer: ReadonlySet<string>, where: string): void {
  const makers = new Map<string, string>();
  const define = (name: string, maker: string) => {
    const other = makers.get(name);
    if (other) throw new FormatError(`${where}: value "${name}" is made twice: by ${other} and by ${maker}`);
    makers.set(name, maker);
  };
  for (const name of body.inputs) define(name, "an input");
  // before IR version 4 every initializer was an input too
  const inputs = new Set(body.inputs);
  const stored = new Set<string>();
  for (const name of body.initializers) {
    if (stored.has(name)) throw new FormatError(`${where}: there are two initializers "${name}"`);
    stored.add(name);
    if (!inputs.has(name)) define(name, "an initializer");
  }
  for (const node of body.nodes) for (const name of node.output) if (name) define(name, `node ${nodeLabel(node)}`);
  const visible = new Set([...outer, ...makers.keys()]);
  for (const node of body.nodes) {
    const missing = node.input.find((name) => name && !visible.has(name));
    if (missing !== undefined) {
      throw new FormatError(`${where}: node ${nodeLabel(node)} reads "${missing}", which nothing makes`);
    }
  }
  const missing = body.outputs.find((name) => !visible.has(name));
  if (missing !== undefined) throw new FormatError(`${where}: nothing makes the ${body.kind}'s output "${missing}"`);
  const { circle } = orderOf(body.nodes);
  if (circle) {
    const way = [...circle, circle[0]!].map(nodeLabel);
    const shown = way.length > 8 ? [...way.slice(0, 4), "...", ...way.slice(-3)] : way;
    throw new FormatError(`${where}: nodes wait for each other in a circle: ${shown.join(" -> ")}`);
  }
  for (const node of body.nodes) {
    for (const nested of graphsIn(node)) checkBody(bodyOfGraph(nested), visible, where);
  }
}

/** The nodes so that each stands after those whose outputs it reads, as near to the given order as can be; or a circle. */
function orderOf(nodes: readonly NodeProto[]): {
  readonly order: readonly NodeProto[];
  readonly circle?: readonly NodeProto[];
} {
  const makers = new Map<string, NodeProto>();
  for (const node of nodes) for (const name of node.output) if (name) makers.set(name, node);
  const state = new Map<NodeProto, "open" | "done">();
  const order: NodeProto[] = [];
  for (const start of nodes) {
    if (state.has(start)) continue;
    // an explicit stack: chains of nodes are longer than JavaScript's
    const path: { readonly node: NodeProto; readonly needs: Iterator<NodeProto> }[] = [];
    const enter = (node: NodeProto) => {
      state.set(node, "open");
      path.push({ node, needs: needsOf(node, makers) });
    };
    enter(start);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const next = top.needs.next();
      if (next.done) {
        state.set(top.node, "done");
        order.push(top.node);
        path.pop();
      } else if (state.get(next.value) === "open") {
        const from = path.findIndex(({ node }) => node === next.value);
        // the path runs from readers to makers; told in the direction the data flows
        const circle = path.slice(from).map(({ node }) => node);
        return { order, circle: circle.reverse() };
      } else if (!state.has(next.value)) enter(next.value);
    }
  }
  return { order };
}

function* needsOf(node: NodeProto, makers: ReadonlyMap<string, NodeProto>): Generator<NodeProto> {
  for (const name of node.input) {
    const maker = makers.get(name);
    if (maker) yield maker;
  }
  for (const nested of graphsIn(node)) {
    for (const name of outerNames(nested)) {
      const maker = makers.get(name);
      if (maker) yield maker;
    }
  }
}

/** The names a nested graph takes from the graphs around it. */
export function outerNames(graph: GraphProto): Set<string> {
  const { inputs, initializers, nodes, outputs } = bodyOfGraph(graph);
  const names = new Set(outputs);
  for (const node of nodes) {
    for (const name of node.input) if (name) names.add(name);
    for (const nested of graphsIn(node)) for (const name of outerNames(nested)) names.add(name);
  }
  for (const name of [...inputs, ...initializers]) names.delete(name);
  for (const node of nodes) for (const name of node.output) names.delete(name);
  return names;
}
