import type { NodeProto } from "../formats/onnx.js";
import { outerNames } from "../graph/check.js";
import { graphsIn, isStandard } from "../graph/node.js";

/** What a value changes with: nothing, the elements of inputs that are no floats, or the data and the parameters. */
export const never = 0;
export const withIntegers = 1;
export const withData = 2;
export type Variation = typeof never | typeof withIntegers | typeof withData;

/** How the elements and the shape of each value change from batch to batch; unknown names never do. */
export interface Variations {
  elements(name: string): Variation;
  shape(name: string): Variation;
}

/** Inputs whose elements decide the shape of what a node makes. */
const shapeInputs: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  Slice: [1, 2, 3, 4],
  Tile: [1],
  ConstantOfShape: [0],
  Pad: [1, 3],
  Resize: [2, 3],
  Range: [0, 1, 2],
  TopK: [1],
  OneHot: [1],
  Squeeze: [1],
  Unsqueeze: [1],
  Split: [1],
  CenterCropPad: [1],
  Col2Im: [1, 2],
  MaxUnpool: [2],
  Loop: [0, 1],
  NonZero: [0],
  Compress: [0, 1],
  Unique: [0],
  NonMaxSuppression: [0, 1, 2, 3, 4],
  GroupQueryAttention: [6],
};

const randomOperators: ReadonlySet<string> = new Set([
  ...["RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"],
]);

/** The inputs of a node whose elements decide a shape. */
export function shapeOperands({ opType, input }: NodeProto): readonly string[] {
  const slots = opType.startsWith("Reduce") ? [1] : (shapeInputs[opType] ?? []);
  return slots.flatMap((slot) => input[slot] || []);
}

/** All that a node reads, through the graphs nested in it too. */
export function readsOf(node: NodeProto): readonly string[] {
  const captured = graphsIn(node).flatMap((graph) => [...outerNames(graph)]);
  return [...node.input.filter(Boolean), ...captured];
}

/** Follows what changes through nodes in order. `seeds` are the inputs and parameters that change. */
export function variationsOf(nodes: readonly NodeProto[], seeds: ReadonlyMap<string, Variation>): Variations {
  const elements = new Map(seeds);
  const shapes = new Map<string, Variation>();
  const most = (of: ReadonlyMap<string, Variation>, names: readonly string[]): Variation =>
    names.reduce<Variation>((found, name) => Math.max(found, of.get(name) ?? never) as Variation, never);
  for (const node of nodes) {
    const reads = readsOf(node);
    const shape = Math.max(most(shapes, reads), most(elements, shapeOperands(node))) as Variation;
    const isShape = isStandard(node) && (node.opType === "Shape" || node.opType === "Size");
    const moves = isShape
      ? most(shapes, reads)
      : randomOperators.has(node.opType)
        ? withData
        : (Math.max(most(elements, reads), shape) as Variation);
    for (const name of node.output) {
      if (!name) continue;
      if (moves !== never) elements.set(name, moves);
      if (shape !== never) shapes.set(name, shape);
    }
  }
  return { elements: (name) => elements.get(name) ?? never, shape: (name) => shapes.get(name) ?? never };
}

/** Which of `sources` a value comes from, through nodes. */
export function sourcesOf(
  nodes: readonly NodeProto[],
  names: readonly string[],
  sources: ReadonlySet<string>,
): readonly string[] {
  const makers = new Map(nodes.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const seen = new Set<string>();
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const maker = makers.get(name);
    // what decides a shape there decides it before
    if (maker) open.push(...readsOf(maker));
  }
  return [...seen].filter((name) => sources.has(name));
}
