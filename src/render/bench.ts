import type { ChalkInstance } from "chalk";
import type { Estimate } from "../bench/compare/statistics.js";
import { isUncertain, type RatioVerdict, type Verdict } from "../bench/compare/verdict.js";
import type { BenchResult, Comparison, ModelResult } from "../bench/models/result.js";
import type { AgreementSummary } from "../evaluate/agreement.js";
import type { Forms } from "./forms.js";
import {
  formatBytes,
  formatCount,
  formatDecibels,
  formatNumberOf,
  formatPercent,
  formatRate,
  formatSeconds,
  formatTimeWithin,
} from "./quantities.js";
import { type Column, markdownTable, textTable } from "./table.js";

/** The forms of a benchmark's result. */
export function benchForms(result: BenchResult): Forms {
  return {
    json: result,
    text: (paint) =>
      [
        ...head(result).map((line) => `${paint.dim(line)}\n`),
        `\n${textTable(columns(result), rows(result), paint.bold)}`,
        ...result.comparisons.map((comparison) => `\n${comparisonText(comparison, result, paint)}`),
        ...(result.warnings.length > 0 ? ["\n"] : []),
        ...result.warnings.map(({ message }) => `${paint.yellow("warning:")} ${message}\n`),
        "\n",
        ...footer(result).map((line) => `${paint.dim(line)}\n`),
      ].join(""),
    markdown: () =>
      [
        "## Benchmark\n\n",
        markdownTable(columns(result), rows(result)),
        ...result.comparisons.map((comparison) => `\n${comparisonMarkdown(comparison, result)}`),
        ...(result.warnings.length > 0 ? ["\n### Warnings\n\n"] : []),
        ...result.warnings.map(({ message }) => `- ${message}\n`),
        `\n${[...head(result), ...footer(result)].join("<br>\n")}\n`,
      ].join(""),
  };
}

function head({ environment, settings, samples }: BenchResult): string[] {
  const { node, onnxruntime, platform, cpu, cores, cpuFlags, loadAverage } = environment;
  const flags = cpuFlags && cpuFlags.length > 0 ? ` (${cpuFlags.join(", ")})` : "";
  const load = loadAverage === null ? "" : `, load average ${loadAverage.toFixed(1)}`;
  const shapes = Object.entries(samples.shapes).map(([name, own]) => {
    const more = own.length > 3 ? ` and ${own.length - 3} other shapes` : "";
    return `${name} ${own.slice(0, 3).join(", ")}${more}`;
  });
  const extra = Object.entries(settings.session).map(([key, value]) => `, ${key}=${value}`);
  return [
    `${cpu}${flags}, ${cores} cores${load}; ${platform}, Node.js ${node}, onnxruntime ${onnxruntime}`,
    `input: ${formatNumberOf(samples.count, "sample")} (${samples.source}), ${shapes.join(", ")}`,
    `${formatNumberOf(settings.rounds, "round")} of ${settings.seconds} s, every model in a fresh process, taking turns; ` +
      `${formatNumberOf(settings.threads, "thread")}${extra.join("")}`,
  ];
}

const right = "right" as const;

function columns({ settings }: BenchResult): Column[] {
  const times: Column[] = [
    { header: "CPU/run", align: right },
    { header: "wall/run", align: right },
  ];
  return [
    { header: "model" },
    { header: "size", align: right },
    ...(settings.metric === "cpu" ? times : times.reverse()),
    { header: "throughput", align: right },
    { header: "load", align: right },
    { header: "first run", align: right },
    { header: "peak memory", align: right },
  ];
}

function rows({ models, settings }: BenchResult): string[][] {
  return models.map((model) => {
    const times = [time(model.cpu), time(model.wall)];
    return [
      named(model, models.length),
      formatBytes(model.bytes),
      ...(settings.metric === "cpu" ? times : times.reverse()),
      formatRate(model.throughput),
      formatSeconds(model.load.value),
      formatSeconds(model.firstRun.value),
      formatBytes(model.peakBytes),
    ];
  });
}

/** The label and what the model is; one on its own is nobody's baseline. */
function named({ label, role }: ModelResult, models: number): string {
  return role === "candidate" || models === 1 ? label : `${label} (${role})`;
}

/** A median and its interval in the same unit: `32.1 ms [31.8, 32.4]`. */
function time({ value, interval }: Estimate): string {
  return interval ? formatTimeWithin(value, interval.lower, interval.upper) : formatSeconds(value);
}

