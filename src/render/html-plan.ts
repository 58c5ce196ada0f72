import type { Plan, Stage } from "../compat/plan/plan.js";
import { type ApiVersion, apiVersions, schemaSource } from "../compat/proof/schemas.js";
import { escapeHtml } from "./html-page.js";
import { componentSections, figures, stageLines, stageSections } from "./plan.js";
import type { ScanReport } from "./scan-report.js";
import type { Section } from "./sections.js";

/** Rows after which a table of requests or of a stage stops, to keep the page a size browsers open. */
const mostRows = 500;

function table({ columns, rows, note }: Section): string {
  const heads = columns.map(({ header }) => `<th>${escapeHtml(header)}</th>`).join("");
  const body = rows
    .slice(0, mostRows)
    .map((row) => `<tr>${row.map((cell) => `<td>${escapeHtml(cell)}</td>`).join("")}</tr>`);
  const more = rows.length > mostRows ? `${rows.length - mostRows} more rows are not shown` : "";
  const below = [more, note].filter(Boolean).map((words) => `<p class="quiet">${escapeHtml(words!)}</p>`);
  return `<div class="wide"><table>\n<thead><tr>${heads}</tr></thead>\n<tbody>\n${body.join("\n")}\n</tbody>\n</table></div>${below.join("")}`;
}

const titles: Readonly<Record<ApiVersion, string>> = { "v3.0": "V3.0", "v3.1": "V3.1", current: "today" };

/** What each version of the API answers to each request, and what it costs. */
export function proofTable({ proofs }: ScanReport): string {
  if (proofs.length === 0) return "";
  const rows = proofs.map(({ file, line, verdicts, sentence, costs }) => [
    `${file}:${line}`,
    ...apiVersions.map((version) => {
      const cost = costs?.find(({ when }) => when === version);
      return [verdicts?.[version].answer ?? "not checked", ...(cost ? [figures(cost)] : [])].join("; ");
    }),
    sentence,
  ]);
  const columns = ["request", ...apiVersions.map((version) => titles[version]), "why"].map((header) => ({ header }));
  const days = proofs.find(({ costs }) => costs)?.costs?.map(({ when, day }) => `${titles[when]} ${day}`);
  const note = `checked offline by DeepSeek's documentation as read on ${schemaSource.date}${days ? `; costs in USD for 1M tokens: cached input / other input / output, and the most one answer costs, at the prices of ${days.join(", ")}` : ""}`;
  return `<h2>Requests</h2>\n<details${proofs.length <= 20 ? " open" : ""}><summary>${proofs.length} ${proofs.length === 1 ? "request" : "requests"} against each version of the API, and what they cost</summary>${table({ title: "", columns, rows, note })}</details>`;
}

/** The staged migration. */
export function planHtml(plan: Plan): string {
  const isCostShown = plan.stages.some(({ cost }) => cost.length > 0);
  return [
    "<h2>Plan</h2>",
    ...componentSections(plan).map((section) => folded(section, false)),
    ...plan.stages.map(stageHtml),
    ...(isCostShown
      ? [
          `<details><summary>Assumptions of the costs</summary><ul>${plan.assumptions.map((line) => `<li>${escapeHtml(line)}</li>`).join("")}</ul></details>`,
        ]
      : []),
  ].join("\n");
}

function stageHtml(stage: Stage): string {
  const { number, title, commands } = stage;
  const lines = stageLines(stage).map((line) => `<li>${escapeHtml(line)}</li>`);
  const sections = stageSections({ ...stage, commands: [] }).map((section) =>
    folded(section, section.title.startsWith("To be decided")),
  );
  const blocks = commands.map(
    ({ command, note, works }) =>
      `<p>${escapeHtml(works ? note : `Not yet: ${note}`)}</p><pre>${escapeHtml(command)}</pre>`,
  );
  return `<section class="stage"><h3>Stage ${number}: ${escapeHtml(title)}</h3>\n<ul>${lines.join("")}</ul>\n${[...sections, ...blocks].join("\n")}</section>`;
}

function folded(section: Section, isOpen: boolean): string {
  return `<details${isOpen ? " open" : ""}><summary>${escapeHtml(section.title)} (${section.rows.length})</summary>${table(section)}</details>`;
}
