import { UserError } from "../../errors.js";
import { hashOf } from "./fingerprint.js";

/** A finding that was there when the baseline was written. It holds no code, so no secret either. */
export interface BaselineEntry {
  readonly fingerprint: string;
  readonly rule: string;
  readonly file: string;
  /** Where it stood then; not compared. */
  readonly line: number;
  readonly message: string;
}

/** The content of a baseline file. */
export interface Baseline {
  readonly schema: "deepseek-compat/baseline@1";
  readonly findings: readonly BaselineEntry[];
}

/** What a comparison with a baseline says. */
export interface Comparison {
  /** For each finding, in their order: was it there before? */
  readonly known: readonly boolean[];
  /** Entries of scanned files (or of files that are gone) that are found no more. */
  readonly gone: readonly BaselineEntry[];
  /** Entries of files that this scan did not look at. */
  readonly unseen: readonly BaselineEntry[];
}

/** Reads a baseline file; an error names the file and the remedy. */
export function parseBaseline(text: string, name: string): Baseline {
  const wrong = (why: string) =>
    new UserError(
      `${name}: is no baseline of this program (${why}); remove it and write a new one with --update-baseline`,
    );
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw wrong("not valid JSON");
  }
  const { schema, findings } = (content ?? {}) as { schema?: unknown; findings?: unknown };
  if (schema !== "deepseek-compat/baseline@1") throw wrong(`schema is ${JSON.stringify(schema) ?? "missing"}`);
  if (!Array.isArray(findings)) throw wrong("findings is no list");
  for (const [index, entry] of (findings as Record<string, unknown>[]).entries()) {
    const strings = ["fingerprint", "rule", "file", "message"];
    if (strings.some((key) => typeof entry?.[key] !== "string") || typeof entry["line"] !== "number") {
      throw wrong(`entry ${index + 1} lacks fingerprint, rule, file, line or message`);
    }
  }
  return content as Baseline;
}

/** Sorted by file, line and rule, one entry a block, so that its diffs read well. Ends with a line break. */
export function baselineText(entries: readonly BaselineEntry[]): string {
  const order = (a: BaselineEntry, b: BaselineEntry) =>
    compare(a.file, b.file) || a.line - b.line || compare(a.rule, b.rule) || compare(a.fingerprint, b.fingerprint);
  const findings = [...entries]
    .sort(order)
    .map(({ fingerprint, rule, file, line, message }) => ({ fingerprint, rule, file, line, message }));
  const baseline: Baseline = { schema: "deepseek-compat/baseline@1", findings };
  return `${JSON.stringify(baseline, undefined, 2)}\n`;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Compares findings with a baseline. Equal findings (same hash) are matched one to one: first within the same file, so
 * that a new copy elsewhere counts as new, then across files, so that a renamed file keeps its entries. `looked` says
 * whether an entry would have been found by this scan (its file was scanned, its rule ran), `exists` whether a file is
 * there at all.
 */
export function compareWithBaseline(
  baseline: Baseline,
  findings: readonly { readonly fingerprint: string; readonly file: string }[],
  looked: (entry: BaselineEntry) => boolean,
  exists: (file: string) => boolean,
): Comparison {
  const open = new Map<string, BaselineEntry[]>();
  for (const entry of baseline.findings) {
    const hash = hashOf(entry.fingerprint);
    open.set(hash, [...(open.get(hash) ?? []), entry]);
  }
  const known = findings.map(() => false);
  const take = (test: (entry: BaselineEntry, file: string) => boolean) => {
    for (const [index, { fingerprint, file }] of findings.entries()) {
      const entries = open.get(hashOf(fingerprint));
      const at = known[index] ? -1 : (entries?.findIndex((entry) => test(entry, file)) ?? -1);
      if (at < 0) continue;
      entries!.splice(at, 1);
      known[index] = true;
    }
  };
  take((entry, file) => entry.file === file);
  // an entry of a file that is still there stays with it
  take((entry) => !exists(entry.file));
  // moved from one file that was scanned to another
  take(looked);
  const left = [...open.values()].flat();
  const isGone = (entry: BaselineEntry) => looked(entry) || !exists(entry.file);
  return { known, gone: left.filter(isGone), unseen: left.filter((entry) => !isGone(entry)) };
}
