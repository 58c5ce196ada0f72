import type { Rule, Severity } from "../compat/rule.js";
import { severities } from "../compat/rule.js";
import { targets } from "../compat/targets.js";
import { fixDiff } from "./fix-diff.js";
import { escapeHtml, filterScript, page, style } from "./html-page.js";
import { planHtml, proofTable } from "./html-plan.js";
import {
  byFile,
  freshOf,
  notesOf,
  plural,
  type ReportedFinding,
  type ScanReport,
  type Surroundings,
  scoreLine,
} from "./scan-report.js";

/** Findings after which no diff of a fix and no lines around are shown, to keep the page a size browsers open. */
const detailed = 2_000;

/** One page with everything, which loads nothing: findings by rule and file, diffs, requests, plan, filter box. */
export function html(report: ScanReport, surroundings: Surroundings): string {
  const fresh = freshOf(report.findings);
  const title = "DeepSeek compatibility";
  return page({
    title,
    style,
    header: `<h1>${title}</h1>
<p>Target <b>${escapeHtml(report.target)}</b>: ${escapeHtml(targets[report.target].title)}; code written for ${escapeHtml(report.from)}.</p>
${tiles(report, fresh)}
${report.failures.map((why) => `<p class="fails">Fails: ${escapeHtml(why)}</p>`).join("\n")}`,
    main: `${fresh.length > 0 ? ruleTable(fresh, surroundings.rules ?? []) : "<p>Nothing found.</p>"}
${fresh.length > 0 ? filters : ""}
${byFile(fresh)
  .map(([file, findings]) => fileSection(file, findings, fresh.length, surroundings))
  .join("\n")}
${proofTable(report)}
${surroundings.plan ? planHtml(surroundings.plan) : ""}
${report.diff ? `<h2>Diff of the fixes</h2>\n${diffBlock(report.diff)}` : ""}
${accepted(report)}
${blindness(report)}`,
    script: filterScript,
  });
}

function tiles(report: ScanReport, fresh: readonly ReportedFinding[]): string {
  const count = (severity: Severity) => fresh.filter((finding) => finding.severity === severity).length;
  const tile = (value: string | number, words: string, kind = "") =>
    `<div class="tile ${kind}"><b>${escapeHtml(value)}</b> ${escapeHtml(words)}</div>`;
  return `<div class="tiles">
${severities.map((severity) => tile(count(severity), count(severity) === 1 ? severity : `${severity}s`, severity)).join("\n")}
${tile(fresh.filter(({ fix }) => fix?.applicability === "safe").length, "safe fixes")}
${tile(report.score.score, "of 100 ready")}
${tile(report.files.scanned, "files scanned")}
</div>
<details class="quiet"><summary>${escapeHtml(scoreLine(report.score))}</summary><p>${escapeHtml(report.score.formula)}</p></details>`;
}

function ruleTable(fresh: readonly ReportedFinding[], rules: readonly Rule[]): string {
  const codes = [...new Set(fresh.map(({ code }) => code))].sort();
  const rows = codes.map((code) => {
    const own = fresh.filter((finding) => finding.code === code);
    const { rule: id } = own[0]!;
    const rule = rules.find((one) => one.id === id);
    const why = rule
      ? `<details><summary>${escapeHtml(rule.title)}</summary><p>${escapeHtml(rule.explanation)}</p><p>${rule.source.urls
          .map((url) => `<a href="${escapeHtml(url)}" rel="noreferrer">${escapeHtml(url)}</a>`)
          .join("<br>")}</p></details>`
      : "";
    const counts = severities.map(
      (severity) => `<td class="number">${own.filter((finding) => finding.severity === severity).length}</td>`,
    );
    return `<tr><td><button type="button" data-filter="${escapeHtml(id)}">${escapeHtml(`${code} ${id}`)}</button></td>${counts.join("")}<td>${why}</td></tr>`;
  });
  const heads = severities.map((severity) => `<th class="number">${severity}s</th>`).join("");
  return `<h2>By rule</h2>\n<div class="wide"><table>\n<thead><tr><th>rule</th>${heads}<th>what it finds</th></tr></thead>\n<tbody>\n${rows.join("\n")}\n</tbody>\n</table></div>`;
}

const filters = `<h2>By file</h2>
<form class="filters">
<input type="search" id="filter" placeholder="filter by file, rule or words" aria-label="filter">
${severities.map((severity) => `<label><input type="checkbox" name="severity" value="${severity}" checked> ${severity}</label>`).join("\n")}
<label><input type="checkbox" id="fixable"> only with a fix</label>
<output id="shown"></output>
</form>`;

function fileSection(
  file: string,
  findings: readonly ReportedFinding[],
  total: number,
  surroundings: Surroundings,
): string {
  const lines = surroundings.texts.get(file)?.split(/\r?\n/) ?? [];
  const items = findings.map((finding) => item(finding, lines, total <= detailed, surroundings));
  return `<section class="file">\n<h3>${escapeHtml(file)} <span class="quiet">${plural(findings.length, "finding")}</span></h3>\n${items.join("\n")}\n</section>`;
}

