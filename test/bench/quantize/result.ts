import { drop, type Harness } from "./harness.js";
import type { Variant } from "./variants.js";

/** What a program cost. */
export interface Cost {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

/** One model as one variant left it. */
export interface Row {
  readonly model: string;
  readonly variant: string;
  readonly bytes?: number;
  /** File size against the fp32 file's. */
  readonly sizeRatio?: number;
  /** The measures of the harness. */
  readonly scores?: readonly number[];
  /** 95 % interval of the drop of the first measure, in points. */
  readonly dropInterval?: readonly [number, number];
  /** CPU time of a run against the fp32 model's, and its 95 % interval. */
  readonly timeRatio?: number;
  readonly timeInterval?: readonly [number, number];
  /** Of all outputs against the fp32 model's, in dB. */
  readonly sqnrDb?: number;
  readonly cost?: Cost;
  /** Why there are no numbers, or fewer. */
  readonly error?: string;
}

/** An fp32 model. */
interface Baseline {
  readonly bytes: number;
  readonly scores: readonly number[];
  /** How many it was judged by. */
  readonly samples?: number;
}

/** The file `bench-work/quantize.json`. */
export interface Result {
  readonly schema: "deepseek/bench-quantize@1";
  readonly machine: string;
  readonly date: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Scores of the fp32 models, by model. */
  readonly baselines: Readonly<Record<string, Baseline>>;
  readonly rows: readonly Row[];
}

/** The tables in Markdown: what became of each model, then what quantizing cost. */
export function markdown(result: Result, harnesses: readonly Harness[], variants: readonly Variant[]): string {
  const lines = [
    "# Quantizing real models",
    "",
    `${result.machine}; ${result.date}. ${Object.entries(result.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}.`,
    "Sizes and times are ratios to the fp32 file: below 1 is smaller or faster. Times are CPU time of runs on one",
    "thread, the files taking turns. A drop is how many points the first measure got worse.",
    "",
  ];
  for (const harness of harnesses) {
    const baseline = result.baselines[harness.id];
    if (!baseline) continue;
    const names = harness.measures.map(({ name }) => name);
    lines.push(
      `## ${harness.title}`,
      "",
      `fp32: ${(baseline.bytes / 1e6).toFixed(2)} MB, ${baseline.samples ?? ""} samples`,
      "",
    );
    lines.push(row(["made by", "size", "time", "drop", "95 %", ...names, "SQNR dB"]));
    lines.push(row(["---", "---:", "---:", "---:", "---:", ...names.map(() => "---:"), "---:"]));
    lines.push(row(["fp32", "1", "1", "", "", ...baseline.scores.map(points), ""]));
    for (const variant of variants) {
      const one = result.rows.find(({ model, variant: id }) => model === harness.id && id === variant.id);
      if (!one) continue;
      const { scores } = one;
      lines.push(
        row([
          variant.id,
          ratio(one.sizeRatio),
          ratio(one.timeRatio),
          scores ? points(drop(harness.measures[0]!, baseline.scores[0]!, scores[0]!)) : (one.error ?? ""),
          one.dropInterval ? one.dropInterval.map(points).join(" to ") : "",
          ...names.map((_, at) => (scores ? points(scores[at]!) : "")),
          one.sqnrDb === undefined ? "" : one.sqnrDb.toFixed(1),
        ]),
      );
    }
    lines.push("");
  }
  lines.push("## What quantizing cost", "", row(["model", "made by", "wall s", "CPU s", "peak MB", "peak / file"]));
  lines.push(row(["---", "---", "---:", "---:", "---:", "---:"]));
  for (const { model, variant, cost } of result.rows) {
    const baseline = result.baselines[model];
    if (!cost || !baseline) continue;
    const { wallSeconds, cpuSeconds, peakBytes } = cost;
    const peak = [(peakBytes / 1e6).toFixed(0), (peakBytes / baseline.bytes).toFixed(1)];
    lines.push(row([model, variant, wallSeconds.toFixed(2), cpuSeconds.toFixed(2), ...peak]));
  }
  return `${lines.join("\n")}\n`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function points(value: number): string {
  return value.toFixed(2);
}

function ratio(value: number | undefined): string {
  return value === undefined ? "" : value.toFixed(3);
}
