import { tensorInfo } from "../formats/onnx.js";
import { floatTypes } from "../formats/onnx-types.js";
import { productsOf, type Term, termOf } from "./flops.js";
import type { Removed } from "./plan.js";
import type { Structure } from "./structure.js";

/** What a model costs. */
export interface Cost {
  /** Elements of stored float tensors that nodes read. */
  readonly parameters: number;
  /** Of one run on the shapes that the structure was found for: 2 for each product that is summed; nothing else counts. */
  readonly flops: number;
  /** Mean share of channels left over all that can be removed, weighted by nothing. */
  readonly channels: number;
}

/** Tells what is left when some labels are removed. */
export interface CostModel {
  /** Of the model as it is. */
  readonly whole: Cost;
  /** Elements with at least one index that could be removed. */
  readonly prunable: number;
  /** What parameters and FLOPs are sums of. */
  readonly terms: { readonly params: readonly Term[]; readonly flops: readonly Term[] };
  without(removed: Removed): Cost;
}

/** Finds the terms once; asking for a cost then takes the time of counting labels. */
export function createCostModel(structure: Structure): CostModel {
  const { tensors, labels, vectors } = structure;
  const parameters: Term[] = [];
  let prunable = 0;
  for (const [tensor, axes] of tensors) {
    const { shape, type, elements } = tensorInfo(tensor);
    if (!floatTypes.has(type)) continue;
    parameters.push(termOf(shape.map((size, at) => axes[at] ?? size)));
    const fixed = axes.reduce((count, axis, at) => {
      const frozen = axis ? axis.reduce((n, label) => n + (labels.frozenBy(label) ? 1 : 0), 0) : shape[at]!;
      return count * frozen;
    }, 1);
    prunable += elements - fixed;
  }
  const flops = productsOf(structure);
  const roots = new Map([...vectors].map((vector) => [vector, vector.map((label) => labels.find(label))]));
  const all = new Set<number>();
  for (const tensorAxes of tensors.values()) {
    for (const axis of tensorAxes)
      for (const root of (axis && roots.get(axis)) ?? []) if (!labels.frozenBy(root)) all.add(root);
  }
  const without = (removed: Removed): Cost => {
    const lengths = new Map<Int32Array, number>();
    const lengthOf = (vector: Int32Array): number => {
      const known = lengths.get(vector);
      if (known !== undefined) return known;
      let count = 0;
      for (const root of roots.get(vector) ?? vector.map((label) => labels.find(label)))
        if (!removed.has(root)) count += 1;
      lengths.set(vector, count);
      return count;
    };
    const sum = (terms: readonly Term[]) =>
      terms.reduce(
        (total, { fixed, axes }) => total + axes.reduce((product, axis) => product * lengthOf(axis), fixed),
        0,
      );
    let gone = 0;
    for (const root of removed) if (all.has(root)) gone += 1;
    return { parameters: sum(parameters), flops: sum(flops), channels: all.size === 0 ? 1 : 1 - gone / all.size };
  };
  return { whole: without(new Set()), prunable, terms: { params: parameters, flops }, without };
}
