import {
  type ModelProto,
  makeTensor,
  type NodeProto,
  type ReadExternal,
  readTensor,
  type TensorProto,
} from "../formats/onnx.js";
import { type FreshName, freshNames } from "../graph/names.js";
import { makeNode, setAttribute } from "../graph/node.js";
import { viewModel } from "../graph/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { isFiniteData, quantizeChannels, type WeightType } from "./channels.js";
import type { PlannedTensor, WeightPlan } from "./plan.js";

/** A planned tensor after the work: what was done, and how near the 8-bit values are to the source. */
export interface AppliedTensor extends PlannedTensor {
  /** Signal to quantization noise ratio of the weight itself, in dB; null where nothing was lost or it was left. */
  readonly sqnrDb: number | null;
  /** Name of the initializer that holds the 8-bit values; null where the tensor was left. */
  readonly storedAs: string | null;
}

/** Told after each tensor: how many of `total` are done. */
type OnTensor = (done: number, total: number) => void | Promise<void>;

/**
 * Carries out a plan made of this model: each weight becomes an 8-bit initializer with its scales, and a
 * DequantizeLinear at the head of its graph that takes over the weight's name, so that no use changes. A weight with
 * NaN or infinite elements is left, with that reason. Changes `model`; returns the plan's tensors with the outcome.
 */
export async function applyWeightPlan(
  model: ModelProto,
  plan: WeightPlan,
  readExternal: ReadExternal,
  onTensor: OnTensor = () => {},
): Promise<readonly AppliedTensor[]> {
  const fresh = freshNames(model);
  const total = plan.tensors.filter(({ action }) => action === "quantize").length;
  const applied: AppliedTensor[] = [];
  let done = 0;
  const view = viewModel(model);
  for (const scope of view.scopes) {
    const { path, graph, initializers } = scope;
    const nodes: NodeProto[] = [];
    const replaced = new Map<TensorProto, readonly TensorProto[]>();
    for (const planned of plan.tensors.filter((tensor) => tensor.graph === path)) {
      if (planned.action === "leave") {
        applied.push({ ...planned, sqnrDb: null, storedAs: null });
        continue;
      }
      const tensor = initializers.get(planned.name)!;
      const quantized = quantizeTensor(tensor, planned, plan.settings.type, readExternal, fresh);
      if (quantized) {
        nodes.push(quantized.node);
        replaced.set(tensor, quantized.parts);
        if (planned.transpose) {
          for (const { node } of view.usesOf(scope, planned.name)) setAttribute(node, "transB", 0);
          // what the file may state of the value's shape is no longer so
          graph.valueInfo = graph.valueInfo.filter(({ name }) => name !== planned.name);
        }
        applied.push({ ...planned, sqnrDb: quantized.sqnrDb, storedAs: quantized.parts[0]!.name });
      } else {
        const { axis: _, ...rest } = planned;
        const reason = "holds NaN or infinite elements";
        applied.push({ ...rest, action: "leave", reason, bytesAfter: planned.bytes, sqnrDb: null, storedAs: null });
      }
      done += 1;
      await onTensor(done, total);
    }
    graph.initializer = graph.initializer.flatMap((tensor) => replaced.get(tensor) ?? [tensor]);
    graph.node = [...nodes, ...graph.node];
  }
  return applied;
}

/** The initializers and the node that stand for one weight from now on; undefined where it is not finite. */
function quantizeTensor(
  tensor: TensorProto,
  { name, axis, transpose }: PlannedTensor,
  type: WeightType,
  readExternal: ReadExternal,
  fresh: FreshName,
): { readonly parts: readonly TensorProto[]; readonly node: NodeProto; readonly sqnrDb: number | null } | undefined {
  const source = readTensor(tensor, readExternal);
  const { data, shape } = transpose ? transposed(source) : source;
  if (!isFiniteData(data as Float32Array)) return undefined;
  const { values, scales, signal, noise } = quantizeChannels(data as Float32Array, shape, axis!, type);
  const channels = [scales.length];
  const parts = [
    makeTensor(fresh(`${name}_quantized`), { dtype: type, shape, data: values }),
    makeTensor(fresh(`${name}_scale`), { dtype: "float32", shape: channels, data: scales }),
  ];
  if (type === "uint8") {
    const data = new Uint8Array(scales.length).fill(128);
    parts.push(makeTensor(fresh(`${name}_zero_point`), { dtype: type, shape: channels, data }));
  }
  const inputs = parts.map((part) => part.name);
  const node = makeNode("DequantizeLinear", fresh(`${name}_dequantize`), inputs, [name], { axis: axis! });
  return { parts, node, sqnrDb: noise === 0 ? null : 10 * Math.log10(signal / noise) };
}

/** A float32 matrix [N, K] as [K, N]. */
function transposed({ dtype, shape, data }: Tensor): Tensor {
  const [rows, columns] = shape as [number, number];
  const source = data as Float32Array;
  const result = new Float32Array(source.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = source[row * columns + column]!;
  }
  return { dtype, shape: [columns, rows], data: result };
}
