import type { ChalkInstance } from "chalk";
import { type Severity, severities } from "../compat/rule.js";
import { targets } from "../compat/targets.js";
import type { Forms } from "./forms.js";
import { fileDiff } from "./line-diff.js";
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
import { type Column, markdownTable, textTable } from "./table.js";

/** A file's text before and after its fixes. */
export interface Change {
  readonly file: string;
  readonly before: string;
  readonly after: string;
}

/** All forms of a scan's result. */
export function scanForms(report: ScanReport, { texts }: Surroundings): Forms {
  return {
    json: report,
    text: (paint, columns) =>
      [
        ...byFile(freshOf(report.findings)).map(([file, findings]) =>
          fileText(file, findings, texts.get(file), paint, columns),
        ),
        summaryText(report, paint),
        ...(report.diff ? [`\n${paintDiff(report.diff, paint)}`] : []),
      ].join(""),
    markdown: () => markdown(report),
  };
}

/** A unified diff of all changes that `git apply` and `patch -p1` take. */
export function unifiedDiff(changes: readonly Change[]): string {
  return changes.map(({ file, before, after }) => fileDiff(file, before, after)).join("");
}

function painter(severity: Severity, paint: ChalkInstance): ChalkInstance {
  return severity === "error" ? paint.red : severity === "warning" ? paint.yellow : paint.blue;
}

function fileText(
  file: string,
  findings: readonly ReportedFinding[],
  text: string | undefined,
  paint: ChalkInstance,
  columns: number,
): string {
  const lines = text?.split(/\r?\n/) ?? [];
  const blocks = findings.map((finding) => findingText(finding, lines, paint, columns));
  return `${paint.bold.underline(file)}\n\n${blocks.join("\n")}\n`;
}

function findingText(
  finding: ReportedFinding,
  lines: readonly string[],
  paint: ChalkInstance,
  columns: number,
): string {
  const { severity, code, rule, line, column, message } = finding;
  const colour = painter(severity, paint);
  const head = `  ${paint.bold(`${line}:${column}`)}  ${colour(severity)}  ${message}  ${paint.dim(`${code} ${rule}`)}\n`;
  const notes = notesOf(finding).map(([name, words]) => `      ${paint.dim(name.padEnd(5))} ${words}\n`);
  return head + frame(finding, lines, paint, columns) + notes.join("");
}

/** Longest run of columns a line of code may take beside its number. */
const gutter = 12;

/** The line of a finding between its neighbours, the place underlined. */
function frame(
  { line, column, place }: ReportedFinding,
  lines: readonly string[],
  paint: ChalkInstance,
  columns: number,
): string {
  if (lines.length === 0) return "";
  const room = Math.max(40, Math.min(columns, 140) - gutter);
  const source = (lines[line - 1] ?? "").replaceAll("\t", " ");
  // a long line is shown around the place
  const cut = column + Math.min(place.end - place.start, room / 2) > room ? column - Math.floor(room / 3) : 0;
  const show = (text: string) => {
    const part = (cut > 0 ? "..." : "") + text.replaceAll("\t", " ").slice(cut > 0 ? cut + 3 : 0, cut + room);
    return text.length > cut + room ? `${part.slice(0, -3)}...` : part;
  };
  const width = String(line + 1).length;
  const row = (number: number) => {
    const text = lines[number - 1];
    if (text === undefined || (number !== line && (cut > 0 || text.trim() === ""))) return "";
    const mark = number === line ? ">" : " ";
    return `    ${paint.dim(`${mark} ${String(number).padStart(width)} |`)} ${show(text)}\n`;
  };
  const length = Math.max(1, Math.min(place.end - place.start, source.length - column + 1, room - (column - 1 - cut)));
  const underline = `    ${" ".repeat(width + 2)} ${paint.dim("|")} ${" ".repeat(Math.max(0, column - 1 - cut))}${paint.red("^".repeat(length))}\n`;
  return row(line - 1) + row(line) + underline + row(line + 1);
}

const summaryColumns: readonly Column[] = [
  { header: "rule" },
  { header: "" },
  { header: "errors", align: "right" },
  { header: "warnings", align: "right" },
  { header: "infos", align: "right" },
  { header: "safe fixes", align: "right" },
  { header: "suggested", align: "right" },
];

