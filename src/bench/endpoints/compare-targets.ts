import { ascending, certifiedCounts, type Percentile, percentiles, quantileOf } from "../compare/distribution.js";
import {
  type Evidence,
  pairedRounds,
  type RoundDifference,
  singleRounds,
  unpairedRounds,
} from "../compare/evidence.js";
import type { MetricId } from "../metrics.js";
import { gapsOf, metrics, requestValue } from "../metrics-table.js";
import { costOf, type TokenRates } from "./cost.js";
import { type FlowMetric, flowMetrics, flowsOf, flowValue, isCounted, type Slo } from "./flow.js";
import type { RequestRecord } from "./record.js";
import { grouped, joinedValues, type Slice, valuesOf } from "./slices.js";
import { cachedShare, errorRate } from "./summarise-point.js";

/** By how much more requests may fail: one of a hundred. */
export const errorTolerance = 0.01;
/** By how much the share of cached input may differ before speeds are not comparable. */
export const cachedTolerance = 0.02;

/** What answers that do not stream have none of. */
const ofStreams: ReadonlySet<MetricId> = new Set(["ttft", "ttft_sched", "ttfo", "tpot", "longest_gap"]);

export interface CompareOptions {
  readonly point: string;
  readonly open: boolean;
  readonly tolerance: number;
  readonly slo: Slo;
  readonly rates: { readonly candidate: TokenRates | undefined; readonly baseline: TokenRates | undefined };
  /** Whether the comparisons that decide by default do. */
  readonly gated: boolean;
  /** One of the two was asked for whole answers: what only a stream has is no loss of its. */
  readonly oneStreams?: boolean;
}

/** What one candidate's comparisons with the baseline under one load rest on; those that decide first. */
export function evidenceOf(candidate: Slice, baseline: Slice, options: CompareOptions): readonly Evidence[] {
  const { open, gated } = options;
  const base = (metric: MetricId, statistic: Evidence["statistic"]) => ({
    metric,
    statistic,
    candidate: candidate.target,
    baseline: baseline.target,
    point: options.point,
    scale: metrics[metric].unit === "share" ? ("difference" as const) : ("ratio" as const),
    better: metrics[metric].better,
    tolerance: options.tolerance,
    values: { candidate: [], baseline: [] },
    gated: false,
    doubts: [],
    noPass: [],
    noWin: [],
    missing: null,
  });
  const both = (metric: MetricId) => ({ candidate: valuesOf(candidate, metric), baseline: valuesOf(baseline, metric) });
  const neither = ({ candidate, baseline }: Evidence["values"]) => candidate.length === 0 && baseline.length === 0;
  const missing = ({ candidate: own, baseline: other }: Evidence["values"], metric: MetricId) => {
    const without = own.length === 0 ? candidate : other.length === 0 ? baseline : null;
    return without && `${without.target} has no ${metrics[metric].title}`;
  };

  /** The middle: by pairs of the same prompt. */
  const middle = (metric: MetricId): Evidence[] => {
    const values = both(metric);
    const without = missing(values, metric);
    if (neither(values) || (options.oneStreams === true && without !== null && ofStreams.has(metric))) return [];
    const own = joinedValues(candidate, metric);
    const other = joinedValues(baseline, metric);
    const pairs = pairedRounds(own, other);
    const rounds = pairs.length > 0 ? pairs : unpairedRounds(own, other);
    return [{ ...base(metric, "p50"), values, rounds, missing: without }];
  };
  /** A high percentile: that of each round, where all rounds together have samples enough on both sides. */
  const high = (metric: MetricId, statistic: Percentile & Evidence["statistic"]): Evidence[] => {
    const own = valuesByRound(candidate, metric);
    const other = valuesByRound(baseline, metric);
    if (Math.min(sizeOf(own), sizeOf(other)) < certifiedCounts[statistic]) return [];
    const rounds = singleRounds(quantiles(own, statistic), quantiles(other, statistic), "ratio");
    return [{ ...base(metric, statistic), rounds: withCounts(rounds, own, other) }];
  };
  /** What has one value a round. */
  const single = (metric: MetricId, own: Values, other: Values): Evidence[] => {
    if (own.size === 0 && other.size === 0) return [];
    const scale = base(metric, "value").scale;
    const without = own.size === 0 ? candidate : other.size === 0 ? baseline : null;
    return [
      {
        ...base(metric, "value"),
        rounds: singleRounds(own, other, scale),
        missing: without && `${without.target} has no ${metrics[metric].title}`,
      },
    ];
  };

  const first: MetricId = open ? "ttft_sched" : "ttft";
  const whole: MetricId = open ? "e2e_sched" : "e2e";
  // a noisy p95 would leave nearly every comparison undecided: it decides once that of each single round is certified
  const tail = isCertified(candidate, baseline, whole, "p95") ? high(whole, "p95") : [];
  const failing = single("error_rate", ...over((slice) => byRound(slice.counted, errorRate)))[0];
  const deciding = [
    ...middle(first),
    ...middle("tpot"),
    ...(tail.length > 0 ? tail : middle(whole)),
    ...(failing ? [{ ...failing, tolerance: errorTolerance }] : []),
  ].map((evidence) => ({ ...evidence, gated }));
  const flows = new Map([candidate, baseline].map((slice) => [slice, flowsOf(slice, options.slo)]));
  const flowsIn = (metric: FlowMetric) =>
    over((slice) =>
      // 0 has no ratio
      isCounted(metric, slice) ? mapped(flows.get(slice)!, (flow) => flowValue(metric, flow) || null) : new Map(),
    );
  const costs = (slice: Slice, rates: TokenRates | undefined) =>
    rates
      ? byRound(slice.counted, (records) => costOf(records, rates)?.perThousand ?? null)
      : new Map<number, number>();
  const priced = options.rates.candidate !== undefined && options.rates.baseline !== undefined;
  return [
    ...deciding,
    ...(open ? [...middle("ttft"), ...middle("e2e")] : []),
    ...(tail.length > 0 ? middle(whole) : high(whole, "p95")),
    ...high(first, "p95"),
    ...high(first, "p99"),
    ...(hasReasoning(candidate) || hasReasoning(baseline) ? middle("ttfo") : []),
    ...high("tpot", "p95"),
    ...high("itl", "p99"),
    ...high(whole, "p99"),
    ...middle("longest_gap"),
    ...middle("output_tokens"),
    ...(Object.keys(flowMetrics) as FlowMetric[]).flatMap((metric) => single(metric, ...flowsIn(metric))),
    ...single("cached_share", ...over((slice) => byRound(slice.succeeded, cachedShare))).map((evidence) => ({
      ...evidence,
      tolerance: cachedTolerance,
    })),
    ...(priced
      ? single("cost", costs(candidate, options.rates.candidate), costs(baseline, options.rates.baseline))
      : []),
  ];

  function over(values: (slice: Slice) => Values): [Values, Values] {
    return [values(candidate), values(baseline)];
  }
}

