import type { GraphProto, ModelProto } from "../formats/onnx.js";
import { cloneModel } from "../graph/clone.js";
import { neededNames } from "../graph/needed.js";
import { graphsIn } from "../graph/node.js";
import { unusedPass } from "../graph/normalise/unused.js";

/** Stored numbers of a model, nested graphs left out. */
export function parameterCount(model: ModelProto): number {
  return model.graph!.initializer.reduce(
    (sum, { dims }) => sum + dims.reduce((product, size) => product * Number(size), 1),
    0,
  );
}

/** A copy of a model without some parts: what read the end of one reads its start instead. */
export function withoutParts(
  model: ModelProto,
  parts: readonly { readonly start: string; readonly end: string }[],
): ModelProto {
  const instead = new Map(parts.map(({ start, end }) => [end, start]));
  const source = (name: string) => {
    let found = name;
    // the start of one part may be the end of another
    for (let next = instead.get(found); next !== undefined; next = instead.get(found)) found = next;
    return found;
  };
  const copy = cloneModel(model);
  rename(copy.graph!, source);
  dropUnused(copy);
  return copy;
}

function rename(graph: GraphProto, source: (name: string) => string): void {
  for (const node of graph.node) {
    node.input = node.input.map(source);
    for (const nested of graphsIn(node)) {
      rename(nested, source);
      for (const output of nested.output) output.name = source(output.name);
    }
  }
}

/** Drops the nodes of the main graph that no output needs, and what was stored for them. Changes `model`. */
function dropUnused(model: ModelProto): void {
  const graph = model.graph!;
  const needed = neededNames(
    graph.node,
    graph.output.map(({ name }) => name),
  );
  graph.node = graph.node.filter(({ output }) => output.some((name) => needed.has(name)));
  unusedPass.run(model, {
    readExternal: () => {
      throw new Error("no tensor is read to drop others");
    },
    settings: { constantInputs: "keep" },
  });
  const known = new Set(graph.node.flatMap(({ output }) => output));
  graph.valueInfo = graph.valueInfo.filter(({ name }) => known.has(name));
}
