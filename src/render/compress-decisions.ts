import type { AppliedTensor } from "../quantize/apply.js";
import type { PlannedTensor } from "../quantize/plan.js";
import type { QuantizedForm } from "../tensor/quantized.js";
import type { CompressResult } from "./compress-result.js";
import { formatBytes, formatDecibels, formatNumberOf } from "./quantities.js";

/** How a tensor is stored and computed with; `left` as it was. */
export type Way = NonNullable<PlannedTensor["scheme"]> | "left";

/** What each way does, in words. */
export const wayWords: Readonly<Record<Way, string>> = {
  qdq: "integers and DequantizeLinear, which 8-bit kernels take in",
  unpack: "integers that become floats once, at load: runs as before",
  nbits: "blocks of integers, computed with as they are (MatMulNBits)",
  gather: "rows of integers, of which only those that are looked up become floats",
  dynamic: "integer arithmetic; activations get their scale at each run",
  static: "integer arithmetic; activations have ranges from samples",
  half: "float16, which becomes float32 once, at load",
  left: "as it was",
};

/** Tensors that are treated alike. */
export interface Decision<Tensor extends PlannedTensor = PlannedTensor> {
  readonly way: Way;
  /** The form in words; empty for floats. */
  readonly form: string;
  /** Why; empty where there is nothing to say. */
  readonly reason: string;
  /** The operators that read them. */
  readonly operators: readonly string[];
  readonly tensors: readonly Tensor[];
  readonly before: number;
  readonly after: number;
}

/** `uint8 per channel`, `int4 in blocks of 32, with zero points`. */
export function formWords(form: QuantizedForm | null): string {
  if (!form) return "";
  const { bits, signed, symmetric, granularity, blockSize } = form;
  const shares = { tensor: "one scale", channel: "per channel", block: `in blocks of ${blockSize}` }[granularity];
  return `${signed ? "int" : "uint"}${bits} ${shares}${symmetric ? "" : ", with zero points"}`;
}

/** Groups tensors by what is done and why, what is left last, the most bytes first. */
export function decisionsOf<Tensor extends PlannedTensor>(tensors: readonly Tensor[]): readonly Decision<Tensor>[] {
  const groups = new Map<string, Tensor[]>();
  for (const tensor of tensors) {
    const key = JSON.stringify([tensor.scheme, formWords(tensor.form), generalReason(tensor)]);
    groups.set(key, [...(groups.get(key) ?? []), tensor]);
  }
  return [...groups.values()]
    .map((members): Decision<Tensor> => {
      const first = members[0]!;
      return {
        way: first.scheme ?? "left",
        form: formWords(first.form),
        reason: generalReason(first),
        operators: [...new Set(members.flatMap(({ usedBy }) => usedBy))],
        tensors: members,
        ...bytesOf(members),
      };
    })
    .sort((a, b) => Number(a.way === "left") - Number(b.way === "left") || b.before - a.before);
}

/** The reason without what is true of one tensor only. */
function generalReason({ reason }: PlannedTensor): string {
  return reason
    .replace(/^\d+ rows? at a time[:;] /, "few rows at a time: ")
    .replace(/^(no weight): read by .*$/, "$1")
    .replace(/; \d+ other uses? read.*$/, "");
}

/** A decision as a sentence. */
export function decisionWords({ way, form, reason, operators, tensors, before, after }: Decision): string {
  const size = way === "left" ? formatBytes(before) : `${formatBytes(before)} -> ${formatBytes(after)}`;
  const of = operators.length > 0 ? ` of ${shortList(operators)}` : "";
  const done = way === "left" ? "left as they were" : `${wayWords[way]}${form ? ` (${way}, ${form})` : ""}`;
  return `${formatNumberOf(tensors.length, "tensor")}${of}, ${size}: ${done}${reason ? `; ${reason}` : ""}`;
}

/** The first few of some names. */
export function shortList(names: readonly string[], most = 3): string {
  return names.length > most ? `${names.slice(0, most).join(", ")}, ...` : names.join(", ");
}

/** Bytes of tensors now and afterwards. */
export function bytesOf(tensors: readonly PlannedTensor[]): { readonly before: number; readonly after: number } {
  return {
    before: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    after: tensors.reduce((sum, { bytesAfter }) => sum + bytesAfter, 0),
  };
}

/** What a model of so many bytes would take with all of these tensors in float32. */
export function float32Bytes(bytes: number, tensors: readonly PlannedTensor[]): number {
  return tensors.reduce((sum, tensor) => sum + 4 * tensor.elements - tensor.bytes, bytes);
}

/** The tensor's name, with the place where it is not in the main graph. */
export function placeOf({ graph, name }: Pick<PlannedTensor, "graph" | "name">): string {
  return graph === "main" ? name : `${graph}: ${name}`;
}

/** A tensor that lost something. */
export type LossyTensor = AppliedTensor & { readonly sqnrDb: number };

/** The tensors that lost something, the worst first. */
export function worstFirst(tensors: readonly AppliedTensor[]): readonly LossyTensor[] {
  return tensors.filter((tensor): tensor is LossyTensor => tensor.sqnrDb !== null).sort((a, b) => a.sqnrDb - b.sqnrDb);
}

/** What became of nodes under static quantization: `as int8: 37 of 40 MatMul, ...`, then those that are left and why. */
export function nodeWords(nodes: CompressResult["nodes"]): readonly string[] {
  const operators = [...new Set(nodes.map(({ opType }) => opType))];
  const counted = operators
    .map((operator) => {
      const own = nodes.filter(({ opType }) => opType === operator);
      const floats = own.filter(({ runs }) => runs === "float");
      return { operator, all: own.length, floats };
    })
    // operators without any 8-bit node are no loss that a reader can do something about
    .filter(({ all, floats }) => floats.length < all);
  if (counted.length === 0) return [];
  const done = counted.map(({ operator, all, floats }) => `${all - floats.length} of ${all} ${operator}`);
  const left = counted.flatMap(({ operator, floats }) => {
    const reasons = [...new Set(floats.map(({ reason }) => reasonOfNode(reason)))];
    return floats.length > 0 ? [`${floats.length} ${operator}: ${shortList(reasons, 2)}`] : [];
  });
  return [`as int8: ${done.join(", ")}`, ...(left.length > 0 ? [`left in floats: ${left.join("; ")}`] : [])];
}

/** The reason without the name of a value. */
const reasonOfNode = (reason: string): string =>
  reason.startsWith("no range of") ? "no range of its values is known" : reason;

/** What was decided by measuring: `clip max (noise -41.2 dB; mse -40.1 dB)`. */
export function choiceWords(choices: CompressResult["choices"]): readonly string[] {
  return choices.map(({ what, chosen, measured }) => {
    const measures = measured.map(({ name, value }) => `${name} ${measureText(what, value)}`);
    const unit = what === "schemes" ? "CPU time over the original's" : "noise in the outputs";
    return `${what} ${chosen}, chosen by ${unit}: ${measures.join(", ")}`;
  });
}

const measureText = (what: CompressResult["choices"][number]["what"], value: number): string =>
  what === "schemes" ? value.toFixed(2) : formatDecibels(10 * Math.log10(value));
