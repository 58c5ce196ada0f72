import { fileOf } from "../compat/facts.js";
import type { Fixing } from "../compat/fix/fix.js";
import { redact, redactText } from "../compat/redact.js";
import type { Finding, Scan } from "../compat/scan.js";
import type { Change } from "./scan.js";
import type { ReportedFinding, ScanReport } from "./scan-report.js";

/** What a report is made of. */
export interface ReportInput {
  /** The scan whose findings are reported; those not to be listed are taken out of `listed`. */
  readonly scan: Scan;
  readonly listed: readonly Finding[];
  readonly suppressed: Scan["suppressed"];
  /** Fingerprints of findings that the baseline knows. */
  readonly known: ReadonlySet<string>;
  readonly fixing: Fixing | undefined;
  /** The fixes were written. */
  readonly written: boolean;
  /** For --diff. */
  readonly diff: string | undefined;
  /** For --stats: what was passed over, by reason; undefined where it was not asked for. */
  readonly passedOver: NonNullable<ScanReport["stats"]>["skipped"] | undefined;
  readonly rest: Pick<
    ScanReport,
    "hidden" | "baseline" | "changed" | "score" | "failOn" | "failures" | "unresolved" | "proofs"
  > & { readonly excluded: number; readonly skipped: ScanReport["files"]["skipped"] };
  /** Text of a file as it is now. */
  textOf(file: string): string;
}

/** Makes the report and what is shown beside it, in which every secret is masked. */
export function buildReport(input: ReportInput): {
  report: ScanReport;
  texts: ReadonlyMap<string, string>;
  views: ReadonlySet<string>;
} {
  const { scan, listed, rest, fixing, written } = input;
  const shown = [...listed, ...input.suppressed];
  const files = new Set(shown.flatMap(({ place, fix }) => [place.file, ...(fix?.edits ?? []).map(({ file }) => file)]));
  const texts = new Map([...files].map((file) => [file, redactText(input.textOf(file), file)]));
  const views = new Set([...files].filter((file) => fileOf(scan.facts, file)?.view));
  const lines = new Map([...texts].map(([file, text]) => [file, text.split(/\r?\n/)]));
  const reported = <F extends Finding>(finding: F): F & ReportedFinding => {
    const { place, line, fingerprint, fix, manual } = finding;
    const leaks = fix?.edits.some(({ file, text }) => redactText(text, file) !== text);
    return {
      ...finding,
      // with its text masked the fix would write the mask
      ...(fix && leaks
        ? {
            fix: { ...fix, edits: [] },
            manual: [manual, "the fix is not shown: it holds a secret"].filter(Boolean).join("; "),
          }
        : {}),
      ...endOf(scan, finding),
      source: lines.get(place.file)?.[line - 1] ?? "",
      ...(input.known.has(fingerprint) ? { baseline: true as const } : {}),
    };
  };
  const { baseline, changed, hidden, score, failOn, failures, unresolved, proofs, excluded, skipped } = rest;
  const report: ScanReport = {
    schema: "deepseek-compat/scan@1",
    target: scan.target,
    from: scan.from,
    findings: listed.map(reported),
    hidden,
    suppressed: input.suppressed.map(reported),
    ...(baseline ? { baseline } : {}),
    ...(changed ? { changed } : {}),
    files: { scanned: scan.files, parsed: scan.parsed.length, excluded, skipped, broken: scan.broken },
    unresolved,
    score,
    failOn,
    failures,
    // a fix's key holds code
    fixed: written ? (fixing?.applied ?? []).map(({ key: _key, ...one }) => one) : [],
    withdrawn: fixing?.withdrawn ?? [],
    proofs,
    ...(input.diff === undefined ? {} : { diff: input.diff }),
    ...(input.passedOver ? { stats: statsOf(scan, input.passedOver) } : {}),
  };
  return { report: redact(report), texts, views };
}

/** Changes with secrets masked in both texts alike. */
export function maskedChanges(changes: readonly Change[]): readonly Change[] {
  return changes.map(({ file, before, after }) => ({
    file,
    before: redactText(before, file),
    after: redactText(after, file),
  }));
}

/** Line and column of the end of a finding; its start where that lies in another cell of a notebook. */
function endOf({ facts }: Scan, { place, line, column }: Finding): { endLine: number; endColumn: number } {
  const file = fileOf(facts, place.file);
  if (!file) return { endLine: line, endColumn: column };
  if (file.view) {
    const end = file.view.locate(place.end);
    return end.line < line ? { endLine: line, endColumn: column } : { endLine: end.line, endColumn: end.column };
  }
  const inside = file.text.slice(place.start, place.end);
  const last = inside.lastIndexOf("\n");
  if (last < 0) return { endLine: line, endColumn: column + inside.length };
  return { endLine: line + inside.split("\n").length - 1, endColumn: inside.length - last };
}

type Stats = NonNullable<ScanReport["stats"]>;

function statsOf(scan: Scan, skipped: Stats["skipped"]): Stats {
  const languages: Record<string, number> = {};
  for (const name of scan.facts.files.map(({ language }) => language).sort()) {
    languages[name] = (languages[name] ?? 0) + 1;
  }
  return {
    rules: scan.timings.map(({ rule, timeMs, findings }) => ({ rule, timeMs: Math.round(timeMs * 10) / 10, findings })),
    languages,
    skipped,
  };
}
