import type { BenchResult, PointResult } from "../bench/models/result.js";
import { decisionOfAll } from "../bench/models/summarise.js";
import { benchHeadline, otherMetric, pointsOf, sentence, storedText } from "./bench-comparisons.js";
import { bars, everyRound, type Kind, ratioChart, roundBoxes, sweepCharts } from "./bench-models-charts.js";
import { benchPage, folded, listHtml, part, plots, sectionHtml, settingsBlock } from "./bench-page-parts.js";
import { gateSection } from "./bench-tables.js";
import { lossText } from "./compress-loss.js";
import { isNumber, none } from "./metric-words.js";
import { formatBytes, formatCount, formatDecibels, formatRate, formatSeconds } from "./quantities.js";
import type { Section } from "./sections.js";

/** The page of a benchmark of models; `head` and `foot` are the lines that its text has. */
export function modelsPage(
  result: BenchResult,
  { head, foot }: { readonly head: readonly string[]; readonly foot: readonly string[] },
): string {
  const { settings, models, stored } = result;
  const points = pointsOf(result);
  const at = (label: string) => (label === "" ? "" : `, ${label}`);
  const said = points.flatMap(({ label, comparisons }) =>
    comparisons.map((one) => `${one.candidate} against ${one.baseline}${at(label)}: ${sentence(one, result)}`),
  );
  return benchPage({
    title: "Benchmark of models",
    decision: decisionOfAll(result),
    sentence: benchHeadline(result) || `${models[0]?.label ?? "nothing"}, measured alone`,
    reasons: said.slice(0, mostReasons),
    lead: head,
    warnings: result.warnings.map(({ message }) => message),
    main: [
      part("Time against the baseline", ratioChart(result)),
      sectionHtml(gateSection(result)),
      part("Against the stored run", listHtml((stored?.comparisons ?? []).map((one) => storedText(one, result)))),
      part("Over the sweep", sweepCharts(result)),
      ...points.map((point) => sectionHtml(numbers(point))),
      ...points.map(
        (point) =>
          part(
            `Rounds${at(point.label)}`,
            plots([settings.metric, otherMetric(settings.metric)].map((metric) => roundBoxes(point.models, metric))),
            "Each dot is the median of a round, which is a fresh process; the box holds the middle half of them.",
          ) + folded(`Every round${at(point.label)}`, everyRound(point.models, settings.metric)),
      ),
      part("Size and memory", bars(models, sizes, formatBytes)),
      part("Before the first answer", bars(models, starts, formatSeconds)),
      sectionHtml(losses(result)),
      sectionHtml(agreements(result)),
      part("How it was measured", listHtml(foot)),
      folded("Settings", settingsBlock(result)),
    ],
  });
}

/** Verdicts that stand at the top; the plot has them all. */
const mostReasons = 6;

const sizes: readonly Kind[] = [
  ["size", (model) => model.bytes],
  ["peak memory, Node.js included", (model) => model.peakBytes],
  ["added by loading", (model) => model.loadedBytes],
];
const starts: readonly Kind[] = [
  ["load", (model) => model.load.value],
  ["first run", (model) => model.firstRun.value],
];
function numbers({ label, models }: PointResult): Section {
  const right = "right" as const;
  const headers = ["size", "CPU/run", "wall/run", "throughput", "load", "first run", "peak memory"];
  return {
    title: label === "" ? "Models" : `Models, ${label}`,
    columns: [{ header: "model" }, ...headers.map((header) => ({ header, align: right }))],
    rows: models.map((model) => [
      model.role === "candidate" ? model.label : `${model.label} (${model.role})`,
      formatBytes(model.bytes),
      formatSeconds(model.cpu.value),
      formatSeconds(model.wall.value),
      isNumber(model.throughput) ? formatRate(model.throughput) : none,
      formatSeconds(model.load.value),
      formatSeconds(model.firstRun.value),
      formatBytes(model.peakBytes),
    ]),
  };
}

/** What each candidate lost. */
function losses({ comparisons }: BenchResult): Section {
  const right = "right" as const;
  const score = (value: number | null) => (value === null ? "" : lossText(value));
  return {
    title: "What was lost",
    columns: [
      { header: "model" },
      { header: "loss", align: right },
      { header: "of" },
      ...["before", "now"].map((header) => ({ header, align: right })),
    ],
    rows: comparisons
      .filter(({ role }) => role !== "control")
      .map(({ candidate, drop }) => [
        candidate,
        isNumber(drop.value) ? lossText(drop.value) : none,
        drop.name,
        score(drop.reference),
        score(drop.candidate),
      ]),
  };
}

/** How near the outputs are to the baseline's, worst measures as they are. */
function agreements({ comparisons }: BenchResult): Section {
  const right = "right" as const;
  const rows = comparisons.flatMap(({ candidate, role, agreement }) =>
    role === "control"
      ? []
      : agreement.outputs.map((output) => {
          const { name, problem, identical, topOne, nonFinite } = output;
          if (problem) return [candidate, name, `not comparable: ${problem}`, "", "", "", "", ""];
          return [
            candidate,
            name,
            identical ? "identical" : "differs",
            topOne ? `${formatCount(topOne.agree)} of ${formatCount(topOne.total)}` : "",
            identical ? "" : formatDecibels(output.sqnrDb ?? Number.NaN),
            isNumber(output.cosine) ? output.cosine.toFixed(6) : none,
            isNumber(output.maxAbsError) ? output.maxAbsError.toPrecision(2) : none,
            `${formatCount(nonFinite.candidate)} (${formatCount(nonFinite.reference)})`,
          ];
        }),
  );
  return {
    title: "Outputs against the baseline's",
    columns: [
      { header: "model" },
      { header: "output" },
      { header: "" },
      ...["same top class", "SQNR", "cosine", "max error", "not finite (baseline)"].map((header) => ({
        header,
        align: right,
      })),
    ],
    rows,
  };
}
