import type { ModelProto, NodeProto, ReadExternal } from "../../formats/onnx.js";
import { freshNames } from "../../graph/names.js";
import { makeNode } from "../../graph/node.js";
import { type ModelView, viewModel } from "../../graph/scope.js";
import { storeBias } from "./bias.js";
import { type Conversions, conversions } from "./conversions.js";
import type { StaticNode, StaticPlan } from "./plan.js";

/**
 * Puts QuantizeLinear and DequantizeLinear nodes around the planned nodes and stores their biases in 32 bits. The weights
 * must have been stored already, each with a DequantizeLinear under its own name; a node whose weight was left is correct
 * all the same, but not faster. Every value keeps its name, except those before absorbed Relu and Clip nodes. Changes
 * `model`, but none of its tensors: they are replaced. Returns the nodes that convert, for those who go on from there.
 */
export function applyStatic(
  model: ModelProto,
  plan: StaticPlan,
  readExternal: ReadExternal,
): Pick<Conversions, "converting" | "biases"> {
  const graph = model.graph!;
  const view = viewModel(model);
  const work = conversions(graph, plan, freshNames(model));
  const absorbed = new Set([...plan.nodes.values()].flatMap((node) => node.absorbed));
  const takesIntegers = new Set<string>();
  for (const node of graph.node) {
    for (const at of plan.nodes.get(node.output[0]!)?.form?.activations ?? []) takesIntegers.add(node.input[at]!);
  }
  const afterFloats = (name: string): void => {
    if (takesIntegers.has(name)) work.quantize(name, name);
  };
  for (const name of view.root.inputs) afterFloats(name);
  for (const node of graph.node) {
    if (absorbed.has(node.output[0]!)) continue;
    const planned = plan.nodes.get(node.output[0]!);
    if (planned?.form) {
      applyNode(node, planned, view, work, readExternal);
    } else {
      if (planned?.guarded !== undefined && work.isDequantized(node.input[0]!)) {
        node.input[0] = work.spread(node.input[0]!, planned.guarded);
      }
      work.nodes.push(node);
      for (const name of node.output) afterFloats(name);
    }
  }
  graph.node = [...work.nodes];
  dropUnused(model);
  return work;
}

function applyNode(
  node: NodeProto,
  planned: StaticNode,
  view: ModelView,
  work: Conversions,
  readExternal: ReadExternal,
): void {
  const form = planned.form!;
  const outputs = planned.absorbed.length > 0 ? [planned.output] : [...node.output];
  const [first] = form.activations.map((at) => node.input[at]!);
  if (form.kind === "relabel") {
    work.relabel(first!, planned.output);
  } else {
    const made = outputs.map((name) => (work.hasScale(name) ? work.fresh(`${name}_float`) : name));
    if (form.sum) {
      const { factor, values, shape } = form.sum;
      const operand = work.operand(`${outputs[0]}_operand`, values, shape);
      work.nodes.push(makeNode("Add", node.name, [work.rescaled(first!, factor), operand], made));
    } else if (form.leaky) {
      work.nodes.push(makeNode("LeakyRelu", node.name, [work.floats(first!)], made, { alpha: { float: 0 } }));
    } else {
      if (form.bias !== undefined) storeBias(node, form, work, readExternal);
      for (const at of form.operands ?? []) node.input[at] = work.constant(node.input[at]!, readExternal);
      for (const at of form.activations) node.input[at] = work.floats(node.input[at]!);
      node.output = made;
      work.nodes.push(node);
    }
    outputs.forEach((name, at) => {
      if (work.hasScale(name)) work.quantize(made[at]!, name);
    });
  }
  for (const name of outputs) if (work.hasScale(name) && readsFloats(name, view, work)) work.dequantize(name);
}

/** Whether anything but nodes that take the integers with scales of their own reads a value. */
function readsFloats(name: string, { root, usesOf }: ModelView, { plan }: Conversions): boolean {
  if (root.outputs.has(name)) return true;
  return usesOf(root, name).some(({ node, input, scope }) => {
    const planned = scope === root ? plan.nodes.get(node.output[0]!) : undefined;
    if (planned?.guarded !== undefined && input === 0) return false;
    const form = planned?.form;
    return !form?.activations.includes(input) || (form.kind !== "relabel" && !form.sum);
  });
}

/** Takes out the initializers of the main graph that nothing reads any more: biases and operands that were stored anew. */
function dropUnused(model: ModelProto): void {
  const { root, usesOf } = viewModel(model);
  const { graph } = root;
  graph.initializer = graph.initializer.filter(
    ({ name }) => root.outputs.has(name) || root.inputs.has(name) || usesOf(root, name).length > 0,
  );
}
