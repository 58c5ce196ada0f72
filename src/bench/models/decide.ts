import { pooledQuantile } from "../compare/bootstrap.js";
import { overall } from "../compare/decide.js";
import { type Gate, parseGate } from "../compare/gates.js";
import { type GateCase, judgeGate, type Measured } from "../compare/judge-gates.js";
import type { Decision, GateResult } from "../compare/result.js";
import { type Estimate, hodgesLehmann, median, medianInterval } from "../compare/statistics.js";
import type { MetricId } from "../metrics.js";
import type { Round } from "./measure.js";
import type { BenchResult, Comparison, ModelResult } from "./result.js";

/** What CI is told of a benchmark of models. */
export interface ModelDecision {
  readonly verdict: Decision;
  /** Of each comparison of the result, in its order; the control's decides nothing. */
  readonly comparisons: readonly { readonly candidate: string; readonly decision: Decision; readonly why: string }[];
  readonly gates: readonly GateResult[];
}

interface DecideOptions {
  /** As written: `p50(cpu) <= 1.05 * baseline`. */
  readonly gates: readonly string[];
  /** Loss of accuracy against the baseline by label, in points / 100, where it was measured. */
  readonly drops: Readonly<Record<string, number>>;
  readonly confidence?: number;
}

/**
 * A result with its verdict and gates, over all points; a comparison with a stored run decides as one of this run does.
 * Throws a UserError for a gate that cannot be read.
 */
export function withDecision(result: BenchResult): BenchResult {
  const { gates } = result.settings;
  const points = [{ ...result.point, models: result.models, comparisons: result.comparisons }, ...result.sweep];
  const decided = points.map(({ label, models, comparisons }) => {
    const drops = Object.fromEntries(comparisons.map(({ candidate, drop }) => [candidate, drop.value]));
    const one = decideModels({ ...result, models, comparisons }, { gates, drops });
    return { ...one, gates: one.gates.map((gate) => ({ ...gate, point: label })) };
  });
  const stored = (result.stored?.comparisons ?? []).map((comparison) => decisionOf(comparison).decision);
  return {
    ...result,
    verdict: overall([...decided.map(({ verdict }) => verdict), ...stored]),
    gates: decided.flatMap((one) => one.gates),
  };
}

/** Decides by the verdicts a result holds, and judges gates. Throws a UserError for a gate that cannot be read. */
export function decideModels(
  result: Omit<BenchResult, "warnings">,
  { gates, drops, confidence = 0.95 }: DecideOptions,
): ModelDecision {
  const parsed = gates.map((text) => parseGate(text, "models"));
  const comparisons = result.comparisons.map((comparison) => ({
    candidate: comparison.candidate,
    ...decisionOf(comparison),
  }));
  const candidates = result.models.filter(({ role }) => role === "candidate");
  const baseline = result.models.find(({ role }) => role === "baseline") ?? null;
  const judged = parsed.flatMap((gate) =>
    (candidates.length > 0 ? candidates : result.models.slice(0, 1)).map((model) => {
      const against = model === baseline ? null : baseline;
      const options = { confidence, seed: result.settings.seed };
      return judgeGate(gate, gateCase(gate, model, against, { result, drops, confidence }), options);
    }),
  );
  const deciding = comparisons.filter((_, at) => result.comparisons[at]!.role === "candidate");
  return {
    verdict: overall([...deciding, ...judged].map(({ decision }) => decision)),
    comparisons,
    gates: judged,
  };
}

/** PASS: the same, faster or not slower; FAIL: slower, or not measured. */
export function decisionOf({ time }: Pick<Comparison, "time">): { readonly decision: Decision; readonly why: string } {
  switch (time.verdict) {
    case "slower":
      return { decision: "FAIL", why: "slower" };
    case "missing":
      return { decision: "FAIL", why: "there is no data" };
    case "inconclusive":
      return {
        decision: "INCONCLUSIVE",
        why: time.moreRounds ? `about ${time.moreRounds} more rounds would decide` : "more rounds hardly would decide",
      };
    default:
      return { decision: "PASS", why: time.verdict };
  }
}

/** Metrics that each process measures once. */
const ofProcesses: Readonly<Partial<Record<MetricId, (round: Round) => number>>> = {
  cpu: ({ cpu }) => cpu.median,
  wall: ({ wall }) => wall.median,
  throughput: ({ wall }) => 1 / wall.median,
  load: ({ loadSeconds }) => loadSeconds,
  first_run: ({ firstRunSeconds }) => firstRunSeconds,
  peak_memory: ({ peakBytes }) => peakBytes,
};

function gateCase(
  gate: Gate,
  model: ModelResult,
  baseline: ModelResult | null,
  {
    result,
    drops,
    confidence,
  }: { result: Omit<BenchResult, "warnings">; drops: DecideOptions["drops"]; confidence: number },
): GateCase {
  const pick = ofProcesses[gate.metric];
  return {
    target: model.label,
    point: "",
    candidate: measured(gate, model, drops, confidence),
    baseline: baseline && measured(gate, baseline, { [baseline.label]: 0 }, confidence),
    ratio: pick && baseline ? ratioOf(model, baseline, pick, confidence) : null,
    rounds: model.rounds.length,
    floor: gate.metric === result.settings.metric ? (result.noiseFloor ?? null) : null,
    doubts: [],
    relativeDoubts: [],
  };
}

function measured(gate: Gate, model: ModelResult, drops: DecideOptions["drops"], confidence: number): Measured {
  const pick = ofProcesses[gate.metric];
  if (!pick) {
    const value = gate.metric === "size" ? model.bytes : (drops[model.label] ?? null);
    return { value, samples: null, drawn: null };
  }
  const values = model.rounds.map(pick);
  if (values.length === 0 || !values.every(Number.isFinite)) return { value: null, samples: null, drawn: null };
  const drawn = pooledQuantile(
    values.map((value) => [value]),
    0.5,
  );
  return { value: median(values), samples: null, drawn, interval: medianInterval(values, confidence) };
}

function ratioOf(
  model: ModelResult,
  baseline: ModelResult,
  pick: (round: Round) => number,
  confidence: number,
): Estimate | null {
  const logRatios = model.rounds.flatMap((round, at) => {
    const other = baseline.rounds[at];
    const logRatio = other ? Math.log(pick(round) / pick(other)) : Number.NaN;
    return Number.isFinite(logRatio) ? [logRatio] : [];
  });
  if (logRatios.length === 0) return null;
  const { value, interval } = hodgesLehmann(logRatios, confidence);
  return {
    value: Math.exp(value),
    interval: interval && { ...interval, lower: Math.exp(interval.lower), upper: Math.exp(interval.upper) },
  };
}
