import type { Agreement } from "../../evaluate/agreement.js";
import { type Estimate, median, medianInterval } from "../compare/statistics.js";
import { compareTimes, noiseFloor } from "../compare/verdict.js";
import type { Round } from "./measure.js";
import type { BenchResult, Comparison, Metric, ModelResult } from "./result.js";
import { warningsOf } from "./warnings.js";

/** A model and what its processes measured, one round each, in the order of the rounds. */
export interface MeasuredModel extends Pick<ModelResult, "label" | "path" | "role" | "bytes" | "sha256"> {
  readonly rounds: readonly Round[];
  /** Against the baseline; undefined for the baseline itself. */
  readonly agreement: Agreement | undefined;
}

/**
 * Puts a benchmark's result together; the first model is the baseline. With a control, no verdict is finer than what
 * the baseline's difference from itself shows: a noise floor above the tolerance takes its place.
 */
export function summarise(
  measured: readonly MeasuredModel[],
  context: Pick<BenchResult, "environment" | "settings" | "samples">,
): BenchResult {
  const { settings } = context;
  const baseline = measured[0]!;
  const control = measured.find(({ role }) => role === "control");
  const floor = control && noiseFloor(compare(baseline, control, settings.metric, settings.tolerance));
  const tolerance = Math.max(settings.tolerance, floor ?? 0);
  const comparisons = measured.slice(1).map((model): Comparison => {
    const own = model.role === "control" ? settings.tolerance : tolerance;
    return {
      candidate: model.label,
      baseline: baseline.label,
      role: model.role === "control" ? "control" : "candidate",
      time: compare(baseline, model, settings.metric, own),
      other: compare(baseline, model, settings.metric === "cpu" ? "wall" : "cpu", own),
      sizeRatio: model.bytes / baseline.bytes,
      agreement: model.agreement!,
    };
  });
  const models = measured.map(modelResult);
  const result = { schema: "deepseek/bench@1", ...context, models, comparisons } as const;
  const noise = control ? { noiseFloor: floor ?? null } : {};
  return { ...result, ...noise, warnings: warningsOf({ ...result, ...noise }) };
}

function compare(baseline: MeasuredModel, model: MeasuredModel, metric: Metric, tolerance: number) {
  const times = ({ rounds }: MeasuredModel) => rounds.map((round) => round[metric].median);
  return compareTimes(times(baseline), times(model), tolerance);
}

function modelResult({ agreement: _, ...model }: MeasuredModel): ModelResult {
  const over = (pick: (round: Round) => number): Estimate => {
    const values = model.rounds.map(pick);
    return { value: median(values), interval: medianInterval(values) };
  };
  const wall = over((round) => round.wall.median);
  return {
    ...model,
    cpu: over((round) => round.cpu.median),
    wall,
    throughput: 1 / wall.value,
    load: over((round) => round.loadSeconds),
    firstRun: over((round) => round.firstRunSeconds),
    loadedBytes: over((round) => round.loadedBytes - round.baseBytes).value,
    peakBytes: over((round) => round.peakBytes).value,
    baseBytes: over((round) => round.baseBytes).value,
  };
}

/** Whether a verdict fails the gate: slower, or not measured; `inconclusive` as the user chose. */
export function failsGate(result: BenchResult, inconclusiveFails: boolean): boolean {
  return result.comparisons.some(
    ({ role, time }) =>
      role === "candidate" &&
      (time.verdict === "slower" ||
        time.verdict === "missing" ||
        (time.verdict === "inconclusive" && inconclusiveFails)),
  );
}
