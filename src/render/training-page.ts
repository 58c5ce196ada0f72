import { chartStyle } from "./charts.js";
import type { Report } from "./compress-lead.js";
import { escapeHtml, htmlTable, page, style, tile } from "./html-page.js";
import { plotStyle } from "./plots.js";
import { formatBytes, formatCount, formatDecibels, formatDuration, formatPercent } from "./quantities.js";
import type { Section } from "./sections.js";
import { layerChart, trainingCharts } from "./training-charts.js";
import type { DistillPlan, DistillResult, QatPlan, QatResult } from "./training-result.js";
import { layerSection, lossSection, scoreSection, weightSection } from "./training-sections.js";

/** The page of a finished training. */
export function trainingPage(result: DistillResult | QatResult, report: Report): string {
  const { scores, metric, output, training } = result;
  const [before, after] = [scores.at(-2)!, scores.at(-1)!];
  const value = (score: typeof after): string => {
    if (metric) return score.metric === null ? "-" : formatPercent(score.metric, false, 2);
    const { topOne, sqnrDb } = score.agreement!;
    return topOne === null ? (sqnrDb === null ? "equal" : formatDecibels(sqnrDb)) : formatPercent(topOne, false, 2);
  };
  const what = metric ? metric.name : "agreement";
  const tiles = [
    tile(value(after), `${what}: ${after.model}`),
    tile(value(before), `${what}: ${before.model}`),
    ...(metric && scores[0]!.metric !== null ? [tile(value(scores[0]!), `${what}: ${scores[0]!.model}`)] : []),
    tile(formatBytes(output.bytes), "written"),
    ...(after.parameters === null ? [] : [tile(formatCount(after.parameters), "parameters")]),
    ...(after.speed?.ratio ? [tile(after.speed.ratio.toFixed(2), `of the ${scores[0]!.model} model's CPU time`)] : []),
    tile(formatDuration(training.seconds), `for ${formatCount(training.steps)} steps`),
  ];
  return shell(report, tiles, result.warnings, [
    tableOf(scoreSection(result)),
    trainingCharts(training),
    tableOf(lossSection(result)),
    ...layerSection(result).map(() => ("student" in result ? layerChart(result.student.layers) : "")),
    folded(weightSection(result)),
    settingsBlock(result.settings),
  ]);
}

/** The page of a plan. */
export function trainingPlanPage(plan: DistillPlan | QatPlan, report: Report): string {
  return shell(report, [], plan.warnings, [
    tableOf(lossSection(plan)),
    ...layerSection(plan).map(() => ("student" in plan ? layerChart(plan.student.layers) : "")),
    ...layerSection(plan).map(folded),
    tableOf(weightSection(plan)),
    settingsBlock(plan.settings),
  ]);
}

function shell(
  { title, lead, foot }: Report,
  tiles: readonly string[],
  warnings: readonly string[],
  main: readonly string[],
): string {
  return page({
    title,
    style: style + chartStyle + plotStyle,
    header: `<h1>${escapeHtml(title)}</h1>
${tiles.length > 0 ? `<div class="tiles">\n${tiles.join("\n")}\n</div>` : ""}
${warnings.map((words) => `<p class="fails">Warning: ${escapeHtml(words)}</p>`).join("\n")}
<ul>
${lead.map((line) => `<li>${escapeHtml(line)}</li>`).join("\n")}
</ul>`,
    main: `${main.filter(Boolean).join("\n")}
${foot.length > 0 ? `<h2>To do it again</h2>\n<p class="place quiet">${foot.map(escapeHtml).join("<br>")}</p>` : ""}`,
    script: "",
  });
}

function tableOf({ title, columns, rows, note }: Section): string {
  if (rows.length === 0) return "";
  return `<h2>${escapeHtml(title)}</h2>\n${htmlTable(columns, rows)}${note ? `<p class="quiet">${escapeHtml(note)}</p>` : ""}`;
}

function folded({ title, columns, rows }: Section): string {
  return `<details><summary>${escapeHtml(title)} (${formatCount(rows.length)})</summary>${htmlTable(columns, rows)}</details>`;
}

function settingsBlock(settings: object): string {
  return `<details><summary>Settings</summary><pre>${escapeHtml(JSON.stringify(settings, undefined, 2))}</pre></details>`;
}
