import { type Facts, type FileFacts, fileOf, type Place } from "./facts.js";
import { fingerprints } from "./gates/fingerprint.js";
import { applySuppressions, type Suppressed } from "./gates/suppressions.js";
import { joinEnvironment } from "./join.js";
import { positionAt } from "./lines.js";
import { raiseHosts, temper } from "./probe/probed.js";
import type { Recording } from "./probe/recording.js";
import { concernsDeepSeek } from "./proof/request-body.js";
import { readerOf, readers } from "./readers/index.js";
import type { Effect, Problem, Rule, Severity } from "./rule.js";
import { rules as allRules } from "./rules/index.js";
import { selectFiles } from "./select.js";
import { packageVersion, type Sources } from "./sources.js";
import type { Origin, Target } from "./targets.js";
import type { Location } from "./view.js";

/** What a scan is asked for. */
export interface ScanOptions {
  readonly target: Target;
  /** What the code was written for; v3.0 where left out. */
  readonly from?: Origin;
  /** All rules where left out. */
  readonly rules?: readonly Rule[];
  /** Rules that suppressions may name, where they are more than `rules` and all rules. */
  readonly known?: readonly Rule[];
  /** Target of a file where it differs from `target`. */
  targetOf?(file: string): Target | undefined;
  /** Another severity for a rule in a file, or that it is off there. */
  severityOf?(rule: Rule, file: string): Severity | "off" | undefined;
  /** YYYY-MM-DD: from then on, suppressions `until` an earlier day hold no more. Nothing expires where left out. */
  readonly today?: string;
  /** Milliseconds of any clock, for the times of rules; they are 0 where left out. */
  clock?(): number;
  /** Files to read in full, where somebody has chosen them already. */
  readonly selected?: readonly string[];
  /** What a probe of an endpoint showed: it makes certain what is only likely of that endpoint. */
  readonly probe?: Recording;
}

/** A rule's problem at its place in a file. */
export interface Finding extends Problem, Location {
  readonly rule: string;
  readonly code: string;
  readonly effect: Effect;
  readonly severity: Severity;
  /** The same as long as the code is, wherever it moves (fingerprint.ts). Unique within a scan. */
  readonly fingerprint: string;
}

/** A finding that a comment in the code takes out of the count. */
interface SuppressedFinding extends Finding {
  readonly suppressed: Suppressed;
}

/** What a rule took, over all files. */
export interface RuleTiming {
  readonly rule: string;
  readonly timeMs: number;
  readonly findings: number;
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
  readonly from: Origin;
  /** What the readers found; findings' places are offsets into the texts of its files. */
  readonly facts: Facts;
  /** By file, then by position. */
  readonly findings: readonly Finding[];
  /** Those that suppressions in the code take out; they are not among `findings`. */
  readonly suppressed: readonly SuppressedFinding[];
  readonly timings: readonly RuleTiming[];
  /** Files looked at. */
  readonly files: number;
  /** Files read in full: those that mention DeepSeek and those that import them. */
  readonly parsed: readonly string[];
  readonly broken: readonly BrokenFile[];
  readonly unresolved: readonly Unresolved[];
  /** Line and column of a place in its files. */
  positionOf(place: Place): Location;
}

/** Scans the files of a source with the rules of a target. Pure but for what `sources` does. */
export async function scan(sources: Sources, options: ScanOptions): Promise<Scan> {
  const paths = sources.paths.filter(readerOf);
  const parsed = options.selected ?? selectFiles(sources, paths).map(({ path }) => path);
  const { probe } = options;
  const read = await readFacts(sources, parsed);
  const facts = probe ? raiseHosts(read, probe) : read;
  const from = options.from ?? "v3.0";
  const position = createPosition(facts);
  const { findings, suppressed, timings } = judge(facts, options, from, position);
  return {
    target: options.target,
    from,
    facts,
    findings: probe ? findings.map((finding) => temper(finding, probe)) : findings,
    suppressed,
    timings,
    files: paths.length,
    parsed,
    broken: facts.files.flatMap(({ syntaxErrors: [first] }) =>
      first ? [{ file: first.place.file, line: position(first.place).line, message: first.message }] : [],
    ),
    unresolved: facts.files.flatMap((file) => unresolvedIn(file, position)),
    positionOf: position,
  };
}

type Unnumbered = Omit<Finding, "fingerprint">;

