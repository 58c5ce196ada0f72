import { toBinary } from "@bufbuild/protobuf";
import { AttributeProtoSchema } from "onnx-buf";
import { type ModelProto, type NodeProto, readTensor, type TensorProto, tensorInfo } from "../../formats/onnx.js";
import { onnxType } from "../../formats/onnx-types.js";
import { castTensor } from "../../tensor/cast.js";
import { elementCount } from "../../tensor/tensor.js";
import { transposeTensor } from "../../tensor/transpose.js";
import { shallowCopy } from "../clone.js";
import { freshNames } from "../names.js";
import { intAttribute, intsAttribute, isStandard } from "../node.js";
import { type ModelView, type Scope, type Use, viewModel } from "../scope.js";
import {
  type Constant,
  constantOf,
  counted,
  isPutOut,
  newTensor,
  type Pass,
  type PassContext,
  readInstead,
} from "./pass.js";

/**
 * Operators between a constant and its readers are carried out, so that the readers have a plain initializer:
 * Identity, Cast, Transpose, Reshape, Squeeze, Unsqueeze and Flatten of initializers no caller may replace.
 *
 * Left alone: what a graph puts out; a large constant with other readers (it would be stored twice), unless all of them
 * do the same to it; casts of 8-bit integers to floats (that is how quantized weights are stored); casts to something
 * larger, unless the result is the weight of an operator that is quantized.
 */
export const foldPass: Pass = {
  name: "fold",
  words: (changes) => `${counted(changes, "node")} on constants carried out`,
  run(model, context) {
    let total = 0;
    // a chain of nodes folds one link a round
    for (let round = 0; round < 100; round++) {
      const folded = foldOnce(model, context);
      total += folded;
      if (folded === 0) break;
    }
    return total;
  },
};

/** Below this a copy for each reader costs less than a node. */
const smallBytes = 4096;

function foldOnce(model: ModelProto, context: PassContext): number {
  const view = viewModel(model);
  const fresh = freshNames(model);
  const gone = new Set<NodeProto>();
  // the view knows nothing of this round's edits: a constant that got or lost readers waits for the next
  const touched = new Set<TensorProto>();
  // one that only got readers may get more of them: a chain of Identity is done in one round
  const passedOn = new Set<TensorProto>();
  for (const scope of view.scopes) {
    for (const node of scope.graph.node) {
      const [output] = node.output;
      const constant = constantOf(view, scope, node.input[0]);
      if (!constant || !output || gone.has(node) || touched.has(constant.tensor)) continue;
      if (!isStandard(node) || isPutOut(scope, output)) continue;
      if (node.opType === "Identity") {
        if (!readInstead(view, scope, output, constant)) continue;
        gone.add(node);
        passedOn.add(constant.tensor);
        continue;
      }
      if (passedOn.has(constant.tensor)) continue;
      const uses = view.usesOf(constant.scope, constant.tensor.name);
      const alike = uses.every((use) => isAlike(use, node)) && !isPutOut(constant.scope, constant.tensor.name);
      if (!alike && tensorInfo(constant.tensor).bytes > smallBytes) continue;
      const targets = alike ? uses.map((use) => ({ scope: use.scope, name: use.node.output[0]! })) : [];
      if (targets.some((target) => !target.name || isPutOut(target.scope, target.name))) continue;
      // the result takes the node's output name where it can, so that nothing that reads it changes
      const holder = alike ? constant.scope : scope;
      const name = holder === scope ? output : fresh(output);
      const readers = alike
        ? targets.flatMap((target) => view.usesOf(target.scope, target.name))
        : view.usesOf(scope, output);
      const folded = carryOut(view, scope, node, constant, readers, name, context);
      if (!folded) continue;
      holder.graph.initializer.push(folded);
      touched.add(constant.tensor);
      for (const use of alike ? uses : [{ node }]) gone.add(use.node);
      for (const reader of readers) reader.node.input[reader.input] = name;
      if (alike) {
        const { graph } = constant.scope;
        graph.initializer = graph.initializer.filter((tensor) => tensor !== constant.tensor);
      }
    }
  }
  for (const { graph } of view.scopes) graph.node = graph.node.filter((node) => !gone.has(node));
  return gone.size;
}

/** Whether a use of a constant does the same to it as `node`. */
function isAlike({ node, input }: Use, other: NodeProto): boolean {
  if (node === other) return true;
  return (
    input === 0 &&
    node.opType === other.opType &&
    isStandard(node) &&
    node.input.length === other.input.length &&
    node.input.every((name, at) => name === other.input[at]) &&
    attributesKey(node) === attributesKey(other)
  );
}

function attributesKey(node: NodeProto): string {
  return node.attribute
    .map((attribute) => Buffer.from(toBinary(AttributeProtoSchema, attribute)).toString("base64"))
    .sort()
    .join();
}

