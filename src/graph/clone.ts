import type { ModelProto } from "../formats/onnx.js";

/**
 * Copies a model so that the copy can be edited: graphs, nodes, attributes, value infos and all lists are new, tensors
 * (TensorProto) and their bytes are shared. Replace a tensor in the copy; never change one.
 */
export function cloneModel(model: ModelProto): ModelProto {
  return copy(model);
}

/** Copies one message (a tensor, a node) but nothing it holds: fields of the copy can be set anew. */
export function shallowCopy<T extends object>(message: T): T {
  // defaults of unset fields live in the prototype
  return Object.assign(Object.create(Object.getPrototypeOf(message)), message);
}

/** Copies one message with everything in it, tensors excepted. */
export function copy<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copy) as T;
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || isTensor(value)) return value;
  const result = Object.create(Object.getPrototypeOf(value));
  for (const [key, part] of Object.entries(value)) result[key] = copy(part);
  return result;
}

function isTensor(value: object): boolean {
  return (value as { $typeName?: unknown }).$typeName === "onnx.TensorProto";
}
