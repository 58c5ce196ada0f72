import type { Applied, Withdrawn } from "../compat/fix/fix.js";
import type { BaselineEntry } from "../compat/gates/baseline.js";
import type { Readiness } from "../compat/gates/score.js";
import type { Suppressed } from "../compat/gates/suppressions.js";
import type { Plan } from "../compat/plan/plan.js";
import type { LocatedProof } from "../compat/proof/proof.js";
import type { Rule, Severity } from "../compat/rule.js";
import type { BrokenFile, Finding, RuleTiming, Unresolved } from "../compat/scan.js";
import type { Origin, Target } from "../compat/targets.js";

/** A finding with the line it stands in. */
export interface ReportedFinding extends Finding {
  /** Line and column of the end of `place` (exclusive), counted from 1. */
  readonly endLine: number;
  readonly endColumn: number;
  /** The line at `line`, without its line break. */
  readonly source: string;
  /** It is in the baseline: known and accepted, and not counted. */
  readonly baseline?: true;
}

/** The result of `deepseek-compat scan`, schema deepseek-compat/scan@1. Offsets count UTF-16 code units. */
export interface ScanReport {
  readonly schema: "deepseek-compat/scan@1";
  readonly target: Target;
  /** What the code was written for. */
  readonly from: Origin;
  /** By file, then by position; after fixing, those that remain. Those of the baseline are among them, marked. */
  readonly findings: readonly ReportedFinding[];
  /** Findings below --min-severity, which are not listed. */
  readonly hidden: number;
  /** Findings that comments in the code take out of the count. */
  readonly suppressed: readonly (ReportedFinding & { readonly suppressed: Suppressed })[];
  /** The baseline that was used: how many findings it knows, and its entries that are found no more. */
  readonly baseline?: {
    readonly file: string;
    readonly known: number;
    readonly gone: readonly BaselineEntry[];
    /** It was written anew by --update-baseline. */
    readonly updated: boolean;
  };
  /** For --changed: findings are those of files that differ from this commit. */
  readonly changed?: { readonly since: string; readonly files: number };
  readonly files: {
    /** Files looked at. */
    readonly scanned: number;
    /** Of these, the ones that mention DeepSeek or import one that does, and so were read in full. */
    readonly parsed: number;
    /** Files that the configuration leaves out. */
    readonly excluded: number;
    readonly skipped: readonly { readonly file: string; readonly reason: string }[];
    readonly broken: readonly BrokenFile[];
  };
  /** What was seen but could not be judged. */
  readonly unresolved: readonly Unresolved[];
  /** How ready the code is, 0 to 100, and how that was counted. */
  readonly score: Readiness;
  /** From this severity on, findings fail the scan. */
  readonly failOn: Severity | "never";
  /** Why the exit code is 1; empty where it is 0. */
  readonly failures: readonly string[];
  /** Fixes written to files by --fix; empty without. */
  readonly fixed: readonly Omit<Applied, "key">[];
  readonly withdrawn: readonly Withdrawn[];
  /** What each version of the API would answer to each request. */
  readonly proofs: readonly LocatedProof[];
  /** Unified diff of the fixes, for --diff; nothing was written then. */
  readonly diff?: string;
  /** For --stats. */
  readonly stats?: {
    readonly rules: readonly RuleTiming[];
    /** Files read in full, by language. */
    readonly languages: Readonly<Record<string, number>>;
    /** What was passed over, by reason; a folder counts as one, with all that lies in it. */
    readonly skipped: Readonly<Record<string, { readonly files: number; readonly folders: number }>>;
  };
}

/** What the forms show beside the report. */
export interface Surroundings {
  /** Text of the files with findings or fixes, for the lines around them. */
  readonly texts: ReadonlyMap<string, string>;
  /** The rules that ran, those of the user's own included. */
  readonly rules?: readonly Rule[];
  /** Files whose findings' offsets are not offsets into their text (notebooks). */
  readonly views?: ReadonlySet<string>;
  /** Text and Markdown show the proofs. */
  readonly isProofShown?: boolean;
  /** Version of the program. */
  readonly version?: string;
  /** The migration plan of the findings that count, secrets masked; the HTML form shows it. */
  readonly plan?: Plan;
}

/** Findings that count: not in the baseline. */
export function freshOf<F extends ReportedFinding>(findings: readonly F[]): readonly F[] {
  return findings.filter(({ baseline }) => !baseline);
}

/** Findings by their file, in order. */
export function byFile(
  findings: readonly ReportedFinding[],
): readonly (readonly [string, readonly ReportedFinding[]])[] {
  const groups = new Map<string, ReportedFinding[]>();
  for (const finding of findings) {
    const { file } = finding.place;
    const group = groups.get(file);
    if (group) group.push(finding);
    else groups.set(file, [finding]);
  }
  return [...groups];
}

/** What is said below a finding: how its value and host were found, and what can be done. */
export function notesOf({ host, path, fix, manual }: ReportedFinding): readonly (readonly [string, string])[] {
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

/** `1 file`, `2 files`. */
export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;

/** The score and what it lost: `readiness 58 of 100: 100 - 40 (4 blockers) - 2 (1 warnings)`. */
export function scoreLine({ score, parts }: Readiness): string {
  const lost = parts.filter(({ points }) => points > 0);
  const terms = lost.map(({ points, count, name }) => ` - ${Math.round(points * 10) / 10} (${count} ${name})`);
  return `readiness ${score} of 100${lost.length > 0 ? `: 100${terms.join("")}` : ""}`;
}
