import { chartStyle } from "./charts.js";
import type { Report } from "./compress-lead.js";
import { escapeHtml, htmlTable, page, style } from "./html-page.js";
import { plotStyle } from "./plots.js";
import { formatCount } from "./quantities.js";
import type { Section } from "./sections.js";

/** The page of a report: title, tiles, warnings, the lead as points, then `main`, which is HTML, and the foot. */
export function reportPage(
  { title, lead, foot }: Report,
  tiles: readonly string[],
  warnings: readonly string[],
  main: readonly string[],
  extra: { readonly style?: string; readonly script?: string } = {},
): string {
  return page({
    title,
    style: style + chartStyle + plotStyle + (extra.style ?? ""),
    header: `<h1>${escapeHtml(title)}</h1>
${tiles.length > 0 ? `<div class="tiles">\n${tiles.join("\n")}\n</div>` : ""}
${warnings.map((words) => `<p class="fails">Warning: ${escapeHtml(words)}</p>`).join("\n")}
<ul>
${lead.map((line) => `<li>${escapeHtml(line)}</li>`).join("\n")}
</ul>`,
    main: `${main.filter(Boolean).join("\n")}
${foot.length > 0 ? `<h2>To do it again</h2>\n<p class="place quiet">${foot.map(escapeHtml).join("<br>")}</p>` : ""}`,
    script: extra.script ?? "",
  });
}

/** A section under a heading; empty where it has no rows. */
export function sectionTable({ title, columns, rows, note }: Section): string {
  if (rows.length === 0) return "";
  return `<h2>${escapeHtml(title)}</h2>\n${htmlTable(columns, rows)}${note ? `<p class="quiet">${escapeHtml(note)}</p>` : ""}`;
}

/** A section that opens when it is asked for. */
export function foldedTable({ title, columns, rows }: Section): string {
  return `<details><summary>${escapeHtml(title)} (${formatCount(rows.length)})</summary>${htmlTable(columns, rows)}</details>`;
}

/** Settings as they are in JSON. */
export function settingsBlock(settings: object): string {
  return `<details><summary>Settings</summary><pre>${escapeHtml(JSON.stringify(settings, undefined, 2))}</pre></details>`;
}
