import type { NodeProto, TensorProto } from "../formats/onnx.js";
import { createBuilder, type Value } from "../graph/builder.js";
import type { FreshName } from "../graph/names.js";
import { intsAttribute, isStandard } from "../graph/node.js";
import { convAttributes, groupOf, isOne, product, spatial, windowOf } from "./rules/geometry.js";

/** Operators that work element by element and so on any layout, as long as all operands have the same one. */
const elementwise = new Set([
  "Relu",
  "Add",
  "Sub",
  "Mul",
  "Sum",
  "Neg",
  "Where",
  "Greater",
  "Less",
  "Equal",
  "Sigmoid",
  "HardSigmoid",
  "Clip",
]);

/** Fewer products of each weight than this are not worth the change of the weights' order, which is made at every run. */
const leastPlaces = 256;

/**
 * Moves convolutions to onnxruntime's blocked layout [N, C / block, H, W, block] (operators of com.microsoft.nchwc), in
 * which its convolutions run about twice as fast (64 rows of 16->16 3x3 on 28x28, with both changes of layout: 2.3 against
 * 4.1 CPU-ms; test/bench/train/conv-forms.ts). By itself onnxruntime does so only where weights are constant; in
 * training they are inputs. What works element by element between two convolutions stays in that layout. Every name keeps
 * its meaning for whoever else reads it. `block` is the size this machine has, see `blockSize`.
 */
export function blockConvolutions(
  nodes: readonly NodeProto[],
  formOf: (name: string) => Value | undefined,
  outputs: ReadonlySet<string>,
  fresh: FreshName,
  block: number,
): { readonly nodes: readonly NodeProto[]; readonly initializers: readonly TensorProto[] } {
  const b = createBuilder(fresh);
  const written: NodeProto[] = [];
  let taken = 0;
  /** Nodes the builder has written since the last call. */
  const flush = () => {
    written.push(...b.nodes.slice(taken));
    taken = b.nodes.length;
  };
  const blocked = new Map<string, Value>();
  /** How to come by a value that so far is there in blocks only. */
  const pending = new Map<string, () => void>();
  const domain = "com.microsoft.nchwc";

  const plain = (name: string): void => {
    const make = pending.get(name);
    pending.delete(name);
    make?.();
  };
  const inBlocks = (name: string): Value => {
    const found = blocked.get(name);
    if (found) return found;
    plain(name);
    const value = formOf(name)!;
    const [made] = b.node("ReorderInput", [value], [value], {}, { domain });
    flush();
    blocked.set(name, made!);
    return made!;
  };
  const keep = (node: NodeProto): void => {
    for (const name of node.input) plain(name);
    written.push(node);
  };
  const later = (name: string, value: Value, make: () => void): void => {
    blocked.set(name, value);
    pending.set(name, make);
    if (outputs.has(name)) plain(name);
  };
  const reordered = (name: string, value: Value) => () => {
    b.node("ReorderOutput", [value], [value], { channels: value.shape[1]! }, { domain, names: [name] });
    flush();
  };

  for (const node of nodes) {
    const values = node.input.map((name) => (name ? formOf(name) : undefined));
    const output = formOf(node.output[0] ?? "");
    const plan =
      output && isStandard(node) && node.opType === "Conv" && blockedWeights(values, output, groupOf(node), block);
    if (plan && (plan.plainInput || blocked.has(node.input[0]!) || !skips(node, values[1]!))) {
      const [x, w, bias] = values as unknown as readonly [Value, Value, Value | undefined];
      for (const name of node.input.slice(1)) plain(name);
      if (plan.plainInput) plain(x.name);
      const attributes = convAttributes(windowOf(node, spatial(w), spatial(x), spatial(output)), groupOf(node));
      const weights = b.reshape(b.transpose(b.reshape(w, plan.apart), plan.order), w.shape);
      flush();
      const input = plan.plainInput ? x : inBlocks(x.name);
      const [y] = b.node("Conv", [input, weights, ...(bias ? [bias] : [])], [output], attributes, { domain });
      flush();
      later(output.name, y!, reordered(output.name, y!));
      continue;
    }
    const from = bringsChannelsLast(node) ? blocked.get(node.input[0]!) : undefined;
    if (from?.dtype === "float32" && output) {
      const channels = from.shape[1]!;
      const names = [output.name];
      // a single block lies so already
      if (channels === block) b.node("Reshape", [from, b.ints(output.shape)], [output], {}, { names });
      else b.node("ReorderOutput", [from], [output], { channels, channels_last: 1 }, { domain, names });
      flush();
      continue;
    }
    const alike = values.every((value) => value && (product(value.shape) === 1 || sameShape(value, output)));
    // worth it where an operand would have to be brought back otherwise
    const here = node.input.some((name) => pending.has(name));
    if (
      !output ||
      !isStandard(node) ||
      !elementwise.has(node.opType) ||
      !alike ||
      !here ||
      !movable(node, values, output, blocked, block)
    ) {
      keep(node);
      continue;
    }
    const operands = values.map((value) => {
      if (product(value!.shape) !== 1) return inBlocks(value!.name);
      plain(value!.name);
      return value!;
    });
    const [y] = b.node(node.opType, operands, [output]);
    b.nodes.at(-1)!.attribute = node.attribute;
    flush();
    // there is no way back for conditions: they are made once more
    later(output.name, y!, output.dtype === "bool" ? () => keep(node) : reordered(output.name, y!));
  }
  return { nodes: written, initializers: b.initializers };
}

