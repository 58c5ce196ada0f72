import { UserError } from "../errors.js";
import type { NodeProto } from "../formats/onnx.js";
import type { GraphBuilder, Value } from "../graph/builder.js";
import { numbersOf } from "../tensor/numbers.js";
import type { Tensor } from "../tensor/tensor.js";
import type { TrainingGraph } from "./graph.js";
import type { RuleContext } from "./rule.js";
import { gradientRule } from "./rules/index.js";
import { sumTo } from "./sum-to.js";
import { readsOf } from "./variation.js";

/** What is known of the values of the forward part. */
interface Facts {
  formOf(name: string): Value | undefined;
  constantOf(name: string): Tensor | undefined;
}

/**
 * Reverse-mode differentiation: writes the nodes that compute the gradient of a scalar `loss` and gives the gradient of
 * each value of `wrt`, in its shape; undefined where the loss does not depend on it. What differentiates is the graph and
 * what `b` has written already (the loss). Only nodes between `wrt` and the loss are looked at. Throws a UserError that
 * names a node on the way whose operator has no rule.
 */
export function gradient(
  graph: TrainingGraph,
  loss: Value,
  wrt: Iterable<string>,
  b: GraphBuilder,
): ReadonlyMap<string, Value | undefined> {
  // rules add to `b`: what is there now is the forward part
  const nodes = [...graph.nodes, ...b.nodes];
  const facts: Facts = {
    formOf: (name) => graph.values.get(name) ?? b.values.get(name),
    constantOf: (name) => graph.constants.get(name) ?? b.constants.get(name),
  };
  const wanted = new Set(wrt);
  const depends = dependents(nodes, wanted);
  const cotangents = new Map<string, Value[]>();
  if (depends.has(loss.name)) cotangents.set(loss.name, [b.filled(1, loss)]);
  const cotangentOf = (name: string): Value | undefined => {
    const parts = cotangents.get(name);
    if (!parts || parts.length < 2) return parts?.[0];
    const [first] = parts;
    const sum = parts.length === 2 ? b.add(first!, parts[1]!) : b.op("Sum", parts, first!);
    cotangents.set(name, [sum]);
    return sum;
  };
  for (const node of nodes.reverse()) {
    const flowing = node.output.map((name) => (name && depends.has(name) ? cotangentOf(name) : undefined));
    if (!flowing.some((one) => one) || !readsOf(node).some((name) => depends.has(name))) continue;
    const rule = gradientRule(node);
    const where = `node ${node.name || node.output[0]} (${node.opType})`;
    if (!rule) throw new UserError(`${where}: this operator has no gradient here; ${remedy(nodes, node, wanted)}`);
    const context = contextOf(node, b, facts, flowing, depends, where);
    try {
      const found = rule(context);
      node.input.forEach((name, at) => {
        const part = found[at];
        if (!part || !depends.has(name)) return;
        const list = cotangents.get(name) ?? [];
        list.push(sumTo(b, part, context.inputs[at]!.shape));
        cotangents.set(name, list);
      });
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
    }
  }
  return new Map([...wanted].map((name) => [name, cotangentOf(name)]));
}

/** The values that depend on one of these, themselves included. */
function dependents(nodes: readonly NodeProto[], wanted: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set(wanted);
  for (const node of nodes) {
    if (readsOf(node).some((name) => found.has(name))) for (const name of node.output) if (name) found.add(name);
  }
  return found;
}

/** Weights that a remedy names. */
const mostNamed = 4;

/** What to do about a node without a gradient: `nodes` stand in reverse, `wanted` are the weights that train. */
function remedy(nodes: readonly NodeProto[], node: NodeProto, wanted: ReadonlySet<string>): string {
  const before = new Set(readsOf(node));
  for (const one of nodes.slice(nodes.indexOf(node) + 1)) {
    if (one.output.some((name) => before.has(name))) for (const name of readsOf(one)) before.add(name);
  }
  const weights = [...wanted].filter((name) => before.has(name));
  if (weights.length === wanted.size) return "all weights that train lie before it, so the model cannot be trained";
  const named = weights.slice(0, mostNamed).map((name) => `--freeze "${name}"`);
  const more = weights.length - named.length;
  return `keep the weights before it as they are: ${named.join(" ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function contextOf(
  node: NodeProto,
  b: GraphBuilder,
  { formOf, constantOf }: Facts,
  flowing: readonly (Value | undefined)[],
  depends: ReadonlySet<string>,
  where: string,
): RuleContext {
  const known = (name: string): Value | undefined => {
    if (!name) return undefined;
    const value = formOf(name);
    if (!value) throw new Error(`${where}: the form of "${name}" is not known`);
    return value;
  };
  const refuse = (why: string): never => {
    throw new UserError(`${where}: no gradient: ${why}`);
  };
  const constant = (at: number) => constantOf(node.input[at] ?? "");
  // looked up once: a rule may ask for them in any order
  const inputs = node.input.map(known);
  // an output nobody reads may have no form
  const outputs = node.output.map((name) => (name ? formOf(name) : undefined));
  return {
    node,
    b,
    inputs,
    outputs,
    cotangent: (at = 0) => flowing[at] ?? b.filled(0, outputs[at]!),
    flows: (at) => flowing[at],
    wants: (at) => depends.has(node.input[at] ?? ""),
    constant,
    ints(at) {
      if (!node.input[at]) return undefined;
      const tensor = constant(at);
      return tensor ? Array.from(numbersOf(tensor)) : refuse(`its input ${at} changes with the data`);
    },
    refuse,
  };
}
