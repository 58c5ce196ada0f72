import { makeTensor, type NodeProto, type TensorProto } from "../../formats/onnx.js";
import { intAttribute, makeNode } from "../../graph/node.js";
import type { Use } from "../../graph/scope.js";
import type { QuantizedWeight } from "../../tensor/quantized.js";
import type { GraphEdit } from "../edit.js";
import type { WeightPlan } from "../scheme.js";
import { isSigned, type QuantizeSettings } from "../settings.js";
import type { Site } from "../sites.js";

/** Inputs of DynamicQuantizeLSTM that replace W (1) and R (2) of LSTM: the first of scale and zero point. */
const scaleInput: Readonly<Record<number, number>> = { 1: 8, 2: 10 };

/**
 * LSTM as com.microsoft.DynamicQuantizeLSTM, whose W and R are 8-bit with a scale per output row: [directions, 4H, K]
 * is stored as [directions, K, 4H]. Both weights of the node must be constants that only this node reads.
 */
export function planLstm({ scope, info, weightUses }: Site, settings: QuantizeSettings): WeightPlan | string {
  const [{ node, scope: home } = { node: undefined, scope: undefined }, ...others] = weightUses;
  if (!node || others.length > 0) return "several LSTM nodes share it";
  if (home !== scope) return "the LSTM stands in a nested graph, its weight outside";
  if (info.type !== "float32") return `is ${info.type}; DynamicQuantizeLSTM takes float32`;
  if (info.shape.length !== 3) return `has ${info.shape.length} axes, an LSTM weight 3`;
  if (intAttribute(node, "layout", 0) !== 0) return "DynamicQuantizeLSTM knows no batch-first layout";
  const constant = (input: number) => scope.initializers.has(node.input[input] ?? "");
  if (!constant(1) || !constant(2)) return "the LSTM's other weight is no constant";
  const [directions, rows, columns] = info.shape as [number, number, number];
  return {
    // one scale for each row: a block as long as the row
    form: {
      bits: 8,
      signed: isSigned("DynamicQuantizeLSTM", settings),
      symmetric: true,
      granularity: "block",
      axis: 2,
      blockSize: columns,
    },
    bytesAfter: info.elements + directions * rows * 5,
  };
}

/** DynamicQuantizeLSTM takes both weights as integers: the one that must be so, too, for a site planned here. */
export function otherLstmWeight({ weightUses }: Site): string | undefined {
  const [use] = weightUses;
  return use?.node.opType === "LSTM" ? use.node.input[3 - use.input] : undefined;
}

/** Turns the node over when both of its weights are there; the first one waits for the second. */
export function applyLstm(site: Site, weight: QuantizedWeight, edit: GraphEdit): TensorProto {
  const { scope, tensor, info } = site;
  const use = site.weightUses[0]!;
  const [directions, rows] = weight.shape as [number, number, number];
  const shape = [directions, rows];
  const dtype = weight.form.signed ? "int8" : "uint8";
  const zeros = weight.form.signed ? new Int8Array(directions * rows) : new Uint8Array(directions * rows).fill(128);
  const name = (part: string) => edit.fresh(`${info.name}_${part}`);
  const parts = [
    makeTensor(name("quantized"), turned(weight, dtype)),
    makeTensor(name("scale"), { dtype: "float32", shape, data: weight.scales }),
    makeTensor(name("zero_point"), { dtype, shape, data: zeros }),
  ] as const;
  edit.drop(scope, tensor);
  for (const part of parts) edit.add(scope, part);
  const node = edit.once(scope, `lstm:${use.node.output.join()}`, () => dynamicLstm(use, edit));
  const [values, scale, zeroPoint] = parts;
  node.input[use.input] = values.name;
  node.input[scaleInput[use.input]!] = scale.name;
  node.input[scaleInput[use.input]! + 1] = zeroPoint.name;
  return values;
}

function dynamicLstm({ node, scope }: Use, edit: GraphEdit): NodeProto {
  const inputs = Array.from({ length: 12 }, (_, at) => node.input[at] ?? "");
  const result = makeNode("DynamicQuantizeLSTM", node.name, inputs, node.output);
  result.domain = "com.microsoft";
  result.attribute.push(...node.attribute.filter(({ name }) => name !== "layout"));
  edit.useDomain("com.microsoft", 1);
  edit.replace(scope, node, [result]);
  return result;
}

/** [directions, rows, columns] as [directions, columns, rows]. */
function turned({ values, shape }: QuantizedWeight, dtype: "int8" | "uint8") {
  const [directions, rows, columns] = shape as [number, number, number];
  const data = values.slice();
  for (let direction = 0; direction < directions; direction++) {
    const start = direction * rows * columns;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        data[start + column * rows + row] = values[start + row * columns + column]!;
      }
    }
  }
  return { dtype, shape: [directions, columns, rows], data };
}
