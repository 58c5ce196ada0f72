import { intAttribute } from "../graph/node.js";
import type { QuantizedWeight } from "../tensor/quantized.js";
import { convolutionRisk, saturationRisk } from "../tensor/saturation.js";
import type { PlannedTensor } from "./plan.js";
import type { Site } from "./sites.js";

/** Schemes in which integer kernels multiply 8-bit activations with these weights. */
const integerProducts: ReadonlySet<string> = new Set(["dynamic", "static"]);

/**
 * How many outputs of a stored weight can be cut on x86 processors without VNNI, whose kernels for unsigned activations
 * and signed weights add pairs of products in 16 bits; 0 where the weight is unsigned, or no such kernel reads it.
 */
export function saturatingOutputs({ scheme }: PlannedTensor, { weightUses }: Site, weight: QuantizedWeight): number {
  const { form, shape, values } = weight;
  const node = weightUses[0]?.node;
  if (!scheme || !integerProducts.has(scheme) || !form.signed || form.bits !== 8 || !node) return 0;
  const data = values as Int8Array;
  if (node.opType === "Conv") {
    // ConvInteger and depthwise kernels are exact
    const depthwise = shape[1] === 1 && intAttribute(node, "group", 1) > 1;
    return scheme === "dynamic" || depthwise ? 0 : convolutionRisk({ shape, data }).outputs;
  }
  if (shape.length !== 2) return 0;
  const columnsAreOutputs = form.axis === 1;
  const [outputs, depth] = columnsAreOutputs ? [shape[1]!, shape[0]!] : [shape[0]!, shape[1]!];
  const [outputStep, depthStep] = columnsAreOutputs ? [1, shape[1]!] : [shape[1]!, 1];
  return saturationRisk({ data, outputs, depth, outputStep, depthStep }).outputs;
}
