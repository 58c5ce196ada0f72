import type { NodeProto } from "../../formats/onnx.js";
import { intAttribute } from "../../graph/node.js";
import { elementCount } from "../../tensor/tensor.js";
import type { StaticFacts } from "./facts.js";

/** Nanoseconds of a node on one thread. */
export interface Estimate {
  readonly float: number;
  readonly int8: number;
}

/** Cost of going once over the outputs. */
export function passing(node: NodeProto, { elements, settings: { costs } }: StaticFacts, like = node.opType): Estimate {
  const pair = costs.operators[like] ?? { float: 0, int8: 0 };
  const outputs = node.output.reduce((sum, name) => sum + (name ? elements(name) : 0), 0);
  return { float: costs.node + pair.float * outputs, int8: costs.node + pair.int8 * outputs };
}

/** Operators whose float kernels share the blocked layout of float convolutions. */
const blockedOperators = new Set(["Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Resize"]);

/** A convolution or matrix product with `products` multiplications for each output element. */
export function multiplying(node: NodeProto, facts: StaticFacts, products: number) {
  const { costs } = facts.settings;
  const { perProduct, perOutput } = costs.product;
  const outputs = facts.elements(node.output[0]!);
  const one = (kind: "float" | "int8") => costs.node + outputs * (products * perProduct[kind] + perOutput[kind]);
  return { float: one("float"), int8: one("int8") };
}

/** Whether a convolution with a weight of this shape has one input channel per group. */
export function isDepthwise(node: NodeProto, [, perGroup]: readonly number[]): boolean {
  return perGroup === 1 && intAttribute(node, "group", 1) > 1;
}

export function convolving(node: NodeProto, facts: StaticFacts, [channels, perGroup, ...kernel]: readonly number[]) {
  const { costs } = facts.settings;
  const outputs = facts.elements(node.output[0]!);
  const products = perGroup! * elementCount(kernel);
  const thin = isDepthwise(node, [channels!, perGroup!]);
  const blocks = Math.ceil(channels! / costs.block) * costs.block;
  const isOdd = blocks !== channels;
  const { perProduct, perOutput } = thin ? costs[isOdd ? "oddDepthwise" : "depthwise"] : costs.product;
  let float = costs.node + outputs * (products * perProduct.float * (blocks / channels!) + perOutput.float);
  let int8 = costs.node + outputs * (products * perProduct.int8 + perOutput.int8);
  if (!thin && elementCount(kernel) > 1) int8 += costs.gather * (outputs / channels!);
  const isBlocked = (other: NodeProto | undefined) => other !== undefined && blockedOperators.has(other.opType);
  const input = node.input[0]!;
  if (!isBlocked(facts.producer(input)) && perGroup! > 3) float += costs.reorder * facts.elements(input);
  if (!facts.readers(node.output[0]!).every(isBlocked)) float += costs.reorder * outputs;
  return { float, int8 };
}

/** Cost of a sum or product: 8-bit kernels start anew for each stretch of one number per channel. */
export function pairwise(node: NodeProto, facts: StaticFacts) {
  const { float, int8 } = passing(node, facts);
  const sizes = node.input.map((name) => facts.values(name)?.length ?? facts.elements(name));
  const [outputs, least] = [facts.elements(node.output[0]!), Math.min(...sizes)];
  const stretches = least > 1 && least < outputs ? outputs / least : 0;
  return { float, int8: int8 + stretches * facts.settings.costs.stretch };
}
