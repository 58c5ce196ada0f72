import { byFile, type ScanReport } from "./scan-report.js";
import { element } from "./xml.js";

/** The report as Checkstyle XML; findings of the baseline have severity `ignore`. */
export function checkstyle(report: ScanReport): string {
  const files = byFile(report.findings).map(([name, findings]) =>
    element(
      "file",
      { name },
      findings.map(({ line, column, severity, baseline, message, rule }) =>
        element("error", {
          line,
          column,
          severity: baseline ? "ignore" : severity,
          message,
          source: `deepseek-compat.${rule}`,
        }),
      ),
    ),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element("checkstyle", { version: "4.3" }, files)}`;
}
