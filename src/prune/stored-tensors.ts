import { type ReadExternal, readTensor, type TensorProto, tensorInfo } from "../formats/onnx.js";
import { onnxType } from "../formats/onnx-types.js";
import type { ModelView, Scope } from "../graph/scope.js";
import type { Tensor } from "../tensor/tensor.js";

/** Constants of more elements are no shapes, axes or indices. */
const smallElements = 65536;

/** Whether indices can be taken out of a stored tensor. */
export function canSlice({ dataType }: TensorProto): boolean {
  const dtype = onnxType(dataType)?.dtype;
  return dtype !== undefined && dtype !== "string";
}

/** The elements of a small stored constant that nobody outside can replace. */
export function smallConstant(
  view: ModelView,
  scope: Scope,
  name: string | undefined,
  readExternal: ReadExternal,
): Tensor | undefined {
  const found = name ? view.initializerOf(scope, name) : undefined;
  if (!found || found.scope.inputs.has(name!)) return undefined;
  const { elements } = tensorInfo(found.tensor);
  if (elements > smallElements || !onnxType(found.tensor.dataType)?.dtype) return undefined;
  return readTensor(found.tensor, readExternal);
}
