import { UserError } from "../errors.js";
import type { ModelProto } from "../formats/onnx.js";
import { quantizationOf } from "../graph/quantization.js";
import { type AppliedTensor, notFinite } from "../quantize/apply.js";
import type { QuantizationPlan } from "../quantize/plan.js";
import { placeOf } from "../render/compress-decisions.js";

/** Refuses a model that is quantized already: a second loss would be taken for the first; `remedy` is what to do. */
export function refuseQuantized(
  path: string,
  model: ModelProto,
  remedy = "nothing was done; --requantize goes on with what is still floats",
): void {
  const quantization = quantizationOf(model);
  if (!quantization) return;
  throw new UserError(`${path}: is quantized already (${quantization.words}); ${remedy}`);
}

/** Refuses a model of which nothing gets smaller. */
export function checkWork(path: string, { tensors }: Pick<QuantizationPlan, "tensors">): void {
  if (tensors.some(({ action }) => action === "quantize")) return;
  const [first] = tensors;
  const held = first
    ? `all ${tensors.length} float tensors are left; ${placeOf(first)}: ${first.reason}`
    : "holds no float tensors";
  throw new UserError(`${path}: has no weights to quantize (${held}; --dry-run lists them); nothing was written`);
}

/** Refuses weights of which nothing useful can come; what the user left in floats is not looked at. */
export function refuseNotFinite(path: string, tensors: readonly AppliedTensor[]): void {
  const found = tensors.find(({ reason }) => reason === notFinite);
  if (!found) return;
  const { name } = found;
  throw new UserError(
    `${path}: weight ${placeOf(found)}: ${notFinite}; nothing was written; --tensor "${name}=float" leaves it as it is`,
  );
}
