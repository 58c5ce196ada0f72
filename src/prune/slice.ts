import { create } from "@bufbuild/protobuf";
import { TensorShapeProto_DimensionSchema } from "onnx-buf";
import {
  graphsOf,
  type ModelProto,
  makeTensor,
  type NodeProto,
  readTensor,
  type TensorProto,
} from "../formats/onnx.js";
import { onnxType } from "../formats/onnx-types.js";
import { type FreshName, freshNames } from "../graph/names.js";
import { makeNode } from "../graph/node.js";
import type { Scope } from "../graph/scope.js";
import { type StoreBytes, storedTensor } from "../graph/stored.js";
import { isNumericDType, tensorOfNumbers } from "../tensor/numbers.js";
import { elementCount, type Tensor, typedArrays } from "../tensor/tensor.js";
import { evaluateSize, sizeSources } from "./computed-sizes.js";
import { copyOf, type ModelCopy } from "./copies.js";
import type { Axis } from "./labels.js";
import { setComputedSize } from "./mend-sizes.js";
import { operatorOf } from "./node-names.js";
import type { Removed } from "./plan.js";
import type { MendAt, Rows } from "./row.js";
import { fitStates } from "./states.js";
import { smallConstant } from "./stored-tensors.js";
import type { Structure } from "./structure.js";

/** The model without what is removed, in a copy; tensors that stay whole are shared with it. */
export function sliceModel(
  structure: Structure,
  removed: Removed,
  rows: Rows,
  store: StoreBytes | undefined,
): ModelProto {
  const { model, view, labels, tensors, readExternal } = structure;
  const copies = copyOf(model);
  const result = copies.model;
  const keptOf = new Map<Int32Array, readonly number[] | null>();
  const kept = (axis: Axis): readonly number[] | null => {
    if (!axis) return null;
    const known = keptOf.get(axis);
    if (known !== undefined) return known;
    const left = [...axis.keys()].filter((at) => !removed.has(labels.find(axis[at]!)));
    const found = left.length === axis.length ? null : left;
    keptOf.set(axis, found);
    return found;
  };
  const sliced = new Map<TensorProto, TensorProto>();
  for (const [tensor, axes] of tensors) {
    const ways = axes.map(kept);
    if (ways.every((way) => way === null)) continue;
    if (!onnxType(tensor.dataType)?.dtype) throw new Error(`tensor ${tensor.name} has elements that cannot be sliced`);
    const smaller = storedTensor(tensor.name, takeIndices(readTensor(tensor, readExternal), ways), store);
    if (tensor.docString) smaller.docString = tensor.docString;
    sliced.set(tensor, smaller);
  }
  for (const graph of graphsOf(result.graph!)) {
    graph.initializer = graph.initializer.map((tensor) => sliced.get(tensor) ?? tensor);
  }
  const fresh = freshNames(result);
  for (const scope of view.scopes) {
    for (const node of scope.graph.node) {
      if (!structure.ranks.has(node)) continue;
      rows[operatorOf(node)]?.mend?.(mendingOf(structure, scope, node, copies, kept, fresh));
    }
    mendStated(structure, scope, copies, kept);
  }
  fitStates(structure.states, result.graph!, kept, fresh, structure.opset);
  return result;
}

