import { makeTensor, type NodeProto, type ReadExternal, readTensor } from "../../formats/onnx.js";
import { makeNode } from "../../graph/node.js";
import { numbersOf } from "../../tensor/numbers.js";
import type { Conversions } from "./conversions.js";
import { roundHalfEven } from "./scale.js";
import type { EightBitForm } from "./table.js";

/** The largest bias in 32 bits; a little less than 2^31, as onnxruntime's quantizer has it. */
export const largestBias = (2 ** 32 - 2) / 2 / 1.0001;

/**
 * Stores the bias of a node in 32 bits, with the product of the activation's scale and the weight's for each channel, as
 * kernels add it to their sums of products. Where a channel's product is too small to hold its bias, the scale of the
 * weight is made larger (quantization.md of onnxruntime's quantizer: QDQDisableWeightAdjustForInt32Bias). Without a
 * stored weight the bias stays in floats.
 */
export function storeBias(node: NodeProto, form: EightBitForm, work: Conversions, readExternal: ReadExternal): void {
  const { graph, plan, fresh, nodes, biases } = work;
  const name = node.input[form.bias!]!;
  const stored = graph.node.find(
    ({ opType, output }) => opType === "DequantizeLinear" && output[0] === node.input[form.weight!.input],
  );
  const tensorOf = (wanted: string) => graph.initializer.find((tensor) => tensor.name === wanted)!;
  if (!stored) return;
  const bias = numbersOf(readTensor(tensorOf(name), readExternal));
  const weightScale = tensorOf(stored.input[1]!);
  const scales = readTensor(weightScale, readExternal).data as Float32Array;
  const { scale: inputScale } = plan.values.get(node.input[form.activations[0]!]!)!;
  const grown = scales.map((scale, at) => Math.max(scale, Math.abs(bias[at]!) / largestBias / inputScale));
  if (grown.some((scale, at) => scale !== scales[at])) {
    growWeightScales(work, stored, scales, grown, form.weight!.axis, readExternal);
  }
  const biasScales = grown.map((scale) => scale * inputScale);
  const data = Int32Array.from(biasScales, (scale, at) => {
    // a product below the smallest float32 is 0, and then so is the bias next to what the channel yields
    const q = scale > 0 ? roundHalfEven(Math.fround(bias[at]! / scale)) : 0;
    return Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, q));
  });
  const shape = [biasScales.length];
  const zeros = new Int32Array(biasScales.length);
  const parts = [
    makeTensor(fresh(`${name}_quantized`), { dtype: "int32", shape, data }),
    makeTensor(fresh(`${name}_scale`), { dtype: "float32", shape, data: biasScales }),
    makeTensor(fresh(`${name}_zero_point`), { dtype: "int32", shape, data: zeros }),
  ];
  graph.initializer.push(...parts);
  const inputs = parts.map((part) => part.name);
  const target = fresh(`${name}_dequantized`);
  const dequantize = makeNode("DequantizeLinear", fresh(`${name}_dequantize`), inputs, [target], { axis: 0 });
  nodes.push(dequantize);
  biases.set(dequantize, { bias: name, weight: stored.output[0]!, input: node.input[form.activations[0]!]! });
  node.input[form.bias!] = target;
}

/** Gives channels of a stored weight larger scales: its integers shrink as much. */
function growWeightScales(
  { graph }: Conversions,
  { input: [values, scale, zeroPoint] }: NodeProto,
  scales: Float32Array,
  grown: Float32Array,
  axis: number,
  readExternal: ReadExternal,
): void {
  const at = (wanted: string) => graph.initializer.findIndex((tensor) => tensor.name === wanted);
  const [valuesAt, scaleAt] = [at(values!), at(scale!)];
  const { dtype, shape, data } = readTensor(graph.initializer[valuesAt]!, readExternal);
  const zero = zeroPoint ? Number(numbersOf(readTensor(graph.initializer[at(zeroPoint)]!, readExternal))[0]) : 0;
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const smaller = (data as Int8Array | Uint8Array).slice();
  for (let index = 0; index < smaller.length; index++) {
    const channel = Math.floor(index / inner) % scales.length;
    if (grown[channel] === scales[channel]) continue;
    smaller[index] = roundHalfEven(((smaller[index]! - zero) * scales[channel]!) / grown[channel]!) + zero;
  }
  graph.initializer[valuesAt] = makeTensor(values!, { dtype, shape, data: smaller } as Parameters<
    typeof makeTensor
  >[1]);
  graph.initializer[scaleAt] = makeTensor(scale!, { dtype: "float32", shape: [grown.length], data: grown });
}
