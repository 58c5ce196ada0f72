import { intAttribute } from "../graph/node.js";
import { elementCount } from "../tensor/tensor.js";
import type { TrainingGraph } from "./graph.js";

/**
 * Products in the forward part of a step below which a second thread costs as much as it does: of steps of 9 to 26 million
 * two threads did 0.86 to 1.03 times as many a second, of 37 to 150 million 1.02 to 1.5 times. A count, not a measurement:
 * the same model gets the same threads each time, and so the same bits.
 */
const fewProducts = 2 ** 25;

/** Threads that serve a step best. */
export function threadsFor(products: number, most: number): number {
  return products < fewProducts ? 1 : most;
}

/** Products of two numbers that one run of a graph sums up; operators that do something else count for nothing. */
export function productsIn({ nodes, values }: Pick<TrainingGraph, "nodes" | "values">): number {
  let sum = 0;
  for (const node of nodes) {
    const [x, y] = node.input.map((name) => values.get(name)?.shape);
    const out = values.get(node.output[0] ?? "")?.shape;
    if (!x || !y || !out) continue;
    switch (node.opType) {
      case "MatMul":
      case "FusedMatMul":
      case "Gemm":
        sum += elementCount(out) * (intAttribute(node, "transA", 0) === 1 ? x.at(-2)! : x.at(-1)!);
        break;
      case "Conv":
        sum += elementCount(out) * elementCount(y.slice(1));
        break;
      case "ConvTranspose":
        sum += elementCount(x) * elementCount(y.slice(1));
    }
  }
  return sum;
}
