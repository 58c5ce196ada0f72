import { type Severity, severities } from "../compat/rule.js";
import { freshOf, notesOf, plural, type ReportedFinding, type ScanReport } from "./scan-report.js";

/** Annotations of each kind that GitHub shows of one step. */
const shown = 10;

const commands: Readonly<Record<Severity, string>> = { error: "error", warning: "warning", info: "notice" };

/** Text of a workflow command. */
function data(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

/** A property's value in a workflow command. */
function property(text: string | number): string {
  return data(String(text)).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

function annotation(finding: ReportedFinding): string {
  const { severity, place, line, column, endLine, endColumn, code, rule, message } = finding;
  const properties: Record<string, string | number> = {
    file: place.file,
    line,
    // columns of an annotation over several lines are refused
    ...(endLine === line ? { col: column, endColumn: Math.max(column, endColumn - 1) } : { endLine }),
    title: `${code} ${rule}`,
  };
  const notes = notesOf(finding)
    .filter(([name]) => name === "fix" || name === "todo")
    .map(([name, words]) => `${name}: ${words}`);
  const words = Object.entries(properties).map(([name, value]) => `${name}=${property(value)}`);
  return `::${commands[severity]} ${words.join(",")}::${data([message, ...notes].join("\n"))}\n`;
}

/**
 * The report as annotations of a GitHub workflow: ten errors, ten warnings and nine notices at most, which is what
 * GitHub shows of one step, then a notice with the number of the others. Findings of the baseline are left out.
 */
export function github(report: ScanReport): string {
  const fresh = freshOf(report.findings);
  const chosen = severities.flatMap((severity) =>
    fresh.filter((finding) => finding.severity === severity).slice(0, severity === "info" ? shown - 1 : shown),
  );
  const more = fresh.length - chosen.length;
  const rest =
    more > 0
      ? `::notice title=deepseek-compat::${plural(more, "more finding")} not shown as annotations; see the job's log or summary\n`
      : "";
  return chosen.map(annotation).join("") + rest;
}
