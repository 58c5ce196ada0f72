import { readFileSync } from "node:fs";
import { decodeModel, tensorInfo, tensorsOf } from "../../../src/formats/onnx.js";

/** Elements of a file's float32 tensors but single numbers, those in Constant nodes too. */
export function weightsOf(file: string): number {
  let count = 0;
  for (const tensor of tensorsOf(decodeModel(new Uint8Array(readFileSync(file)), file).graph!)) {
    const { type, elements } = tensorInfo(tensor);
    if (type === "float32" && elements > 1) count += elements;
  }
  return count;
}
