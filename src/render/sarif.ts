import { positionAt } from "../compat/lines.js";
import type { Edit, Rule, Severity } from "../compat/rule.js";
import { severities } from "../compat/rule.js";
import { ruleHelp } from "./rules.js";
import { notesOf, plural, type ReportedFinding, type ScanReport, type Surroundings } from "./scan-report.js";

/** Most results that GitHub takes of a file, and those of them that it shows. */
const limits = { taken: 25_000, shown: 5_000 };

const levels: Readonly<Record<Severity, string>> = { error: "error", warning: "warning", info: "note" };

/**
 * The report as SARIF 2.1.0. Suppressed findings and those of the baseline are in it, marked, so that alerts of them
 * stay closed; fixes come with the regions they replace.
 */
export function sarif(report: ScanReport, surroundings: Surroundings): string {
  const { rules = [], version } = surroundings;
  const index = new Map(rules.map((rule, at) => [rule.id, at]));
  const found = [...report.findings, ...report.suppressed];
  const ranked = severities.flatMap((severity) => found.filter((finding) => finding.severity === severity));
  const results = ranked.slice(0, limits.taken).map((finding) => result(finding, report, surroundings, index));
  const run = {
    tool: {
      driver: {
        name: "deepseek-compat",
        ...(version ? { semanticVersion: version, version } : {}),
        rules: rules.map((rule) => descriptor(rule, report)),
      },
    },
    columnKind: "utf16CodeUnits",
    originalUriBaseIds: { "%SRCROOT%": { description: { text: "The folder that was scanned from." } } },
    automationDetails: { id: `deepseek-compat/${report.target}/` },
    invocations: [
      {
        executionSuccessful: true,
        exitCode: report.failures.length > 0 ? 1 : 0,
        toolExecutionNotifications: notifications(report, found.length),
      },
    ],
    results,
    properties: { target: report.target, from: report.from, readiness: report.score.score },
  };
  const log = { $schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function descriptor(rule: Rule, { target }: ScanReport) {
  const { id, code, title, explanation, source, effect, severity } = rule;
  return {
    id,
    name: id.replace(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
    shortDescription: { text: `${title}.` },
    fullDescription: { text: explanation },
    help: ruleHelp(rule),
    ...(source.urls[0] ? { helpUri: source.urls[0] } : {}),
    defaultConfiguration: { level: levels[severity[target] ?? "info"], enabled: severity[target] !== null },
    properties: { code, tags: ["deepseek", code, effect.replaceAll(" ", "-")], precision: "high" },
  };
}

/** A path as a URI: relative to the folder that was scanned from, unless it is absolute. */
function location(file: string) {
  const uri = file.split("/").map(encodeURIComponent).join("/");
  return file.startsWith("/") ? { uri: `file://${uri}` } : { uri, uriBaseId: "%SRCROOT%" };
}

function result(
  finding: ReportedFinding & { readonly suppressed?: ScanReport["suppressed"][number]["suppressed"] },
  report: ScanReport,
  surroundings: Surroundings,
  index: ReadonlyMap<string, number>,
) {
  const { rule, severity, message, place, line, column, endLine, endColumn, source, fingerprint } = finding;
  const { baseline, suppressed, effect, host, path, manual, cell, cellLine } = finding;
  const ruleIndex = index.get(rule);
  const fix = sarifFix(finding, surroundings);
  const suppressions = [
    ...(suppressed ? [{ kind: "inSource", justification: suppressed.reason }] : []),
    ...(baseline ? [{ kind: "external", justification: `in the baseline ${report.baseline?.file ?? ""}`.trim() }] : []),
  ];
  const notes = notesOf(finding).map(([name, words]) => `${name}: ${words}`);
  return {
    ruleId: rule,
    ...(ruleIndex === undefined ? {} : { ruleIndex }),
    level: levels[severity],
    message: { text: [message, ...notes].join("\n") },
    locations: [
      {
        physicalLocation: {
          artifactLocation: location(place.file),
          region: {
            startLine: line,
            startColumn: column,
            endLine: Math.max(line, endLine),
            endColumn: endLine > line ? endColumn : Math.max(column, endColumn),
            ...(source ? { snippet: { text: source.slice(0, 400) } } : {}),
          },
        },
      },
    ],
    partialFingerprints: { "deepseekCompat/v1": fingerprint },
    ...(report.baseline ? { baselineState: baseline ? "unchanged" : "new" } : {}),
    // an empty list says that it was looked at and is not suppressed
    suppressions,
    ...(fix ? { fixes: [fix] } : {}),
    properties: {
      effect,
      ...(host ? { host: host.host, hostCertainty: host.certainty, hostEvidence: host.evidence } : {}),
      ...(path && path.length > 0 ? { path } : {}),
      ...(finding.fix ? { applicability: finding.fix.applicability } : {}),
      ...(manual ? { manual } : {}),
      ...(cell ? { cell, cellLine } : {}),
    },
  };
}

/** A fix with its regions; undefined where a file's text is not at hand or is not what the offsets count in. */
function sarifFix({ fix }: ReportedFinding, { texts, views }: Surroundings) {
  if (!fix || fix.edits.length === 0) return undefined;
  const byFile = new Map<string, Edit[]>();
  for (const edit of fix.edits) byFile.set(edit.file, [...(byFile.get(edit.file) ?? []), edit]);
  if ([...byFile.keys()].some((file) => !texts.has(file) || views?.has(file))) return undefined;
  return {
    description: { text: `${fix.applicability}: ${fix.description}` },
    artifactChanges: [...byFile].map(([file, edits]) => ({
      artifactLocation: location(file),
      replacements: edits.map((edit) => ({
        deletedRegion: region(texts.get(file)!, edit),
        ...(edit.text ? { insertedContent: { text: edit.text } } : {}),
      })),
    })),
  };
}

function region(text: string, { start, end }: Edit) {
  const from = positionAt(text, start);
  const to = positionAt(text, end);
  return { startLine: from.line, startColumn: from.column, endLine: to.line, endColumn: to.column };
}

/** What was not looked at, or not understood. */
function notifications({ files, unresolved, withdrawn, failures }: ScanReport, results: number) {
  const at = (file: string, line?: number) => ({
    locations: [
      { physicalLocation: { artifactLocation: location(file), ...(line ? { region: { startLine: line } } : {}) } },
    ],
  });
  const note = (level: string, text: string) => ({ level, message: { text } });
  return [
    ...files.broken.map(({ file, line, message }) => ({
      ...note("warning", `not a valid program: ${message}`),
      ...at(file, line),
    })),
    ...files.skipped.map(({ file, reason }) => ({ ...note("note", `skipped: ${reason}`), ...at(file) })),
    ...unresolved.map(({ file, line, what }) => ({ ...note("note", `${what} is not known`), ...at(file, line) })),
    ...withdrawn.map(({ file, rule, description, reason }) => ({
      ...note("warning", `fix withdrawn: ${rule} (${description}) ${reason}`),
      ...at(file),
    })),
    ...failures.map((why) => note("error", why)),
    ...(results > limits.shown
      ? [note("note", `${plural(results, "result")}; GitHub shows ${limits.shown}, the gravest come first`)]
      : []),
    ...(results > limits.taken
      ? [note("warning", `only ${limits.taken} of ${results} results are in this file, which is all GitHub takes`)]
      : []),
  ];
}