function item(finding: ReportedFinding, lines: readonly string[], full: boolean, surroundings: Surroundings): string {
  const { severity, code, rule, line, column, message, place, fix } = finding;
  const notes = notesOf(finding).map(([name, words]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(words)}</dd>`);
  const diff = full && fix ? fixDiff(fix, surroundings) : undefined;
  const search = `${place.file}:${line} ${code} ${rule} ${message}`.toLowerCase();
  return `<article data-severity="${severity}" data-fix="${fix ? fix.applicability : ""}" data-search="${escapeHtml(search)}">
<p><span class="badge ${severity}">${severity}</span> <span class="place">${line}:${column}</span> ${escapeHtml(message)} <span class="quiet">${escapeHtml(`${code} ${rule}`)}</span></p>
${full ? frame(finding, lines) : ""}<dl>${notes.join("")}</dl>
${diff ? `<details><summary>what the fix changes</summary>${diffBlock(diff)}</details>` : ""}
</article>`;
}

/** The line of a finding between its neighbours, the place marked. */
function frame({ line, column, endLine, endColumn }: ReportedFinding, lines: readonly string[]): string {
  if (lines.length === 0) return "";
  const rows = [line - 1, line, line + 1].flatMap((number) => {
    const text = lines[number - 1];
    if (text === undefined || (number !== line && text.trim() === "")) return [];
    const label = `<span class="gutter">${String(number).padStart(String(line + 1).length)}</span> `;
    if (number !== line) return [`${label}${escapeHtml(text.slice(0, 200))}`];
    const from = Math.max(0, column - 80);
    const end = endLine === line ? endColumn - 1 : text.length;
    const stop = Math.min(text.length, Math.max(end, from) + 80);
    return [
      `${label}${from > 0 ? "..." : ""}${escapeHtml(text.slice(from, column - 1))}<mark>${escapeHtml(text.slice(column - 1, Math.min(end, column + 300)))}</mark>${escapeHtml(text.slice(end, stop))}${stop < text.length ? "..." : ""}`,
    ];
  });
  return `<pre>${rows.join("\n")}</pre>\n`;
}

function diffBlock(diff: string): string {
  const lines = diff.split("\n").map((line) => {
    const kind = /^(---|\+\+\+) |^@@/.test(line) ? "head" : line[0] === "+" ? "add" : line[0] === "-" ? "del" : "";
    return kind ? `<span class="${kind}">${escapeHtml(line)}</span>` : escapeHtml(line);
  });
  return `<pre class="diff">${lines.join("\n")}</pre>`;
}

/** What is known and accepted: the baseline and suppressions. */
function accepted({ findings, suppressed, baseline }: ScanReport): string {
  const known = findings.filter((finding) => finding.baseline);
  const rows = [
    ...suppressed.map((one) => [one.place.file, one.line, one.code, one.rule, `suppressed: ${one.suppressed.reason}`]),
    ...known.map((one) => [one.place.file, one.line, one.code, one.rule, "in the baseline"]),
    ...(baseline?.gone ?? []).map((one) => [one.file, one.line, "", one.rule, "in the baseline, found no more"]),
  ];
  if (rows.length === 0) return "";
  const body = rows.map(
    ([file, line, code, rule, why]) =>
      `<tr><td>${escapeHtml(`${file}:${line}`)}</td><td>${escapeHtml(`${code} ${rule}`.trim())}</td><td>${escapeHtml(why!)}</td></tr>`,
  );
  return `<h2>Known and accepted</h2>\n<div class="wide"><table><thead><tr><th>place</th><th>rule</th><th>why</th></tr></thead><tbody>\n${body.join("\n")}\n</tbody></table></div>`;
}

/** What was not looked at. */
function blindness({ files, unresolved, withdrawn, hidden }: ScanReport): string {
  const points = [
    ...(hidden > 0 ? [`${plural(hidden, "finding")} below the asked severity`] : []),
    ...(files.excluded > 0 ? [`${plural(files.excluded, "file")} left out by the configuration`] : []),
    ...files.broken.map(({ file, line, message }) => `${file}:${line}: not a valid program: ${message}`),
    ...files.skipped.map(({ file, reason }) => `${file}: skipped: ${reason}`),
    ...unresolved.map(({ file, line, what }) => `${file}:${line}: ${what} is not known`),
    ...withdrawn.map(
      ({ file, rule, description, reason }) => `${file}: fix withdrawn: ${rule} (${description}) ${reason}`,
    ),
  ];
  if (points.length === 0) return "";
  return `<h2>Not seen</h2>\n<ul>\n${points.map((point) => `<li>${escapeHtml(point)}</li>`).join("\n")}\n</ul>`;
}
