/** What can be measured, gated and compared. One table, `metrics`, says of each what it is. */
export type MetricId =
  // of a request
  | "ttft"
  | "ttft_sched"
  | "ttfo"
  | "tpot"
  | "itl"
  | "e2e"
  | "e2e_sched"
  | "user_throughput"
  | "output_tokens"
  | "input_tokens"
  | "tokens_per_chunk"
  | "cached_share"
  | "longest_gap"
  // of a block
  | "request_throughput"
  | "output_throughput"
  | "input_throughput"
  | "total_throughput"
  | "goodput"
  | "error_rate"
  | "cost"
  // of a model file
  | "cpu"
  | "wall"
  | "throughput"
  | "load"
  | "first_run"
  | "peak_memory"
  | "size"
  | "drop";

/** A row of the table. */
export interface Metric {
  readonly id: MetricId;
  /** As the field calls it: `TTFT`. */
  readonly title: string;
  /** What it says in one line, printed in reports: `first token event - sent`. */
  readonly formula: string;
  readonly unit: "seconds" | "tokens" | "tokens/s" | "requests/s" | "runs/s" | "share" | "bytes" | "dollars" | "ratio";
  readonly better: "lower" | "higher" | "neither";
  /** What one value of it belongs to: values of requests and samples have percentiles. */
  readonly of: "request" | "block" | "gap" | "process" | "model";
}
