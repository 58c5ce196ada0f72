import type { GraphProto, NodeProto } from "../formats/onnx.js";
import { intAttribute, intsAttribute, isStandard } from "../graph/node.js";

/** How the inputs and outputs of a repeated body stand to those of its node; places are positions in the node's lists. */
export interface BodyPorts {
  /** Values that one round hands to the next. */
  readonly states: readonly {
    readonly input: number;
    readonly inner: string;
    readonly made: string;
    readonly output: number;
  }[];
  /** Inputs of which each round sees one slice along `axis`, which may be negative. */
  readonly sliced: readonly { readonly input: number; readonly inner: string; readonly axis: number }[];
  /** Outputs to which each round adds one slice along `axis`, which may be negative. */
  readonly collected: readonly { readonly made: string; readonly output: number; readonly axis: number }[];
  /** Inputs of the body that come from nowhere: the number of the round, whether it goes on. */
  readonly own: readonly { readonly inner: string; readonly dtype: "int64" | "bool" }[];
}

/** Undefined for a node that is no Loop or Scan, or one that does not fit its body. */
export function bodyPorts(node: NodeProto, body: GraphProto, opset: number): BodyPorts | undefined {
  if (!isStandard(node)) return undefined;
  const inner = body.input.map(({ name }) => name);
  const made = body.output.map(({ name }) => name);
  if (node.opType === "Loop") {
    const count = node.input.length - 2;
    if (count < 0 || inner.length !== count + 2 || made.length < count + 1) return undefined;
    return {
      states: inner.slice(2).map((name, at) => ({ input: at + 2, inner: name, made: made[at + 1]!, output: at })),
      sliced: [],
      collected: made.slice(count + 1).map((name, at) => ({ made: name, output: count + at, axis: 0 })),
      own: [
        { inner: inner[0]!, dtype: "int64" },
        { inner: inner[1]!, dtype: "bool" },
      ],
    };
  }
  // before, its first input was lengths and every value had a batch
  if (node.opType !== "Scan" || opset < 9) return undefined;
  const slices = intAttribute(node, "num_scan_inputs", 0);
  const count = node.input.length - slices;
  if (count < 0 || inner.length !== node.input.length || made.length < count) return undefined;
  const axisAt = (name: string, at: number) => Number(intsAttribute(node, name)?.[at] ?? 0n);
  return {
    states: inner.slice(0, count).map((name, at) => ({ input: at, inner: name, made: made[at]!, output: at })),
    sliced: inner
      .slice(count)
      .map((name, at) => ({ input: count + at, inner: name, axis: axisAt("scan_input_axes", at) })),
    collected: made
      .slice(count)
      .map((name, at) => ({ made: name, output: count + at, axis: axisAt("scan_output_axes", at) })),
    own: [],
  };
}

/** The graph that a node holds under a name. */
export function graphAttribute(node: NodeProto, name: string): GraphProto | undefined {
  return node.attribute.find((attribute) => attribute.name === name)?.g;
}
