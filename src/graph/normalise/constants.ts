import { graphsOf, type ModelProto, makeTensor, type NodeProto, type TensorProto } from "../../formats/onnx.js";
import type { TensorData } from "../../tensor/tensor.js";
import { shallowCopy } from "../clone.js";
import { isStandard } from "../node.js";
import { counted, type Pass } from "./pass.js";

/** Constants become initializers, see {@link liftConstants}. */
export const constantsPass: Pass = {
  name: "constants",
  words: (changes) => `${counted(changes, "Constant node")} became initializers`,
  run: (model) => liftConstants(model),
};

/**
 * Turns every Constant node that holds numbers into an initializer of the same graph and name, so that passes
 * find all weights in one place (Paddle2ONNX and the exporters of If bodies keep theirs in Constant nodes).
 *
 * Left alone: constants that are themselves an output of their graph (not every runtime takes an initializer there),
 * and strings and sparse tensors. Returns how many were lifted. Changes `model`.
 */
export function liftConstants(model: ModelProto): number {
  let lifted = 0;
  for (const graph of graphsOf(model.graph!)) {
    const outputs = new Set(graph.output.map(({ name }) => name));
    graph.node = graph.node.filter((node) => {
      const output = node.output[0];
      if (node.opType !== "Constant" || !isStandard(node) || !output || outputs.has(output)) return true;
      const tensor = tensorOf(node, output);
      if (!tensor) return true;
      graph.initializer.push(tensor);
      lifted += 1;
      return false;
    });
  }
  return lifted;
}

/** The tensor a Constant node stands for, whichever attribute holds it. */
function tensorOf({ attribute: [held] }: NodeProto, name: string): TensorProto | undefined {
  if (held?.t) {
    const tensor = shallowCopy(held.t);
    tensor.name = name;
    return tensor;
  }
  const make = (dtype: "int64" | "float32", shape: readonly number[], data: TensorData) =>
    makeTensor(name, { dtype, shape, data });
  if (held?.name === "value_int") return make("int64", [], BigInt64Array.of(held.i));
  if (held?.name === "value_ints") return make("int64", [held.ints.length], BigInt64Array.from(held.ints));
  if (held?.name === "value_float") return make("float32", [], Float32Array.of(held.f));
  if (held?.name === "value_floats") return make("float32", [held.floats.length], Float32Array.from(held.floats));
  return undefined;
}
