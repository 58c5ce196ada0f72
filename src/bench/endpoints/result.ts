import type { Decision, Distribution, GateResult, MetricComparison } from "../compare/result.js";
import type { SampleSize } from "../compare/sample-size.js";
import type { Environment } from "../environment.js";
import type { MetricId } from "../metrics.js";
import type { Block, ErrorKind, LoadPoint, RequestRecord, TokenSource } from "./record.js";
import type { Target } from "./target.js";

/** A target as it is shown: without its key, header values masked. */
export interface ShownTarget extends Omit<Target, "key" | "headers"> {
  readonly role: "baseline" | "candidate" | "control";
  /** Whether the environment held a key. */
  readonly authorized: boolean;
  readonly headers: readonly string[];
}

/** What was sent, so that runs can be compared later. */
export interface WorkloadSummary {
  /** `prompts.jsonl`, `synthetic in=512,out=128`, `preset chat`. */
  readonly source: string;
  /** SHA-256 over the prompts in order, in hex: equal workloads have equal ones. */
  readonly sha256: string;
  readonly prompts: number;
  readonly turns: number;
  readonly seed: number;
  /** Whether each prompt begins with something nobody has sent before, so that no cache knows it. */
  readonly uniquePrefixes: boolean;
  /** Characters of the prompts, over all. */
  readonly characters: Distribution;
}

/** How it was measured; times in seconds. */
export interface EndpointSettings {
  readonly rounds: number;
  /** Of each target under each load; one of the two is null. */
  readonly seconds: number | null;
  readonly requests: number | null;
  readonly tolerance: number;
  readonly confidence: number;
  readonly seed: number;
  readonly control: boolean;
  readonly inconclusiveFails: boolean;
  readonly slo: Readonly<Partial<Record<MetricId, number>>>;
  readonly gates: readonly string[];
}

/** One target under one load. */
export interface PointSummary {
  readonly target: string;
  /** Index in `points`. */
  readonly point: number;
  readonly requests: number;
  readonly succeeded: number;
  readonly errors: Readonly<Partial<Record<ErrorKind, number>>>;
  readonly retries: number;
  readonly warmUpRequests: number;
  readonly tokenSource: TokenSource | "mixed" | null;
  /** Of requests that succeeded. */
  readonly metrics: Readonly<Partial<Record<MetricId, Distribution>>>;
  /** Quantiles with each failure as infinitely slow; null in JSON where the quantile is a failure. */
  readonly errorAdjusted: Readonly<
    Partial<Record<MetricId, Pick<Distribution, "p50" | "p90" | "p95" | "p99" | "p999">>>
  >;
  /** One value each, over the steady windows: throughputs, goodput, error_rate, cached_share, cost. */
  readonly values: Readonly<Partial<Record<MetricId, number>>>;
  /** Achieved over asked-for request rate; null in closed loops. */
  readonly achievedRate: number | null;
}

/** What limits the result, with the remedy. */
export interface EndpointWarning {
  readonly code:
    | "few-rounds"
    | "client-limited"
    | "errors-differ"
    | "cached-share-differs"
    | "output-length-differs"
    | "not-streaming"
    | "several-tokens-a-chunk"
    | "no-usage"
    | "tokens-disagree"
    | "noise-floor"
    | "warm-up"
    | "rate-not-reached"
    | "saturated"
    | "retries"
    | "stopped"
    | "few-samples"
    | "different-environment"
    | "different-workload"
    | "not-interleaved";
  readonly message: string;
}

/** The result of `deepseek bench --endpoint`. In JSON an infinite or undefined number is null. */
export interface EndpointBenchResult {
  readonly schema: "deepseek/bench-endpoints@1";
  /** ISO 8601, UTC. */
  readonly started: string;
  readonly environment: Environment;
  readonly settings: EndpointSettings;
  readonly targets: readonly ShownTarget[];
  readonly workload: WorkloadSummary;
  readonly points: readonly LoadPoint[];
  readonly summaries: readonly PointSummary[];
  readonly comparisons: readonly MetricComparison[];
  readonly gates: readonly GateResult[];
  readonly verdict: Decision;
  readonly reasons: readonly string[];
  /** Share by which the baseline differs from itself, by metric and statistic (`ttft p50`), with --control. */
  readonly noiseFloor: Readonly<Record<string, number>> | null;
  /**
   * The size that finds a difference of twice the tolerance in a gated metric with a power of 90 %, by how much the rounds
   * of this run vary; null where that cannot be said.
   */
  readonly recommended?: SampleSize | null;
  /** Requests of this many users at most, or null: where throughput no longer grows (--sweep). */
  readonly saturation: { readonly target: string; readonly point: number; readonly why: string }[] | null;
  /** Dated prices the cost is computed from; null without. */
  readonly prices: readonly { readonly target: string; readonly source: string; readonly date: string }[] | null;
  readonly formulas: Readonly<Partial<Record<MetricId, string>>>;
  readonly warnings: readonly EndpointWarning[];
  readonly raw: { readonly blocks: readonly Block[]; readonly records: readonly RequestRecord[] };
}
