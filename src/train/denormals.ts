import { openSession } from "../engine/session.js";
import { encodeModel } from "../formats/onnx.js";
import { assembleModel } from "../graph/assemble.js";
import { makeNode } from "../graph/node.js";

/** The setting that makes onnxruntime take denormal numbers for 0: arithmetic with them is up to a hundred times slower. */
export const denormalsAsZero = { "session.set_denormal_as_zero": "1" };

/**
 * Has the calling thread take denormal numbers for 0 from now on, JavaScript's among them. onnxruntime sets it for its own
 * threads in every session that asks, but for the thread that runs the session only if that is the first of the
 * process: so this must come before any other. Masked attention makes such numbers in every step (softmax of -1e9), and so
 * do gradients of parts that have learned their task.
 */
export async function flushDenormals(): Promise<void> {
  const port = { dtype: "float32" as const, shape: [1] };
  const model = assembleModel({
    nodes: [makeNode("Identity", "", ["x"], ["y"])],
    initializers: [],
    inputs: [{ name: "x", ...port }],
    outputs: [{ name: "y", ...port }],
  });
  const session = await openSession(encodeModel(model), { config: denormalsAsZero });
  await session.close();
}
