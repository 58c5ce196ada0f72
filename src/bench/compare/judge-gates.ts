import { percent } from "../percent.js";
import { type ClusterStatistic, clusterInterval } from "./bootstrap.js";
import { certifiedCounts } from "./distribution.js";
import type { Gate } from "./gates.js";
import type { Decision, GateResult } from "./result.js";
import type { Estimate, Interval } from "./statistics.js";

/** One side of a gate: what was measured, and how it varies with the rounds that are drawn. */
export interface Measured {
  /** Null where there is no data. */
  readonly value: number | null;
  /** Values a percentile is taken of; null for what is no percentile. */
  readonly samples: number | null;
  /** The statistic over rounds as often as each is drawn; null for what does not vary (a file's size). */
  readonly drawn: ClusterStatistic | null;
  /** Its own interval where a better one than by drawing is known; null with too few rounds for it. */
  readonly interval?: Interval | null;
}

/** A gate before one candidate under one load. */
export interface GateCase {
  readonly target: string;
  readonly point: string;
  readonly candidate: Measured;
  /** Null where there is none. */
  readonly baseline: Measured | null;
  /** Of candidate / baseline, from pairs, where it was compared; used for gates that are a multiple of the baseline. */
  readonly ratio: Estimate | null;
  readonly rounds: number;
  /** By how much the baseline differs from itself in this metric; null without a control. */
  readonly floor: number | null;
  /** Why nothing may be concluded from this measurement. */
  readonly doubts: readonly string[];
  /** Why nothing may be concluded from comparing it with the baseline. */
  readonly relativeDoubts: readonly string[];
}

type Judgement = Omit<GateResult, "text" | "target" | "point">;

/**
 * Judges a gate: PASS and FAIL where the whole interval lies on one side of the limit, else INCONCLUSIVE, as below the
 * certified number of samples. Without data it fails. A gate that allows less than the noise floor is not judged.
 */
export function judgeGate(gate: Gate, one: GateCase, options: { confidence: number; seed: number }): GateResult {
  const { text } = gate;
  const { target, point } = one;
  return { text, target, point, ...judgement(gate, one, options) };
}

function judgement(gate: Gate, one: GateCase, options: { confidence: number; seed: number }): Judgement {
  const { candidate, baseline, rounds } = one;
  const relative = gate.factor !== 0;
  const other = relative ? (baseline?.value ?? null) : 0;
  const measured = candidate.value;
  const limit = other === null ? null : gate.factor * other + gate.offset;
  const open = { measured, limit, interval: null };
  if (measured === null) return { ...open, decision: "FAIL", why: "there is no data" };
  if (limit === null) {
    return { ...open, decision: "FAIL", why: baseline ? "the baseline has no data" : "there is no baseline" };
  }
  const doubts = [...one.doubts, ...(relative ? one.relativeDoubts : [])];
  if (doubts.length > 0) return { ...open, decision: "INCONCLUSIVE", why: doubts.join("; ") };
  const needed = neededSamples(gate, relative ? [candidate, baseline!] : [candidate]);
  if (needed) return { ...open, decision: "INCONCLUSIVE", why: needed };
  const floor = tightness(gate, one, other!);
  if (floor) return { ...open, decision: "INCONCLUSIVE", why: floor };

  const byPairs = gate.factor !== 0 && gate.offset === 0 ? one.ratio : null;
  if (byPairs?.interval) {
    // all three by pairs, which the medians of both sides alone would not be
    const beside = (ratio: number) => ratio * other!;
    const { lower, upper, coverage } = byPairs.interval;
    const interval = { lower: beside(lower), upper: beside(upper), coverage };
    const decision = side(gate.operator, interval.lower, interval.upper, limit);
    return { measured: beside(byPairs.value), limit, interval, decision, why: whyOf(decision, true) };
  }
  const fixed = candidate.drawn === null && (!relative || baseline!.drawn === null);
  const interval = fixed ? null : intervalOf(gate, one, limit, options);
  if (!fixed && !interval) {
    return { ...open, decision: "INCONCLUSIVE", why: `${rounds} of the 6 rounds that an interval takes` };
  }
  const [low, high] = interval ? [interval.lower, interval.upper] : [measured, measured];
  const decision = side(gate.operator, low, high, limit);
  return { measured, limit, interval, decision, why: whyOf(decision, interval !== null) };
}

function side(operator: Gate["operator"], low: number, high: number, limit: number): Decision {
  const holds = (value: number) => {
    if (operator === "<") return value < limit;
    if (operator === "<=") return value <= limit;
    return operator === ">" ? value > limit : value >= limit;
  };
  if (holds(low) && holds(high)) return "PASS";
  return holds(low) || holds(high) ? "INCONCLUSIVE" : "FAIL";
}

function whyOf(decision: Decision, hasInterval: boolean): string {
  if (!hasInterval) return decision === "PASS" ? "it holds" : "it does not hold";
  if (decision === "PASS") return "the whole interval lies within the limit";
  return decision === "FAIL"
    ? "the whole interval lies beyond the limit"
    : "the limit lies in the interval: add rounds";
}

function neededSamples({ statistic }: Gate, sides: readonly Measured[]): string | null {
  if (statistic === "mean" || statistic === "value") return null;
  const fewest = Math.min(...sides.map(({ samples }) => samples ?? Number.POSITIVE_INFINITY));
  const needs = certifiedCounts[statistic];
  return fewest < needs ? `${statistic} needs ${needs} samples, there are ${fewest}` : null;
}

function tightness(gate: Gate, { floor }: GateCase, baseline: number): string | null {
  if (gate.factor === 0 || floor === null) return null;
  const limit = gate.factor * baseline + gate.offset;
  const allowed = baseline === 0 ? Number.POSITIVE_INFINITY : Math.abs(limit / baseline - 1);
  if (allowed >= floor) return null;
  return `refused: it allows ${percent(allowed)} and the baseline differs from itself by up to ${percent(floor)}`;
}

/** Of what was measured; for a limit that depends on the baseline of the distance from it, laid beside the limit. */
function intervalOf(
  gate: Gate,
  { candidate, baseline, rounds }: GateCase,
  limit: number,
  { confidence, seed }: { confidence: number; seed: number },
): Interval | null {
  if (gate.factor === 0 && candidate.interval !== undefined) return candidate.interval;
  if (gate.factor === 0) return candidate.drawn && clusterInterval(rounds, candidate.drawn, { confidence, seed });
  const own = candidate.drawn ?? (() => candidate.value!);
  const other = baseline!.drawn ?? (() => baseline!.value!);
  const distance = (counts: Uint32Array) => own(counts) - gate.factor * other(counts) - gate.offset;
  const found = clusterInterval(rounds, distance, { confidence, seed });
  return found && { ...found, lower: limit + found.lower, upper: limit + found.upper };
}
