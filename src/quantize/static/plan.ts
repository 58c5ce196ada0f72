import type { ModelProto, NodeProto, ReadExternal } from "../../formats/onnx.js";
import { intAttribute, isStandard } from "../../graph/node.js";
import type { QuantizedForm } from "../../tensor/quantized.js";
import { siteKey } from "../sites.js";
import { newCut } from "./cut.js";
import { type StaticFacts, staticFacts } from "./facts.js";
import { type ActivationScale, reach, scaledBy } from "./scale.js";
import type { ObservedValue, StaticSettings } from "./settings.js";
import { type EightBitForm, eightBitForm, isSaturation } from "./table.js";
import { usefulRange } from "./useful.js";

/** A node of the main graph and how it is computed. Nodes are known by the name of their first output. */
export interface StaticNode {
  readonly name: string;
  readonly opType: string;
  /** The value it yields; for one that takes in the saturating nodes after it, theirs. */
  readonly output: string;
  readonly runs: "int8" | "float";
  /** Why it stays in floats; empty for 8 bits. */
  readonly reason: string;
  readonly form: EightBitForm | null;
  /**
   * Input channels of a node in floats whose weight onnxruntime would round to 8 bits by itself, with one scale for all,
   * where it stands between conversions (WeightBiasQuantization).
   */
  readonly guarded?: number;
  /** Saturating nodes after it (Relu, Clip) that its output's range makes superfluous, by their outputs. */
  readonly absorbed: readonly string[];
}

/** What becomes of the activations of the main graph. */
export interface StaticPlan {
  readonly settings: StaticSettings;
  /** By first output as the model has it. */
  readonly nodes: ReadonlyMap<string, StaticNode>;
  /** Every value that has an 8-bit form, and how. */
  readonly values: ReadonlyMap<string, ActivationScale>;
  /** Weights whose nodes compute in 8 bits, by {@link siteKey}, and the form they must have. */
  readonly weights: ReadonlyMap<string, QuantizedForm>;
}

/** What a plan may be told beside the settings. */
export interface StaticWishes {
  /** Nodes that must stay in floats, by their first output, each with the reason. */
  readonly kept?: ReadonlyMap<string, string>;
  /**
   * Noise that the 8-bit form of a value brings into the outputs, as share of their power (see noise.ts); what is not
   * given is taken for 0.
   */
  readonly noise?: ReadonlyMap<string, number>;
}

/** A node, with saturating nodes after it that its 8-bit form makes superfluous. */
export interface Unit {
  readonly node: NodeProto;
  readonly form: EightBitForm | string;
  readonly absorbed: readonly NodeProto[];
  readonly outputs: readonly string[];
}

/**
 * Plans static quantization: which nodes of the main graph run in 8 bits, and the scale of every activation they touch.
 * Nested graphs stay in floats. Pure. `observed` holds what calibration saw of the float values of the main graph.
 */
export function planStatic(
  model: ModelProto,
  observed: ReadonlyMap<string, ObservedValue>,
  settings: StaticSettings,
  readExternal: ReadExternal,
  { kept = new Map(), noise = new Map() }: StaticWishes = {},
): StaticPlan {
  const facts = staticFacts(model, observed, settings, readExternal);
  const units = unitsOf(model, facts, kept);
  const eightBit = place(units, facts, noise);
  const values = scalesOf(units, eightBit, facts);
  const nodes = new Map<string, StaticNode>();
  const weights = new Map<string, QuantizedForm>();
  for (const unit of units) {
    const { node, form, absorbed, outputs } = unit;
    const runs = eightBit.has(unit) ? "int8" : "float";
    const reason = typeof form === "string" ? form : runs === "int8" ? "" : "8 bits would cost more than they gain";
    const described = { name: node.name, opType: node.opType, output: outputs[0]!, runs, reason } as const;
    nodes.set(node.output[0]!, {
      ...described,
      form: runs === "int8" ? (form as EightBitForm) : null,
      absorbed: runs === "int8" ? absorbed.map(({ output }) => output[0]!) : [],
      ...(runs === "float" ? guard(node, facts) : {}),
    });
    if (runs === "int8" && typeof form !== "string" && form.weight) {
      weights.set(siteKey("main", node.input[form.weight.input]!), {
        bits: 8,
        signed: settings.weightSigned || form.neverSaturates === true,
        symmetric: true,
        granularity: "channel",
        axis: form.weight.axis,
      });
    }
  }
  return { settings, nodes, values, weights };
}