function comparisonText(comparison: Comparison, result: BenchResult, paint: ChalkInstance): string {
  const { candidate, baseline, time, agreement } = comparison;
  const colours: Partial<Record<Verdict, ChalkInstance>> = {
    slower: paint.red,
    missing: paint.red,
    faster: paint.green,
    inconclusive: paint.yellow,
  };
  const verdict = (colours[time.verdict] ?? paint.bold)(sentence(comparison, result));
  return [
    `${paint.bold(candidate)} against ${baseline}: ${verdict}\n`,
    `  ${ratios(comparison, result).join("; ")}\n`,
    ...agreement.outputs.map((output) => `  output "${output.name}": ${agreementText(output)}\n`),
  ].join("");
}

function comparisonMarkdown(comparison: Comparison, result: BenchResult): string {
  const { candidate, baseline, agreement } = comparison;
  return [
    `**${candidate}** against ${baseline}: **${sentence(comparison, result)}**\n\n`,
    ...ratios(comparison, result).map((line) => `- ${line}\n`),
    ...agreement.outputs.map((output) => `- output \`${output.name}\`: ${agreementText(output)}\n`),
  ].join("");
}

function sentence({ role, time }: Comparison, { settings, noiseFloor }: BenchResult): string {
  const band = formatPercent(role === "control" ? settings.tolerance : Math.max(settings.tolerance, noiseFloor ?? 0));
  switch (time.verdict) {
    case "slower":
      return `slower, by more than ${band}`;
    case "faster":
      return `faster, by more than ${band}`;
    case "same":
      return `the same speed within ${band}`;
    case "not slower":
      return `not slower by ${band} or more`;
    case "missing":
      return `no verdict: the runs are too short for this system's ${settings.metric} clock; try --metric ${settings.metric === "cpu" ? "wall" : "cpu"}`;
    case "inconclusive": {
      const { moreRounds } = time;
      if (!time.interval) return `no verdict with ${formatNumberOf(settings.rounds, "round")}; 6 are the least`;
      return moreRounds
        ? `inconclusive at ${band}; about ${formatNumberOf(moreRounds, "more round")} would decide`
        : `inconclusive at ${band}, and too close to it for more rounds to help; choose another --tolerance`;
    }
  }
}

function ratios({ time, other, sizeRatio }: Comparison, { settings }: BenchResult): string[] {
  const [first, second] = settings.metric === "cpu" ? ["CPU time", "wall time"] : ["wall time", "CPU time"];
  return [`${first} ${ratio(time)}`, `${second} ${ratio(other)}`, `size ${sizeRatio.toFixed(3)}x`];
}

/** `~1.002x [0.990, 1.013]`: the tilde says that the interval holds 1. */
function ratio(verdict: RatioVerdict): string {
  if (verdict.ratio === null) return "not measured";
  const { interval } = verdict;
  const range = interval ? ` [${interval.lower.toFixed(3)}, ${interval.upper.toFixed(3)}]` : "";
  return `${isUncertain(verdict) ? "~" : ""}${verdict.ratio.toFixed(3)}x${range}`;
}

function agreementText(summary: AgreementSummary & { readonly problem?: string }): string {
  if (summary.problem) return `not comparable: ${summary.problem}`;
  if (summary.identical) return "identical";
  const { topOne, sqnrDb, cosine, maxAbsError } = summary;
  return [
    ...(topOne ? [`same top class in ${formatCount(topOne.agree)} of ${formatCount(topOne.total)}`] : []),
    `SQNR ${formatDecibels(sqnrDb)}`,
    `cosine ${cosine.toFixed(6)}`,
    `max error ${maxAbsError.toPrecision(2)}`,
  ].join(", ");
}

/** What the numbers are. */
function footer({ models, comparisons }: BenchResult): string[] {
  const coverage = models[0]?.cpu.interval?.coverage;
  const interval = coverage === undefined ? "" : `, with its ${formatPercent(coverage)} interval (order statistics)`;
  return [
    `times: median over rounds of the median run (its mean over samples)${interval}; throughput: 1 / wall; peak memory: whole process, Node.js included`,
    ...(comparisons.length > 0
      ? [
          "ratio: Hodges-Lehmann estimate over rounds with its Wilcoxon signed-rank interval; ~: not significantly different from 1",
        ]
      : []),
  ];
}
