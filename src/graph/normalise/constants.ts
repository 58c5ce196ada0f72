import { graphsOf, type ModelProto } from "../../formats/onnx.js";
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
 * Turns every Constant node that holds a dense tensor into an initializer of the same graph and name, so that passes
 * find all weights in one place (Paddle2ONNX and the exporters of If bodies keep theirs in Constant nodes).
 *
 * Left alone: constants that are themselves an output of their graph (not every runtime takes an initializer there),
 * and the scalar, list and sparse forms, which hold no weights. Returns how many were lifted. Changes `model`.
 */
export function liftConstants(model: ModelProto): number {
  let lifted = 0;
  for (const graph of graphsOf(model.graph!)) {
    const outputs = new Set(graph.output.map(({ name }) => name));
    graph.node = graph.node.filter((node) => {
      const value = node.attribute.find((attribute) => attribute.name === "value")?.t;
      const output = node.output[0];
      if (node.opType !== "Constant" || !isStandard(node) || !value || !output || outputs.has(output)) return true;
      const tensor = shallowCopy(value);
      tensor.name = output;
      graph.initializer.push(tensor);
      lifted += 1;
      return false;
    });
  }
  return lifted;
}
