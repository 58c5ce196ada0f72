import { type Facts, fileOf } from "../facts.js";
import { markupFile, scriptFile } from "../sources.js";

/** A type error that a change brings. */
export interface NewDiagnostic {
  readonly file: string;
  /** Line in the changed text, counted from 1. */
  readonly line: number;
  readonly message: string;
}

/** What a check of types says of a change. */
export interface TypeReport {
  readonly diagnostics: readonly NewDiagnostic[];
  /** The tsconfig by which a changed file was checked. */
  readonly checked: ReadonlyMap<string, string>;
  /** Why a changed file was not checked. */
  readonly unchecked: ReadonlyMap<string, string>;
}

/** Checks types before and after a change; given from outside, because it reads more files than a scan has. */
export interface Verifier {
  /**
   * `before` reads any file as it is, `after` has the new texts by path; `beside` are files that do not change but
   * import some that do.
   */
  check(
    before: (path: string) => string | undefined,
    after: ReadonlyMap<string, string>,
    beside?: readonly string[],
  ): TypeReport;
}

/** The files a type checker may ask for: declarations of packages, tsconfig files. Paths are absolute. */
export interface TypeFiles {
  /** Absolute path of the folder that the paths of a scan are relative to, with forward slashes. */
  readonly root: string;
  readFile(path: string): string | undefined;
  fileExists(path: string): boolean;
  directoryExists(path: string): boolean;
  directories(path: string): readonly string[];
  realPath(path: string): string;
}

/** What is known of an applied fix beyond that it was written. */
export interface Verification {
  readonly state: "fixed-verified" | "fixed-unverified";
  /** Checks it passed: `parses`, `nothing else changed`, `a second run changes nothing`, `type-checked with tsconfig.json`. */
  readonly checks: readonly string[];
  /** What was not checked and why; set where the state is fixed-unverified. */
  readonly doubt?: string;
}

/**
 * Text of a compiler or a command without what may be a key or token in it: long words with letters and digits, and
 * what has the head of a known kind of key.
 */
export function withoutSecrets(text: string): string {
  return text.replace(
    /\b(?:sk|pk|ghp|gho|github_pat|hf|xai|xox[a-z]|AKIA|AIza)[-_]?[A-Za-z0-9_-]{12,}|\b(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])[A-Za-z0-9_-]{28,}/g,
    "\u2026",
  );
}

/** Checks that the result of every fix passes before it is kept. */
const always: readonly string[] = ["parses", "nothing else changed"];

/** The verification of a fix from the reports on its files; `settled`: a second run changes nothing. */
export function verificationOf(
  files: readonly string[],
  reports: readonly TypeReport[],
  settled: boolean,
): Verification {
  const checks = [...always, ...(settled ? ["a second run changes nothing"] : [])];
  const doubts: string[] = settled ? [] : ["the fixes of its file did not settle"];
  const configs = new Set<string>();
  for (const file of files) {
    const config = reports.map(({ checked }) => checked.get(file)).find(Boolean);
    if (config) configs.add(config);
    else if (needsTypes(file)) {
      const why = reports.map(({ unchecked }) => unchecked.get(file)).find(Boolean) ?? "types were not checked";
      if (!doubts.includes(why)) doubts.push(why);
    }
  }
  for (const config of configs) checks.push(`type-checked with ${config}`);
  return doubts.length > 0
    ? { state: "fixed-unverified", checks, doubt: doubts.join("; ") }
    : { state: "fixed-verified", checks };
}

/** Is it a file whose types a compiler checks? */
export function needsTypes(file: string): boolean {
  return scriptFile.test(file) && (markupFile.test(file) || /\.[cm]?tsx?$/.test(file));
}

/**
 * Of changes that fail together, those without which the others pass. Found by halving; where only a combination
 * fails, the changes are tried one after another on top of those that pass. `fails` says what is wrong with some of
 * them, undefined for nothing.
 */
export function culpritsAmong<Change, Trouble>(
  changes: readonly Change[],
  fails: (some: readonly Change[]) => Trouble | undefined,
): readonly { readonly change: Change; readonly trouble: Trouble }[] {
  const trouble = changes.length > 0 ? fails(changes) : undefined;
  if (trouble === undefined) return [];
  if (changes.length === 1) return [{ change: changes[0]!, trouble }];
  const middle = changes.length >> 1;
  const found = [...culpritsAmong(changes.slice(0, middle), fails), ...culpritsAmong(changes.slice(middle), fails)];
  if (found.length > 0) return found;
  const passing: Change[] = [];
  return changes.flatMap((change) => {
    const together = fails([...passing, change]);
    if (together !== undefined) return [{ change, trouble: together }];
    passing.push(change);
    return [];
  });
}

/**
 * Files of which more changed than the edits say. Only a view (a notebook) can go wrong so: other texts are put
 * together from the old one and the edits. `expected` are the view's texts with the edits, `facts` what was read of the result.
 */
export function changedElsewhere(expected: ReadonlyMap<string, string>, facts: Facts): readonly string[] {
  return [...expected].filter(([file, text]) => fileOf(facts, file)?.text !== text).map(([file]) => file);
}
