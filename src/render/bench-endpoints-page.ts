import type { EndpointBenchResult } from "../bench/endpoints/result.js";
import type { MetricId } from "../bench/metrics.js";
import { brieflyOf, comparisonSection, gateSection, groupsOf } from "./bench-decisions.js";
import {
  boxChart,
  cdfChart,
  curveChart,
  gapCharts,
  quantilesDrawn,
  timeChart,
  toneOf,
} from "./bench-endpoints-charts.js";
import { forestChart, forestRow } from "./bench-forest.js";
import { clientLine } from "./bench-notes.js";
import { benchPage, folded, listHtml, part, plots, sectionHtml, settingsBlock } from "./bench-page-parts.js";
import { type Series, seriesOf } from "./bench-samples.js";
import { curveSection, errorSection, latencySection, valueSection } from "./bench-tables.js";
import { headline } from "./bench-verdict.js";
import { legend } from "./charts.js";
import { pointWords } from "./metric-words.js";
import { formatCount } from "./quantities.js";

/** Dots over all plots of requests over time: more make a page that is slow to open. */
const dotsOnPage = 4000;
/** Up to so many loads all stand open. */
const loadsOpen = 3;

/** Latencies that are drawn: in open loops from when a request was due, so that a stall shows in all that it held up. */
function drawnOf({ raw }: EndpointBenchResult): {
  readonly first: MetricId;
  readonly last: MetricId;
  readonly all: readonly MetricId[];
} {
  const due = raw.records.some(({ scheduled }) => scheduled !== null);
  const [first, last] = due ? (["ttft_sched", "e2e_sched"] as const) : (["ttft", "e2e"] as const);
  return { first, last, all: [first, "tpot", last] };
}

/** Lines that the text form has too. */
interface Lines {
  readonly reasons: readonly string[];
  readonly head: readonly string[];
  readonly foot: readonly string[];
}

/** The page of a benchmark of endpoints. */
export function endpointsPage(result: EndpointBenchResult, { reasons, head, foot }: Lines): string {
  const series = seriesOf(result);
  const dots = Math.min(300, Math.max(40, Math.floor(dotsOnPage / Math.max(1, series.length))));
  const client = clientLine(result);
  const each = (chart: (id: MetricId) => string) => under(targetLegend(result), plots(drawnOf(result).all.map(chart)));
  return benchPage({
    title: "Benchmark of endpoints",
    decision: result.verdict,
    sentence: headline(result),
    reasons,
    lead: head,
    warnings: result.warnings.map(({ message }) => message),
    main: [
      part("Candidates against the baseline", forest(result) + comparisonTables(result)),
      sectionHtml(gateSection(result)),
      part(
        "Throughput and latency",
        each((id) => curveChart(result, id)),
      ),
      sectionHtml({ ...curveSection(result), title: "" }),
      part(
        "Latency by load",
        each((id) => boxChart(result, series, id)),
      ),
      part(
        "Loads",
        result.points.map((_, point) => loadPart(result, series, point, dots)).join("\n"),
        `Lines of distributions are drawn through at most ${quantilesDrawn} quantiles, requests over time as at most ` +
          `${formatCount(dots)} dots for each target and load; the numbers are of all.`,
      ),
      sectionHtml(errorSection(result)),
      part("How it was measured", listHtml([...(client ? [client] : []), ...foot])),
      folded("Settings", settingsBlock(result)),
    ],
  });
}

function targetLegend(result: EndpointBenchResult): string {
  return legend(
    result.targets.map(({ label, role }) => ({
      name: label.endsWith(`(${role})`) ? label : `${label} (${role})`,
      tone: toneOf(result, label),
    })),
  );
}

/** Something with its legend; nothing without it. */
function under(head: string, body: string): string {
  return body === "" ? "" : head + body;
}

function comparisonTables(result: EndpointBenchResult): string {
  return groupsOf(result)
    .map((group) => {
      const section = comparisonSection(group, true);
      return folded(section.title, sectionHtml({ ...section, title: "" }));
    })
    .join("\n");
}

/** All about one load; of many loads only the one that decides, else the last, stands open. */
function loadPart(result: EndpointBenchResult, series: readonly Series[], point: number, dots: number): string {
  const own = series.filter((one) => one.point === point);
  const tables = [valueSection(result, point), latencySection(result, point, ["p50", "p90", "p95", "p99", "p999"])].map(
    (section) => sectionHtml({ ...section, title: "" }),
  );
  const { first, last, all } = drawnOf(result);
  const streams = own.some(({ counted }) => counted.some(({ firstToken }) => firstToken !== null));
  const charts = [
    plots(all.map((id) => cdfChart(result, own, id))),
    timeChart(result, own, streams ? first : last, dots),
    plots([gapCharts(result, own)]),
  ].join("");
  const words = result.points.map(pointWords);
  const decisive = groupsOf(result).find(({ comparisons }) =>
    comparisons.some((one) => one.gated && one.decision === result.verdict),
  );
  const at = decisive ? words.indexOf(decisive.point) : -1;
  const open = words.length <= loadsOpen || point === (at < 0 ? words.length - 1 : at);
  return folded(words[point]!, [...tables, under(targetLegend(result), charts)].filter(Boolean).join("\n"), open);
}

/** The forest plot of ratios; differences of shares are in the tables only. */
function forest(result: EndpointBenchResult): string {
  const groups = brieflyOf(result).map(({ candidate, baseline, point, comparisons }) => ({
    head: `${candidate} against ${baseline}, ${point}`,
    rows: comparisons.map(forestRow).filter((row) => row !== undefined),
  }));
  return forestChart(
    groups,
    result.settings.tolerance,
    "Ratios of the candidates to the baseline with their intervals",
  );
}
