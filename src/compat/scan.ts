import type { FileFacts, Place } from "./facts.js";
import type { Effect, Problem, Rule, Severity } from "./rule.js";
import { rules as allRules } from "./rules/index.js";
import { importSpecifiers, mentionsDeepSeek, resolveSpecifier, type Sources, scriptFile } from "./sources.js";
import type { Target } from "./targets.js";

/** What a scan is asked for. */
export interface ScanOptions {
  readonly target: Target;
  /** All rules where left out. */
  readonly rules?: readonly Rule[];
}

/** A rule's problem at its place in a file. */
export interface Finding extends Problem {
  readonly rule: string;
  readonly code: string;
  readonly effect: Effect;
  readonly severity: Severity;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
}

/** Something the scan saw but could not judge. */
export interface Unresolved {
  readonly file: string;
  readonly line: number;
  readonly what: string;
}

/** A file that is no valid program; what could be read of it was scanned all the same. */
export interface BrokenFile {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** What a scan found. */
export interface Scan {
  readonly target: Target;
  /** By file, then by position. */
  readonly findings: readonly Finding[];
  /** Files looked at. */
  readonly files: number;
  /** Files read in full: those that mention DeepSeek and those that import them. */
  readonly parsed: readonly string[];
  readonly broken: readonly BrokenFile[];
  readonly unresolved: readonly Unresolved[];
}

/** Scans the files of a source with the rules of a target. Pure but for what `sources` does. */
export async function scan(sources: Sources, options: ScanOptions): Promise<Scan> {
  const scripts = sources.paths.filter((path) => scriptFile.test(path));
  const parsed = selectFiles(sources, scripts);
  // the parser takes a second to load: only where there is something to parse
  const files = parsed.length > 0 ? (await import("./readers/typescript.js")).readTypeScript(sources, parsed) : [];
  const lines = new Map(files.map((file) => [file.file, lineStarts(file.text)]));
  const position = ({ file, start }: Place) => positionOf(lines.get(file) ?? [0], start);
  const broken = new Set(files.filter(({ syntaxErrors }) => syntaxErrors.length > 0).map(({ file }) => file));
  const findings: Finding[] = [];
  for (const rule of options.rules ?? allRules) {
    const usual = rule.severity[options.target];
    if (usual === null) continue;
    for (const problem of rule.check({ files }, options.target)) {
      const { id, code, effect } = rule;
      findings.push({
        rule: id,
        code,
        effect,
        ...guarded(problem, broken),
        severity: problem.severity ?? usual,
        ...position(problem.place),
      });
    }
  }
  findings.sort(
    (a, b) => compare(a.place.file, b.place.file) || a.place.start - b.place.start || compare(a.code, b.code),
  );
  return {
    target: options.target,
    findings,
    files: scripts.length,
    parsed,
    broken: files.flatMap(({ syntaxErrors: [first] }) =>
      first ? [{ file: first.place.file, line: position(first.place).line, message: first.message }] : [],
    ),
    unresolved: files.flatMap((file) => unresolvedIn(file, position)),
  };
}

/** A problem whose fix is no longer safe where it touches a file that is no valid program (a half-done merge). */
function guarded(problem: Problem, broken: ReadonlySet<string>): Problem {
  const { fix, manual } = problem;
  if (fix?.applicability !== "safe" || !fix.edits.some(({ file }) => broken.has(file))) return problem;
  const doubt = "the file has syntax errors; mend them first";
  return { ...problem, fix: { ...fix, applicability: "suggested" }, manual: manual ? `${manual}; ${doubt}` : doubt };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Files that mention DeepSeek, and those that import one of them, directly or through others. */
function selectFiles(sources: Sources, scripts: readonly string[]): readonly string[] {
  const chosen = new Set<string>();
  const imports = new Map<string, readonly string[]>();
  for (const path of scripts) {
    const text = sources.read(path);
    if (text === undefined) continue;
    if (mentionsDeepSeek(text)) chosen.add(path);
    else imports.set(path, importSpecifiers(text));
  }
  for (let fresh = new Set(chosen); fresh.size > 0; ) {
    const stems = new Set([...fresh].flatMap(stemsOf));
    const next = new Set<string>();
    for (const [path, specifiers] of imports) {
      const near = specifiers.filter((specifier) => stems.has(stemOf(specifier)));
      if (!near.some((specifier) => fresh.has(resolveSpecifier(sources, path, specifier) ?? ""))) continue;
      next.add(path);
      imports.delete(path);
    }
    for (const path of next) chosen.add(path);
    fresh = next;
  }
  return scripts.filter((path) => chosen.has(path));
}

/** Last part of a path or specifier without its ending: by this alone most imports are ruled out. */
function stemOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(/\.[cm]?[jt]sx?$/, "");
}

/** An index file is imported by the name of its folder too. */
function stemsOf(path: string): readonly string[] {
  const stem = stemOf(path);
  return stem === "index" ? [stem, ".", "..", "", stemOf(path.slice(0, Math.max(0, path.lastIndexOf("/"))))] : [stem];
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function positionOf(starts: readonly number[], offset: number): { line: number; column: number } {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle;
  }
  return { line: low + 1, column: offset - starts[low]! + 1 };
}

/** Requests to DeepSeek, or perhaps to it, of which the model or a part of the body is not known. */
function unresolvedIn(file: FileFacts, position: (place: Place) => { line: number }): readonly Unresolved[] {
  return file.requests.flatMap((request) => {
    const known = request.host.host === "official";
    const mentions = (request.model?.candidates ?? []).some(({ value }) => /deepseek/i.test(String(value)));
    if (!known && !(request.host.host === "unknown" && mentions)) return [];
    const missing = [
      ...(known ? [] : ["the host"]),
      ...(request.model && request.model.certainty !== "unknown" ? [] : ["the model"]),
      ...(request.spreads.every((spread) => spread.known) ? [] : ["a part of the request's object"]),
    ];
    if (missing.length === 0) return [];
    return [
      { file: file.file, line: position(request.place).line, what: `${missing.join(" and ")} of ${request.callee}` },
    ];
  });
}