/** Whether the convolution looks at few of its inputs: less work than bringing them all into blocks (0.4 against 0.6 ms). */
function skips(node: NodeProto, weights: Value): boolean {
  const strides = intsAttribute(node, "strides")?.map(Number) ?? [];
  return isOne(spatial(weights)) && !isOne(strides);
}

function bringsChannelsLast(node: NodeProto): boolean {
  return isStandard(node) && node.opType === "Transpose" && intsAttribute(node, "perm")?.join() === "0,2,3,1";
}

function sameShape(value: Value, other: Value | undefined): boolean {
  return (
    other !== undefined &&
    value.shape.length === other.shape.length &&
    value.shape.every((n, at) => n === other.shape[at])
  );
}

/** Whether all operands can be had in blocks: pictures of floats, or conditions that are there already. */
function movable(
  { input }: NodeProto,
  values: readonly (Value | undefined)[],
  { shape }: Value,
  blocked: ReadonlyMap<string, Value>,
  block: number,
): boolean {
  if (shape.length !== 4 || shape[1]! % block !== 0) return false;
  return values.every(
    (value, at) => product(value!.shape) === 1 || value!.dtype === "float32" || blocked.has(input[at]!),
  );
}

/** How the weights of a convolution come into blocks; undefined where it has no blocked form. */
function blockedWeights(
  [x, w]: readonly (Value | undefined)[],
  output: Value,
  group: number,
  block: number,
): { readonly apart: readonly number[]; readonly order: readonly number[]; readonly plainInput: boolean } | undefined {
  if (!x || !w || x.dtype !== "float32" || x.shape.length !== 4) return undefined;
  const [filters, inner, height, width] = w.shape as readonly [number, number, number, number];
  if (filters % block !== 0 || output.shape[0]! * product(spatial(output)) < leastPlaces) return undefined;
  const outer = [filters / block, block];
  // few channels are read as they lie, and so are the single ones of depthwise filters
  const single = { apart: [...outer, inner, height, width], order: [0, 2, 3, 4, 1] };
  if (group === 1 && inner < block) return { ...single, plainInput: true };
  if (group > 1) return inner === 1 && filters === group ? { ...single, plainInput: false } : undefined;
  if (inner % block !== 0) return undefined;
  return { apart: [...outer, inner / block, block, height, width], order: [0, 2, 4, 5, 3, 1], plainInput: false };
}
