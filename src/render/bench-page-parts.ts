import type { Decision } from "../bench/compare/result.js";
import { toneOfDecision } from "./bench-verdict.js";
import { chartStyle } from "./charts.js";
import { escapeHtml, htmlTable, page, style } from "./html-page.js";
import { plotStyle } from "./plots.js";
import type { Section } from "./sections.js";

const bannerStyle = `
.banner { border: 1px solid var(--line); border-left: 8px solid var(--quiet); border-radius: 6px; background: var(--panel); padding: .8rem 1.1rem; margin: 1rem 0; }
.banner b { font-size: 1.4rem; letter-spacing: .03em; display: block; } .banner ul { margin: .4rem 0 0; padding-left: 1.2rem; }
.banner.good { border-left-color: var(--tone-1); } .banner.good b { color: var(--tone-1); }
.banner.bad { border-left-color: var(--error); } .banner.bad b { color: var(--error); }
.banner.open { border-left-color: var(--warning); } .banner.open b { color: var(--warning); }
.warning { border-left: 4px solid var(--warning); padding: .1rem .8rem; margin: .4rem 0; }
td.good, td.bad, td.open { font-weight: 600; } td.good { color: var(--tone-1); } td.bad { color: var(--error); } td.open { color: var(--warning); }
details { margin: .6rem 0; } .wide { margin: .5rem 0 1rem; } summary { font-weight: 600; }
td:first-child, th:first-child { white-space: nowrap; }
@media (max-width: 40rem) { .wide table { font-size: 13px; } .wide th, .wide td { padding: .3rem .4rem; } }
`;

/** A page of a benchmark. `decision` null where there was nothing to decide. */
export function benchPage(parts: {
  readonly title: string;
  readonly decision: Decision | null;
  readonly sentence: string;
  readonly reasons: readonly string[];
  readonly lead: readonly string[];
  readonly warnings: readonly string[];
  /** HTML; empty parts are left out. */
  readonly main: readonly string[];
}): string {
  const { title, decision, sentence, reasons, lead, warnings, main } = parts;
  const points = (lines: readonly string[]) =>
    `<ul>\n${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join("\n")}\n</ul>`;
  const banner = `<div class="banner ${decision ? toneOfDecision[decision] : ""}" role="status">${decision ? `<b>${decision}</b>` : ""} ${escapeHtml(sentence)}${reasons.length > 0 ? points(reasons) : ""}</div>`;
  return page({
    title: decision ? `${title}: ${decision}` : title,
    style: style + chartStyle + plotStyle + bannerStyle,
    header: `<h1>${escapeHtml(title)}</h1>\n${banner}
${warnings.map((words) => `<p class="warning"><b>Warning:</b> ${escapeHtml(words)}</p>`).join("\n")}
${points(lead)}`,
    main: main.filter(Boolean).join("\n"),
    script: "",
  });
}

const decisions: Readonly<Record<string, string>> = {
  ...toneOfDecision,
  slower: "bad",
  worse: "bad",
  missing: "bad",
  faster: "good",
  better: "good",
  inconclusive: "open",
};

/** A section as HTML under a heading of its own; words of a decision in its colour. Empty without rows. */
export function sectionHtml({ title, columns, rows, note }: Section, level: 2 | 3 = 2): string {
  if (rows.length === 0) return "";
  const head = title === "" ? "" : level === 2 ? `<h2>${escapeHtml(title)}</h2>\n` : `<h3>${escapeHtml(title)}</h3>\n`;
  const table = htmlTable(columns, rows).replace(/<td>([A-Za-z]+)<\/td>/g, (cell, word: string) =>
    Object.hasOwn(decisions, word) ? `<td class="${decisions[word]}">${word}</td>` : cell,
  );
  const below = note ? `<p class="quiet">${note.split("\n").map(escapeHtml).join("<br>")}</p>` : "";
  return `${head}${table}${below}`;
}

/** Something under a heading; empty where it is. */
export function part(title: string, body: string, note = ""): string {
  return body === ""
    ? ""
    : `<h2>${escapeHtml(title)}</h2>\n${note ? `<p class="quiet">${escapeHtml(note)}</p>\n` : ""}${body}`;
}

/** Plots side by side where there is room; empty ones are left out. */
export function plots(figures: readonly string[]): string {
  const drawn = figures.filter(Boolean);
  return drawn.length === 0 ? "" : `<div class="plots">\n${drawn.join("\n")}\n</div>`;
}

/** Folded away under a line. */
export function folded(title: string, body: string, open = false): string {
  return body === ""
    ? ""
    : `<details${open ? " open" : ""}><summary>${escapeHtml(title)}</summary>\n${body}\n</details>`;
}

/** A list of texts. */
export function listHtml(lines: readonly string[]): string {
  return lines.length === 0
    ? ""
    : `<ul class="quiet">\n${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join("\n")}\n</ul>`;
}

/** Settings as they were. */
export function settingsBlock({ settings }: { readonly settings: object }): string {
  return `<pre>${escapeHtml(JSON.stringify(settings, undefined, 2))}</pre>`;
}
