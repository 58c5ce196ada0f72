import { type GraphProto, type ModelProto, type NodeProto, tensorInfo } from "../formats/onnx.js";
import { type Flow, flowOf } from "./flow.js";

/** A part of a graph that could be left out: everything flows in at `start` and out at `end`, which is of the same shape. */
export interface Segment {
  readonly start: string;
  readonly end: string;
  /** The nodes between, in order. */
  readonly nodes: readonly NodeProto[];
  /** Elements of the stored tensors that only those read. */
  readonly parameters: number;
  /** The operators and shapes of weights: alike where two segments are built alike. */
  readonly signature: string;
}

/** The shape and element type of a value in one run, as text; undefined where it is not known. */
export type FormOf = (value: string) => string | undefined;

/** The largest share of all parameters that counts as a part, not as the whole. */
const largestShare = 0.5;

/** Normalisation over features, as one operator or as the exporters' Sub, Pow, ReduceMean. */
const norms = new Set(["LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization", "ReduceMean"]);

/** The values at which a graph could be cut: all floating-point values that data flow through. */
export function cutCandidates(graph: GraphProto): readonly string[] {
  const flow = flowOf(graph);
  return [...new Set(graph.node.flatMap((node) => (flow.readBy(node).length > 0 ? node.output.filter(Boolean) : [])))];
}

/**
 * The parts of the main graph that could be left out: along each way from an input on, the values everything goes through
 * are cut points; what lies between two and has weights is a part, with the activations behind it. Residual blocks are one
 * part each. Where a step is no such part, its branches are looked at in turn. In order, none inside another. No part ends
 * at an output or at one of the values that are to be `kept`.
 */
export function findSegments(model: ModelProto, formOf: FormOf, kept: Iterable<string> = []): readonly Segment[] {
  const graph = model.graph!;
  const flow = flowOf(graph);
  const stored = new Map(graph.initializer.map((tensor) => [tensor.name, tensorInfo(tensor)]));
  const total = graph.initializer.reduce((sum, tensor) => sum + tensorInfo(tensor).elements, 0);
  const fixed = new Set([...graph.output.map(({ name }) => name), ...kept]);
  const readers = new Map<string, number>();
  for (const { input } of graph.node)
    for (const name of new Set(input)) readers.set(name, (readers.get(name) ?? 0) + 1);
  const step = (start: string, end: string): Segment => {
    const nodes = flow.between(start, end);
    const reads = nodes.flatMap(({ input }) => [...new Set(input)]);
    const inside = new Map<string, number>();
    for (const name of reads) inside.set(name, (inside.get(name) ?? 0) + 1);
    // what others read too would stay
    const read = [...inside].flatMap(([name, count]) => (readers.get(name) === count ? (stored.get(name) ?? []) : []));
    const shapes = read.filter(({ shape }) => shape.length >= 2).map(({ shape }) => shape.join("x"));
    return {
      start,
      end,
      nodes,
      parameters: read.reduce((sum, { elements }) => sum + elements, 0),
      signature: `${nodes.map(({ opType }) => opType).join(" ")} | ${shapes.join(" ")}`,
    };
  };
  const isHeavy = ({ nodes }: Segment) =>
    nodes.some(({ input }) => input.some((name) => (stored.get(name)?.shape.length ?? 0) >= 2));
  const isNorm = ({ nodes }: Segment) => nodes.some(({ opType }) => norms.has(opType));
  const isPart = ({ start, end, parameters }: Segment) =>
    formOf(start) !== undefined &&
    formOf(start) === formOf(end) &&
    !fixed.has(end) &&
    parameters <= largestShare * total;

  const found: Segment[] = [];
  const seen = new Set<string>();
  const walk = (from: string, until: string | undefined): void => {
    const steps: Segment[] = [];
    for (let at = from; at !== until && !seen.has(at); ) {
      seen.add(at);
      const next = flow.next(at);
      if (next === undefined || next === until) break;
      steps.push(step(at, next));
      at = next;
    }
    steps.forEach((one, at) => {
      if (!isHeavy(one)) return;
      const afterNorm = at > 0 && isNorm(steps[at - 1]!) && !isHeavy(steps[at - 1]!);
      const part = withActivations(steps, at, afterNorm, isHeavy, isNorm, (start, end) => isPart(step(start, end)));
      if (part !== undefined) found.push(step(one.start, part));
      else for (const branch of branches(flow, one)) walk(branch, one.end);
    });
  };
  for (const input of flow.inputs) walk(input, undefined);
  return outermost(found, graph);
}

/** Where a part ends that begins with step `at`: behind the activations that follow, if it has the form it began with. */
function withActivations(
  steps: readonly Segment[],
  at: number,
  afterNorm: boolean,
  isHeavy: (step: Segment) => boolean,
  isNorm: (step: Segment) => boolean,
  fits: (start: string, end: string) => boolean,
): string | undefined {
  const { start } = steps[at]!;
  let end: string | undefined;
  for (let to = at; to < steps.length; to++) {
    if (to > at && isHeavy(steps[to]!)) break;
    // a normalisation is the part's own where the part before has one too; else it is the last of the model
    if (to > at && isNorm(steps[to]!) && !afterNorm) break;
    if (fits(start, steps[to]!.end)) end = steps[to]!.end;
  }
  return end;
}

/** The values right behind the start of a step, from which its branches go. */
function branches(flow: Flow, { start, end }: Segment): readonly string[] {
  const after = flow.readersOf(start).flatMap(({ output }) => output.filter(Boolean));
  return [...new Set(after)].filter((name) => name !== end);
}

/** In the order of the graph; parts that lie in others, or share nodes with those before, are left out. */
function outermost(segments: readonly Segment[], graph: GraphProto): readonly Segment[] {
  const order = new Map(graph.node.map((node, at) => [node, at]));
  const taken = new Set<NodeProto>();
  const kept: Segment[] = [];
  for (const one of segments.toSorted((a, b) => b.nodes.length - a.nodes.length)) {
    if (one.nodes.some((node) => taken.has(node))) continue;
    for (const node of one.nodes) taken.add(node);
    kept.push(one);
  }
  return kept.sort((a, b) => order.get(a.nodes[0]!)! - order.get(b.nodes[0]!)!);
}
