import { type Facts, fileOf } from "../facts.js";
import { type LoadedReader, readerOf } from "../readers/index.js";
import type { Applicability, Edit, Rule } from "../rule.js";
import { rules } from "../rules/index.js";
import { type Finding, type Scan, type ScanOptions, scan } from "../scan.js";
import { selectFiles } from "../select.js";
import type { Sources } from "../sources.js";
import { keysOf } from "./fix-keys.js";
import {
  changedElsewhere,
  culpritsAmong,
  type TypeReport,
  type Verification,
  type Verifier,
  verificationOf,
} from "./verify.js";

/** A fix that was taken back; what it was to mend is left to a person. */
export interface Withdrawn {
  readonly file: string;
  readonly rule: string;
  readonly description: string;
  /** What went wrong with it: a syntax error, a new type error, a command that failed. */
  readonly reason: string;
}

/** One fix that was applied. */
export interface Applied {
  readonly rule: string;
  readonly code: string;
  readonly applicability: Applicability;
  readonly description: string;
  readonly file: string;
  /** Where the finding was when it was fixed. */
  readonly line: number;
  readonly verification: Verification;
  /** Names the fix by what it does, for `accept`. */
  readonly key: string;
}

/** How fixes are chosen and checked. */
export interface FixOptions {
  /** Checks types before and after; without it they are not checked. */
  readonly verifier?: Verifier;
  /** Says of a fix, by its key, whether it may be applied; every one where left out. */
  readonly accept?: (key: string) => boolean;
  /** Which of a scan's findings may be fixed; all where left out. */
  readonly choose?: (scan: Scan) => readonly Finding[];
}

/** What fixing changed. */
export interface Fixing {
  /** New text by path, of the files that changed. */
  readonly changed: ReadonlyMap<string, string>;
  /** The text that each changed file was read with: what is written replaces this and nothing newer. */
  readonly before: ReadonlyMap<string, string>;
  readonly applied: readonly Applied[];
  readonly withdrawn: readonly Withdrawn[];
  /** The scan before any fix. */
  readonly first: Scan;
  /** The scan of the result. */
  readonly remaining: Scan;
}

/** Rounds after which fixing stops, should two rules ever disagree for ever. */
const maximumRounds = 10;

/**
 * Applies the fixes of a scan, in rounds, until nothing changes: after each round the result is scanned again, and
 * fixes that overlap with another wait for the next. A fix by which a file would have more syntax errors or new type
 * errors, or by which more would change than it says, is withdrawn.
 */
