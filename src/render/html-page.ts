import type { Column } from "./table.js";

/** A text as HTML shows it, also in an attribute. */
export const escapeHtml = (text: string | number): string =>
  String(text).replace(/[&<>"'`]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** Style of the HTML report: system fonts, light or dark as the reader's system is. */
export const style = `
:root { color-scheme: light dark; --back: #fff; --front: #1c2128; --quiet: #5b6470; --line: #d5dae1; --panel: #f5f7f9;
  --error: #b3261e; --warning: #8a5a00; --info: #1f5fb0; --add: #d9f2e1; --del: #fbdcda; --mark: #ffe08a; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14181d; --front: #e4e8ed; --quiet: #98a2ae; --line: #343b44; --panel: #1d2228;
    --error: #ff8a80; --warning: #f2c14e; --info: #8ab8ff; --add: #17402a; --del: #542320; --mark: #6b5200; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem 1.25rem 4rem; background: var(--back); color: var(--front);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font: 600 1rem ui-monospace, monospace; margin: 1.5rem 0 .5rem; }
.quiet, dt, .gutter { color: var(--quiet); font-weight: normal; }
.tiles { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; }
.tile { padding: .5rem .9rem; border: 1px solid var(--line); border-radius: 6px; background: var(--panel); }
.tile b { font-size: 1.3rem; }
.tile.error b, .badge.error, .fails { color: var(--error); }
.tile.warning b, .badge.warning { color: var(--warning); }
.tile.info b, .badge.info { color: var(--info); }
.badge { font-weight: 600; }
.fails { font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { overflow-wrap: break-word; text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td button { all: unset; cursor: pointer; color: var(--info); overflow-wrap: normal; white-space: nowrap; }
td button:focus-visible { outline: 2px solid var(--info); }
.filters { position: sticky; top: 0; display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; padding: .6rem 0;
  background: var(--back); border-bottom: 1px solid var(--line); }
input[type=search] { flex: 1 1 16rem; padding: .4rem .6rem; font: inherit; color: inherit; background: var(--panel);
  border: 1px solid var(--line); border-radius: 6px; }
article { border: 1px solid var(--line); border-radius: 6px; padding: .4rem .9rem .6rem; margin: .5rem 0; }
article p { margin: .2rem 0 .4rem; }
.place, pre { font-family: ui-monospace, monospace; font-size: 13px; }
pre { margin: .4rem 0; padding: .5rem .7rem; background: var(--panel); border-radius: 6px; overflow-x: auto; overflow-wrap: normal; }
mark { background: var(--mark); color: inherit; }
.diff span { display: inline-block; min-width: 100%; }
.diff .add { background: var(--add); } .diff .del { background: var(--del); } .diff .head { color: var(--quiet); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .8rem; margin: .3rem 0; }
dd { margin: 0; }
summary { cursor: pointer; }
[hidden] { display: none !important; }
@media (max-width: 40rem) { body { padding: .5rem .7rem 3rem; } .filters { position: static; } .wide table { min-width: 38rem; } }
@media print { .filters { display: none; } }
`;

/** A whole page of its parts, which are HTML; it loads nothing from anywhere. */
export function page(parts: {
  /** Plain text. */
  readonly title: string;
  readonly style: string;
  readonly header: string;
  readonly main: string;
  readonly script: string;
}): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escapeHtml(parts.title)}</title>
<style>${parts.style}</style>
</head>
<body>
<header>
${parts.header}
</header>
<main>
${parts.main}
</main>
<script>${parts.script}</script>
</body>
</html>
`;
}

/** Cells of a table row. */
export const cells = (row: readonly string[], columns: readonly Column[]): string =>
  row
    .map((cell, at) => `<td${columns[at]?.align === "right" ? ' class="number"' : ""}>${escapeHtml(cell)}</td>`)
    .join("");

/** The header cells of a table. */
export const headCells = (columns: readonly Column[]): string =>
  columns
    .map(({ header, align }) => `<th${align === "right" ? ' class="number"' : ""}>${escapeHtml(header)}</th>`)
    .join("");

/** A table that scrolls sideways where it is too wide. */
export function htmlTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const body = rows.map((row) => `<tr>${cells(row, columns)}</tr>`);
  return `<div class="wide"><table>\n<thead><tr>${headCells(columns)}</tr></thead>\n<tbody>\n${body.join("\n")}\n</tbody>\n</table></div>`;
}

/** A number that stands out, with the words for it; `kind` colours it. */
export function tile(value: string, words: string, kind = ""): string {
  return `<div class="tile ${kind}"><b>${escapeHtml(value)}</b> ${escapeHtml(words)}</div>`;
}

/** The end of both scripts: buttons that fill the box in or empty it, and the first `apply`. */
const filterButtons = `  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("[data-filter]")) {
    button.addEventListener("click", () => {
      box.value = box.value === button.dataset.filter ? "" : button.dataset.filter;
      apply();
      box.scrollIntoView();
    });
  }
  apply();
})();
`;

/** The filter box of a table: hides rows that do not hold all words. */
export const rowFilterScript = `
(() => {
  const box = document.getElementById("filter");
  if (!box) return;
  const rows = [...document.querySelectorAll("tr[data-search]")];
  const apply = () => {
    const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => row.dataset.search.includes(word));
      if (!row.hidden) count += 1;
    }
    document.getElementById("shown").textContent = count + " of " + rows.length + " shown";
  };
  box.addEventListener("input", apply);
${filterButtons}`;

/** The filter box of the scanner's page: hides findings that do not match, and files without any left. */
export const filterScript = `
(() => {
  const box = document.getElementById("filter");
  if (!box) return;
  const items = [...document.querySelectorAll("article")];
  const files = [...document.querySelectorAll("section.file")];
  const fixable = document.getElementById("fixable");
  const apply = () => {
    const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
    const kinds = new Set([...document.querySelectorAll("[name=severity]:checked")].map((one) => one.value));
    let count = 0;
    for (const item of items) {
      const { severity, fix, search } = item.dataset;
      const fits = kinds.has(severity) && (!fixable.checked || fix) && words.every((word) => search.includes(word));
      item.hidden = !fits;
      if (fits) count += 1;
    }
    for (const file of files) file.hidden = !file.querySelector("article:not([hidden])");
    document.getElementById("shown").textContent = count + " of " + items.length + " shown";
  };
  document.querySelector(".filters").addEventListener("input", apply);
${filterButtons}`;
