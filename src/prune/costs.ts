import { tensorInfo } from "../formats/onnx.js";
import { floatTypes } from "../formats/onnx-types.js";
import { intAttribute } from "../graph/node.js";
import type { Removed } from "./plan.js";
import type { AxedValue } from "./row.js";
import { operatorOf, type Structure } from "./structure.js";

/** A product: a fixed part times the lengths of axes. */
export interface Term {
  readonly fixed: number;
  readonly axes: readonly Int32Array[];
}

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

function termOf(factors: readonly (number | Int32Array)[], fixed = 1): Term {
  return {
    fixed: factors.reduce<number>(
      (product, factor) => (typeof factor === "number" ? product * factor : product),
      fixed,
    ),
    axes: factors.filter((factor) => typeof factor !== "number"),
  };
}

/** Products that nodes sum, in FLOPs. */
function productsOf({ view, axedValue }: Structure): Term[] {
  return view.scopes.flatMap((scope) =>
    scope.graph.node.flatMap((node): Term[] => {
      const [x, w] = node.input.map((name) => (name ? axedValue(scope, name) : undefined));
      const y = node.output[0] ? axedValue(scope, node.output[0]) : undefined;
      if (!x || !w || !y) return [];
      const all = (value: AxedValue) => value.shape.map((size, at) => value.axes[at] ?? size);
      // with an activation or a factor, what is summed is the same
      const operator = operatorOf(node).replace(/^com\.microsoft:Fused/, "");
      // every output channel sums over the input channels of its group
      if (operator === "Conv") return [termOf([...all(y), ...all(w).slice(1)], 2)];
      if (operator === "ConvTranspose") {
        return [termOf([...all(x), ...all(w).slice(1)], 2)];
      }
      if (operator === "MatMul" && x.shape.length > 0) {
        const swapped = intAttribute(node, "transA", 0) === 1 && x.shape.length > 1;
        return [termOf([...all(y), all(x).at(swapped ? -2 : -1)!], 2)];
      }
      if (operator === "Gemm") return [termOf([...all(y), all(x)[intAttribute(node, "transA", 0) ? 0 : 1]!], 2)];
      if (operator === "LSTM" || operator === "GRU" || operator === "RNN") {
        // W and R are read once a position of a sequence
        const positions = all(x).slice(0, 2);
        const r = node.input[2] ? axedValue(scope, node.input[2]) : undefined;
        return [w, ...(r ? [r] : [])].map((weight) => termOf([...positions, ...all(weight)], 2));
      }
      return [];
    }),
  );
}
