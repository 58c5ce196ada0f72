import { type Facts, fileOf } from "./facts.js";
import { type LoadedReader, readerOf } from "./readers/index.js";
import type { Applicability, Edit, Fix, Rule } from "./rule.js";
import { rules } from "./rules/index.js";
import { type Finding, type Scan, type ScanOptions, scan } from "./scan.js";
import type { Sources } from "./sources.js";

/** A fix that was taken back because its file was no valid program with it. */
export interface Withdrawn {
  readonly file: string;
  readonly rule: string;
  readonly description: string;
}

/** One fix that was applied. */
export interface Applied {
  readonly rule: string;
  readonly code: string;
  readonly applicability: Applicability;
  readonly description: string;
  readonly file: string;
}

/** How fixes are chosen. */
export interface FixOptions {
  /** Says which of a scan's findings may be fixed; all where left out. */
  readonly choose?: (scan: Scan) => readonly Finding[];
}

/** What fixing changed. */
export interface Fixing {
  /** New text by path, of the files that changed. */
  readonly changed: ReadonlyMap<string, string>;
  readonly applied: readonly Applied[];
  readonly withdrawn: readonly Withdrawn[];
  /** The scan of the result. */
  readonly remaining: Scan;
}

/** Rounds after which fixing stops, should two rules ever disagree for ever. */
const maximumRounds = 10;

/**
 * Applies the fixes of a scan, in rounds, until nothing changes: after each round the result is scanned again, and
 * fixes that overlap with another wait for the next. A file that would have more syntax errors than before keeps its
 * old text, and its fixes are withdrawn.
 */
export async function applyFixes(
  sources: Sources,
  options: ScanOptions,
  level: Applicability,
  { choose = ({ findings }) => findings }: FixOptions = {},
): Promise<Fixing> {
  const loaded = new Map<string, LoadedReader>();
  const countSyntaxErrors = async (file: string, text: string): Promise<number> => {
    const reader = readerOf(file);
    if (!reader) return 0;
    if (!loaded.has(reader.name)) loaded.set(reader.name, await reader.load());
    return loaded.get(reader.name)!.countSyntaxErrors(file, text);
  };
  const changed = new Map<string, string>();
  const applied: Applied[] = [];
  const withdrawn: Withdrawn[] = [];
  const refused = new Set<string>();
  const current: Sources = {
    paths: sources.paths,
    has: (path) => changed.has(path) || sources.has(path),
    read: (path) => changed.get(path) ?? sources.read(path),
  };
  let remaining = await scan(current, options);
  for (let round = 0; round < maximumRounds; round += 1) {
    const wanted = choose(remaining).filter(
      ({ fix }) => fix && (level === "suggested" || fix.applicability === "safe") && !refused.has(keyOf(fix)),
    );
    const chosen = withoutOverlaps(withoutEarly(wanted, options.rules ?? rules));
    if (chosen.length === 0) break;
    const texts = textsAfter(chosen, remaining.facts, current);
    const files = new Set<string>();
    for (const [file, text] of texts) {
      const before = await countSyntaxErrors(file, current.read(file) ?? "");
      if ((await countSyntaxErrors(file, text)) > before) files.add(file);
    }
    if (files.size > 0) {
      // without the fixes that touch the broken files, the others may go on
      for (const { fix, rule } of chosen) {
        const file = fix!.edits.find((edit) => files.has(edit.file))?.file;
        if (file === undefined) continue;
        refused.add(keyOf(fix!));
        withdrawn.push({ file, rule, description: fix!.description });
      }
      continue;
    }
    for (const [file, text] of texts) changed.set(file, text);
    for (const { fix, rule, code, place } of chosen) {
      const { applicability, description } = fix!;
      applied.push({ rule, code, applicability, description, file: place.file });
    }
    remaining = await scan(current, options);
  }
  return { changed, applied, withdrawn, remaining };
}

/** A fix by what it does, so that a refused one is known again. */
function keyOf({ edits }: Fix): string {
  return edits.map(({ file, start, end, text }) => `${file}:${start}:${end}:${text}`).join("\n");
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
  const taken = new Map<string, Edit[]>();
  return findings.filter(({ fix }) => {
    const { edits } = fix!;
    if (edits.some((edit) => taken.get(edit.file)?.some((other) => meets(edit, other)))) return false;
    for (const edit of edits) taken.set(edit.file, [...(taken.get(edit.file) ?? []), edit]);
    return true;
  });
}

/** Two edits meet where they share text, or one inserts inside or at the edge of the other. */
function meets(a: Edit, b: Edit): boolean {
  const inserts = a.start === a.end || b.start === b.end;
  return inserts ? a.start <= b.end && b.start <= a.end : a.start < b.end && b.start < a.end;
}

function textsAfter(findings: readonly Finding[], facts: Facts, sources: Sources): ReadonlyMap<string, string> {
  const byFile = new Map<string, Edit[]>();
  for (const { fix } of findings) {
    for (const edit of fix!.edits) byFile.set(edit.file, [...(byFile.get(edit.file) ?? []), edit]);
  }
  return new Map(
    [...byFile].map(([file, edits]) => {
      const view = fileOf(facts, file)?.view;
      return [file, view ? view.apply(edits) : applyEdits(sources.read(file) ?? "", edits)];
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