type Values = ReadonlyMap<number, number>;
type Lists = ReadonlyMap<number, readonly number[]>;

function byRound(
  records: readonly RequestRecord[],
  value: (records: readonly RequestRecord[]) => number | null,
): Values {
  return mapped(
    grouped(records, ({ round }) => round),
    value,
  );
}

function mapped<Value>(groups: ReadonlyMap<number, Value>, value: (group: Value) => number | null): Values {
  return new Map(
    [...groups].flatMap(([round, group]) => {
      const found = value(group);
      return found === null ? [] : [[round, found] as const];
    }),
  );
}

function valuesByRound({ succeeded }: Slice, metric: MetricId): Lists {
  const rounds = grouped(succeeded, ({ round }) => round);
  return new Map(
    [...rounds].map(([round, records]) => [
      round,
      metric === "itl" ? records.flatMap(gapsOf) : records.flatMap((record) => requestValue(metric, record) ?? []),
    ]),
  );
}

function quantiles(rounds: Lists, statistic: Percentile): Values {
  return mapped(rounds, (values) =>
    values.length === 0 ? null : quantileOf(ascending(values), percentiles[statistic]),
  );
}

function sizeOf(rounds: Lists): number {
  return [...rounds.values()].reduce((sum, values) => sum + values.length, 0);
}

/** Whether every round has samples enough on both sides. */
function isCertified(candidate: Slice, baseline: Slice, metric: MetricId, statistic: Percentile): boolean {
  const rounds = [candidate, baseline].flatMap((slice) => [...valuesByRound(slice, metric).values()]);
  return rounds.length > 0 && rounds.every(({ length }) => length >= certifiedCounts[statistic]);
}

/** For a statistic without pairs: the samples of the smaller side, so that what more would decide can be said. */
function withCounts(rounds: readonly RoundDifference[], own: Lists, other: Lists): readonly RoundDifference[] {
  return rounds.map((difference) => ({
    ...difference,
    pairs: Math.min(own.get(difference.round)!.length, other.get(difference.round)!.length),
  }));
}

function hasReasoning({ succeeded }: Slice): boolean {
  return succeeded.some(({ firstAnswer, firstToken }) => firstAnswer !== null && firstAnswer !== firstToken);
}
