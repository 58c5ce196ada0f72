import type { ChalkInstance } from "chalk";
import { createTwoFilesPatch } from "diff";
import type { Applied, Withdrawn } from "../compat/fix.js";
import type { LocatedProof } from "../compat/proof.js";
import { type Severity, severities } from "../compat/rule.js";
import type { BrokenFile, Finding, Unresolved } from "../compat/scan.js";
import { type Target, targets } from "../compat/targets.js";
import type { Forms } from "./forms.js";
import { type Column, markdownTable, textTable } from "./table.js";

/** A file's text before and after its fixes. */
export interface Change {
  readonly file: string;
  readonly before: string;
  readonly after: string;
}

/** A finding with the line it stands in. */
interface ReportedFinding extends Finding {
  /** The line at `line`, without its line break. */
  readonly source: string;
}

/** The result of `deepseek-compat scan`, schema deepseek-compat/scan@1. Offsets count UTF-16 code units. */
export interface ScanReport {
  readonly schema: "deepseek-compat/scan@1";
  readonly target: Target;
  /** By file, then by position; after fixing, those that remain. */
  readonly findings: readonly ReportedFinding[];
  /** Findings below --min-severity, which are not listed. */
  readonly hidden: number;
  readonly files: {
    /** TypeScript and JavaScript files looked at. */
    readonly scanned: number;
    /** Of these, the ones that mention DeepSeek or import one that does, and so were parsed. */
    readonly parsed: number;
    readonly skipped: readonly { readonly file: string; readonly reason: string }[];
    readonly broken: readonly BrokenFile[];
  };
  /** What was seen but could not be judged. */
  readonly unresolved: readonly Unresolved[];
  /** Fixes written to files by --fix; empty without. */
  readonly fixed: readonly Applied[];
  readonly withdrawn: readonly Withdrawn[];
  /** What each version of the API would answer to each request. */
  readonly proofs: readonly LocatedProof[];
  /** Unified diff of the fixes, for --diff; nothing was written then. */
  readonly diff?: string;
}

/** What the forms show beside the report. */
export interface Surroundings {
  /** Text of the files with findings, for the lines around them. */
  readonly texts: ReadonlyMap<string, string>;
}

/** All forms of a scan's result. */
export function scanForms(report: ScanReport, { texts }: Surroundings): Forms {
  return {
    json: report,
    text: (paint, columns) =>
      [
        ...byFile(report.findings).map(([file, findings]) => fileText(file, findings, texts.get(file), paint, columns)),
        summaryText(report, paint),
        ...(report.diff ? [`\n${paintDiff(report.diff, paint)}`] : []),
      ].join(""),
    markdown: () => markdown(report),
  };
}

/** A unified diff of all changes that `git apply` and `patch -p1` take. */
export function unifiedDiff(changes: readonly Change[]): string {
  return changes
    .map(({ file, before, after }) =>
      createTwoFilesPatch(`a/${file}`, `b/${file}`, before, after, undefined, undefined, { context: 3 }),
    )
    .map((patch) => patch.replace(/^=+\n/, ""))
    .join("");
}

function byFile(findings: readonly ReportedFinding[]): readonly (readonly [string, readonly ReportedFinding[]])[] {
  const groups = new Map<string, ReportedFinding[]>();
  for (const finding of findings) groups.set(finding.place.file, [...(groups.get(finding.place.file) ?? []), finding]);
  return [...groups];
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
  const blocks = findings.map((finding) => findingText(finding, text?.split(/\r?\n/) ?? [], paint, columns));
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

/** What is said below a finding: how its value and host were found, and what can be done. */
function notesOf({ host, path, fix, manual }: ReportedFinding): readonly (readonly [string, string])[] {
  const notes: (readonly [string, string])[] = [];
  if (path && path.length > 0) notes.push(["value", path.join(" -> ")]);
  if (host) {
    const sure = host.certainty === "certain" || host.host === "unknown" ? "" : "likely ";
    notes.push(["host", `${sure}${host.host}: ${host.evidence}`]);
  }
  if (fix) notes.push(["fix", `${fix.applicability}: ${fix.description}`]);
  if (manual) notes.push([fix ? "note" : "todo", manual]);
  return notes;
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

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;

/** The applied fixes, those of one kind in one file on one line: what was done and how it is known to be right. */
function verifiedLines(fixed: readonly Applied[]): readonly string[] {
  const groups = new Map<string, Applied[]>();
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
  const { files, findings, hidden, unresolved, fixed, withdrawn } = report;
  const rewritten = new Set(fixed.map(({ file }) => file)).size;
  return [
    ...(fixed.length > 0
      ? [`${plural(fixed.length, "fix").replace("fixs", "fixes")} applied in ${plural(rewritten, "file")}`]
      : []),
    ...verifiedLines(fixed).map((line) => `  ${line}`),
    findings.length > 0
      ? `${plural(findings.length, "finding")}${fixed.length > 0 ? " left" : ""} in ${plural(new Set(findings.map(({ place }) => place.file)).size, "file")}, target ${report.target} (${targets[report.target].title})`
      : `nothing ${fixed.length > 0 ? "left" : "found"}, target ${report.target} (${targets[report.target].title})`,
    ...(hidden > 0 ? [`${plural(hidden, "finding")} below the asked severity not listed`] : []),
    files.scanned === 0
      ? "no TypeScript or JavaScript file was found, so nothing was scanned"
      : `${plural(files.scanned, "file")} scanned, ${files.parsed} of them mention DeepSeek or import one that does`,
    ...files.skipped.map(({ file, reason }) => `skipped ${file}: ${reason}`),
    ...files.broken.map(({ file, line, message }) => `not a valid program: ${file}:${line}: ${message}`),
    ...withdrawn.map(
      ({ file, rule, description, reason }) => `fix withdrawn in ${file}: ${rule} (${description}) ${reason}`,
    ),
    ...(unresolved.length > 0 ? [`${plural(unresolved.length, "request")} could not be judged in full:`] : []),
    ...unresolved.map(({ file, line, what }) => `  ${file}:${line}: ${what} is not known`),
  ];
}

function summaryText(report: ScanReport, paint: ChalkInstance): string {
  const rows = summaryRows(report.findings);
  const table = rows.length > 0 ? `${textTable(summaryColumns, rows, paint.dim)}\n` : "";
  return `${table}${closing(report).join("\n")}\n`;
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

function markdown(report: ScanReport): string {
  const findings = report.findings.map((finding) => [
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
    ...(findings.length > 0
      ? [`\n${markdownTable(summaryColumns, summaryRows(report.findings))}\n${markdownTable(columns, findings)}`]
      : []),
    ...(report.diff ? [`\n${fence}diff\n${report.diff}${fence}\n`] : []),
  ].join("");
}
