import { UserError } from "../errors.js";
import type { ModelProto } from "../formats/onnx.js";
import { quantizationOf } from "../graph/quantization.js";
import type { QuantizationPlan } from "../quantize/plan.js";

/** Refuses a model that is quantized already: a second loss would be taken for the first. */
export function refuseQuantized(path: string, model: ModelProto): void {
  const quantization = quantizationOf(model);
  if (!quantization) return;
  throw new UserError(
    `${path}: is quantized already (${quantization.words}); nothing was done; --requantize goes on with what is still floats`,
  );
}

/** Refuses a model of which nothing gets smaller. */
export function checkWork(path: string, { tensors }: Pick<QuantizationPlan, "tensors">): void {
  if (tensors.some(({ action }) => action === "quantize")) return;
  const [first] = tensors;
  const held = first
    ? `all ${tensors.length} float tensors are left, the first: ${first.reason}`
    : "holds no float tensors";
  throw new UserError(`${path}: has no weights to quantize (${held}; --dry-run lists them); nothing was written`);
}
