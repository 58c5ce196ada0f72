import type { NodeProto } from "../../formats/onnx.js";
import { floatAttribute, isStandard } from "../../graph/node.js";
import { type StaticFacts, scalar } from "./facts.js";

interface Interval {
  readonly min: number;
  readonly max: number;
}

const everything: Interval = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };

/** Where sigmoid is within 0.001 of 0 or 1, less than what 8 bits can tell apart. */
const flatSigmoid = 7;
/** Where x sigmoid(x) is within 0.001 of 0. */
const flatSwish = -9;

/**
 * The part of a value's range that matters to its readers: beyond it they yield the same as at its end. A range that
 * stops there spends its 255 steps where they count. Hard swish, for one, is 0 below -3, and what comes before it often
 * goes down to -100.
 */
export function usefulRange(name: string, facts: StaticFacts): Interval {
  const readers = facts.readers(name);
  if (facts.isPinned(name) || readers.length === 0) return everything;
  const intervals = readers.map((node) => usefulTo(node, name, facts));
  return {
    min: Math.min(...intervals.map(({ min }) => min)),
    max: Math.max(...intervals.map(({ max }) => max)),
  };
}

/** What of a value matters to one of its readers. */
function usefulTo(node: NodeProto, name: string, facts: StaticFacts): Interval {
  if (!isStandard(node)) return everything;
  switch (node.opType) {
    case "Sigmoid":
      return { min: -flatSigmoid, max: flatSigmoid };
    case "HardSwish":
      return { min: -3, max: everything.max };
    case "Mul": {
      const factor = scaling(node, name, facts);
      if (factor !== undefined) return over(usefulRange(node.output[0]!, facts), factor);
      const other = node.input[0] === name ? node.input[1]! : node.input[0]!;
      return { min: vanishesBelow(other, name, facts), max: everything.max };
    }
    case "Div": {
      const factor = scaling(node, name, facts);
      return factor === undefined ? everything : over(usefulRange(node.output[0]!, facts), factor);
    }
    default:
      return ramp(node, name, facts) ?? everything;
  }
}

function over({ min, max }: Interval, factor: number): Interval {
  return { min: min / factor, max: max / factor };
}

/** The positive number that a node multiplies a value with. */
function scaling({ opType, input }: NodeProto, name: string, facts: StaticFacts): number | undefined {
  let factor: number | undefined;
  if (opType === "Mul") factor = scalar(facts, input[0] === name ? input[1] : input[0]);
  if (opType === "Div" && input[0] === name) {
    const divisor = scalar(facts, input[1]);
    factor = divisor === undefined ? undefined : 1 / divisor;
  }
  return factor !== undefined && factor > 0 && Number.isFinite(factor) ? factor : undefined;
}

/** Where a node rises from its least to its largest value: a HardSigmoid, or a sum with a number right before a Clip. */
function ramp(node: NodeProto, name: string, facts: StaticFacts): Interval | undefined {
  if (node.opType === "HardSigmoid") {
    const alpha = floatAttribute(node, "alpha", 0.2);
    const beta = floatAttribute(node, "beta", 0.5);
    return alpha > 0 ? { min: -beta / alpha, max: (1 - beta) / alpha } : undefined;
  }
  if (node.opType !== "Add") return undefined;
  const shift = scalar(facts, node.input[0] === name ? node.input[1] : node.input[0]);
  const sum = node.output[0]!;
  const [clip, ...others] = facts.readers(sum);
  if (shift === undefined || !clip || others.length > 0 || clip.opType !== "Clip" || facts.isPinned(sum)) {
    return undefined;
  }
  const bound = (at: number, fallback: number) => (clip.input[at] ? scalar(facts, clip.input[at]) : fallback);
  const [low, high] = [bound(1, everything.min), bound(2, everything.max)];
  return low === undefined || high === undefined ? undefined : { min: low - shift, max: high - shift };
}

/** Below which a product of value `name` with the gate computed from it vanishes; -Infinity where there is no such gate. */
function vanishesBelow(gate: string, name: string, facts: StaticFacts): number {
  const node = facts.producer(gate);
  if (!node || !isStandard(node)) return everything.min;
  if (node.opType === "Sigmoid") {
    const factor = factorFrom(node.input[0]!, name, facts);
    return factor === undefined ? everything.min : flatSwish / factor;
  }
  const first = node.opType === "Clip" ? facts.producer(node.input[0]!) : node;
  if (!first || !isStandard(first)) return everything.min;
  // a Clip that starts above 0 gates nothing
  if (node.opType === "Clip" && scalar(facts, node.input[1]) !== 0) return everything.min;
  for (const input of first.input) {
    const factor = factorFrom(input, name, facts);
    const rise = factor === undefined ? undefined : ramp(first, input, facts);
    if (rise) return rise.min / factor!;
  }
  return everything.min;
}

/** The number that value `from` is `name` times; undefined where it is something else. */
function factorFrom(from: string, name: string, facts: StaticFacts): number | undefined {
  if (from === name) return 1;
  const node = facts.producer(from);
  if (!node || !isStandard(node)) return undefined;
  for (const input of node.input) {
    const factor = scaling(node, input, facts);
    const before = factor === undefined ? undefined : factorFrom(input, name, facts);
    if (before !== undefined) return before * factor!;
  }
  return undefined;
}
