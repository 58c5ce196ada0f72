import type { ModelProto } from "../formats/onnx.js";
import { onnxType } from "../formats/onnx-types.js";
import type { DType } from "../tensor/tensor.js";

/** What a model is fed, as its file declares it; initializers that are inputs too need not be. */
export function declaredInputs({ graph }: Pick<ModelProto, "graph">): readonly {
  readonly name: string;
  readonly dtype: DType;
  /** A size, the name of a dynamic axis, or null for an unnamed one. */
  readonly shape: readonly (number | string | null)[];
}[] {
  const stored = new Set(graph!.initializer.map(({ name }) => name));
  return graph!.input.flatMap(({ name, type }) => {
    if (stored.has(name) || type?.value.case !== "tensorType") return [];
    const { elemType, shape } = type.value.value;
    const axes = (shape?.dim ?? []).map(({ value }) => {
      if (value.case === "dimValue") return Number(value.value);
      return value.case === "dimParam" && value.value !== "" ? value.value : null;
    });
    return { name, dtype: onnxType(elemType)?.dtype ?? "float32", shape: axes };
  });
}