function guard(node: NodeProto, facts: StaticFacts): { readonly guarded?: number } {
  if (node.opType === "Pad" && isStandard(node)) {
    // runtimes fold it into a Conv after it
    const [reader] = facts.readers(node.output[0]!);
    return reader?.opType === "Conv" ? guard(reader, facts) : {};
  }
  const weight = isStandard(node) ? facts.constant(node.input[1]) : undefined;
  if (!weight) return {};
  const [first, second] = facts.shape(weight) as [number, number];
  if (node.opType === "Conv") return { guarded: second * intAttribute(node, "group", 1) };
  if (node.opType === "ConvTranspose") return { guarded: first };
  if (node.opType !== "Gemm" || intAttribute(node, "transA", 0) !== 0) return {};
  return { guarded: intAttribute(node, "transB", 0) ? second : first };
}

/** Nodes with their 8-bit forms, each kernel with the saturating nodes after it. */
export function unitsOf({ graph }: ModelProto, facts: StaticFacts, kept: ReadonlyMap<string, string>): readonly Unit[] {
  const units: Unit[] = [];
  const taken = new Set<NodeProto>();
  // the channel axis each weight has where it is first read: other axes would need another copy of it
  const axes = new Map<string, number>();
  for (const node of graph!.node) {
    if (taken.has(node)) continue;
    const outputs = node.output.filter(Boolean);
    let form: EightBitForm | string = kept.get(outputs[0] ?? "") ?? eightBitForm(node, facts);
    if (typeof form !== "string" && form.weight) {
      const weight = node.input[form.weight.input]!;
      if ((axes.get(weight) ?? form.weight.axis) !== form.weight.axis)
        form = "its weight has scales along another axis";
      else axes.set(weight, form.weight.axis);
    }
    const absorbed: NodeProto[] = [];
    if (typeof form !== "string" && form.kind === "kernel") {
      for (let last = outputs[0]!; !facts.isPinned(last); last = absorbed.at(-1)!.output[0]!) {
        const [reader, ...others] = facts.readers(last);
        if (!reader || others.length > 0 || reader.input[0] !== last || !isSaturation(reader, facts)) break;
        if (!facts.observed(reader.output[0]!)) break;
        absorbed.push(reader);
      }
    }
    const yielded = absorbed.length > 0 ? [absorbed.at(-1)!.output[0]!] : outputs;
    if (typeof form !== "string" && form.kind === "kernel" && !form.range && !facts.observed(yielded[0]!)) {
      form = `no range of "${yielded[0]}" is known`;
    }
    for (const saturating of absorbed) taken.add(saturating);
    units.push({ node, form, absorbed, outputs: yielded });
  }
  return units;
}

/** Costs are sums of whole numbers, so that comparing them is exact. */
function whole(cost: number): number {
  return Math.max(0, Math.round(cost));
}

/**
 * The units that run in 8 bits: the choice that costs least in all, conversions between floats and 8 bits included. Each
 * unit lies on one side of a cut; a value that one side makes and the other reads is converted once.
 */
function place(units: readonly Unit[], facts: StaticFacts, noise: ReadonlyMap<string, number>): ReadonlySet<Unit> {
  const { settings } = facts;
  const possible = units.filter(({ form }) => typeof form !== "string");
  if (settings.placement === "everywhere") return new Set(possible);
  const { costs } = settings;
  const layout = units.some(({ node }) => node.opType === "Conv") ? costs.transpose : 0;
  const cut = newCut();
  const vertices = new Map(possible.map((unit) => [unit, cut.vertex()]));
  const makers = new Map(units.flatMap((unit) => unit.outputs.map((name) => [name, unit] as const)));
  const readers = new Map<string, Set<Unit>>();
  const floatReaders = new Set<string>();
  for (const unit of units) {
    for (const [at, name] of unit.node.input.entries()) {
      if (!name) continue;
      const form = unit.form;
      const takes = typeof form !== "string" && form.activations.includes(at);
      if (!takes) floatReaders.add(name);
      else readers.set(name, (readers.get(name) ?? new Set()).add(unit));
    }
  }
  for (const [unit, vertex] of vertices) {
    const { cost } = unit.form as EightBitForm;
    cut.edge(cut.source, vertex, whole(cost.float));
    cut.edge(vertex, cut.sink, whole(cost.int8));
  }
  const names = new Set([...readers.keys(), ...possible.flatMap(({ outputs }) => outputs)]);
  for (const name of names) {
    const maker = makers.get(name);
    const made = (maker && vertices.get(maker)) ?? cut.sink;
    const elements = facts.elements(name);
    const taking = [...(readers.get(name) ?? [])].map((unit) => vertices.get(unit)!);
    const maker8 = maker && vertices.has(maker) ? (maker.form as EightBitForm) : undefined;
    const loss = whole((noise.get(name) ?? 0) * (settings.noisePrice ?? 0));
    // values that are moved about or relabelled have the integers of another
    if (loss > 0 && (!maker8 || maker8.kind === "kernel")) {
      const rounded = cut.vertex();
      cut.edge(rounded, cut.sink, loss);
      for (const vertex of taking) cut.edge(vertex, rounded, Number.POSITIVE_INFINITY);
      if (maker8 && !canPutOutFloats(maker!, facts)) cut.edge(made, rounded, Number.POSITIVE_INFINITY);
    }
    if (taking.length > 0) {
      const anyInt8 = cut.vertex();
      for (const vertex of taking) cut.edge(vertex, anyInt8, Number.POSITIVE_INFINITY);
      cut.edge(anyInt8, made, whole(costs.node + elements * (costs.quantize + layout)));
    }
    if (made === cut.sink) continue;
    const anyFloat = cut.vertex();
    const dequantize = canPutOutFloats(maker!, facts) ? 0 : costs.node + elements * (costs.dequantize + layout);
    cut.edge(made, anyFloat, whole(dequantize));
    for (const vertex of taking) cut.edge(anyFloat, vertex, Number.POSITIVE_INFINITY);
    if (floatReaders.has(name) || facts.isPinned(name)) cut.edge(anyFloat, cut.sink, Number.POSITIVE_INFINITY);
  }
  const side = cut.sourceSide();
  return new Set(possible.filter((unit) => side.has(vertices.get(unit)!)));
}