/** Runs the rules, applies suppressions and gives each finding its fingerprint. */
function judge(
  facts: Facts,
  options: ScanOptions,
  from: Origin,
  position: (place: Place) => Location,
): Pick<Scan, "findings" | "suppressed" | "timings"> {
  const chosen = options.rules ?? allRules;
  const now = () => options.clock?.() ?? 0;
  const findings: Unnumbered[] = [];
  const timings: RuleTiming[] = [];
  const ran = new Map<string, Rule>();
  const add = (rule: Rule, target: Target, problem: Problem) => {
    const usual = rule.severity[target];
    const asked = options.severityOf?.(rule, problem.place.file);
    if (usual === null || asked === "off") return;
    const { id, code, effect } = rule;
    const severity = asked ?? problem.severity ?? usual;
    findings.push({ rule: id, code, effect, ...guarded(problem, facts), severity, ...position(problem.place) });
  };
  const targetOf = (file: string) => options.targetOf?.(file) ?? options.target;
  const wanted = new Set([options.target, ...facts.files.map(({ file }) => targetOf(file))]);
  for (const rule of chosen) {
    if (rule.aboutSuppressions || (rule.since === "v3.1" && from === "v3.1")) continue;
    const started = now();
    const before = findings.length;
    for (const target of wanted) {
      if (rule.severity[target] === null) continue;
      ran.set(rule.id, rule);
      for (const problem of rule.check(facts, target, from)) {
        if (targetOf(problem.place.file) === target) add(rule, target, problem);
      }
    }
    timings.push({ rule: rule.id, timeMs: now() - started, findings: findings.length - before });
  }
  findings.sort(byPlace);
  const known = [...allRules, ...chosen, ...(options.known ?? [])];
  const hasRun = (id: string, file: string) => {
    const rule = ran.get(id);
    return !!rule?.severity[targetOf(file)] && options.severityOf?.(rule, file) !== "off";
  };
  const outcome = applySuppressions(facts, findings, known, hasRun, options.today);
  const active = new Set<Unnumbered>(outcome.active);
  const reasons = new Map(outcome.suppressed.map(({ finding, by }) => [finding, by] as const));
  findings.length = 0;
  for (const rule of chosen) {
    if (!rule.aboutSuppressions) continue;
    for (const problem of outcome[rule.aboutSuppressions]) add(rule, targetOf(problem.place.file), problem);
  }
  for (const finding of findings) active.add(finding);
  const all = [...active, ...reasons.keys()].sort(byPlace);
  const marks = fingerprints(facts, all);
  const marked = all.map((finding, index) => ({ ...finding, fingerprint: marks[index]!, by: reasons.get(finding) }));
  return {
    findings: marked.flatMap(({ by, ...finding }) => (by ? [] : [finding])),
    suppressed: marked.flatMap(({ by, ...finding }) => (by ? [{ ...finding, suppressed: by }] : [])),
    timings,
  };
}

const byPlace = (a: Unnumbered, b: Unnumbered): number =>
  compare(a.place.file, b.place.file) || a.place.start - b.place.start || compare(a.code, b.code);

/** Reads files, each with the reader of its language; a parser takes long to load, so only where a file needs it. */
export async function readFacts(sources: Sources, paths: readonly string[]): Promise<Facts> {
  const files: FileFacts[] = [];
  for (const reader of readers) {
    const own = paths.filter((path) => readerOf(path) === reader);
    if (own.length === 0) continue;
    const loaded = await reader.load();
    await loaded.prepare?.(sources, own);
    files.push(...loaded.read(sources, own));
  }
  return {
    files: joinEnvironment(files, sources),
    packageVersion: (file, name) => packageVersion(sources, file, name),
  };
}

/** Says where places lie. */
function createPosition(facts: Facts): (place: Place) => Location {
  return ({ file, start }) => {
    const own = fileOf(facts, file);
    return own?.view ? own.view.locate(start) : positionAt(own?.text ?? "", start);
  };
}

/**
 * A problem whose fix is no longer safe where it touches a file that is no valid program (a half-done merge), and gone
 * where the code is documentation.
 */
function guarded(problem: Problem, facts: Facts): Problem {
  const { fix, ...rest } = problem;
  if (!fix) return problem;
  const files = fix.edits.map(({ file }) => fileOf(facts, file));
  const withDoubt = (doubt: string) => (rest.manual ? `${rest.manual}; ${doubt}` : doubt);
  if (files.some((file) => file?.reportOnly)) return { ...rest, manual: withDoubt("documentation is never rewritten") };
  if (fix.applicability !== "safe" || files.every((file) => file?.syntaxErrors.length === 0)) return problem;
  const manual = withDoubt("the file has syntax errors; mend them first");
  return { ...problem, fix: { ...fix, applicability: "suggested" }, manual };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Requests to DeepSeek, or perhaps to it, of which the model or a part of the body is not known. */
function unresolvedIn(file: FileFacts, position: (place: Place) => { line: number }): readonly Unresolved[] {
  return file.requests.flatMap((request) => {
    const known = request.host.host === "official";
    if (!concernsDeepSeek(request) || !(known || request.host.host === "unknown")) return [];
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
