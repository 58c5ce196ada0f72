import type { NodeProto, TensorProto } from "../formats/onnx.js";
import { createBuilder, type Value } from "../graph/builder.js";
import type { FreshName } from "../graph/names.js";
import { intAttribute, isStandard, stringAttribute } from "../graph/node.js";

/**
 * The same nodes with those replaced that onnxruntime carries out faster in parts. Differentiation comes before: the
 * gradient of the whole takes fewer passes than that of its parts.
 */
export function lowerNodes(
  nodes: readonly NodeProto[],
  formOf: (name: string) => Value | undefined,
  fresh: FreshName,
): { readonly nodes: readonly NodeProto[]; readonly initializers: readonly TensorProto[] } {
  const b = createBuilder(fresh);
  let taken = 0;
  const lowered = nodes.flatMap((node) => {
    const values = node.input.map((name) => (name ? formOf(name) : undefined));
    if (!isStandard(node) || node.opType !== "SoftmaxCrossEntropyLoss" || !isPlainLoss(node, values)) return [node];
    const [scores, labels] = values as unknown as readonly [Value, Value];
    const [costs, logs] = node.output;
    // its function in onnxruntime takes the softmax over an axis that is not the last, in three times the time
    const [all] = b.node("LogSoftmax", [scores], [scores], { axis: 1 }, logs ? { names: [logs] } : {});
    const column = { dtype: scores.dtype, shape: [labels.shape[0]!, 1] };
    const right = b.op("GatherElements", [all, b.reshape(labels, column.shape)], column, { axis: 1 });
    b.node("Neg", [b.reshape(right, labels.shape)], [{ ...right, shape: labels.shape }], {}, { names: [costs!] });
    const written = b.nodes.slice(taken);
    taken = b.nodes.length;
    return written;
  });
  return { nodes: lowered, initializers: b.initializers };
}

/** Scores [rows, classes] and one cost for each row, all of them counting. */
function isPlainLoss(node: NodeProto, [scores, labels, weights]: readonly (Value | undefined)[]): boolean {
  const ignored = intAttribute(node, "ignore_index", undefined) !== undefined;
  return (
    scores?.shape.length === 2 &&
    labels !== undefined &&
    weights === undefined &&
    !ignored &&
    !!node.output[0] &&
    stringAttribute(node, "reduction", "mean") === "none"
  );
}
