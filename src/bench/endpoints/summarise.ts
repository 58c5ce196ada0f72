import { decide } from "../compare/decide.js";
import { nameOf } from "../compare/evidence.js";
import { parseGate } from "../compare/gates.js";
import { judgeGate } from "../compare/judge-gates.js";
import type { MetricComparison } from "../compare/result.js";
import { recommendSize } from "../compare/sample-size.js";
import type { MetricId } from "../metrics.js";
import { metrics } from "../metrics-table.js";
import { gateCase } from "./gate-data.js";
import { type EndpointContext, gateMatches, matchesOf, withFloors } from "./matches.js";
import type { EndpointRun } from "./record.js";
import type { EndpointBenchResult } from "./result.js";
import { slicesOf } from "./slices.js";
import { summarisePoint } from "./summarise-point.js";
import { verdictOf } from "./verdict.js";
import { warningsOf } from "./warnings.js";

/**
 * Turns what was measured into the result: summaries, comparisons, gates, the verdict, and what limits them. Throws a
 * UserError for a gate that cannot be read; parse gates before a run (`parseGate`) so that none is in vain.
 */
export function summariseEndpoints(run: EndpointRun, context: EndpointContext): EndpointBenchResult {
  const { rates, clientLimits, defaultGates: _, ...shown } = context;
  const { settings, targets } = context;
  const gates = settings.gates.map((text) => parseGate(text, "endpoints"));
  const slice = slicesOf(run);
  const summaries = run.points.flatMap((load, point) =>
    targets.map(({ label }) =>
      summarisePoint(slice(label, point), { slo: settings.slo, rates: rates[label], open: load.kind === "open" }),
    ),
  );
  const matches = matchesOf(run, context, slice);
  const candidates = matches.filter(({ control }) => !control);
  const controls = decide(
    matches.filter(({ control }) => control).flatMap(({ evidence }) => evidence),
    settings.confidence,
  );
  const noiseFloor = settings.control ? noiseFloors(controls) : null;
  const evidence = candidates.flatMap((match) => withFloors(match, noiseFloor));
  const comparisons = decide(evidence, settings.confidence);
  const judged = gates.flatMap((gate) =>
    gateMatches(run, context, slice, candidates).map((match) =>
      judgeGate(gate, gateCase(gate, match, settings.slo, comparisons, noiseFloor), settings),
    ),
  );
  const result = {
    schema: "deepseek/bench-endpoints@1",
    ...shown,
    points: run.points,
    summaries,
    comparisons: [...comparisons, ...controls],
    gates: judged,
    ...verdictOf(
      comparisons,
      judged,
      run.records.some(({ error }) => error === null),
      clientLimits.length > 0,
    ),
    noiseFloor,
    recommended: recommendSize(
      candidates.flatMap((match) => match.evidence),
      settings.confidence,
    ),
    formulas: formulasOf(comparisons, summaries),
  } as const;
  const warnings = warningsOf(result, { stopped: run.stopped, clientLimits, matches, slice, rates });
  return { ...result, warnings, raw: { blocks: run.blocks, records: run.records } };
}

/** The largest difference from none that the intervals of the baseline against itself reach, by metric and statistic. */
function noiseFloors(controls: readonly MetricComparison[]): Readonly<Record<string, number>> {
  const floors: Record<string, number> = {};
  for (const control of controls) {
    const { interval, scale } = control;
    if (!interval) continue;
    const none = scale === "ratio" ? 1 : 0;
    const floor = Math.max(interval.upper - none, none - interval.lower);
    floors[nameOf(control)] = Math.max(floors[nameOf(control)] ?? 0, floor);
  }
  return floors;
}

function formulasOf(
  comparisons: readonly MetricComparison[],
  summaries: EndpointBenchResult["summaries"],
): EndpointBenchResult["formulas"] {
  const used = new Set<string>(comparisons.map(({ metric }) => metric));
  for (const summary of summaries) {
    for (const id of [...Object.keys(summary.metrics), ...Object.keys(summary.values)]) used.add(id);
  }
  const ids = (Object.keys(metrics) as MetricId[]).filter((id) => used.has(id));
  return Object.fromEntries(ids.map((id) => [id, metrics[id].formula]));
}
