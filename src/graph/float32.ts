import { type ModelProto, type NodeProto, type ReadExternal, readTensor, type TensorProto } from "../formats/onnx.js";
import { numbersOf } from "../tensor/numbers.js";
import { shallowCopy } from "./clone.js";
import { type StoreBytes, storedTensor } from "./stored.js";

/** What became float32. */
export interface Widened {
  readonly tensors: number;
  /** Values whose type the file states: inputs, outputs and those in between. */
  readonly values: number;
  /** Casts and other nodes that named a 16-bit type. */
  readonly nodes: number;
}

/** Attributes that name an element type. */
const typeAttributes = new Set(["to", "dtype", "output_dtype", "output_datatype", "stash_type", "softmax_precision"]);

const [float32, float16, bfloat16] = [1, 10, 16];

/**
 * Turns a float16 or bfloat16 model into the float32 model that computes the same in more digits: stored tensors,
 * stated types of values (inputs and outputs too, so callers then pass float32) and the types that nodes such as Cast
 * name. Tensors go one at a time through memory; `store` takes the large new ones. Changes `model`, but no TensorProto.
 */
export function toFloat32(model: ModelProto, readExternal: ReadExternal, store?: StoreBytes): Widened {
  const counts = { tensors: 0, values: 0, nodes: 0 };
  const visit = (part: unknown): unknown => {
    if (typeof part !== "object" || part === null || ArrayBuffer.isView(part)) return part;
    const message = part as { $typeName?: string; elemType?: unknown };
    if (message.$typeName === "onnx.TensorProto") {
      const tensor = part as TensorProto;
      if (!isHalf(tensor.dataType)) return tensor;
      counts.tensors += 1;
      return widened(tensor, readExternal, store);
    }
    if (Array.isArray(part)) {
      for (let at = 0; at < part.length; at++) part[at] = visit(part[at]);
      return part;
    }
    if (message.$typeName === "onnx.NodeProto" && widenTypes(part as NodeProto)) counts.nodes += 1;
    // sequences and optionals have a type of their own there, no number
    if (typeof message.elemType === "number" && isHalf(message.elemType)) {
      message.elemType = float32;
      counts.values += 1;
    }
    for (const [key, value] of Object.entries(part)) {
      if (typeof value === "object" && value !== null) (part as Record<string, unknown>)[key] = visit(value);
    }
    return part;
  };
  visit(model);
  return counts;
}

function isHalf(type: number): boolean {
  return type === float16 || type === bfloat16;
}

function widenTypes(node: NodeProto): boolean {
  let changed = false;
  node.attribute = node.attribute.map((attribute) => {
    if (!typeAttributes.has(attribute.name) || !isHalf(Number(attribute.i))) return attribute;
    changed = true;
    const widened = shallowCopy(attribute);
    widened.i = BigInt(float32);
    return widened;
  });
  return changed;
}

function widened(tensor: TensorProto, readExternal: ReadExternal, store: StoreBytes | undefined): TensorProto {
  const source = readTensor(tensor, readExternal);
  const data = numbersOf(source) as Float32Array;
  const result = storedTensor(tensor.name, { dtype: "float32", shape: source.shape, data }, store);
  result.metadataProps = tensor.metadataProps;
  if (tensor.docString) result.docString = tensor.docString;
  return result;
}
