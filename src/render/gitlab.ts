import type { Severity } from "../compat/rule.js";
import { notesOf, type ScanReport } from "./scan-report.js";

const severityNames: Readonly<Record<Severity, string>> = { error: "critical", warning: "major", info: "info" };

/**
 * The report as GitLab's code quality JSON. Findings of the baseline are in it, as GitLab itself compares with the
 * target branch; fingerprints are unique, and no path is absolute or starts with `./`.
 */
export function gitlab(report: ScanReport): string {
  const issues = report.findings.map((finding) => {
    const { message, rule, code, fingerprint, severity, place, line, endLine } = finding;
    return {
      type: "issue",
      check_name: rule,
      description: `${message} (${code})`,
      content: {
        body: notesOf(finding)
          .map(([name, words]) => `${name}: ${words}`)
          .join("\n"),
      },
      categories: ["Compatibility"],
      severity: severityNames[severity],
      fingerprint,
      location: { path: place.file.replace(/^\.\//, ""), lines: { begin: line, end: Math.max(line, endLine) } },
    };
  });
  return `${JSON.stringify(issues, undefined, 2)}\n`;
}
