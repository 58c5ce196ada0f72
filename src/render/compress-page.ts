import type { AppliedTensor } from "../quantize/apply.js";
import type { PlannedTensor } from "../quantize/plan.js";
import { formatShape } from "../tensor/tensor.js";
import { gateChart, rangeCharts, sizeChart, sqnrChart, toneOf } from "./compress-charts.js";
import { decisionsOf, formWords, placeOf, shortList, wayWords, worstFirst } from "./compress-decisions.js";
import type { Report } from "./compress-lead.js";
import { lossText, warningsOf } from "./compress-loss.js";
import type { CompressResult, PlanResult } from "./compress-result.js";
import { cells, escapeHtml, headCells, rowFilterScript, tile } from "./html-page.js";
import { formatBytes, formatCount, formatDecibels, formatNumberOf } from "./quantities.js";
import { foldedTable, reportPage, sectionTable, settingsBlock } from "./report-page.js";
import type { Section } from "./sections.js";
import type { Column } from "./table.js";

const right = "right" as const;

/** The page of a finished run. */
export function compressPage(result: CompressResult, report: Report): string {
  const { tensors, verification, gate, calibration, output, nodes } = result;
  const [worst] = worstFirst(tensors);
  const speed = verification.checked ? verification.speed?.ratio : undefined;
  const missed = gate !== null && !gate.reached;
  const tiles = [
    tile(formatBytes(output.bytes), missed ? "not written" : "written"),
    tile(output.ratio.toFixed(3), "of the source's size"),
    ...(output.ratio === output.float32Ratio ? [] : [tile(output.float32Ratio.toFixed(3), "of its size in float32")]),
    ...(verification.checked
      ? [
          tile(
            lossText(verification.drop.value),
            `loss: ${verification.drop.name}${verification.synthetic ? ", on random numbers" : ""}`,
            missed ? "error" : "",
          ),
        ]
      : [tile("?", "not checked against the original", "warning")]),
    ...(speed ? [tile(speed.toFixed(2), "of the original's CPU time", speed > 1.05 ? "warning" : "")] : []),
    ...(worst ? [tile(formatDecibels(worst.sqnrDb), "SQNR of the worst weight")] : []),
  ];
  return reportPage(
    report,
    tiles,
    warningsOf(result),
    [
      decisionTable(tensors),
      sizeChart(tensors),
      ...report.sections.map(sectionTable),
      gate ? gateChart(gate) : "",
      sqnrChart(tensors),
      calibration ? rangeCharts(calibration.widest) : "",
      tensorTable(tensors),
      gate ? foldedTable(rankingSection(gate)) : "",
      nodes.length > 0 ? foldedTable(nodeSection(nodes)) : "",
      settingsBlock(result.settings),
    ],
    { script: rowFilterScript },
  );
}

/** The page of a plan. */
export function planPage({ plan }: PlanResult, report: Report): string {
  const { tensors } = plan;
  return reportPage(
    report,
    [],
    [],
    [decisionTable(tensors), sizeChart(tensors), tensorTable(tensors), settingsBlock(plan.settings)],
    { script: rowFilterScript },
  );
}

function decisionTable(tensors: readonly PlannedTensor[]): string {
  const columns: Column[] = [
    { header: "tensors", align: right },
    { header: "before", align: right },
    { header: "after", align: right },
    { header: "form" },
    { header: "read by" },
    { header: "why" },
  ];
  const rows = decisionsOf(tensors).map(({ way, tensors: own, before, after, form, operators, reason }) => {
    const name = `<td class="scheme"><button type="button" data-filter="${way}"><b class="tone-${toneOf(way)}">${way}</b></button><br><span class="quiet">${escapeHtml(wayWords[way])}</span></td>`;
    const rest = [
      formatCount(own.length),
      formatBytes(before),
      formatBytes(after),
      form,
      shortList(operators, 5),
      reason,
    ];
    return `<tr>${name}${cells(rest, columns)}</tr>`;
  });
  return `<h2>What was decided</h2>\n<div class="wide"><table>\n<thead><tr><th>scheme</th>${headCells(columns)}</tr></thead>\n<tbody>\n${rows.join("\n")}\n</tbody>\n</table></div>`;
}

/** Rows after which the table stops, to keep the page a size browsers open. */
const mostRows = 5000;

function tensorTable(tensors: readonly (PlannedTensor | AppliedTensor)[]): string {
  const columns: Column[] = [
    { header: "tensor" },
    { header: "scheme" },
    { header: "form" },
    { header: "type and shape" },
    { header: "read by" },
    { header: "before", align: right },
    { header: "after", align: right },
    { header: "SQNR", align: right },
    { header: "why" },
  ];
  const rows = [...tensors]
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, mostRows)
    .map((tensor) => {
      const row = [
        placeOf(tensor),
        tensor.scheme ?? "left",
        formWords(tensor.form),
        `${tensor.type} ${formatShape(tensor.shape)}`,
        tensor.usedBy.join(", "),
        formatBytes(tensor.bytes),
        formatBytes(tensor.bytesAfter),
        "sqnrDb" in tensor && tensor.sqnrDb !== null ? formatDecibels(tensor.sqnrDb) : "",
        tensor.reason,
      ];
      return `<tr data-search="${escapeHtml(row.join(" ").toLowerCase())}">${cells(row, columns)}</tr>`;
    });
  const more = tensors.length > mostRows ? `<p class="quiet">The ${mostRows} largest; JSON has them all.</p>` : "";
  return `<h2>All ${formatNumberOf(tensors.length, "tensor")}</h2>
<form class="filters"><input type="search" id="filter" placeholder="filter by name, scheme, operator or reason" aria-label="filter"> <output id="shown"></output></form>
<div class="wide"><table>
<thead><tr>${headCells(columns)}</tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table></div>${more}`;
}

function rankingSection({ ranking, rankedWhole, floats }: NonNullable<CompressResult["gate"]>): Section {
  const taken = new Set(floats);
  return {
    title: `What costs the most, worst first${rankedWhole ? "" : " (there was no time to measure all)"}`,
    columns: [{ header: "what" }, { header: "noise", align: right }, { header: "how it is known" }, { header: "" }],
    rows: ranking.map(({ key, noise, how }) => [
      key,
      noise > 0 ? formatDecibels(10 * Math.log10(noise)) : "none",
      how,
      taken.has(key) ? "taken back" : "",
    ]),
  };
}

function nodeSection(nodes: CompressResult["nodes"]): Section {
  return {
    title: "Nodes under static quantization",
    columns: [{ header: "node" }, { header: "operator" }, { header: "runs as" }, { header: "why" }],
    rows: nodes.map(({ name, output, opType, runs, reason }) => [name || output, opType, runs, reason]),
  };
}