function mendingOf(
  structure: Structure,
  scope: Scope,
  before: NodeProto,
  { nodes, graphs }: ModelCopy,
  kept: (axis: Axis) => readonly number[] | null,
  fresh: FreshName,
): MendAt {
  const node = nodes.get(before)!;
  const { view, axedValue, opset, readExternal } = structure;
  const valueAt = (name: string | undefined) => (name ? axedValue(scope, name) : undefined);
  const sizeOf = (axis: Axis, size: number) => kept(axis)?.length ?? size;
  const sizesAt = (at: number) =>
    before.input[at] ? sizeSources(structure.sizeContext, scope, before.input[at]) : undefined;
  const setInput = (at: number, tensor: Tensor): void => {
    const name = fresh(`${before.output.find(Boolean) ?? before.opType}_sizes`);
    graphs.get(scope.graph)!.initializer.push(storedTensor(name, tensor, undefined));
    node.input[at] = name;
  };
  return {
    node,
    opset,
    input: (at) => valueAt(before.input[at]),
    output: (at) => valueAt(before.output[at])!,
    constant: (at) => smallConstant(view, scope, before.input[at], readExternal),
    kept,
    sizeOf,
    setInput,
    scaleOutput(at, factor) {
      const name = node.output[at]!;
      const dtype = structure.sizeContext.form(scope, name)?.dtype ?? "float32";
      if (!isNumericDType(dtype)) throw new Error(`"${name}" holds no numbers`);
      const graph = graphs.get(scope.graph)!;
      const stored = fresh(`${name}_share`);
      graph.initializer.push(
        makeTensor(
          stored,
          tensorOfNumbers(dtype, [], () => factor),
        ),
      );
      node.output[at] = fresh(`${name}_whole`);
      const scaled = makeNode("Mul", fresh(`${name}_scaled`), [node.output[at], stored], [name]);
      graph.node.splice(graph.node.indexOf(node) + 1, 0, scaled);
    },
    sizes: sizesAt,
    setComputedSize(input, at, size) {
      const source = sizesAt(input)?.[at];
      const [was, is] = [(_: Axis, length: number) => length, sizeOf].map(
        (lengthOf) => source && evaluateSize(source, lengthOf),
      );
      // one that tells how long another axis is, which got shorter along with this one
      if (is === size && was !== size) return;
      const reader = {
        graph: graphs.get(scope.graph)!,
        node,
        fresh,
        lengthOf: (name: string) => valueAt(name)?.shape[0],
        constant: (name: string) => smallConstant(view, scope, name, readExternal),
      };
      setComputedSize(reader, input, valueAt(before.input[input])!.shape[0]!, at, size);
    },
  };
}

/** Sizes that the file states of values which got shorter. */
function mendStated(
  { axedValue, states }: Structure,
  scope: Scope,
  { graphs }: ModelCopy,
  kept: (axis: Axis) => readonly number[] | null,
): void {
  const { valueInfo, input, output } = graphs.get(scope.graph)!;
  for (const { name, type } of [...valueInfo, ...(scope.parent ? [...input, ...output] : [])]) {
    // those are as long as they were
    if (!scope.parent && states.some((end) => end.name === name)) continue;
    const value = axedValue(scope, name);
    if (!value || type?.value.case !== "tensorType" || !type.value.value.shape) continue;
    const { shape } = type.value.value;
    value.axes.forEach((axis, at) => {
      const left = kept(axis);
      if (!left || !shape.dim[at]) return;
      shape.dim[at] = create(TensorShapeProto_DimensionSchema, {
        value: { case: "dimValue", value: BigInt(left.length) },
      });
    });
  }
}

/** The elements at the kept indices of each axis; null for an axis that stays whole. */
export function takeIndices({ dtype, shape, data }: Tensor, kept: readonly (readonly number[] | null)[]): Tensor {
  if (dtype === "string") throw new Error("strings are not sliced");
  const result = shape.map((size, axis) => kept[axis]?.length ?? size);
  const to = new typedArrays[dtype](elementCount(result));
  const from = data as Float32Array;
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const last = kept.findLastIndex((way) => way != null);
  if (last < 0) (to as Float32Array).set(from);
  if (last < 0 || to.length === 0) return { dtype, shape: result, data: to };
  // indices in a row, with all that lies behind the last sliced axis, are copied in one go
  const runs = runsOf(kept[last]!, strides[last]!);
  let at = 0;
  const copy = (axis: number, offset: number): void => {
    if (axis === last) {
      at = copyRuns(from, offset, runs, to as Float32Array, at);
      return;
    }
    const way = kept[axis];
    const count = way?.length ?? shape[axis]!;
    for (let index = 0; index < count; index++) copy(axis + 1, offset + (way ? way[index]! : index) * strides[axis]!);
  };
  copy(0, 0);
  return { dtype, shape: result, data: to };
}

/** Where runs of neighbours start, and how many elements each has, in turn. */
function runsOf(indices: readonly number[], size: number): Int32Array {
  const runs: number[] = [];
  for (const index of indices) {
    const end = runs.length > 0 ? runs.at(-2)! + runs.at(-1)! : -1;
    if (end === index * size) runs[runs.length - 1]! += size;
    else runs.push(index * size, size);
  }
  return Int32Array.from(runs);
}

/** Runs of fewer elements are copied one by one. */
const longRun = 32;

/** Copies runs behind each other; where the next one goes. */
function copyRuns(from: Float32Array, offset: number, runs: Int32Array, to: Float32Array, start: number): number {
  let at = start;
  for (let run = 0; run < runs.length; run += 2) {
    const first = offset + runs[run]!;
    const count = runs[run + 1]!;
    if (count < longRun) for (let index = 0; index < count; index++) to[at + index] = from[first + index]!;
    else to.set(from.subarray(first, first + count), at);
    at += count;
  }
  return at;
}
