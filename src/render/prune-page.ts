import type { Report } from "./compress-lead.js";
import { cells, escapeHtml, headCells, rowFilterScript, tile } from "./html-page.js";
import { damageTable, groupChart, latencyChart, pruneStyle, shareChart, stageChart } from "./prune-charts.js";
import type { PrunedGroup, PrunePlanResult, PruneResult } from "./prune-result.js";
import { frozenSection, goneOf, stageSection, widthWords } from "./prune-sections.js";
import { formatBytes, formatCount, formatFlops, formatNumberOf, formatPercent } from "./quantities.js";
import { foldedTable, reportPage, sectionTable, settingsBlock } from "./report-page.js";
import type { Column } from "./table.js";
import { layerChart, trainingCharts } from "./training-charts.js";
import type { TrainingCourse } from "./training-result.js";
import { agreementWords, formatScore, layersSection, lossTable } from "./training-sections.js";

/** The page of a finished pruning. */
export function prunePage(result: PruneResult, report: Report): string {
  const { stages, kept, metric, output, model, latency, recovery, missed } = result;
  const last = stages.find(({ stage }) => stage === kept) ?? stages.at(-1);
  const [original] = stages;
  const score = metric
    ? [
        ...(last && last.metric !== null ? [tile(formatScore(last.metric), metric.name, missed ? "error" : "")] : []),
        ...(original && original.metric !== null
          ? [tile(formatScore(original.metric), `${metric.name}: original`)]
          : []),
      ]
    : last?.agreement
      ? [tile(agreementWords(last), "agreement with the original", missed ? "error" : "")]
      : [];
  const tiles = [
    tile(formatBytes(output.bytes), result.written ? "written" : "not written", result.written ? "" : "error"),
    tile((output.bytes / model.bytes).toFixed(3), "of the original's size"),
    ...(last?.speed?.ratio
      ? [tile(last.speed.ratio.toFixed(2), "of the original's CPU time", last.speed.ratio > 1.05 ? "warning" : "")]
      : []),
    ...score,
    ...costTiles(result),
  ];
  return reportPage(
    report,
    tiles,
    result.warnings,
    [
      sectionTable(stageSection(result, true)),
      stageChart(stages),
      shareChart(result),
      groupChart(result),
      ...frozenSection(result, true).map(sectionTable),
      layerParts(result),
      latency ? latencyChart(latency) : "",
      ...(recovery ? [trainingCharts(oneCourse(recovery.courses)), sectionTable(lossTable(recovery.losses))] : []),
      ...decisions(result),
      damageTable(result.groups, result.damage),
      groupTable(result.groups),
      settingsBlock(recovery ? { prune: result.settings, recovery: recovery.settings } : result.settings),
    ],
    { style: pruneStyle, script: rowFilterScript },
  );
}

/** The page of a plan. */
export function prunePlanPage(plan: PrunePlanResult, report: Report): string {
  const tiles = [
    tile(formatBytes(plan.bytes.after), `of ${formatBytes(plan.bytes.before)}, about`),
    ...costTiles(plan),
  ];
  return reportPage(
    report,
    tiles,
    plan.warnings,
    [
      shareChart(plan),
      groupChart(plan),
      ...frozenSection(plan, true).map(sectionTable),
      layerParts(plan),
      damageTable(plan.groups, plan.damage),
      groupTable(plan.groups),
      settingsBlock(plan.settings),
    ],
    { style: pruneStyle, script: rowFilterScript },
  );
}

function costTiles({ parameters, flops }: PruneResult | PrunePlanResult): readonly string[] {
  return [
    tile(formatPercent(-goneOf(parameters), true), `parameters: ${formatCount(parameters.after)} left`),
    tile(formatPercent(-goneOf(flops), true), `operations: ${formatFlops(flops.after)} left`),
    tile(formatPercent(parameters.prunable / Math.max(1, parameters.before)), "of the parameters could go"),
  ];
}

function layerParts({ layers }: PruneResult | PrunePlanResult): string {
  return layersSection(layers)
    .map((section) => `${layerChart(layers, section.title)}\n${foldedTable({ ...section, title: "Why" })}`)
    .join("");
}

/** Several rounds of training as one: steps go on counting. */
function oneCourse(courses: readonly TrainingCourse[]): TrainingCourse {
  let before = 0;
  let best: number | null = null;
  const curve: TrainingCourse["curve"][number][] = [];
  const evaluations: TrainingCourse["evaluations"][number][] = [];
  for (const course of courses) {
    const from = before;
    curve.push(...course.curve.map((point) => ({ ...point, step: from + point.step })));
    evaluations.push(...course.evaluations.map((point) => ({ ...point, step: from + point.step })));
    best = course.bestStep === null ? null : from + course.bestStep;
    before += course.steps;
  }
  return { ...courses.at(-1)!, steps: before, bestStep: best, curve, evaluations };
}

function decisions({ quantization }: PruneResult): readonly string[] {
  if (!quantization) return [];
  const items = quantization.decisions.map((words) => `<li>${escapeHtml(words)}</li>`);
  return [`<h2>How it was quantized</h2>\n<ul>\n${items.join("\n")}\n</ul>`];
}

/** Tensors and nodes that a row names. */
const namesShown = 3;

function names(all: readonly string[]): string {
  return all.length > namesShown
    ? `${all.slice(0, namesShown).join(", ")} and ${formatCount(all.length - namesShown)} more`
    : all.join(", ");
}

function groupTable(groups: readonly PrunedGroup[]): string {
  if (groups.length === 0) return "";
  const columns: Column[] = [
    { header: "group" },
    { header: "channels", align: "right" },
    { header: "left", align: "right" },
    { header: "parameters", align: "right" },
    { header: "left", align: "right" },
    { header: "why" },
    { header: "read by" },
  ];
  const rows = groups.map((group) => {
    const row = [
      group.name,
      widthWords(group),
      formatCount(group.channels.after),
      formatCount(group.parameters.before),
      formatCount(group.parameters.after),
      [group.why, ...(group.normalisations > 0 ? [formatNumberOf(group.normalisations, "normalisation")] : [])]
        .filter(Boolean)
        .join("; "),
      names(group.operators),
    ];
    const search = [...row, ...group.tensors, ...group.operators].join(" ").toLowerCase();
    return `<tr data-search="${escapeHtml(search)}">${cells(row, columns)}</tr>`;
  });
  return `<h2>All ${formatNumberOf(groups.length, "group")}</h2>
<form class="filters"><input type="search" id="filter" placeholder="filter by name of group, tensor or node, or by reason" aria-label="filter"> <output id="shown"></output></form>
<div class="wide"><table class="all">
<thead><tr>${headCells(columns)}</tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table></div>`;
}
