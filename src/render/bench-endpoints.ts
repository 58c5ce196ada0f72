import type { ChalkInstance } from "chalk";
import type { Percentile } from "../bench/compare/distribution.js";
import type { EndpointBenchResult, ShownTarget } from "../bench/endpoints/result.js";
import type { MetricId } from "../bench/metrics.js";
import { metrics } from "../bench/metrics-table.js";
import { requestsCsv, summariesCsv } from "./bench-endpoints-csv.js";
import { endpointsJunit } from "./bench-endpoints-junit.js";
import { endpointsPage } from "./bench-endpoints-page.js";
import { clientLine, footLines, headLines } from "./bench-notes.js";
import { type Series, seriesOf, valuesOf } from "./bench-samples.js";
import {
  brieflyOf,
  comparisonSection,
  curveSection,
  type Extra,
  errorSection,
  gateSection,
  groupsOf,
  latencies,
  latencySection,
  type Mark,
  shows,
  spareValues,
  valueSection,
} from "./bench-tables.js";
import { gateLine, headline, paintOf } from "./bench-verdict.js";
import type { Forms } from "./forms.js";
import { pointWords } from "./metric-words.js";
import { markdownSections, type Section, textSections } from "./sections.js";
import { condense, rangeOf, sparkline, spreadline } from "./sparkline.js";
import { tableWidth, wrapWords } from "./table.js";

/** The forms of a benchmark of endpoints. */
export function endpointForms(result: EndpointBenchResult): Forms {
  return {
    json: result,
    text: (paint, columns) => text(result, paint, columns),
    markdown: () => markdown(result),
    html: () => endpointsPage(result, { head: headLines(result), foot: footLines(result), reasons: reasonsOf(result) }),
    csv: () => requestsCsv(result),
    summaryCsv: () => summariesCsv(result),
    junit: () => endpointsJunit(result),
  };
}

function text(result: EndpointBenchResult, paint: ChalkInstance, columns: number): string {
  const wide = columns >= 110;
  const quantiles: readonly Percentile[] = wide ? ["p50", "p90", "p95", "p99", "p999"] : ["p50", "p95", "p99"];
  const series = seriesOf(result);
  const label = shortener(result.targets, wide ? 24 : 12);
  const colour = paintOf(result.verdict, paint);
  const wrapped = (line: string) => wrapWords(line, columns - 2).join("\n  ");
  const said = (label: string, words: string, colour: ChalkInstance) =>
    `${colour(label)}${wrapped(`${label} ${words}`).slice(label.length)}\n`;
  const sections = result.points.flatMap((_, point): Section[] => {
    const values = fitting(
      [...spareValues, ""].map((_, gone) => valueSection(result, point, spareValues.slice(0, gone), label)),
      columns,
    );
    const bare = latencySection(result, point, quantiles, label);
    const extras = sparks(series, point, columns - tableWidth(bare.columns, bare.rows) - 2);
    return [values, { ...latencySection(result, point, quantiles, label, extras), title: "" }];
  });
  const compared = brieflyOf(result).map((group) =>
    fitting(
      [true, false].map((full) => comparisonSection(group, full, markOf(paint))),
      columns,
    ),
  );
  const others = [curveSection(result, label), errorSection(result)].filter(({ rows }) => rows.length > 0);
  const client = clientLine(result);
  const wrapNote = (section: Section): Section =>
    section.note ? { ...section, note: section.note.split("\n").map(wrapped).join("\n") } : section;
  const verdict = said(`${result.verdict}:`, headline(result), colour.bold);
  const lines = [
    verdict,
    ...reasonsOf(result).map((reason) => `  ${wrapped(reason)}\n`),
    "\n",
    ...headLines(result).map((line) => `${paint.dim(wrapped(line))}\n`),
    ...sections.map((section) => joined(section, paint, columns)),
    textSections([...compared, ...others].map(wrapNote), paint, columns),
    ...(result.gates.length > 0 ? [`\n${paint.bold("Gates")}\n`] : []),
    ...result.gates.map((gate) => said(`${gate.decision}:`, gateLine(gate), paintOf(gate.decision, paint))),
    "\n",
    ...(client ? [`${wrapped(client)}\n`] : []),
    ...result.warnings.map(({ message }) => said("warning:", message, paint.yellow)),
    "\n",
    ...footLines(result, shownFormulas(result)).map((line) => `${paint.dim(wrapped(line))}\n`),
  ];
  const text = lines.join("");
  // the first line has left the screen by then
  return text.split("\n").length > 40 ? `${text}\n${verdict}` : text;
}

/** Metrics whose formulas a terminal shows: those of its rows. */
function shownFormulas({ summaries }: EndpointBenchResult): readonly MetricId[] {
  return latencies.filter((id) => summaries.some((one) => shows(id, one)));
}

/** The first table that fits, else the last. */
function fitting(sections: readonly Section[], columns: number): Section {
  return sections.find((section) => tableWidth(section.columns, section.rows) <= columns) ?? sections.at(-1)!;
}

/** Colours of verdicts and decisions: what is fine and does not decide has none. */
function markOf(paint: ChalkInstance): Mark {
  return (one, words) => {
    if (one.verdict === "faster" && words !== one.decision) return paint.green(words);
    if (one.decision === "PASS" || (!one.gated && one.verdict !== "slower")) return words;
    return paintOf(one.decision, paint)(words);
  };
}

