import type { BenchResult, PointResult } from "../bench/models/result.js";
import { decisionOfAll } from "../bench/models/summarise.js";
import { asMetricComparison, benchHeadline, pointsOf, sentence } from "./bench-comparisons.js";
import { type Case, decisionsJunit } from "./bench-junit.js";
import { changeSentence, gateLine } from "./bench-verdict.js";
import { type CsvValue, csvText } from "./csv.js";

/** One row a model and round; times in seconds a run, sizes in bytes. */
export function roundsCsv(result: BenchResult): string {
  const times = ["cpu", "wall"] as const;
  const statistics = ["median", "min", "max", "p90", "outliers"] as const;
  const header = ["model", "role", "point", "round", "samples", "runs_per_sample", "warm_up_runs"];
  const names = times.flatMap((time) => statistics.map((one) => `${time}_${one}`));
  const each = pointsOf(result).flatMap(({ label: point, models }) => models.map((model) => ({ ...model, point })));
  const rows = each.flatMap(({ label, role, point, rounds }) =>
    rounds.map((round, at): CsvValue[] => [
      label,
      role,
      point,
      at,
      round.samples,
      round.runsPerSample,
      round.warmUpRuns,
      ...times.flatMap((time) => statistics.map((one) => round[time][one])),
      round.loadSeconds,
      round.firstRunSeconds,
      round.baseBytes,
      round.loadedBytes,
      round.peakBytes,
    ]),
  );
  return csvText([...header, ...names, "load", "first_run", "base_bytes", "loaded_bytes", "peak_bytes"], rows);
}

/** One row a model and point: its medians and, where it has one, its ratio to the baseline. */
export function modelsCsv(result: BenchResult): string {
  const estimates = ["cpu", "wall", "load", "firstRun"] as const;
  const header = ["model", "role", "point", "path", "sha256", "bytes", "rounds"];
  const names = ["cpu", "wall", "load", "first_run"].flatMap((name) => [name, `${name}_lower`, `${name}_upper`]);
  const compared = ["metric", "ratio", "ratio_lower", "ratio_upper", "verdict", "loss"];
  const rowsOf = ({ label: point, models, comparisons }: PointResult) =>
    models.map((model): CsvValue[] => {
      const { time, drop } = comparisons.find(({ candidate }) => candidate === model.label) ?? {};
      return [
        model.label,
        model.role,
        point,
        model.path,
        model.sha256,
        model.bytes,
        model.rounds.length,
        ...estimates.flatMap((name) => {
          const { value, interval } = model[name];
          return [value, interval?.lower ?? null, interval?.upper ?? null];
        }),
        model.throughput,
        model.peakBytes,
        ...(time
          ? [
              result.settings.metric,
              time.ratio,
              time.interval?.lower ?? null,
              time.interval?.upper ?? null,
              time.verdict,
              drop?.value ?? null,
            ]
          : compared.map(() => null)),
      ];
    });
  return csvText([...header, ...names, "throughput", "peak_bytes", ...compared], pointsOf(result).flatMap(rowsOf));
}

/** A case for the verdict and one for each candidate; the control passes, as it does not decide. */
export function benchJunit(result: BenchResult, inconclusiveFails: boolean): string {
  const decision = decisionOfAll(result);
  const verdict: Case = decision
    ? { name: "verdict", decision, words: benchHeadline(result) }
    : { name: "verdict", decision: "PASS", words: "measured; there was nothing to compare with" };
  const speeds = pointsOf(result).map(({ label, comparisons }) => ({
    name: label === "" ? "speed" : `speed, ${label}`,
    cases: comparisons.map((one): Case => {
      const told = asMetricComparison(one, "time", result.settings, label);
      const words = `${sentence(one, result)}${told.estimate === null ? "" : `; ${changeSentence(told)}`}`;
      return { name: `${one.candidate} against ${one.baseline}`, decision: told.gated ? told.decision : "PASS", words };
    }),
  }));
  const gates = result.gates.map(
    (gate): Case => ({
      name: `${gate.text} of ${gate.target}${gate.point === "" ? "" : ` at ${gate.point}`}`,
      decision: gate.decision,
      words: gateLine(gate),
    }),
  );
  const suites = [{ name: "verdict", cases: [verdict] }, { name: "gates", cases: gates }, ...speeds];
  return decisionsJunit(suites, inconclusiveFails);
}
