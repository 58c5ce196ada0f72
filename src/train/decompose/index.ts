import { UserError } from "../../errors.js";
import type { NodeProto } from "../../formats/onnx.js";
import type { GraphBuilder, Value } from "../../graph/builder.js";
import { isStandard, makeNode } from "../../graph/node.js";
import type { Tensor } from "../../tensor/tensor.js";
import { attentionDecompositions } from "./attention.js";
import type { Decomposition, DecompositionTable } from "./decomposition.js";
import { fusedDecompositions } from "./fused.js";
import { recurrentDecompositions } from "./recurrent.js";

/** Operators that training knows by their parts only. */
const table: DecompositionTable = { ...recurrentDecompositions, ...attentionDecompositions, ...fusedDecompositions };

/** How a node is taken apart; undefined for one that stays whole. */
export function decompositionOf(node: NodeProto): Decomposition | undefined {
  const key = isStandard(node) ? node.opType : `${node.domain}:${node.opType}`;
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/**
 * Takes a node apart: the nodes that make the same values under the same names. `formOf` gives forms, `constantOf` what
 * does not change; `b` gets the new values and constants.
 */
export function decomposed(
  node: NodeProto,
  how: Decomposition,
  b: GraphBuilder,
  formOf: (name: string) => Value | undefined,
  constantOf: (name: string) => Tensor | undefined,
): readonly NodeProto[] {
  const where = `node ${node.name || node.output[0]} (${node.opType})`;
  const before = b.nodes.length;
  const results = how({
    node,
    b,
    inputs: node.input.map((name) => (name ? formOf(name) : undefined)),
    outputs: node.output.map((name) => (name ? formOf(name) : undefined)),
    constant: (at) => constantOf(node.input[at] ?? ""),
    refuse(why) {
      throw new UserError(`${where}: cannot be trained: ${why}`);
    },
  });
  const written = b.nodes.slice(before);
  const made = new Set(written.flatMap(({ output }) => output));
  const renamed = new Map<string, string>();
  const copies: NodeProto[] = [];
  node.output.forEach((name, at) => {
    if (!name) return;
    const result = results[at];
    // an output nobody reads may be left out
    if (!result) return;
    if (made.has(result.name) && !renamed.has(result.name)) renamed.set(result.name, name);
    else copies.push(makeNode("Identity", b.fresh(`${name}_node`), [renamed.get(result.name) ?? result.name], [name]));
  });
  for (const one of written) {
    one.input = one.input.map((name) => renamed.get(name) ?? name);
    one.output = one.output.map((name) => renamed.get(name) ?? name);
  }
  return [...written, ...copies];
}