export async function applyFixes(
  sources: Sources,
  options: ScanOptions,
  level: Applicability,
  { verifier, accept = () => true, choose = ({ findings }) => findings }: FixOptions = {},
): Promise<Fixing> {
  const loaded = new Map<string, LoadedReader>();
  const readerFor = async (file: string): Promise<LoadedReader | undefined> => {
    const reader = readerOf(file);
    if (reader && !loaded.has(reader.name)) loaded.set(reader.name, await reader.load());
    return reader && loaded.get(reader.name);
  };
  const countSyntaxErrors = async (file: string, text: string): Promise<number> =>
    (await readerFor(file))?.countSyntaxErrors(file, text) ?? 0;
  const changed = new Map<string, string>();
  const originals = new Map<string, string>();
  const numbers = new Map<string, Set<number>>();
  const applied: (Omit<Applied, "verification"> & { readonly files: readonly string[] })[] = [];
  const reports: TypeReport[] = [];
  const withdrawn = new Map<string, Withdrawn>();
  const current: Sources = {
    paths: sources.paths,
    has: (path) => changed.has(path) || sources.has(path),
    read: (path) => changed.get(path) ?? sources.read(path),
    ...(sources.names ? { names: sources.names } : {}),
    ...(sources.tidy ? { tidy: sources.tidy } : {}),
  };
  // which files matter is found out once: fixes bring in no other
  const selected = options.selected ?? selectFiles(sources, sources.paths.filter(readerOf)).map(({ path }) => path);
  const once = { ...options, selected };
  const first = await scan(current, once);
  let remaining = first;
  let importers: ReadonlyMap<string, readonly string[]> | undefined;
  let isSettled = false;
  for (let round = 0; round < maximumRounds + withdrawn.size; round += 1) {
    const { facts } = remaining;
    const keys = keysOf(remaining, numbers);
    const keyed = (finding: Finding) => keys.get(finding)!;
    const wanted = choose(remaining).filter(
      (finding) =>
        finding.fix &&
        (level === "suggested" || finding.fix.applicability === "safe") &&
        !withdrawn.has(keyed(finding)) &&
        accept(keyed(finding)),
    );
    const chosen = withoutOverlaps(withoutEarly(wanted, options.rules ?? rules));
    isSettled = chosen.length === 0;
    if (isSettled) break;
    const texts = textsAfter(chosen, facts, current);
    const withdraw = ({ fix, rule }: Finding, key: string, file: string, reason: string) =>
      withdrawn.set(key, { file, rule, description: fix!.description, reason });
    const before = withdrawn.size;
    for (const [file, reason] of await brokenFiles(texts, chosen, facts, current, countSyntaxErrors, readerFor)) {
      // without the fixes that touch the broken files, the others may go on
      for (const finding of chosen) {
        if (finding.fix!.edits.some((edit) => edit.file === file)) withdraw(finding, keyed(finding), file, reason);
      }
    }
    if (withdrawn.size > before) continue;
    if (verifier) {
      let last: TypeReport | undefined;
      const culprits = culpritsAmong(chosen, (some) => {
        const after = textsAfter(some, facts, current);
        importers ??= importersOf(sources, first.parsed);
        const beside = [...after.keys()].flatMap((file) => importers!.get(file) ?? []);
        const report = verifier.check(current.read, after, beside);
        last = report;
        return report.diagnostics[0];
      });
      for (const { change, trouble } of culprits) {
        const reason = `would bring a type error in line ${trouble.line} of ${trouble.file}: ${trouble.message}`;
        withdraw(change, keyed(change), change.place.file, reason);
      }
      if (culprits.length > 0) continue;
      reports.push(last!);
    }
    for (const finding of chosen) {
      const { rule, code, place, line } = finding;
      const { applicability, description, edits } = finding.fix!;
      const files = [...new Set(edits.map(({ file }) => file))];
      const key = keyed(finding);
      applied.push({ rule, code, applicability, description, file: place.file, line, files, key });
      const [head, number] = key.split("#") as [string, string];
      numbers.set(head, (numbers.get(head) ?? new Set()).add(Number(number)));
    }
    for (const [file, text] of texts) {
      if (!originals.has(file)) originals.set(file, originalOf(file, facts, sources));
      changed.set(file, text);
    }
    remaining = await scan(current, once);
  }
  const keys = keysOf(remaining, numbers);
  const reasons = (finding: Finding) => (finding.fix ? withdrawn.get(keys.get(finding)!) : undefined);
  return {
    changed,
    before: originals,
    applied: applied.map(({ files, ...one }) => ({ ...one, verification: verificationOf(files, reports, isSettled) })),
    withdrawn: [...withdrawn.values()],
    first,
    remaining: { ...remaining, findings: remaining.findings.map((finding) => leftToPerson(finding, reasons(finding))) },
  };
}

/** A finding whose fix was withdrawn has none any more. */
function leftToPerson(finding: Finding, taken: Withdrawn | undefined): Finding {
  if (!taken) return finding;
  const { fix, manual, ...rest } = finding;
  return { ...rest, manual: `${manual ? `${manual}; ` : ""}its fix (${fix!.description}) ${taken.reason}` };
}

