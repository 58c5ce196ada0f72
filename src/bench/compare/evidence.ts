import type { MetricId } from "../metrics.js";
import { pseudomedian } from "./pseudomedian.js";
import type { MetricComparison } from "./result.js";
import { median } from "./statistics.js";

/** What a round says of a candidate against the baseline. */
export interface RoundDifference {
  readonly round: number;
  /** ln(candidate / baseline), or candidate - baseline for shares. */
  readonly value: number;
  /** Pairs it rests on; 0 where the round has one value a side. */
  readonly pairs: number;
}

/** All that one comparison rests on. */
export interface Evidence
  extends Pick<MetricComparison, "metric" | "statistic" | "candidate" | "baseline" | "point" | "scale"> {
  readonly better: "lower" | "higher" | "neither";
  readonly rounds: readonly RoundDifference[];
  /** Values of either side for Cliff's delta; empty where each round has only one. */
  readonly values: { readonly candidate: readonly number[]; readonly baseline: readonly number[] };
  readonly gated: boolean;
  /** Share by which it may be worse; for differences of shares in points / 100. */
  readonly tolerance: number;
  /** Why nothing may be concluded although there are numbers: each makes a decision INCONCLUSIVE. */
  readonly doubts: readonly string[];
  /** Why it cannot be a PASS: each makes one INCONCLUSIVE. */
  readonly noPass: readonly string[];
  /** Why it cannot be called better although the numbers are. */
  readonly noWin: readonly string[];
  /** Why there is nothing to compare, where there is nothing. */
  readonly missing: string | null;
  /** There is nothing because the run was ended before it came to that: no fault of a target. */
  readonly unreached?: boolean;
}

/** A value, the round it belongs to, and what it has in common with its partner on the other side. */
export interface JoinedValue {
  readonly round: number;
  readonly joint: string;
  readonly value: number;
}

/**
 * Compares by pairs: for each round the Hodges-Lehmann estimate of the log-ratios of values with the same joint. A joint
 * that occurs several times in a round is paired in order. Rounds without pairs, and values that have no logarithm
 * (0), are left out.
 */
export function pairedRounds(
  candidate: readonly JoinedValue[],
  baseline: readonly JoinedValue[],
): readonly RoundDifference[] {
  const key = ({ round, joint }: JoinedValue) => `${round} ${joint}`;
  const waiting = new Map<string, JoinedValue[]>();
  for (const value of baseline) {
    const known = waiting.get(key(value));
    if (known) known.push(value);
    else waiting.set(key(value), [value]);
  }
  for (const queue of waiting.values()) queue.reverse();
  const byRound = new Map<number, number[]>();
  for (const value of candidate) {
    const partner = waiting.get(key(value))?.pop();
    const logRatio = partner && Math.log(value.value / partner.value);
    if (logRatio === undefined || !Number.isFinite(logRatio)) continue;
    const known = byRound.get(value.round);
    if (known) known.push(logRatio);
    else byRound.set(value.round, [logRatio]);
  }
  return [...byRound]
    .sort(([a], [b]) => a - b)
    .map(([round, logRatios]) => ({ round, value: pseudomedian(logRatios), pairs: logRatios.length }));
}

/** The middles of each round where nothing pairs: the log-ratio of the medians. */
export function unpairedRounds(
  candidate: readonly JoinedValue[],
  baseline: readonly JoinedValue[],
): readonly RoundDifference[] {
  const medians = (values: readonly JoinedValue[]) => {
    const byRound = new Map<number, number[]>();
    for (const { round, value } of values) {
      const known = byRound.get(round);
      if (known) known.push(value);
      else byRound.set(round, [value]);
    }
    return new Map([...byRound].map(([round, own]) => [round, median(own)]));
  };
  return singleRounds(medians(candidate), medians(baseline), "ratio");
}

/** Compares what has one value a round and side: the log-ratio or the difference, in rounds that both sides have. */
export function singleRounds(
  candidate: ReadonlyMap<number, number>,
  baseline: ReadonlyMap<number, number>,
  scale: "ratio" | "difference",
): readonly RoundDifference[] {
  return [...candidate]
    .sort(([a], [b]) => a - b)
    .flatMap(([round, value]) => {
      const other = baseline.get(round);
      if (other === undefined) return [];
      const difference = scale === "ratio" ? Math.log(value / other) : value - other;
      return Number.isFinite(difference) ? [{ round, value: difference, pairs: 0 }] : [];
    });
}

/** The name of a metric's statistic as gates and noise floors write it: `ttft p50`, `goodput`. */
export function nameOf({ metric, statistic }: { metric: MetricId; statistic: string }): string {
  return statistic === "value" ? metric : `${metric} ${statistic}`;
}
