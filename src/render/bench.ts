import type { ChalkInstance } from "chalk";
import type { Estimate } from "../bench/compare/statistics.js";
import type { Verdict } from "../bench/compare/verdict.js";
import type { BenchResult, Comparison, Metric, ModelResult, PointResult } from "../bench/models/result.js";
import { decisionOfAll } from "../bench/models/summarise.js";
import {
  agreementText,
  benchHeadline,
  otherMetric,
  pointsOf,
  ratios,
  sentence,
  storedText,
} from "./bench-comparisons.js";
import { modelsPage } from "./bench-models-page.js";
import { benchJunit, modelsCsv, roundsCsv } from "./bench-values.js";
import { gateLine, paintOf } from "./bench-verdict.js";
import type { Forms } from "./forms.js";
import {
  formatBytes,
  formatNumberOf,
  formatPercent,
  formatRate,
  formatSeconds,
  formatTimeWithin,
} from "./quantities.js";
import { condense, sparkline } from "./sparkline.js";
import { type Column, markdownTable, tableWidth, textTable } from "./table.js";

/** The forms of a benchmark of models. `inconclusiveFails` for JUnit: whether such a verdict is a failure. */
export function benchForms(result: BenchResult, inconclusiveFails = false): Forms {
  return {
    json: result,
    text: (paint, columns) => text(result, paint, columns),
    markdown: () => markdown(result),
    html: () => modelsPage(result, { head: head(result), foot: footer(result) }),
    csv: () => roundsCsv(result),
    summaryCsv: () => modelsCsv(result),
    junit: () => benchJunit(result, inconclusiveFails),
  };
}

function text(result: BenchResult, paint: ChalkInstance, columns: number): string {
  const decision = decisionOfAll(result);
  const points = pointsOf(result).flatMap((point) => [
    ...(point.label === "" ? [] : [`\n${paint.bold(point.label)}`]),
    `\n${fitting(point, result.settings.metric, columns, paint)}`,
    ...point.comparisons.map((comparison) => `\n${comparisonText(comparison, result, paint)}`),
  ]);
  return [
    ...(decision ? [`${paintOf(decision, paint).bold(`${decision}:`)} ${benchHeadline(result)}\n\n`] : []),
    ...head(result).map((line) => `${paint.dim(line)}\n`),
    ...points,
    ...(result.gates.length > 0 ? [`\n${paint.bold("Gates")}\n`] : []),
    ...result.gates.map((gate) => `${paintOf(gate.decision, paint)(`${gate.decision}:`)} ${gateLine(gate)}\n`),
    ...(result.stored ? ["\n", ...result.stored.comparisons.map((one) => `${storedText(one, result)}\n`)] : []),
    ...(result.warnings.length > 0 ? ["\n"] : []),
    ...result.warnings.map(({ message }) => `${paint.yellow("warning:")} ${message}\n`),
    "\n",
    ...footer(result).map((line) => `${paint.dim(line)}\n`),
  ].join("");
}

function markdown(result: BenchResult): string {
  const decision = decisionOfAll(result);
  const points = pointsOf(result).flatMap((point) => [
    ...(point.label === "" ? [] : [`\n### ${point.label}\n\n`]),
    tableOf(point, result.settings.metric, ["interval", "throughput", "load"], markdownTable),
    ...point.comparisons.map((comparison) => `\n${comparisonMarkdown(comparison, result)}`),
  ]);
  return [
    `## Benchmark${decision ? `: ${decision}` : ""}\n\n`,
    ...(decision ? [`**${decision}**: ${benchHeadline(result)}\n\n`] : []),
    ...points,
    ...(result.gates.length > 0 ? ["\n### Gates\n\n"] : []),
    ...result.gates.map((gate) => `- **${gate.decision}**: ${gateLine(gate)}\n`),
    ...(result.stored ? ["\n### Against the stored run\n\n"] : []),
    ...(result.stored?.comparisons ?? []).map((one) => `- ${storedText(one, result)}\n`),
    ...(result.warnings.length > 0 ? ["\n### Warnings\n\n"] : []),
    ...result.warnings.map(({ message }) => `- ${message}\n`),
    `\n${[...head(result), ...footer(result)].join("<br>\n")}\n`,
  ].join("");
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

/** What the table leaves out where it has no room, in this order. */
const spare = ["interval", "throughput", "load", "rounds"] as const;
type Spare = (typeof spare)[number];

/** The table at the most that fits into so many columns. */
function fitting(point: PointResult, metric: Metric, columns: number, paint: ChalkInstance): string {
  const tables = spare.map((_, gone) => tableOf(point, metric, spare.slice(gone), (...table) => table));
  const bare = tableOf(point, metric, [], (...table) => table);
  const [head, rows] = [...tables, bare].find((table) => tableWidth(...table) <= columns) ?? bare;
  return textTable(head, rows, paint.bold);
}

/** The table of models with those of the spare parts. */
function tableOf<T>(
  { models }: PointResult,
  metric: Metric,
  parts: readonly Spare[],
  make: (columns: readonly Column[], rows: readonly (readonly string[])[]) => T,
): T {
  const other = otherMetric(metric);
  const within = parts.includes("interval") ? time : ({ value }: Estimate) => formatSeconds(value);
  type Cell = readonly [header: string, cell: (model: ModelResult) => string, part?: Spare];
  const cells: readonly Cell[] = [
    ["size", ({ bytes }) => formatBytes(bytes)],
    [`${timeWords[metric]}/run`, (model) => time(model[metric])],
    [`${timeWords[other]}/run`, (model) => within(model[other])],
    ["throughput", ({ throughput }) => (Number.isFinite(throughput) ? formatRate(throughput) : "-"), "throughput"],
    ["load", ({ load }) => formatSeconds(load.value), "load"],
    ["first run", ({ firstRun }) => formatSeconds(firstRun.value)],
    ["peak memory", ({ peakBytes }) => formatBytes(peakBytes)],
    [
      "rounds",
      ({ rounds }) =>
        sparkline(
          condense(
            rounds.map((round) => round[metric].median),
            24,
          ),
        ),
      "rounds",
    ],
  ];
  const shown = cells.filter(([, , part]) => part === undefined || parts.includes(part));
  return make(
    [
      { header: "model" },
      ...shown.map(([header]): Column => (header === "rounds" ? { header } : { header, align: right })),
    ],
    models.map((model) => [named(model, models.length), ...shown.map(([, cell]) => cell(model))]),
  );
}

const timeWords = { cpu: "CPU", wall: "wall" } as const;

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
