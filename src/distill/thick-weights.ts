import { type ModelProto, type NodeProto, tensorInfo } from "../formats/onnx.js";
import { floatAttribute, intAttribute, isStandard } from "../graph/node.js";

/** A weight that two thinner ones in a row could stand for: y = M x with M [out, inner]. */
export interface ThickWeight {
  readonly name: string;
  readonly kind: "MatMul" | "Gemm" | "Conv";
  /** Whether the tensor holds M as it is, or its transpose. */
  readonly turned: boolean;
  readonly out: number;
  readonly inner: number;
  readonly parameters: number;
  readonly shape: readonly number[];
  /** What it multiplies, and what comes out. */
  readonly input: string;
  readonly output: string;
  readonly bias: string | undefined;
}

/** Weights of fewer elements are left alone. */
const fewestElements = 4096;
/** The weights of the main graph that could be factorised: products and ungrouped convolutions, read once. */
export function thickWeights(model: ModelProto): readonly ThickWeight[] {
  const graph = model.graph!;
  const stored = new Map(graph.initializer.map((tensor) => [tensor.name, tensorInfo(tensor)]));
  const reads = new Map<string, number>();
  for (const node of graph.node) for (const name of node.input) reads.set(name, (reads.get(name) ?? 0) + 1);
  const inputs = new Set(graph.input.map(({ name }) => name));
  return graph.node.flatMap((node): ThickWeight[] => {
    const name = node.input[1] ?? "";
    const info = stored.get(name);
    if (info?.type !== "float32" || reads.get(name) !== 1 || inputs.has(name)) return [];
    if (info.elements < fewestElements) return [];
    const form = formOf(node, info.shape);
    if (!form) return [];
    return [
      {
        ...form,
        name,
        parameters: info.elements,
        shape: info.shape,
        input: node.input[0]!,
        output: node.output[0]!,
        bias: node.input[2] || undefined,
      },
    ];
  });
}

function formOf(node: NodeProto, shape: readonly number[]) {
  if (!isStandard(node)) return undefined;
  const [first, second] = shape as readonly [number, number];
  if (node.opType === "MatMul" && shape.length === 2) {
    return { kind: "MatMul" as const, turned: true, out: second, inner: first };
  }
  if (node.opType === "Gemm" && shape.length === 2) {
    const plain = floatAttribute(node, "alpha", 1) === 1 && intAttribute(node, "transA", 0) === 0;
    if (!plain || floatAttribute(node, "beta", 1) !== 1) return undefined;
    const turned = intAttribute(node, "transB", 0) === 0;
    return { kind: "Gemm" as const, turned, out: turned ? second : first, inner: turned ? first : second };
  }
  if (node.opType === "Conv" && shape.length >= 3 && intAttribute(node, "group", 1) === 1) {
    return { kind: "Conv" as const, turned: false, out: first, inner: shape.slice(1).reduce((n, size) => n * size, 1) };
  }
  return undefined;
}

/** Elements that a factorisation of this rank takes. */
export function rankParameters({ out, inner }: ThickWeight, rank: number): number {
  return rank * (out + inner);
}
