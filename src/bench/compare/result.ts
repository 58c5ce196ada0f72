import type { MetricId } from "../metrics.js";
import type { Interval } from "./statistics.js";
import type { Verdict } from "./verdict.js";

/** What CI is told. */
export type Decision = "PASS" | "FAIL" | "INCONCLUSIVE";

/** Values of one metric, in its unit. */
export interface Distribution {
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  /** Standard deviation; null below 2 values. */
  readonly sd: number | null;
  /** Type 7; null below 64, 130, 662 and 6,636 values (at 99 % confidence, loadgen's early-stopping bound). */
  readonly p50: number;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
}

/** A candidate against the baseline in one metric under one load (or batch size, threads, length). */
export interface MetricComparison {
  readonly metric: MetricId;
  /** What of its values: `p50`, `p95`, `value` for what has one value a block. */
  readonly statistic: "p50" | "p90" | "p95" | "p99" | "mean" | "value";
  readonly candidate: string;
  readonly baseline: string;
  /** Under which load or setting: `16 users`, `2.0 requests/s poisson`, `batch 8`. */
  readonly point: string;
  /** candidate / baseline; null where it could not be measured. For shares the difference instead, see `scale`. */
  readonly estimate: number | null;
  readonly scale: "ratio" | "difference";
  /** Over rounds (or processes), at the confidence asked for or the next higher; null with too few of them. */
  readonly interval: Interval | null;
  /** Same prompt, same round. */
  readonly pairs: number;
  readonly rounds: number;
  /** Two-sided sign-flip or signed-rank test over rounds, and after Holm over the gated metrics; null where not tested. */
  readonly pValue: number | null;
  readonly adjustedPValue: number | null;
  /** Cliff's delta, -1 to 1: how often a candidate's value is above a baseline's, minus how often below. */
  readonly cliffsDelta: number | null;
  /** `slower` and `faster` read as worse and better. */
  readonly verdict: Verdict;
  /** Whether it decides. */
  readonly gated: boolean;
  readonly decision: Decision;
  /** Where inconclusive: about so many more rounds and pairs would decide; null where more hardly would. */
  readonly more: { readonly rounds: number; readonly pairs: number } | null;
  /** Why it is not what the numbers alone would say. */
  readonly reasons: readonly string[];
}

/** A gate of `--gate`, judged. */
export interface GateResult {
  /** As it was written: `p95(ttft) < 400ms`. */
  readonly text: string;
  readonly target: string;
  readonly point: string;
  readonly measured: number | null;
  readonly limit: number | null;
  readonly interval: Interval | null;
  readonly decision: Decision;
  readonly why: string;
}
