import { severities } from "../compat/rule.js";
import { byFile, notesOf, type ReportedFinding, type ScanReport } from "./scan-report.js";
import { element, escapeXml } from "./xml.js";

/**
 * The report as JUnit XML: a suite for each file, a case for each finding. Those that fail the scan (--fail-on) are
 * failures, those of the baseline and those that are suppressed are skipped, the rest pass and say what they found.
 */
export function junit(report: ScanReport): string {
  const limit = report.failOn === "never" ? -1 : severities.indexOf(report.failOn);
  const fails = ({ severity, baseline }: ReportedFinding) => !baseline && severities.indexOf(severity) <= limit;
  const all = byFile([...report.findings, ...report.suppressed]);
  let failures = 0;
  let skipped = 0;
  const suites = all.map(([name, findings]) => {
    const failed = findings.filter((finding) => !("suppressed" in finding) && fails(finding)).length;
    const passedOver = findings.filter((finding) => "suppressed" in finding || finding.baseline).length;
    failures += failed;
    skipped += passedOver;
    const counts = { tests: findings.length, failures: failed, errors: 0, skipped: passedOver };
    return element(
      "testsuite",
      { name, ...counts, time: 0 },
      findings.map((finding) => {
        const { code, rule, line, column } = finding;
        const attributes = { name: `${code} ${rule} ${line}:${column}`, classname: name, time: 0 };
        return element("testcase", attributes, [outcome(finding, fails)]);
      }),
    );
  });
  if (suites.length === 0) {
    const clean = element("testcase", { name: "no findings", classname: "deepseek-compat", time: 0 });
    suites.push(
      element("testsuite", { name: "deepseek-compat", tests: 1, failures: 0, errors: 0, skipped: 0, time: 0 }, [clean]),
    );
  }
  const tests = Math.max(1, all.flatMap(([, findings]) => findings).length);
  const attributes = { name: "deepseek-compat", tests, failures, errors: 0, skipped, time: 0 };
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element("testsuites", attributes, suites)}`;
}

function outcome(
  finding: ScanReport["findings"][number] | ScanReport["suppressed"][number],
  fails: (finding: ReportedFinding) => boolean,
): string {
  const { severity, message, baseline, place, line, column } = finding;
  if ("suppressed" in finding) return element("skipped", { message: `suppressed: ${finding.suppressed.reason}` });
  if (baseline) return element("skipped", { message: `in the baseline: ${message}` });
  const notes = notesOf(finding).map(([name, words]) => `${name}: ${words}`);
  const text = escapeXml([`${place.file}:${line}:${column}`, message, ...notes].join("\n")).replaceAll("&#10;", "\n");
  if (!fails(finding)) return `<system-out>${text}</system-out>\n`;
  return `<failure type="${severity}" message="${escapeXml(message)}">${text}</failure>\n`;
}