/** The result of a node on a constant, as an initializer called `name`; undefined where it is left to the runtime. */
function carryOut(
  view: ModelView,
  scope: Scope,
  node: NodeProto,
  { tensor }: Constant,
  readers: readonly Use[],
  name: string,
  context: PassContext,
): TensorProto | undefined {
  const shape = tensor.dims.map(Number);
  const ints = (input: number): readonly number[] | undefined => {
    const held = constantOf(view, scope, node.input[input]);
    return held ? [...readIntegers(held.tensor, context)] : undefined;
  };
  const reshape = reshapes[node.opType];
  if (reshape) {
    const sizes = reshape(node, shape, ints);
    if (!sizes || elementCount(sizes) !== elementCount(shape)) return undefined;
    const result = shallowCopy(tensor);
    result.name = name;
    result.dims = sizes.map(BigInt);
    return result;
  }
  const type = onnxType(tensor.dataType);
  if (!type?.dtype) return undefined;
  if (node.opType === "Transpose") {
    const order = intsAttribute(node, "perm")?.map(Number) ?? [...shape.keys()].reverse();
    // a damaged file's order is for the runtime to refuse
    if (order.length !== shape.length || shape.some((_, axis) => !order.includes(axis))) return undefined;
    return newTensor(name, transposeTensor(readTensor(tensor, context.readExternal), order), context);
  }
  if (node.opType !== "Cast") return undefined;
  const to = onnxType(intAttribute(node, "to", 0));
  if (!to?.dtype) return undefined;
  const grows = to.bits > type.bits && elementCount(shape) * 4 > smallBytes;
  if (grows && !(type.dtype.includes("float") && readers.every(isWeightUse))) return undefined;
  const result = castTensor(readTensor(tensor, context.readExternal), to.dtype);
  return result && newTensor(name, result, context);
}

function readIntegers(tensor: TensorProto, { readExternal }: PassContext): readonly number[] {
  const { data } = readTensor(tensor, readExternal);
  return Array.from(data as BigInt64Array, Number);
}

const weightInputs: Readonly<Record<string, readonly number[]>> = {
  MatMul: [0, 1],
  Gemm: [1],
  Conv: [1],
  ConvTranspose: [1],
  Gather: [0],
  LSTM: [1, 2],
  GRU: [1, 2],
  RNN: [1, 2],
};

function isWeightUse({ node, input }: Use): boolean {
  return isStandard(node) && (weightInputs[node.opType]?.includes(input) ?? false);
}

/** The sizes after a node that only changes them; undefined where they are not known, or wrong. */
type Reshape = (
  node: NodeProto,
  shape: readonly number[],
  ints: (input: number) => readonly number[] | undefined,
) => readonly number[] | undefined;

const reshapes: Readonly<Record<string, Reshape>> = {
  Reshape(node, shape, ints) {
    const wanted = intsAttribute(node, "shape")?.map(Number) ?? ints(1);
    if (!wanted) return undefined;
    const keepsZero = intAttribute(node, "allowzero", 0) === 1;
    const sizes = wanted.map((size, axis) => (size === 0 && !keepsZero ? (shape[axis] ?? -2) : size));
    const open = sizes.indexOf(-1);
    if (open >= 0) {
      const rest = elementCount(sizes.filter((_, axis) => axis !== open));
      sizes[open] = rest > 0 ? elementCount(shape) / rest : -2;
    }
    return sizes.every((size) => Number.isInteger(size) && size >= 0) ? sizes : undefined;
  },
  Squeeze(node, shape, ints) {
    const axes = axesOf(node, ints);
    if (axes === "computed") return undefined;
    const dropped = axes?.map((axis) => (axis < 0 ? axis + shape.length : axis));
    if (dropped?.some((axis) => shape[axis] !== 1)) return undefined;
    return shape.filter((size, axis) => (dropped ? !dropped.includes(axis) : size !== 1));
  },
  Unsqueeze(node, shape, ints) {
    const axes = axesOf(node, ints);
    if (!axes || axes === "computed") return undefined;
    const rank = shape.length + axes.length;
    const added = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
    if (added.size !== axes.length || [...added].some((axis) => axis < 0 || axis >= rank)) return undefined;
    const rest = [...shape];
    return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : rest.shift()!));
  },
  Flatten(node, shape) {
    const axis = intAttribute(node, "axis", 1);
    const cut = axis < 0 ? axis + shape.length : axis;
    if (cut < 0 || cut > shape.length) return undefined;
    return [elementCount(shape.slice(0, cut)), elementCount(shape.slice(cut))];
  },
};

/** `axes` as attribute (before opset 13) or input; undefined where there are none. */
function axesOf(
  node: NodeProto,
  ints: (input: number) => readonly number[] | undefined,
): readonly number[] | "computed" | undefined {
  const stated = intsAttribute(node, "axes")?.map(Number);
  if (stated || !node.input[1]) return stated;
  return ints(1) ?? "computed";
}
