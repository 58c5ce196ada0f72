import { type ClusterStatistic, pooledQuantile, pooledRatio } from "../compare/bootstrap.js";
import { ascending, percentiles, quantileOf } from "../compare/distribution.js";
import type { Gate } from "../compare/gates.js";
import type { GateCase, Measured } from "../compare/judge-gates.js";
import type { MetricComparison } from "../compare/result.js";
import type { MetricId } from "../metrics.js";
import { gapsOf, requestValue } from "../metrics-table.js";
import { costOf, type TokenRates } from "./cost.js";
import { type FlowMetric, flowMetrics, flowsOf, flowValue, isCounted, type Slo, totalFlow } from "./flow.js";
import type { RequestRecord } from "./record.js";
import { grouped, type Slice } from "./slices.js";

/** What gates look at: one candidate and the baseline (or none) under one load. */
export interface GateMatch extends Pick<GateCase, "point" | "doubts"> {
  readonly candidate: Slice;
  readonly baseline: Slice | null;
  readonly rates: { readonly candidate: TokenRates | undefined; readonly baseline: TokenRates | undefined };
  /** Why a metric of the two does not compare. */
  readonly relativeDoubts: (metric: MetricId) => readonly string[];
}

/** What a gate asks about, as it was measured. */
export function gateCase(
  gate: Gate,
  match: GateMatch,
  slo: Slo,
  comparisons: readonly MetricComparison[],
  floors: Readonly<Record<string, number>> | null,
): GateCase {
  const { candidate, baseline, rates, point } = match;
  // both sides by the same rounds, so that a drawn round brings what belongs together
  const rounds = [
    ...new Set([candidate, ...(baseline ? [baseline] : [])].flatMap(({ blocks }) => blocks.map(({ round }) => round))),
  ];
  const compared = comparisons.find(
    (one) =>
      one.metric === gate.metric &&
      one.statistic === gate.statistic &&
      one.candidate === candidate.target &&
      one.point === point &&
      one.scale === "ratio",
  );
  const name = gate.statistic === "value" ? gate.metric : `${gate.metric} ${gate.statistic}`;
  return {
    target: candidate.target,
    point,
    candidate: measured(gate, candidate, rounds, slo, rates.candidate),
    baseline: baseline && measured(gate, baseline, rounds, slo, rates.baseline),
    ratio: compared && compared.estimate !== null ? { value: compared.estimate, interval: compared.interval } : null,
    rounds: rounds.length,
    floor: floors?.[name] ?? null,
    doubts: match.doubts,
    relativeDoubts: match.relativeDoubts(gate.metric),
  };
}

function measured(
  { metric, statistic }: Gate,
  slice: Slice,
  rounds: readonly number[],
  slo: Slo,
  rates: TokenRates | undefined,
): Measured {
  if (statistic === "value") {
    const drawn = blockStatistic(metric, slice, rounds, slo, rates);
    const value = drawn(new Uint32Array(rounds.length).fill(1));
    return { value: Number.isFinite(value) ? value : null, samples: null, drawn };
  }
  const byRound = grouped(slice.succeeded, ({ round }) => round);
  const values = rounds.map((round) => (byRound.get(round) ?? []).flatMap((record) => valuesIn(metric, record)));
  const all = values.flat();
  if (all.length === 0) return { value: null, samples: 0, drawn: null };
  if (statistic === "mean") {
    const sums = values.map((own) => own.reduce((sum, value) => sum + value, 0));
    const value = all.reduce((sum, own) => sum + own, 0) / all.length;
    return {
      value,
      samples: null,
      drawn: pooledRatio(
        sums,
        values.map(({ length }) => length),
      ),
    };
  }
  const p = percentiles[statistic];
  return { value: quantileOf(ascending(all), p), samples: all.length, drawn: pooledQuantile(values, p) };
}

function valuesIn(metric: MetricId, record: RequestRecord): readonly number[] {
  if (metric === "itl") return gapsOf(record);
  const value = requestValue(metric, record);
  return value === null ? [] : [value];
}

/** A throughput, a share or a cost over the rounds drawn; NaN where nothing was counted. */
function blockStatistic(
  metric: MetricId,
  slice: Slice,
  rounds: readonly number[],
  slo: Slo,
  rates: TokenRates | undefined,
): ClusterStatistic {
  const records = grouped(slice.counted, ({ round }) => round);
  const own = rounds.map((round) => records.get(round) ?? []);
  const sizes = own.map(({ length }) => length);
  if (metric === "error_rate") {
    return pooledRatio(
      own.map((list) => list.filter(({ error }) => error !== null).length),
      sizes,
    );
  }
  if (metric === "cost") {
    const costs = own.map((list) => rates && costOf(list, rates)?.perThousand);
    const weights = costs.map((cost, at) => (cost === undefined ? 0 : sizes[at]!));
    return pooledRatio(
      costs.map((cost, at) => (cost ?? 0) * weights[at]!),
      weights,
    );
  }
  if (!(metric in flowMetrics)) return () => Number.NaN;
  const flows = flowsOf(slice, slo);
  const kinds = metric as FlowMetric;
  if (flowValue(kinds, totalFlow(flows.values())) === null || !isCounted(kinds, slice)) return () => Number.NaN;
  return pooledRatio(
    rounds.map((round) => (flows.has(round) ? (flowMetrics[kinds](flows.get(round)!) ?? 0) : 0)),
    rounds.map((round) => flows.get(round)?.seconds ?? 0),
  );
}
