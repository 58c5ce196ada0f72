import type { ScanReport, Surroundings } from "./scan-report.js";

/** Forms of a scan's report beside text, JSON and Markdown; each is loaded when it is asked for. */
export const scanFormats = {
  sarif: async () => (await import("./sarif.js")).sarif,
  github: async () => (await import("./github.js")).github,
  gitlab: async () => (await import("./gitlab.js")).gitlab,
  junit: async () => (await import("./junit.js")).junit,
  checkstyle: async () => (await import("./checkstyle.js")).checkstyle,
  html: async () => (await import("./html.js")).html,
} as const satisfies Readonly<
  Record<string, () => Promise<(report: ScanReport, surroundings: Surroundings) => string>>
>;

/** Every form of a scan's report, by the name --format knows. */
export const formatNames = ["text", "json", "markdown", ...Object.keys(scanFormats)] as readonly FormatName[];
export type FormatName = "text" | "json" | "markdown" | keyof typeof scanFormats;
