import type { FunctionProto, GraphProto, ModelProto, NodeProto } from "../../formats/onnx.js";
import { allNodes, callKey, functionKey } from "../calls.js";
import { copy, shallowCopy } from "../clone.js";
import { type FreshName, freshNames } from "../names.js";
import { graphsIn, makeNode } from "../node.js";
import { counted, type Pass } from "./pass.js";

/**
 * Calls of local functions are replaced by the functions' nodes, so that passes see every operator. Attributes that
 * refer to the call's (ref_attr_name) take its values or the function's defaults.
 *
 * Left alone: functions that import another version of an operator set than the model does. None may call itself.
 */
export const functionsPass: Pass = {
  name: "functions",
  words: (changes) => `${counted(changes, "call")} of local functions replaced by their nodes`,
  run(model) {
    if (model.functions.length === 0) return 0;
    const functions = new Map(model.functions.map((held) => [functionKey(held), held]));
    const plain = new Set([...functions].filter(([, held]) => fitsOpsets(model, held)).map(([key]) => key));
    const fresh = freshNames(model);
    let inlined = 0;
    const expand = (nodes: readonly NodeProto[]): NodeProto[] =>
      nodes.flatMap((node) => {
        const key = callKey(node);
        const called = plain.has(key) ? functions.get(key) : undefined;
        if (!called) {
          for (const nested of graphsIn(node)) nested.node = expand(nested.node);
          return [node];
        }
        inlined += 1;
        return expand(bodyFor(node, called, fresh));
      });
    model.graph!.node = expand(model.graph!.node);
    importOpsets(
      model,
      [...plain].map((key) => functions.get(key)!),
    );
    model.functions = stillCalled(model, functions);
    return inlined;
  },
};

const plainDomain = (domain: string): string => (domain === "ai.onnx" ? "" : domain);

function fitsOpsets(model: ModelProto, { opsetImport }: FunctionProto): boolean {
  const versions = new Map(model.opsetImport.map(({ domain, version }) => [plainDomain(domain), version]));
  return opsetImport.every(({ domain, version }) => (versions.get(plainDomain(domain)) ?? version) === version);
}

/** A model must import what its nodes use; what functions import, it need not. */
function importOpsets(model: ModelProto, functions: readonly FunctionProto[]): void {
  const known = new Set(model.opsetImport.map(({ domain }) => plainDomain(domain)));
  for (const entry of functions.flatMap(({ opsetImport }) => opsetImport)) {
    if (known.has(plainDomain(entry.domain))) continue;
    known.add(plainDomain(entry.domain));
    model.opsetImport.push(copy(entry));
  }
}

/** The functions that nodes of the model still call, and those these call. */
function stillCalled(model: ModelProto, functions: ReadonlyMap<string, FunctionProto>): FunctionProto[] {
  const called = new Set<FunctionProto>();
  const visit = (nodes: readonly NodeProto[]): void => {
    for (const node of allNodes(nodes)) {
      const held = functions.get(callKey(node));
      if (!held || called.has(held)) continue;
      called.add(held);
      visit(held.node);
    }
  };
  visit(model.graph!.node);
  return model.functions.filter((held) => called.has(held));
}

/** The nodes of a function as one call of it runs them, under names of their own. */
function bodyFor(call: NodeProto, called: FunctionProto, fresh: FreshName): NodeProto[] {
  const prefix = call.name || call.output.find(Boolean) || call.opType;
  const names = new Map<string, string>([["", ""]]);
  called.input.forEach((name, at) => {
    names.set(name, call.input[at] ?? "");
  });
  const inputs = new Set(called.input);
  // an output that is also an input of the function has its value already, under the caller's name
  const passed: NodeProto[] = [];
  called.output.forEach((name, at) => {
    const output = call.output[at];
    if (!output) return;
    if (inputs.has(name) || names.has(name)) {
      passed.push(makeNode("Identity", fresh(`${prefix}_${name}`), [names.get(name)!], [output]));
    } else names.set(name, output);
  });
  const nodes = called.node.map((node) => copy(node));
  renameValues(nodes, names, (name) => fresh(`${prefix}_${name}`));
  for (const node of allNodes(nodes)) resolveAttributes(node, call, called);
  return [...nodes, ...passed];
}

/**
 * Gives the values that nodes make, and those of the graphs nested in them, new names, and the nodes too. `outer` has the
 * new names of what they read, and gets those of what they make. Changes the nodes.
 */
export function renameValues(
  nodes: readonly NodeProto[],
  outer: Map<string, string>,
  fresh: (name: string) => string,
): void {
  const names = outer;
  const define = (name: string): string => {
    if (!names.has(name)) names.set(name, fresh(name));
    return names.get(name)!;
  };
  for (const node of nodes) node.output = node.output.map(define);
  for (const node of nodes) {
    node.name = node.name && fresh(node.name);
    node.input = node.input.map((name) => names.get(name) ?? name);
    for (const graph of graphsIn(node)) renameGraph(graph, new Map(names), fresh);
  }
}

function renameGraph(graph: GraphProto, names: Map<string, string>, fresh: (name: string) => string): void {
  const own = (name: string): string => {
    names.set(name, fresh(name));
    return names.get(name)!;
  };
  const listed = new Set<string>();
  for (const value of graph.input) {
    listed.add(value.name);
    value.name = own(value.name);
  }
  graph.initializer = graph.initializer.map((tensor) => {
    const renamed = shallowCopy(tensor);
    renamed.name = listed.has(tensor.name) ? names.get(tensor.name)! : own(tensor.name);
    return renamed;
  });
  for (const { values } of graph.sparseInitializer) if (values) values.name = own(values.name);
  for (const node of graph.node) for (const name of node.output) if (name) own(name);
  renameValues(graph.node, names, fresh);
  for (const value of [...graph.output, ...graph.valueInfo]) value.name = names.get(value.name) ?? value.name;
}

/** Replaces references to attributes of the call by their values; what has none is left to the operator's default. */
function resolveAttributes(node: NodeProto, call: NodeProto, called: FunctionProto): void {
  node.attribute = node.attribute.flatMap((attribute) => {
    if (!attribute.refAttrName) return [attribute];
    const isNamed = ({ name }: { readonly name: string }) => name === attribute.refAttrName;
    const given = call.attribute.find(isNamed) ?? called.attributeProto.find(isNamed);
    if (!given) return [];
    const value = copy(given);
    value.name = attribute.name;
    return [value];
  });
}
