import type { Agreement } from "../../evaluate/agreement.js";
import type { Drop } from "../../evaluate/drop.js";
import type { Decision, GateResult } from "../compare/result.js";
import type { Estimate } from "../compare/statistics.js";
import type { RatioVerdict } from "../compare/verdict.js";
import type { Environment } from "../environment.js";
import type { Round } from "./measure.js";
import type { ModelPoint } from "./points.js";

/** CPU time of the process or time on the clock: what the verdict is about. */
export type Metric = "cpu" | "wall";

/** How it was measured; times in seconds. */
export interface BenchSettings {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly threads: number;
  /** Share by which a candidate may be slower. */
  readonly tolerance: number;
  readonly metric: Metric;
  readonly seed: number;
  readonly session: Readonly<Record<string, string>>;
  readonly control: boolean;
  /** As written: `p50(cpu) <= 1.05 * baseline`. */
  readonly gates: readonly string[];
}

interface SampleSummary {
  readonly count: number;
  /** How many of them are timed; outputs are compared on all. */
  readonly timed: number;
  readonly source: string;
  readonly synthetic: boolean;
  /** Of the timed samples, each shape once, by input: `1x3x48x320`. */
  readonly shapes: Readonly<Record<string, readonly string[]>>;
  readonly notes: readonly string[];
}

/** One model: medians over its rounds, times in seconds, sizes in bytes. */
export interface ModelResult {
  /** Unique among the models: the file's name, where needed its path, with a number from the second time on. */
  readonly label: string;
  readonly path: string;
  readonly role: "baseline" | "candidate" | "control";
  /** Of the .onnx file and the external data it uses. */
  readonly bytes: number;
  /** Of the .onnx file, in hex. */
  readonly sha256: string;
  readonly cpu: Estimate;
  readonly wall: Estimate;
  /** Samples per second, one run after another: samples a run / wall. */
  readonly throughput: number;
  readonly load: Estimate;
  readonly firstRun: Estimate;
  /** What loading added to the process. */
  readonly loadedBytes: number;
  /** The most memory the process ever had, Node.js itself (`baseBytes`) included. */
  readonly peakBytes: number;
  readonly baseBytes: number;
  readonly rounds: readonly Round[];
}

/** A candidate against the baseline. */
export interface Comparison {
  readonly candidate: string;
  readonly baseline: string;
  readonly role: "candidate" | "control";
  /** By the metric of the settings. */
  readonly time: RatioVerdict;
  /** By the other one, for information. */
  readonly other: RatioVerdict;
  /** File size, candidate / baseline. */
  readonly sizeRatio: number;
  readonly agreement: Agreement;
  /** What the candidate lost: by the metric on labelled samples, else by its agreement with the baseline. */
  readonly drop: Drop;
}

/** The models in one part of the benchmark. */
export interface PointResult extends ModelPoint {
  /** Of the inputs, as in `samples`. */
  readonly shapes: Readonly<Record<string, readonly string[]>>;
  readonly models: readonly ModelResult[];
  readonly comparisons: readonly Comparison[];
}

/** A model against one of a stored run, point by point; rounds are not paired. */
export interface StoredComparison extends Pick<Comparison, "candidate" | "baseline" | "time" | "other" | "sizeRatio"> {
  /** Label of the point. */
  readonly point: string;
  /** Whether both are the same file, byte for byte. */
  readonly sameFile: boolean;
}

/** Something that limits what the result says, with the remedy. */
export interface Warning {
  readonly code:
    | "few-rounds"
    | "high-load"
    | "contention"
    | "outliers"
    | "slow-first-run"
    | "outputs-disagree"
    | "noise-floor"
    | "converted-samples";
  readonly message: string;
}

/** The result of `deepseek bench`. In JSON an infinite or undefined number is null (see `identical` for SQNR). */
export interface BenchResult {
  readonly schema: "deepseek/bench@1";
  readonly environment: Environment;
  readonly settings: BenchSettings;
  readonly samples: SampleSummary;
  readonly models: readonly ModelResult[];
  readonly comparisons: readonly Comparison[];
  /** The first point, whose models and comparisons are those above. */
  readonly point: ModelPoint;
  /** Other batch sizes, thread counts and axes, where several were asked for. */
  readonly sweep: readonly PointResult[];
  /** Of the comparisons and gates of all points; PASS where there is neither. */
  readonly verdict: Decision;
  readonly gates: readonly GateResult[];
  /** Against the run of --baseline; null without one. */
  readonly stored: {
    readonly source: string;
    readonly comparisons: readonly StoredComparison[];
    /** What was allowed to differ. */
    readonly differences: readonly string[];
  } | null;
  /** Share by which baseline against itself differs, with --control; null where it could not be measured. */
  readonly noiseFloor?: number | null;
  readonly warnings: readonly Warning[];
}
