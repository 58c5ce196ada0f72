import {
  type ModelProto,
  makeTensor,
  type ReadExternal,
  readTensor,
  type TensorProto,
  tensorInfo,
} from "../formats/onnx.js";
import { isStandard, makeNode } from "../graph/node.js";
import { type Use, viewModel } from "../graph/scope.js";
import { halfBits, halfValue } from "../tensor/numbers.js";
import { editModel } from "./edit.js";

/** What storing biases in half precision came to. */
export interface HalvedBiases {
  readonly tensors: number;
  readonly bytesSaved: number;
}

/** As many elements as pay for the node and the name. */
const leastElements = 64;

/** Inputs that are added to sums or multiply normalised values. */
const biasInputs: Readonly<Record<string, readonly number[]>> = {
  Conv: [2],
  ConvTranspose: [2],
  Gemm: [2],
  LSTM: [3],
  GRU: [3],
  RNN: [3],
  LayerNormalization: [1, 2],
  InstanceNormalization: [1, 2],
};
const products = new Set(["Conv", "ConvTranspose", "MatMul", "MatMulNBits", "Gemm"]);

/**
 * Stores the float32 biases that are left as float16 and a Cast, which runtimes carry out when they load the model:
 * half the bytes of a tensor that no 8-bit form is exact enough for. No element moves by more than 1/1024 of the largest
 * one. Wants the final graph. Changes `model`, but none of its tensors.
 */
export function halveBiases(model: ModelProto, readExternal: ReadExternal): HalvedBiases {
  const view = viewModel(model);
  const edit = editModel(model);
  let tensors = 0;
  let bytesSaved = 0;
  for (const scope of view.scopes) {
    for (const tensor of scope.initializers.values()) {
      const { type, elements, shape, name } = tensorInfo(tensor);
      if (type !== "float32" || elements < leastElements || shape.length > 2) continue;
      const uses = view.usesOf(scope, name);
      if (scope.inputs.has(name) || scope.outputs.has(name) || uses.length === 0) continue;
      if (!uses.every((use) => isBias(use))) continue;
      const half = halved(tensor, edit.fresh(`${name}_half`), readExternal);
      if (!half) continue;
      edit.drop(scope, tensor);
      edit.add(scope, half);
      edit.prepend(scope, makeNode("Cast", "", [half.name], [name], { to: 1 }));
      tensors += 1;
      bytesSaved += 2 * elements;
    }
  }
  edit.finish();
  return { tensors, bytesSaved };
}

/** Whether a node adds the tensor to a product, or takes it as its own bias. */
function isBias({ node, input, scope }: Use): boolean {
  if (!isStandard(node)) return false;
  if (biasInputs[node.opType]?.includes(input)) return true;
  if (node.opType !== "Add") return false;
  const other = node.input[1 - input]!;
  return scope.graph.node.some(({ opType, output }) => products.has(opType) && output[0] === other);
}

function halved(tensor: TensorProto, name: string, readExternal: ReadExternal): TensorProto | undefined {
  const { data, shape } = readTensor(tensor, readExternal);
  const values = data as Float32Array;
  const bits = Uint16Array.from(values, halfBits);
  const most = values.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0);
  const near = values.every((value, at) => Math.abs(halfValue(bits[at]!) - value) <= most / 1024);
  return near ? makeTensor(name, { dtype: "float16", shape, data: bits }) : undefined;
}
