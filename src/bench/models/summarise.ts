import type { Agreement } from "../../evaluate/agreement.js";
import { type Drop, dropOfAgreement } from "../../evaluate/drop.js";
import type { Decision } from "../compare/result.js";
import { type Estimate, median, medianInterval } from "../compare/statistics.js";
import { compareTimes, noiseFloor } from "../compare/verdict.js";
import { withDecision } from "./decide.js";
import type { Round } from "./measure.js";
import type { ModelPoint } from "./points.js";
import type { BenchResult, Comparison, Metric, ModelResult, PointResult } from "./result.js";
import { warningsOf } from "./warnings.js";

/** A model and what its processes measured, one round each, in the order of the rounds. */
export interface MeasuredModel extends Pick<ModelResult, "label" | "path" | "role" | "bytes" | "sha256"> {
  readonly rounds: readonly Round[];
  /** Against the baseline; undefined for the baseline itself. */
  readonly agreement: Agreement | undefined;
  /** By a metric; by the agreement where there is none. */
  readonly drop?: Drop;
}

/** The models measured in one way. */
export interface MeasuredPoint {
  readonly point: ModelPoint;
  readonly shapes: Readonly<Record<string, readonly string[]>>;
  readonly models: readonly MeasuredModel[];
}

/**
 * Puts a benchmark's result together; the first model is the baseline. With a control, no verdict is finer than what
 * the baseline's difference from itself shows: a noise floor above the tolerance takes its place. `others` are further
 * ways in which the same models were measured.
 */
export function summarise(
  measured: readonly MeasuredModel[],
  context: Pick<BenchResult, "environment" | "settings" | "samples">,
  point: ModelPoint = { label: "", batch: null, sizes: {}, threads: context.settings.threads },
  others: readonly MeasuredPoint[] = [],
): BenchResult {
  const { settings } = context;
  const all = [{ point, models: measured }, ...others];
  // the widest of all, so that one gate holds for every point
  const floors = all.map(({ models }) => {
    const control = models.find(({ role }) => role === "control");
    return control && noiseFloor(compare(models[0]!, control, settings.metric, settings.tolerance));
  });
  const floor = floors.some((one) => one === null) ? null : Math.max(...floors.map((one) => one ?? 0));
  const tolerance = Math.max(settings.tolerance, ...floors.map((one) => one ?? 0));
  const models = modelResults(measured, point);
  const comparisons = comparisonsOf(measured, settings, tolerance);
  const sweep = others.map(
    ({ point: own, shapes, models: found }): PointResult => ({
      ...own,
      shapes,
      models: modelResults(found, own),
      comparisons: comparisonsOf(found, settings, tolerance),
    }),
  );
  const undecided = { verdict: "PASS", gates: [], stored: null } as const;
  const result = { schema: "deepseek/bench@1", ...context, models, comparisons, point, sweep, ...undecided } as const;
  const noise = settings.control || measured.some(({ role }) => role === "control") ? { noiseFloor: floor } : {};
  return withDecision({ ...result, ...noise, warnings: warningsOf({ ...result, ...noise }) });
}

function comparisonsOf(
  measured: readonly MeasuredModel[],
  settings: BenchResult["settings"],
  tolerance: number,
): readonly Comparison[] {
  const baseline = measured[0]!;
  return measured.slice(1).map((model): Comparison => {
    const own = model.role === "control" ? settings.tolerance : tolerance;
    return {
      candidate: model.label,
      baseline: baseline.label,
      role: model.role === "control" ? "control" : "candidate",
      time: compare(baseline, model, settings.metric, own),
      other: compare(baseline, model, settings.metric === "cpu" ? "wall" : "cpu", own),
      sizeRatio: model.bytes / baseline.bytes,
      agreement: model.agreement!,
      drop: model.drop ?? dropOfAgreement(model.agreement!),
    };
  });
}

function compare(baseline: MeasuredModel, model: MeasuredModel, metric: Metric, tolerance: number) {
  const times = ({ rounds }: MeasuredModel) => rounds.map((round) => round[metric].median);
  return compareTimes(times(baseline), times(model), tolerance);
}

function modelResults(measured: readonly MeasuredModel[], { batch }: ModelPoint): readonly ModelResult[] {
  return measured.map((model) => modelResult(model, batch ?? 1));
}

function modelResult({ agreement: _, drop: __, ...model }: MeasuredModel, samples: number): ModelResult {
  const over = (pick: (round: Round) => number): Estimate => {
    const values = model.rounds.map(pick);
    return { value: median(values), interval: medianInterval(values) };
  };
  const wall = over((round) => round.wall.median);
  return {
    ...model,
    cpu: over((round) => round.cpu.median),
    wall,
    throughput: samples / wall.value,
    load: over((round) => round.loadSeconds),
    firstRun: over((round) => round.firstRunSeconds),
    loadedBytes: over((round) => round.loadedBytes - round.baseBytes).value,
    peakBytes: over((round) => round.peakBytes).value,
    baseBytes: over((round) => round.baseBytes).value,
  };
}

/** What CI is told; null where nothing decides: no candidate, no gate, no stored run. */
export function decisionOfAll({ comparisons, gates, stored, verdict }: BenchResult): Decision | null {
  const decides = comparisons.some(({ role }) => role === "candidate") || gates.length > 0 || stored !== null;
  return decides ? verdict : null;
}

/** Whether a pipeline is told that it failed. */
export function failsGate({ verdict }: BenchResult, inconclusiveFails: boolean): boolean {
  return verdict === "FAIL" || (verdict === "INCONCLUSIVE" && inconclusiveFails);
}
