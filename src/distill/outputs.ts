import type { Label } from "../data/labels.js";
import type { ModelProto, NodeProto } from "../formats/onnx.js";
import { axisOf } from "../graph/builder.js";
import { intAttribute, isStandard } from "../graph/node.js";
import { elementCount, type Tensor } from "../tensor/tensor.js";

/** An output of a model as distillation looks at it. */
export interface ModelOutput {
  /** The output's name. */
  readonly name: string;
  /** What is compared: the logits where the output is their softmax, else the output itself. */
  readonly value: string;
  /** `classes`: a distribution over an axis; `values`: numbers (regression, probabilities each on their own). */
  readonly kind: "classes" | "values";
  /** The axis of classes or features, from 0; 0 for a scalar. */
  readonly axis: number;
  /** The output's; that of `value` is the same. */
  readonly shape: readonly number[];
  /** Whether labels are for it. */
  readonly labelled?: true;
}

/** Shapes of the floats among outputs. */
export function floatShapes(outputs: ReadonlyMap<string, Tensor>): ReadonlyMap<string, readonly number[]> {
  const floats = [...outputs].filter(([, { dtype }]) => dtype.startsWith("float"));
  return new Map(floats.map(([name, { shape }]) => [name, shape]));
}

/**
 * What each floating-point output is, by the node that makes it: behind a Softmax or LogSoftmax lie logits; all else are
 * values, except that labels say which output is logits over its last axis where no Softmax follows. `shapes` are those
 * of one run, on the first sample that has one of the `labels`.
 */
export function describeOutputs(
  model: ModelProto,
  shapes: ReadonlyMap<string, readonly number[]>,
  labels: readonly Label[] | undefined,
): readonly ModelOutput[] {
  const makers = new Map<string, NodeProto>();
  for (const node of model.graph!.node) for (const name of node.output) if (name) makers.set(name, node);
  const opset = model.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? 0n;
  const found = model.graph!.output.flatMap(({ name }): ModelOutput[] => {
    const shape = shapes.get(name);
    if (!shape) return [];
    const maker = throughIdentity(makers, name);
    const rank = shape.length;
    const flat = flattenedLogits(makers, maker, rank);
    if (flat !== undefined) return [{ name, value: flat, kind: "classes", axis: rank - 1, shape }];
    const softmax = maker && isStandard(maker) && (maker.opType === "Softmax" || maker.opType === "LogSoftmax");
    const last = Math.max(0, rank - 1);
    if (softmax && rank > 0) {
      const axis = axisOf(intAttribute(maker, "axis", opset < 13n ? 1 : -1), rank);
      // before opset 13 it also ran over all axes behind its own
      if (opset >= 13n || axis === last) return [{ name, value: maker.input[0]!, kind: "classes", axis, shape }];
    }
    return [{ name, value: name, kind: "values", axis: last, shape }];
  });
  if (!labels) return found;
  const classes = found.filter(({ kind }) => kind === "classes");
  // a sigmoid gives no classes
  const logits = found.filter(
    ({ name, kind, shape }) =>
      kind === "values" && (shape.at(-1) ?? 0) >= 2 && throughIdentity(makers, name)?.opType !== "Sigmoid",
  );
  const own = labelledOf(classes, labels) ?? labelledOf(logits, labels) ?? classes[0] ?? logits[0];
  return found.map((output) => (output === own ? { ...output, kind: "classes", labelled: true } : output));
}

/** The output that labels fit: as many positions, and all classes there; of several that with the fewest classes. */
function labelledOf(outputs: readonly ModelOutput[], labels: readonly Label[]): ModelOutput | undefined {
  const lists = labels.map((label) => (typeof label === "number" ? [label] : label));
  const [first] = lists;
  if (first === undefined || lists.some((list) => typeof list === "string")) return undefined;
  const most = (lists as readonly (readonly number[])[]).reduce(
    (top, list) => list.reduce((one, label) => Math.max(one, label), top),
    0,
  );
  const fitting = outputs.filter(
    ({ shape, axis }) => shape[axis]! > most && elementCount(shape) / shape[axis]! === first.length,
  );
  const widths = fitting.map(({ shape, axis }) => shape[axis]!);
  return fitting[widths.indexOf(Math.min(...widths))];
}

/**
 * The logits where `maker` brings a softmax over the last axis, taken of flattened rows, back into shape: so a Softmax of
 * opset 12 and before looks in a later one where its rank is not known.
 */
function flattenedLogits(
  makers: ReadonlyMap<string, NodeProto>,
  maker: NodeProto | undefined,
  rank: number,
): string | undefined {
  if (maker?.opType !== "Reshape" || rank === 0) return undefined;
  const softmax = makers.get(maker.input[0]!);
  if (softmax?.opType !== "Softmax" && softmax?.opType !== "LogSoftmax") return undefined;
  const flatten = makers.get(softmax.input[0]!);
  if (flatten?.opType !== "Flatten" || !isStandard(flatten)) return undefined;
  const [axis, softmaxAxis] = [intAttribute(flatten, "axis", 1), intAttribute(softmax, "axis", -1)];
  const isLast = (axis === rank - 1 || axis === -1) && (softmaxAxis === -1 || softmaxAxis === 1);
  return isLast ? flatten.input[0] : undefined;
}

function throughIdentity(makers: ReadonlyMap<string, NodeProto>, name: string): NodeProto | undefined {
  let maker = makers.get(name);
  while (maker?.opType === "Identity" && isStandard(maker)) maker = makers.get(maker.input[0]!);
  return maker;
}
