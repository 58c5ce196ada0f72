import { type ModelProto, type ReadExternal, readTensor } from "../formats/onnx.js";
import { elementCount, type Tensor, typedArrays } from "../tensor/tensor.js";
import { isStandard } from "./node.js";
import { constantOf, isPutOut } from "./normalise/pass.js";
import { type Use, viewModel } from "./scope.js";
import { storedTensor } from "./stored.js";

/** Operators that read weights. */
const weighing = /^(Conv|ConvTranspose|Gemm|MatMul|LSTM|GRU|RNN|\w*Normalization)$/;
/** Operators that read a number a channel, up to so many, and those that bring weights into form. */
const [scaling, mostScales] = [/^(PRelu|Add|Sub|Mul|Div|Reshape|Unsqueeze|Squeeze|Transpose)$/, 4096];

/**
 * Weights that a ConstantOfShape makes when the model is loaded become initializers, which what works on weights can
 * change: the file then holds all their elements. Returns how many there were; changes `model`.
 */
export function fillWeights(model: ModelProto, readExternal: ReadExternal): number {
  const view = viewModel(model);
  let filled = 0;
  for (const scope of view.scopes) {
    scope.graph.node = scope.graph.node.filter((node) => {
      const name = node.output[0];
      if (node.opType !== "ConstantOfShape" || !isStandard(node) || !name || isPutOut(scope, name)) return true;
      const sizes = constantOf(view, scope, node.input[0]);
      if (!sizes) return true;
      const { data } = readTensor(sizes.tensor, readExternal);
      const shape = Array.from(data as BigInt64Array, Number);
      const isWeight = ({ node: { opType, domain } }: Use) =>
        domain === "" && (weighing.test(opType) || (scaling.test(opType) && elementCount(shape) <= mostScales));
      if (!view.usesOf(scope, name).every(isWeight)) return true;
      const value = node.attribute.find((attribute) => attribute.name === "value")?.t;
      const one: Tensor = value
        ? readTensor(value, readExternal)
        : { dtype: "float32", shape: [1], data: Float32Array.of(0) };
      if (!one.dtype.includes("float") || shape.some((size) => !(size > 0))) return true;
      const elements = new typedArrays[one.dtype as "float32"](elementCount(shape));
      elements.fill((one.data as Float32Array)[0]!);
      scope.graph.initializer.push(storedTensor(name, { dtype: one.dtype, shape, data: elements }, undefined));
      filled += 1;
      return false;
    });
  }
  return filled;
}
