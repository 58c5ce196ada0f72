import type { Report } from "./compress-lead.js";
import { tile } from "./html-page.js";
import { formatBytes, formatCount, formatDecibels, formatDuration, formatPercent } from "./quantities.js";
import { foldedTable, reportPage, sectionTable, settingsBlock } from "./report-page.js";
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
  return reportPage(report, tiles, result.warnings, [
    sectionTable(scoreSection(result)),
    trainingCharts(training),
    sectionTable(lossSection(result)),
    ...layerSection(result).map(() => ("student" in result ? layerChart(result.student.layers) : "")),
    foldedTable(weightSection(result)),
    settingsBlock(result.settings),
  ]);
}

/** The page of a plan. */
export function trainingPlanPage(plan: DistillPlan | QatPlan, report: Report): string {
  return reportPage(report, [], plan.warnings, [
    sectionTable(lossSection(plan)),
    ...layerSection(plan).map(() => ("student" in plan ? layerChart(plan.student.layers) : "")),
    ...layerSection(plan).map(foldedTable),
    sectionTable(weightSection(plan)),
    settingsBlock(plan.settings),
  ]);
}
