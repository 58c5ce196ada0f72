import { graphsOf, type TensorProto } from "../../formats/onnx.js";
import { viewModel } from "../scope.js";
import { counted, isPutOut, type Pass } from "./pass.js";

/**
 * Drops initializers that no node reads and no graph puts out. Kept: those that are graph inputs (callers may name
 * them) and those a quantization annotation names.
 */
export const unusedPass: Pass = {
  name: "unused",
  words: (changes) => `${counted(changes, "unused initializer")} dropped`,
  run(model) {
    const view = viewModel(model);
    const annotated = new Set<string>();
    for (const { quantizationAnnotation } of graphsOf(model.graph!)) {
      for (const { tensorName, quantParameterTensorNames } of quantizationAnnotation) {
        annotated.add(tensorName);
        for (const { value } of quantParameterTensorNames) annotated.add(value);
      }
    }
    let dropped = 0;
    for (const scope of view.scopes) {
      const isUsed = ({ name }: TensorProto) =>
        scope.inputs.has(name) || annotated.has(name) || view.usesOf(scope, name).length > 0 || isPutOut(scope, name);
      const kept = scope.graph.initializer.filter(isUsed);
      dropped += scope.graph.initializer.length - kept.length;
      scope.graph.initializer = kept;
    }
    return dropped;
  },
};
