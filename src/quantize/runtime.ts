import { graphsOf, type ModelProto, type NodeProto } from "../formats/onnx.js";
import type { AppliedTensor } from "./apply.js";
import type { SchemeId } from "./settings.js";

/** What a runtime makes of a quantized weight while it loads a model. */
type Became = "integers" | "floats" | "unpacked on every run";

/** One quantized weight as the runtime computes with it. */
interface WeightUseAtRun {
  readonly name: string;
  readonly graph: string;
  readonly scheme: SchemeId | "half";
  readonly usedBy: readonly string[];
  readonly became: Became;
  /** The operators of the optimized graph that read it, or its floats; empty where they cannot be told. */
  readonly kernels: readonly string[];
}

/** What a runtime makes of the quantized weights of a model. */
export interface RuntimeUse {
  /** Weights that integer kernels read as they are. */
  readonly eightBit: number;
  /** Weights that became floats once, while the model was loaded. */
  readonly floatsAtLoad: number;
  /** Weights that are turned back into floats on every run. */
  readonly dequantizedEachRun: number;
  readonly weights: readonly WeightUseAtRun[];
  /** A line for each operator: how many of its weights are computed with as integers, and what became of the others. */
  readonly words: readonly string[];
}

/** Operators that only turn integers back into floats, by the scheme that puts them in. */
const unpackers: Readonly<Partial<Record<string, ReadonlySet<string>>>> = {
  unpack: new Set(["Cast", "Gather"]),
};
const dequantize: ReadonlySet<string> = new Set(["DequantizeLinear"]);

/**
 * Reads from the graph as the runtime optimized it what became of the quantized tensors: whether an operator still turns
 * their integers into floats, whether an integer kernel reads them, or whether they are gone, repacked or folded.
 */
export function runtimeUse(optimized: ModelProto, tensors: readonly AppliedTensor[]): RuntimeUse {
  const readers = readersOf(optimized);
  const weights = tensors.flatMap((tensor): readonly WeightUseAtRun[] => {
    const { name, graph, scheme, usedBy, storedAs } = tensor;
    if (!storedAs || !scheme || scheme === "half") return [];
    return [{ name, graph, scheme, usedBy, ...outcome(scheme, storedAs, readers) }];
  });
  const count = (became: Became) => weights.filter((weight) => weight.became === became).length;
  return {
    eightBit: count("integers"),
    floatsAtLoad: count("floats"),
    dequantizedEachRun: count("unpacked on every run"),
    weights,
    words: wordsOf(weights),
  };
}

type Readers = ReadonlyMap<string, readonly NodeProto[]>;

function outcome(scheme: SchemeId, storedAs: string, readers: Readers): Pick<WeightUseAtRun, "became" | "kernels"> {
  const nodes = readers.get(storedAs) ?? [];
  const kinds = unpackers[scheme] ?? dequantize;
  const unpacking = nodes.filter(({ opType }) => kinds.has(opType));
  if (unpacking.length > 0) {
    const kernels = unpacking.flatMap(({ output }) => (readers.get(output[0]!) ?? []).map(({ opType }) => opType));
    return { became: "unpacked on every run", kernels: [...new Set(kernels)] };
  }
  // a runtime that repacks a weight gives it another name
  const kernels = [...new Set(nodes.map(({ opType }) => opType))];
  return { became: scheme === "unpack" ? "floats" : "integers", kernels };
}

function readersOf(model: ModelProto): Readers {
  const readers = new Map<string, NodeProto[]>();
  for (const graph of graphsOf(model.graph!)) {
    for (const node of graph.node) {
      for (const name of node.input) {
        const list = readers.get(name);
        if (list) list.push(node);
        else readers.set(name, [node]);
      }
    }
  }
  return readers;
}

function wordsOf(weights: readonly WeightUseAtRun[]): readonly string[] {
  const operators = [...new Set(weights.flatMap(({ usedBy }) => usedBy))];
  return operators.map((operator) => {
    const own = weights.filter(({ usedBy }) => usedBy.includes(operator));
    const as = (became: Became) => own.filter((weight) => weight.became === became);
    const slow = as("unpacked on every run");
    const floats = as("floats").length;
    const parts = [`${as("integers").length} of ${own.length} weights of ${operator} are computed with as integers`];
    if (floats > 0) parts.push(`${floats} became floats at load, as planned`);
    if (slow.length > 0) {
      const into = [...new Set(slow.flatMap(({ kernels }) => kernels))].join(", ");
      const which = slow.slice(0, 3).map(({ name }) => name);
      const more = slow.length > 3 ? ", ..." : "";
      parts.push(`${slow.length} unpacked on every run${into ? ` for ${into}` : ""} (${which.join(", ")}${more})`);
    }
    return parts.join("; ");
  });
}
