import { create } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  NodeProtoSchema,
} from "onnx-buf";
import type { GraphProto, NodeProto, TensorProto } from "../formats/onnx.js";

/** Attribute values a new node can be given: numbers are ints, `{ float }` a float, arrays are ints. */
export type AttributeValue =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly tensor: TensorProto };

/** Makes a node of the default operator set. */
export function makeNode(
  opType: string,
  name: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
): NodeProto {
  const attribute = Object.entries(attributes).map(([key, value]) => makeAttribute(key, value));
  return create(NodeProtoSchema, { opType, name, input: [...input], output: [...output], attribute });
}

function makeAttribute(name: string, value: AttributeValue): AttributeProto {
  const make = (rest: object) => create(AttributeProtoSchema, { name, ...rest });
  if (typeof value === "number") return make({ type: AttributeType.INT, i: BigInt(value) });
  if (typeof value === "string") return make({ type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  if ("float" in value) return make({ type: AttributeType.FLOAT, f: value.float });
  if ("tensor" in value) return make({ type: AttributeType.TENSOR, t: value.tensor });
  return make({ type: AttributeType.INTS, ints: value.map(BigInt) });
}

/** Whether a node is the standard operator of that name (default domain). */
export function isStandard(node: NodeProto): boolean {
  return node.domain === "" || node.domain === "ai.onnx";
}

/** The graphs a node holds in its attributes (If, Loop, Scan bodies). */
export function graphsIn(node: NodeProto): GraphProto[] {
  return node.attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs));
}

function attributeOf(node: NodeProto, name: string): AttributeProto | undefined {
  return node.attribute.find((attribute) => attribute.name === name);
}

/** An int attribute, or `fallback` where the node has none. */
export function intAttribute<T>(node: NodeProto, name: string, fallback: T): number | T {
  const found = attributeOf(node, name);
  return found ? Number(found.i) : fallback;
}

/** A float attribute, or `fallback` where the node has none. */
export function floatAttribute<T>(node: NodeProto, name: string, fallback: T): number | T {
  return attributeOf(node, name)?.f ?? fallback;
}

/** A string attribute, or `fallback` where the node has none. */
export function stringAttribute<T>(node: NodeProto, name: string, fallback: T): string | T {
  const found = attributeOf(node, name);
  return found ? new TextDecoder().decode(found.s) : fallback;
}

/**
 * A list-of-ints attribute, or undefined where the node has none. Kept as 64-bit integers: exporters write the largest
 * of them for "to the end", which no number holds.
 */
export function intsAttribute(node: NodeProto, name: string): readonly bigint[] | undefined {
  return attributeOf(node, name)?.ints;
}

/** A list-of-floats attribute, or undefined where the node has none. */
export function floatsAttribute(node: NodeProto, name: string): readonly number[] | undefined {
  return attributeOf(node, name)?.floats;
}

/** Drops the named attributes of a node. */
export function removeAttributes(node: NodeProto, ...names: readonly string[]): void {
  node.attribute = node.attribute.filter(({ name }) => !names.includes(name));
}

/** Sets an attribute of a node, replacing one of that name. */
export function setAttribute(node: NodeProto, name: string, value: AttributeValue): void {
  removeAttributes(node, name);
  node.attribute.push(makeAttribute(name, value));
}
