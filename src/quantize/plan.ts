import type { ModelProto, TensorProto } from "../formats/onnx.js";
import { tensorInfo } from "../formats/onnx.js";
import { intAttribute, isStandard } from "../graph/node.js";
import { type ModelView, type Scope, type Use, viewModel } from "../graph/scope.js";
import type { WeightType } from "./channels.js";
import { weightSlot } from "./operators.js";

/** What the plan may be told. */
export interface WeightSettings {
  readonly type: WeightType;
  /** Tensors with fewer elements stay as they are: their scales and the node would cost what they save. */
  readonly minElements: number;
}

/** What is done with one tensor, and why. */
export interface PlannedTensor {
  readonly name: string;
  /** The graph that holds it: `main` or the way to a nested graph. */
  readonly graph: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly elements: number;
  /** Bytes of its elements now. */
  readonly bytes: number;
  /** Bytes afterwards, scales and zero points included. */
  readonly bytesAfter: number;
  /** The operators that read it, each named once. */
  readonly usedBy: readonly string[];
  readonly action: "quantize" | "leave";
  /** Why it is left, or what to know of a quantized one; empty where there is nothing to say. */
  readonly reason: string;
  /** Channel axis of a quantized tensor, as it is stored afterwards. */
  readonly axis?: number;
  /** The weight [N, K] of Gemm nodes with transB is stored as [K, N] and transB dropped. */
  readonly transpose?: true;
}

/** The plan of weight-only 8-bit quantization: every float tensor of the model and its fate. */
export interface WeightPlan {
  readonly settings: WeightSettings;
  readonly tensors: readonly PlannedTensor[];
}

/**
 * Plans which initializers become 8-bit: those that MatMul, Gemm, Conv or ConvTranspose use as weights, in the main
 * graph and in nested ones. Constants must have been lifted. Pure: the model is not changed and no weight is read.
 */
export function planWeights(model: ModelProto, settings: WeightSettings): WeightPlan {
  const view = viewModel(model);
  const tensors = view.scopes.flatMap((scope) =>
    [...scope.initializers.values()]
      .filter((tensor) => isFloat(tensor))
      .map((tensor) => planTensor(view, scope, tensor, settings)),
  );
  return { settings, tensors };
}

function isFloat(tensor: TensorProto): boolean {
  return /^b?float/.test(tensorInfo(tensor).type);
}

function planTensor(view: ModelView, scope: Scope, tensor: TensorProto, settings: WeightSettings): PlannedTensor {
  const { name, type, shape, elements, bytes } = tensorInfo(tensor);
  const uses = view.usesOf(scope, name);
  const usedBy = [...new Set(uses.map(({ node }) => node.opType))];
  const shared = { name, graph: scope.path, type, shape, elements, bytes, usedBy };
  const leave = (reason: string): PlannedTensor => ({ ...shared, bytesAfter: bytes, action: "leave", reason });

  if (uses.length === 0) return leave(scope.outputs.has(name) ? "is an output itself" : "is not used");
  const weightUses = uses.filter((use) => isStandard(use.node) && weightSlot(use.node, use.input));
  if (weightUses.length === 0) return leave(`no weight: read by ${list(usedBy)}`);
  if (elements < settings.minElements) return leave(`fewer than ${settings.minElements} elements`);
  if (type !== "float32") return leave(`is ${type}; only float32 weights are quantized`);
  if (scope.inputs.has(name)) return leave("is also a graph input, so a caller may replace it");
  const axes = new Set(weightUses.map((use) => axisOf(use, shape.length)));
  if (axes.size > 1) return leave("its uses need scales along different axes");
  const [axis] = axes;
  if (axis === undefined || axis >= shape.length) return leave(`has ${shape.length} axes, too few for a channel axis`);
  const channels = shape[axis]!;
  const bytesAfter = elements + channels * (4 + (settings.type === "uint8" ? 1 : 0));
  if (bytesAfter >= bytes) return leave("scales would cost more than 8-bit elements save");
  const others = uses.length - weightUses.length;
  const notes = [
    ...(scope.outputs.has(name) ? ["is an output too, which gets the dequantized values"] : []),
    ...(others > 0 ? [`${others} other use${others > 1 ? "s" : ""} read the dequantized values`] : []),
  ];
  const reason = notes.join("; ");
  const quantize: PlannedTensor = { ...shared, bytesAfter, action: "quantize", reason, axis };
  return uses.every(isTransposed) && !scope.outputs.has(name) ? { ...quantize, axis: 1, transpose: true } : quantize;
}

/** onnxruntime runs DequantizeLinear -> Gemm in 8 bits only where B is [K, N] (its DQ-MatMul fusion wants transB = 0). */
function isTransposed({ node, input }: Use): boolean {
  return node.opType === "Gemm" && isStandard(node) && input === 1 && intAttribute(node, "transB", 0) === 1;
}

function axisOf({ node, input }: Use, rank: number): number | undefined {
  return weightSlot(node, input)!.axis(node, rank);
}

function list(names: readonly string[]): string {
  return names.length > 2 ? `${names.slice(0, 2).join(", ")}, ...` : names.join(" and ");
}
