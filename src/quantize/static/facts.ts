import {
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type ReadExternal,
  readTensor,
  type TensorProto,
  tensorInfo,
} from "../../formats/onnx.js";
import { onnxType } from "../../formats/onnx-types.js";
import { intAttribute, isStandard } from "../../graph/node.js";
import { viewModel } from "../../graph/scope.js";
import { numbersOf } from "../../tensor/numbers.js";
import { type ActivationScale, activationScale } from "./scale.js";
import type { ObservedValue, StaticSettings } from "./settings.js";

/** What the rows of the table may ask of the main graph. */
export interface StaticFacts {
  readonly settings: StaticSettings;
  /** What calibration saw of a float value that is computed or an input. */
  observed(name: string): ObservedValue | undefined;
  /** Elements of a value in one run; an average of models' values where that is not known. */
  elements(name: string): number;
  /** A float32 constant that no caller may replace. */
  constant(name: string | undefined): TensorProto | undefined;
  shape(tensor: TensorProto): readonly number[];
  /** The values of a small constant; undefined where it is none, or is large. */
  values(name: string | undefined): ArrayLike<number> | undefined;
  producer(name: string): NodeProto | undefined;
  /** Nodes of the main graph that read a value, once for each time they do. */
  readers(name: string): readonly NodeProto[];
  /** Whether a value is an output of the model, or nested graphs read it. */
  isPinned(name: string): boolean;
  scaleOf(range: Pick<ObservedValue, "min" | "max">): ActivationScale;
}

/** Elements of a value of which nothing is known. */
const usualElements = 65536;

/** Constants with more elements are not looked into while planning. */
const smallElements = 65536;

/** Looks at the main graph of a model whose constants are lifted. */
export function staticFacts(
  model: ModelProto,
  observed: ReadonlyMap<string, ObservedValue>,
  settings: StaticSettings,
  readExternal: ReadExternal,
): StaticFacts {
  const { root, usesOf } = viewModel(model);
  const { graph } = root;
  const producers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const others = otherFloats(graph);
  const constant = (name: string | undefined): TensorProto | undefined => {
    const tensor = name ? root.initializers.get(name) : undefined;
    return tensor && !root.inputs.has(name!) && tensorInfo(tensor).type === "float32" ? tensor : undefined;
  };
  return {
    settings,
    observed: (name) => (others.has(name) || constant(name) ? undefined : observed.get(name)),
    elements: (name) => observed.get(name)?.elements ?? usualElements,
    constant,
    shape: (tensor) => tensorInfo(tensor).shape,
    values(name) {
      const tensor = constant(name);
      if (!tensor || tensorInfo(tensor).elements > smallElements) return undefined;
      return numbersOf(readTensor(tensor, readExternal));
    },
    producer: (name) => producers.get(name),
    readers: (name) => usesOf(root, name).flatMap(({ node, scope }) => (scope === root ? [node] : [])),
    isPinned: (name) => root.outputs.has(name) || usesOf(root, name).some(({ scope }) => scope !== root),
    scaleOf: (range) => activationScale(range, settings),
  };
}

/**
 * Values that are, or may be, floats of 16 or 64 bits: QuantizeLinear wants the scale in the type of what it rounds, and
 * the kernels put out float32. A node's outputs have the type of its inputs, unless it is a Cast.
 */
function otherFloats(graph: GraphProto): ReadonlySet<string> {
  const isOther = (code: number | undefined) => /^(b?float16|float64)$/.test(onnxType(code ?? 0)?.dtype ?? "");
  const names = new Set<string>();
  for (const { name, dataType } of graph.initializer) if (isOther(dataType)) names.add(name);
  for (const { name, type } of [...graph.input, ...graph.valueInfo, ...graph.output]) {
    if (type?.value.case === "tensorType" && isOther(type.value.value.elemType)) names.add(name);
  }
  for (const node of graph.node) {
    const isCast = node.opType === "Cast" && isStandard(node);
    const other = isCast ? isOther(intAttribute(node, "to", 1)) : node.input.some((name) => names.has(name));
    if (other) for (const name of node.output) names.add(name);
  }
  return names;
}

/** The number that a constant of one element stands for. */
export function scalar(facts: StaticFacts, name: string | undefined): number | undefined {
  const values = facts.values(name);
  return values?.length === 1 ? values[0] : undefined;
}
