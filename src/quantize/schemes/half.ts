import { makeTensor, type TensorProto } from "../../formats/onnx.js";
import { makeNode } from "../../graph/node.js";
import { halfBits, halfValue } from "../../tensor/numbers.js";
import type { GraphEdit } from "../edit.js";
import type { Site } from "../sites.js";

/** What storing a tensor as float16 came to. */
export interface StoredHalf {
  readonly tensor: TensorProto;
  /** Sum of squares of the source. */
  readonly signal: number;
  /** Sum of squared differences between source and stored values. */
  readonly noise: number;
}

/** Why a tensor cannot be stored as float16; undefined where it can. */
export function whyNotHalf({ scope, info, uses }: Site): string | undefined {
  if (info.type !== "float32") return `is ${info.type}`;
  if (uses.length === 0) return "is not used";
  if (scope.inputs.has(info.name)) return "is also a graph input, so a caller may replace it";
  return undefined;
}

/**
 * Half the bytes and next to no loss: a tensor stored as float16, which a Cast turns into float32 while runtimes load
 * the model. For weights that 8 bits harm, and for what is no weight (biases). Null where an element is beyond float16.
 */
export function storeHalf({ scope, tensor, info }: Site, data: Float32Array, edit: GraphEdit): StoredHalf | null {
  const bits = new Uint16Array(data.length);
  let signal = 0;
  let noise = 0;
  for (let at = 0; at < data.length; at++) {
    const value = data[at]!;
    bits[at] = halfBits(value);
    const error = halfValue(bits[at]!) - value;
    // infinite or not a number
    if (error - error !== 0) return null;
    signal += value * value;
    noise += error * error;
  }
  const half = makeTensor(edit.fresh(`${info.name}_h`), { dtype: "float16", shape: info.shape, data: bits });
  edit.drop(scope, tensor);
  edit.add(scope, half);
  edit.prepend(scope, makeNode("Cast", edit.fresh(`${info.name}_cast`), [half.name], [info.name], { to: 1 }));
  return { tensor: half, signal, noise };
}
