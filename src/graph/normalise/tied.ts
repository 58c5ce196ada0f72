import { isFieldSet } from "@bufbuild/protobuf";
import { TensorProtoSchema } from "onnx-buf";
import { type ReadExternal, type TensorProto, tensorInfo } from "../../formats/onnx.js";
import { shallowCopy } from "../clone.js";
import { type FreshName, freshNames } from "../names.js";
import { type ModelView, type Scope, viewModel } from "../scope.js";
import { type Constant, counted, isPutOut, type Pass, readInstead } from "./pass.js";

/**
 * Weights that were one before export become one again: initializers of the same type, shape and bytes, with at least
 * two axes and 1024 elements. Where they lie in different branches, the one that is left moves to the graph around them.
 */
export const tiedPass: Pass = {
  name: "tied",
  words: (changes) => `${counted(changes, "copy").replace(/copys$/, "copies")} of other weights dropped`,
  run(model, { readExternal }) {
    const view = viewModel(model);
    const fresh = freshNames(model);
    const groups = new Map<string, Constant[]>();
    for (const scope of view.scopes) {
      for (const tensor of scope.initializers.values()) {
        if (scope.inputs.has(tensor.name) || isPutOut(scope, tensor.name)) continue;
        const key = keyOf(tensor, readExternal);
        if (key !== undefined) groups.set(key, [...(groups.get(key) ?? []), { tensor, scope }]);
      }
    }
    let dropped = 0;
    for (const candidates of groups.values()) {
      for (const same of equalOnes(candidates, readExternal)) dropped += joinUp(view, same, fresh);
    }
    return dropped;
  },
};

/** Smaller ones cost less than what sharing them would do to passes that change weights per use. */
const minElements = 1024;

/** How many bytes of each end of a tensor are looked at before whole tensors are compared. */
const endBytes = 1024;

/** How many bytes of two tensors are compared at once. */
const chunkBytes = 1 << 22;

/** What equal tensors have in common at first sight; undefined for those that are not looked at. */
function keyOf(tensor: TensorProto, readExternal: ReadExternal): string | undefined {
  const { type, shape, elements, bytes, external } = tensorInfo(tensor);
  if (shape.length < 2 || elements < minElements) return undefined;
  if (!external && !isFieldSet(tensor, TensorProtoSchema.field.rawData)) return undefined;
  const head = partOf(tensor, 0, Math.min(endBytes, bytes), readExternal);
  const tail = partOf(tensor, Math.max(0, bytes - endBytes), Math.min(endBytes, bytes), readExternal);
  return [type, shape.join("x"), ...[head, tail].map((part) => Buffer.from(part).toString("base64"))].join(" ");
}

function partOf(tensor: TensorProto, at: number, length: number, readExternal: ReadExternal): Uint8Array {
  const { external } = tensorInfo(tensor);
  if (!external) return tensor.rawData.subarray(at, at + length);
  return readExternal({ ...external, offset: external.offset + at, length }, length);
}

/** Sorts candidates of one key into groups of two and more that are equal byte for byte. */
function equalOnes(candidates: readonly Constant[], readExternal: ReadExternal): Constant[][] {
  const groups: Constant[][] = [];
  for (const candidate of candidates) {
    const group = groups.find(([first]) => isEqual(first!.tensor, candidate.tensor, readExternal));
    if (group) group.push(candidate);
    else groups.push([candidate]);
  }
  return groups.filter(({ length }) => length > 1);
}

function isEqual(one: TensorProto, other: TensorProto, readExternal: ReadExternal): boolean {
  const [a, b] = [tensorInfo(one), tensorInfo(other)];
  if (a.external && b.external && a.external.location === b.external.location) {
    if (a.external.offset === b.external.offset) return true;
  }
  for (let at = 0; at < a.bytes; at += chunkBytes) {
    const length = Math.min(chunkBytes, a.bytes - at);
    if (Buffer.compare(partOf(one, at, length, readExternal), partOf(other, at, length, readExternal)) !== 0) {
      return false;
    }
  }
  return true;
}

/** Keeps one of equal constants, in the innermost graph that all their readers see; returns how many were dropped. */
function joinUp(view: ModelView, same: readonly Constant[], fresh: FreshName): number {
  const home = same.map(({ scope }) => scope).reduce(commonScope);
  const kept = same.find(({ scope }) => scope === home);
  const drop = ({ scope: { graph }, tensor }: Constant) => {
    graph.initializer = graph.initializer.filter((held) => held !== tensor);
  };
  if (kept) {
    const others = same.filter((one) => one !== kept && readInstead(view, one.scope, one.tensor.name, kept));
    others.forEach(drop);
    return others.length;
  }
  const moved = shallowCopy(same[0]!.tensor);
  moved.name = fresh(moved.name);
  home.graph.initializer.push(moved);
  for (const one of same) {
    for (const { node, input } of view.usesOf(one.scope, one.tensor.name)) node.input[input] = moved.name;
    drop(one);
  }
  return same.length - 1;
}

function commonScope(one: Scope, other: Scope): Scope {
  const around = new Set<Scope>();
  for (let at: Scope | null = one; at; at = at.parent) around.add(at);
  let at = other;
  while (!around.has(at)) at = at.parent!;
  return at;
}