/**
 * Whether the kernel of a unit may put out floats. onnxruntime would take a sum right after a MatMul into it first, and
 * then no 8-bit kernel fits any more.
 */
function canPutOutFloats({ form, absorbed, outputs }: Unit, facts: StaticFacts): boolean {
  if (!(form as EightBitForm).floatOutput || absorbed.length > 0) return false;
  return facts.readers(outputs[0]!).every(({ opType }) => opType !== "Add");
}

/** Scales of every value that 8-bit units make or take. */
function scalesOf(
  units: readonly Unit[],
  eightBit: ReadonlySet<Unit>,
  facts: StaticFacts,
): ReadonlyMap<string, ActivationScale> {
  const values = new Map<string, ActivationScale>();
  const isTaken = new Set<string>();
  for (const unit of eightBit) {
    for (const at of (unit.form as EightBitForm).activations) isTaken.add(unit.node.input[at]!);
  }
  // nodes are in order, so a value's scale is known before its readers come
  for (const unit of units) {
    if (!eightBit.has(unit)) continue;
    const form = unit.form as EightBitForm;
    for (const at of form.activations) {
      const name = unit.node.input[at]!;
      if (!values.has(name)) values.set(name, facts.scaleOf(within(facts.observed(name)!, name, facts)));
    }
    const input = values.get(unit.node.input[form.activations[0]!]!)!;
    for (const name of unit.outputs) {
      if (form.kind === "through") values.set(name, input);
      else if (form.kind === "relabel") values.set(name, { ...input, scale: scaledBy(input.scale, form.factor!) });
      else if (isTaken.has(name) || !canPutOutFloats(unit, facts))
        values.set(name, facts.scaleOf(rangeOf(unit, name, facts)));
    }
  }
  return values;
}

/** The range of a kernel's output: what was seen, within what the operator can yield. */
function rangeOf({ form, absorbed }: Unit, name: string, facts: StaticFacts): { min: number; max: number } {
  const seen = facts.observed(name);
  const { range } = form as EightBitForm;
  return range && absorbed.length === 0 ? range : within(seen!, name, facts);
}

/** What was seen of a value, cut where its readers no longer care. */
function within(seen: ObservedValue, name: string, facts: StaticFacts): { min: number; max: number } {
  const useful = usefulRange(name, facts);
  return { min: Math.max(seen.min, useful.min), max: Math.min(seen.max, useful.max) };
}

/** The values of a plan that have a scale of their own: others share the integers of one of these. */
export function ownScales({ nodes, values }: StaticPlan): readonly string[] {
  const shared = new Set(
    [...nodes].flatMap(([first, { form, output }]) => (form && form.kind !== "kernel" ? [first, output] : [])),
  );
  return [...values.keys()].filter((name) => !shared.has(name));
}

/** Real numbers that the 8-bit form of each value reaches, for reports. */
export function reachOf(plan: StaticPlan): ReadonlyMap<string, { readonly min: number; readonly max: number }> {
  return new Map([...plan.values].map(([name, scale]) => [name, reach(scale)]));
}