/** A section; one without a title follows the one before without a line between. */
function joined(section: Section, paint: ChalkInstance, columns: number): string {
  const all = textSections([section], paint, columns);
  return section.title === "" ? all.replace(/^\n.*\n/, "") : all;
}

/** Reasons that stand at the top; the tables have them all. */
const mostReasons = 4;

/** Reasons that the headline does not say already. */
function reasonsOf(result: EndpointBenchResult): readonly string[] {
  const first = headline(result);
  const others = result.reasons.filter((reason) => !first.startsWith(reason));
  if (others.length <= mostReasons) return others;
  return [...others.slice(0, mostReasons - 1), `and ${others.length - mostReasons + 1} more, below`];
}

/** Labels at a length, their start kept, and still each its own. */
function shortener(targets: readonly ShownTarget[], most: number): (label: string) => string {
  const cut = (label: string) => (label.length <= most ? label : `${label.slice(0, most - 3)}...`);
  const unique = new Set(targets.map(({ label }) => cut(label))).size === targets.length;
  const names = new Map(
    targets.map(({ label }, at) => [label, unique ? cut(label) : `${label.slice(0, most - 4)}.. ${at + 1}`]),
  );
  return (label) => names.get(label) ?? label;
}

/** Sparklines beside the quantiles, as far as there is room: over time, and how the values spread. */
function sparks(series: readonly Series[], point: number, room: number): readonly Extra[] {
  const own = series.filter((one) => one.point === point);
  const drawn: readonly MetricId[] = latencies.filter((id) => metrics[id].of === "request");
  const values = new Map(drawn.map((id) => [id, new Map(own.map((one) => [one.target, valuesOf(one, id)]))]));
  const spread = Math.min(16, Math.floor((room - 2) / 2) - 1);
  if (spread < 6) return [];
  const time = Math.min(40, room - spread - 2);
  const of = (id: MetricId, target: string) => values.get(id)?.get(target) ?? [];
  const all = (id: MetricId) => [...(values.get(id)?.values() ?? [])];
  return [
    {
      header: "over time",
      cell: (id, target) => {
        const lines = all(id).map((one) => condense(one, time));
        return sparkline(condense(of(id, target), time), rangeOf(...lines));
      },
    },
    { header: "spread", cell: (id, target) => spreadline(of(id, target), rangeOf(...all(id)), spread).trimEnd() },
  ];
}

function markdown(result: EndpointBenchResult): string {
  const quantiles: readonly Percentile[] = ["p50", "p90", "p95", "p99", "p999"];
  const compared = brieflyOf(result).map((group) => marked(comparisonSection(group, true)));
  const all = groupsOf(result).map((group) => marked(comparisonSection(group, true)));
  const gates = gateSection(result);
  const errors = errorSection(result);
  const curve = curveSection(result);
  const client = clientLine(result);
  const filled = (sections: readonly Section[]) =>
    markdownSections(sections.filter(({ rows }) => rows.length > 0).map(marked));
  const each = result.points.map((point, at) => {
    const tables = [valueSection(result, at), latencySection(result, at, quantiles)];
    const body = tables.map((table, index) => ({ ...marked(table), title: index === 0 ? "Throughput" : "Latency" }));
    return `\n<details><summary>${safe(pointWords(point))}</summary>\n${markdownSections(body)}\n</details>\n`;
  });
  return [
    `## Benchmark of endpoints: ${result.verdict}\n\n`,
    `**${result.verdict}**: ${safe(headline(result))}\n`,
    ...(reasonsOf(result).length > 0
      ? [
          `\n${reasonsOf(result)
            .map((one) => `- ${safe(one)}\n`)
            .join("")}`,
        ]
      : []),
    markdownSections(compared),
    ...(countOf(all) > countOf(compared)
      ? [`\n<details><summary>All comparisons</summary>\n${markdownSections(all)}\n</details>\n`]
      : []),
    filled([gates, curve, errors]),
    ...(result.warnings.length > 0 ? ["\n### Warnings\n\n"] : []),
    ...result.warnings.map(({ message }) => `- ${safe(message)}\n`),
    ...(result.points.length > 0 ? ["\n### Loads\n", ...each] : []),
    `\n<details><summary>How it was measured</summary>\n\n`,
    ...[...headLines(result), ...(client ? [client] : []), ...footLines(result)].map((line) => `- ${safe(line)}\n`),
    "\n</details>\n",
  ].join("");
}

const countOf = (sections: readonly Section[]): number => sections.reduce((sum, { rows }) => sum + rows.length, 0);

/** A text of a result as Markdown shows it: no tags, no marks. */
function safe(text: string): string {
  return text
    .replace(/[\\`*_[\]~|]/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;");
}

function marked({ title, columns, rows, note }: Section): Section {
  return {
    title: safe(title),
    columns: columns.map((column) => ({ ...column, header: safe(column.header) })),
    rows: rows.map((row) => row.map(safe)),
    ...(note ? { note: note.split("\n").map(safe).join("<br>\n") } : {}),
  };
}