/** Files that must not be written, and why: more syntax errors than before, or more changed than the edits say. */
async function brokenFiles(
  texts: ReadonlyMap<string, string>,
  chosen: readonly Finding[],
  facts: Facts,
  current: Sources,
  countSyntaxErrors: (file: string, text: string) => Promise<number>,
  readerFor: (file: string) => Promise<LoadedReader | undefined>,
): Promise<ReadonlyMap<string, string>> {
  const broken = new Map<string, string>();
  for (const [file, text] of texts) {
    const errors = await countSyntaxErrors(file, text);
    if (errors > 0 && errors > (await countSyntaxErrors(file, current.read(file) ?? ""))) {
      broken.set(file, "would break the syntax of its file");
      continue;
    }
    const own = fileOf(facts, file);
    if (!own?.view) continue;
    const edits = chosen.flatMap(({ fix }) => fix!.edits.filter((edit) => edit.file === file));
    const result: Sources = { ...current, read: (path) => (path === file ? text : current.read(path)) };
    const reader = await readerFor(file);
    const files = reader?.read(result, [file]) ?? [];
    if (changedElsewhere(new Map([[file, applyEdits(own.text, edits)]]), { files }).length > 0) {
      broken.set(file, "would change more of its file than it says");
    }
  }
  return broken;
}

/** The files of a scan that import each file. */
function importersOf(sources: Sources, paths: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const importers = new Map<string, string[]>();
  for (const path of paths) {
    const reader = readerOf(path);
    for (const specifier of reader?.imports?.(sources.read(path) ?? "") ?? []) {
      const target = reader?.resolve?.(sources, path, specifier);
      if (target !== undefined) importers.set(target, [...(importers.get(target) ?? []), path]);
    }
  }
  return importers;
}

/** Leaves out fixes of rules that come last while another fix of one of their files is still to be applied. */
function withoutEarly(findings: readonly Finding[], known: readonly Rule[]): readonly Finding[] {
  const last = new Set(known.filter((rule) => rule.comesLast).map(({ id }) => id));
  const busy = new Set(
    findings.filter(({ rule }) => !last.has(rule)).flatMap(({ fix }) => fix!.edits.map(({ file }) => file)),
  );
  return findings.filter(({ rule, fix }) => !last.has(rule) || !fix!.edits.some(({ file }) => busy.has(file)));
}

/** Findings whose fixes can be applied together: the first of two that meet wins. */
function withoutOverlaps(findings: readonly Finding[]): readonly Finding[] {
  // by file and stretch of text, so that thousands in one file are not each held against all others
  const taken = new Map<string, Edit[]>();
  const stretches = ({ file, start, end }: Edit) =>
    Array.from({ length: (end >> 12) - (start >> 12) + 1 }, (_, at) => `${(start >> 12) + at}:${file}`);
  return findings.filter(({ fix }) => {
    const { edits } = fix!;
    const isTaken = (edit: Edit) =>
      stretches(edit).some((key) => taken.get(key)?.some((other) => meets(edit, other)) === true);
    if (edits.some(isTaken)) return false;
    for (const edit of edits) for (const key of stretches(edit)) append(taken, key, edit);
    return true;
  });
}

function append(lists: Map<string, Edit[]>, key: string, edit: Edit): void {
  const list = lists.get(key);
  if (list) list.push(edit);
  else lists.set(key, [edit]);
}

/** Two edits meet where they share text, or one inserts inside or at the edge of the other. */
function meets(a: Edit, b: Edit): boolean {
  const inserts = a.start === a.end || b.start === b.end;
  return inserts ? a.start <= b.end && b.start <= a.end : a.start < b.end && b.start < a.end;
}

/** The text that facts were read from; a view has another than its file. */
function originalOf(file: string, facts: Facts, sources: Sources): string {
  const own = fileOf(facts, file);
  return (own?.view ? undefined : own?.text) ?? sources.read(file) ?? "";
}

function textsAfter(findings: readonly Finding[], facts: Facts, sources: Sources): ReadonlyMap<string, string> {
  const byFile = new Map<string, Edit[]>();
  for (const { fix } of findings) {
    for (const edit of fix!.edits) append(byFile, edit.file, edit);
  }
  return new Map(
    [...byFile].map(([file, edits]) => {
      const view = fileOf(facts, file)?.view;
      return [file, view ? view.apply(edits) : applyEdits(originalOf(file, facts, sources), edits)];
    }),
  );
}

/** A text with edits applied that do not overlap; every other character stays as it is. */
export function applyEdits(text: string, edits: readonly Omit<Edit, "file">[]): string {
  let result = "";
  let at = 0;
  for (const edit of [...edits].sort((a, b) => a.start - b.start || a.end - b.end)) {
    result += text.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return result + text.slice(at);
}
