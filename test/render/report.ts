import { failuresOf } from "../../src/compat/gates/gates.js";
import { readiness, readinessInput } from "../../src/compat/gates/score.js";
import { proofsOf } from "../../src/compat/proof/proof.js";
import { rules } from "../../src/compat/rules/index.js";
import { type ScanOptions, scan } from "../../src/compat/scan.js";
import { buildReport, type ReportInput } from "../../src/render/build-report.js";
import type { ScanReport, Surroundings } from "../../src/render/scan-report.js";
import { memorySources } from "../compat/memory.js";

/** The report of some files and what is shown beside it, as the command makes them. */
export async function reportOf(
  files: Readonly<Record<string, string>>,
  options: Partial<ScanOptions> = {},
  changes: { readonly known?: readonly string[]; readonly rest?: Partial<ReportInput["rest"]> } = {},
): Promise<{ readonly report: ScanReport; readonly surroundings: Surroundings }> {
  const result = await scan(memorySources(files), { target: "current", today: "2026-11-25", ...options });
  const score = readiness(readinessInput(result, { skipped: 0, unreadable: 0 }));
  const known = new Set(changes.known ?? []);
  const fresh = result.findings.filter(({ fingerprint }) => !known.has(fingerprint));
  const measured = { severities: fresh.map(({ severity }) => severity), unresolved: 0, score: score.score };
  const { report, texts, views } = buildReport({
    scan: result,
    listed: result.findings,
    suppressed: result.suppressed,
    known,
    fixing: undefined,
    written: false,
    diff: undefined,
    passedOver: undefined,
    rest: {
      hidden: 0,
      score,
      failOn: "error",
      failures: failuresOf(measured, { failOn: "error" }),
      unresolved: result.unresolved,
      proofs: proofsOf(result),
      excluded: 0,
      skipped: [],
      ...changes.rest,
    },
    textOf: (file) => files[file] ?? "",
  });
  return { report, surroundings: { texts, views, rules, version: "1.2.3" } };
}

/** A client of the official API, and a request that R01 finds. */
export const client = 'const client = new OpenAI({ baseURL: "https://api.deepseek.com" });\n';
export const call = 'client.chat.completions.create({ model: "deepseek-chat", messages });\n';