function summaryRows(findings: readonly ReportedFinding[]): readonly (readonly string[])[] {
  const codes = [...new Set(findings.map(({ code }) => code))].sort();
  return codes.map((code) => {
    const own = findings.filter((finding) => finding.code === code);
    const count = (test: (finding: ReportedFinding) => boolean) => String(own.filter(test).length);
    return [
      code,
      own[0]!.rule,
      ...severities.map((severity) => count((finding) => finding.severity === severity)),
      count(({ fix }) => fix?.applicability === "safe"),
      count(({ fix }) => fix?.applicability === "suggested"),
    ];
  });
}

/** The applied fixes, those of one kind in one file on one line: what was done and how it is known to be right. */
function verifiedLines(fixed: ScanReport["fixed"]): readonly string[] {
  const groups = new Map<string, ScanReport["fixed"][number][]>();
  for (const one of fixed) {
    const { file, code, description, verification } = one;
    const key = [file, code, description, verification.state, verification.doubt, ...verification.checks].join("\n");
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map((group) => {
    const { file, code, description, verification } = group[0]!;
    const lines = [...new Set(group.map(({ line }) => line))].join(", ");
    const doubt = verification.doubt ? `; ${verification.doubt}` : "";
    return `${file}:${lines} ${code} ${description}: ${verification.state} (${verification.checks.join(", ")}${doubt})`;
  });
}

/** The lines below the findings: what was looked at, what was not, what was fixed. */
function closing(report: ScanReport): readonly string[] {
  const { files, hidden, unresolved, fixed, withdrawn, suppressed, baseline, changed, score } = report;
  const findings = freshOf(report.findings);
  const rewritten = new Set(fixed.map(({ file }) => file)).size;
  return [
    ...(fixed.length > 0
      ? [`${plural(fixed.length, "fix").replace("fixs", "fixes")} applied in ${plural(rewritten, "file")}`]
      : []),
    ...verifiedLines(fixed).map((line) => `  ${line}`),
    findings.length > 0
      ? `${plural(findings.length, "finding")}${fixed.length > 0 ? " left" : ""} in ${plural(new Set(findings.map(({ place }) => place.file)).size, "file")}, target ${report.target} (${targets[report.target].title})`
      : `nothing ${fixed.length > 0 ? "left" : "found"}, target ${report.target} (${targets[report.target].title})`,
    ...(changed
      ? [`only findings in the ${plural(changed.files, "file")} that changed since ${changed.since} are counted`]
      : []),
    ...(suppressed.length > 0 ? [`${plural(suppressed.length, "finding")} suppressed by comments in the code`] : []),
    ...baselineLines(baseline),
    ...(hidden > 0 ? [`${plural(hidden, "finding")} below the asked severity not listed`] : []),
    files.scanned === 0
      ? "no file of a kind this program reads was found, so nothing was scanned"
      : `${plural(files.scanned, "file")} scanned, ${files.parsed} of them mention DeepSeek or import one that does`,
    ...(files.excluded > 0 ? [`${plural(files.excluded, "file")} left out by the configuration`] : []),
    ...files.skipped.map(({ file, reason }) => `skipped ${file}: ${reason}`),
    ...files.broken.map(({ file, line, message }) => `not a valid program: ${file}:${line}: ${message}`),
    ...withdrawn.map(
      ({ file, rule, description, reason }) => `fix withdrawn in ${file}: ${rule} (${description}) ${reason}`,
    ),
    ...(unresolved.length > 0 ? [`${plural(unresolved.length, "request")} could not be judged in full:`] : []),
    ...unresolved.map(({ file, line, what }) => `  ${file}:${line}: ${what} is not known`),
    ...(findings.length > 0 ? costLines(report) : []),
    scoreLine(score),
    ...report.failures.map((why) => `fails: ${why}`),
  ];
}

/** What call sites cost before, at V3.1 and today; those of one model together. */
function costLines({ proofs }: ScanReport): readonly string[] {
  const between = (low: number, high: number) => (low === high ? `${low}` : `${low}-${high}`);
  const places = new Map<string, string[]>();
  let days = "";
  for (const { file, line, costs } of proofs) {
    if (!costs) continue;
    days = costs.map(({ day }) => day).join(" -> ");
    const steps = costs.map(({ model, price }) => {
      if (!price) return `${model} not known`;
      const { low, high } = price;
      return `${model} ${between(low.miss, high.miss)}/${between(low.output, high.output)}`;
    });
    const key = steps.join(" -> ");
    places.set(key, [...(places.get(key) ?? []), `${file}:${line}`].slice(0, 4));
  }
  if (places.size === 0) return [];
  const lines = [...places].map(
    ([steps, at]) => `  ${steps} (${at.slice(0, 3).join(", ")}${at.length > 3 ? " and more" : ""})`,
  );
  return [`costs of requests in USD for 1M tokens of input/output, ${days}; --proof shows each:`, ...lines];
}

function baselineLines(baseline: ScanReport["baseline"]): readonly string[] {
  if (!baseline) return [];
  const { file, known, gone, updated } = baseline;
  const rest = updated ? "taken out of it" : "found no more; --update-baseline takes them out";
  return [
    `${plural(known, "finding")} in the baseline ${file}${updated ? ", which was written anew" : ""}`,
    ...(gone.length > 0 ? [`${gone.length === 1 ? "1 entry" : `${gone.length} entries`} of the baseline ${rest}`] : []),
    ...gone.slice(0, 20).map(({ file: path, line, rule }) => `  ${path}:${line}: ${rule}`),
  ];
}

/** Times and counts for --stats. */
function statsText({ stats }: ScanReport, paint: ChalkInstance): string {
  if (!stats) return "";
  const right = (header: string): Column => ({ header, align: "right" });
  const table = (head: readonly Column[], rows: readonly (readonly string[])[]) =>
    rows.length === 0 ? "" : `\n${textTable(head, rows, paint.dim)}`;
  const rules = [...stats.rules]
    .sort((a, b) => b.timeMs - a.timeMs)
    .map(({ rule, timeMs, findings }) => [rule, timeMs.toFixed(1), String(findings)]);
  const languages = Object.entries(stats.languages).map(([name, count]) => [name, String(count)]);
  const skipped = Object.entries(stats.skipped).map(([why, { files, folders }]) => [
    why,
    String(files),
    String(folders),
  ]);
  return [
    table([{ header: "rule" }, right("time (ms)"), right("findings")], rules),
    table([{ header: "read in full" }, right("files")], languages),
    table([{ header: "passed over" }, right("files"), right("folders")], skipped),
  ].join("");
}

function summaryText(report: ScanReport, paint: ChalkInstance): string {
  const rows = summaryRows(freshOf(report.findings));
  const table = rows.length > 0 ? `${textTable(summaryColumns, rows, paint.dim)}\n` : "";
  return `${table}${closing(report).join("\n")}\n${statsText(report, paint)}`;
}

function paintDiff(diff: string, paint: ChalkInstance): string {
  return diff
    .split("\n")
    .map((line) => {
      if (/^(---|\+\+\+) /.test(line)) return paint.bold(line);
      if (line.startsWith("@@")) return paint.cyan(line);
      return line.startsWith("+") ? paint.green(line) : line.startsWith("-") ? paint.red(line) : line;
    })
    .join("\n");
}

/** Rows after which the Markdown form stops: the summary page of a job takes 1 MiB. */
const markdownRows = 500;

function markdown(report: ScanReport): string {
  const fresh = freshOf(report.findings);
  const findings = fresh.slice(0, markdownRows).map((finding) => [
    finding.severity,
    `\`${finding.place.file}:${finding.line}\``,
    `${finding.code} ${finding.rule}`,
    finding.message,
    notesOf(finding)
      .filter(([name]) => name !== "host")
      .map(([name, words]) => `${name}: ${words}`)
      .join("\n"),
  ]);
  const columns = ["severity", "place", "rule", "what", "notes"].map((header) => ({ header }));
  const fence = report.diff?.includes("```") ? "````" : "```";
  return [
    "## DeepSeek compatibility\n\n",
    `${closing(report)
      .map((line) => `- ${line.trim()}`)
      .join("\n")}\n`,
    `\nReadiness is ${report.score.formula}.\n`,
    ...(findings.length > 0
      ? [`\n${markdownTable(summaryColumns, summaryRows(fresh))}\n${markdownTable(columns, findings)}`]
      : []),
    ...(fresh.length > markdownRows ? [`\n${fresh.length - markdownRows} more findings are not listed here.\n`] : []),
    ...(report.diff ? [`\n${fence}diff\n${report.diff}${fence}\n`] : []),
  ].join("");
}
