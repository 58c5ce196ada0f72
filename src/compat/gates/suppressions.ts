import { type Comment, type Facts, type FileFacts, fileOf, type Place } from "../facts.js";
import { positionAt } from "../lines.js";
import type { Problem, Rule } from "../rule.js";

/** What a comment asks for: `deepseek-compat-ignore[-next-line|-file] RULE[,RULE] -- reason [until YYYY-MM-DD]`. */
export interface Suppression {
  /** Its own line, the next line of code, or the whole file. */
  readonly reach: "line" | "next line" | "file";
  /** Ids of rules. */
  readonly rules: readonly string[];
  readonly reason: string;
  /** Last day on which it holds: YYYY-MM-DD. */
  readonly until?: string;
  readonly place: Place;
  /** Counted from 1. */
  readonly line: number;
  /**
   * First and last line that it speaks of; undefined for a file. They differ where no comment can stand inside what
   * begins on the first: a shell command over several lines, a request of a .http file.
   */
  readonly covers: readonly [first: number, last: number] | undefined;
}

/** Why a finding is not counted. */
export interface Suppressed {
  readonly reason: string;
  readonly until?: string;
  /** Line of the comment. */
  readonly line: number;
}

const grammar = "deepseek-compat-ignore[-next-line|-file] RULE[,RULE] -- reason [until YYYY-MM-DD]";

/** Codes of the two rules about suppressions; they cannot be suppressed themselves. */
const ownCodes: ReadonlySet<string> = new Set(["R62", "R63"]);

/** The next line after a comment that holds code: neither blank nor a comment of its own. */
function nextCodeLine(text: string, line: number): number {
  const lines = text.split("\n");
  for (let at = line; at < lines.length; at += 1) {
    if (!/^\s*($|\/\/|#(?!!)|\/?\*|--\s|<!--)/.test(lines[at]!)) return at + 1;
  }
  return line + 1;
}

/** The last line of the command or request that begins on a line of a file in which none can hold a comment. */
function lastLineOf({ language, text, commands, requests }: FileFacts, first: number): number {
  if (language !== "shell" && language !== "dockerfile" && language !== "http") return first;
  const ends = [...commands, ...requests]
    .filter(({ place }) => positionAt(text, place.start).line === first)
    .map(({ place }) => positionAt(text, place.end).line);
  const last = Math.max(first, ...ends);
  // the text behind `<<EOF` stands below the command
  const lines = text.split("\n");
  const word = /<<-?\s*["']?(\w+)/.exec(lines[last - 1] ?? "")?.[1];
  const close = word === undefined ? -1 : lines.findIndex((line, at) => at >= last && line.trim() === word);
  return close < 0 ? last : close + 1;
}

type Known = Pick<Rule, "id" | "code">;

function isDay(text: string): boolean {
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === text;
}

/** One line of a comment: a suppression, what is wrong with it, or undefined where it is prose. */
function parseLine(
  words: string,
  known: readonly Known[],
): Pick<Suppression, "reach" | "rules" | "reason" | "until"> | { readonly error: string } | undefined {
  const text = words.trim().replace(/^[*#/!-]+\s*/, "");
  const start = /^deepseek-compat-ignore(\S*)/.exec(text);
  if (!start) {
    // prose may mention the marker; what looks like an attempt is worth a word
    const attempt = /\bdeepseek-compat-ignore(?:-next-line|-file)?\s+R\d/.test(text);
    return attempt ? { error: "it must stand at the start of the comment" } : undefined;
  }
  const reach = ({ "": "line", "-next-line": "next line", "-file": "file" } as const)[start[1]!];
  if (!reach) return { error: `there is no deepseek-compat-ignore${start[1]}` };
  const rest = text.slice(start[0].length);
  const parts = /^\s+(\S.*?)\s+--\s+(\S.*)$/.exec(rest);
  if (!parts) {
    if (/^\s*(--|$)/.test(rest)) return { error: "it names no rule" };
    return { error: "it gives no reason after --" };
  }
  const rules: string[] = [];
  for (const name of parts[1]!.split(/\s*,\s*/)) {
    const rule = known.find(({ id, code }) => id === name || code === name.toUpperCase());
    if (!rule) return { error: name === "" ? "there is a comma too many" : `there is no rule ${JSON.stringify(name)}` };
    if (ownCodes.has(rule.code)) return { error: `${rule.id} cannot be suppressed` };
    rules.push(rule.id);
  }
  const ending = /^(.*?)\s*\buntil\s+(\d[\d./-]*)\s*$/.exec(parts[2]!);
  if (!ending) return { reach, rules, reason: parts[2]!.trim() };
  if (!isDay(ending[2]!)) return { error: `${ending[2]} is no day written as YYYY-MM-DD` };
  if (ending[1]!.trim() === "") return { error: "it gives no reason before until" };
  return { reach, rules, reason: ending[1]!.trim(), until: ending[2]! };
}

/** All suppressions of a file, and the comments that try to be one. */
export function readSuppressions(
  file: FileFacts,
  known: readonly Known[],
): { readonly valid: readonly Suppression[]; readonly malformed: readonly Problem[] } {
  const valid: Suppression[] = [];
  const malformed: Problem[] = [];
  for (const { comment, words, place } of file.comments.flatMap((comment) => linesOf(comment, file.text))) {
    const parsed = parseLine(words, known);
    if (!parsed) continue;
    if ("error" in parsed) {
      malformed.push({
        message: `this comment suppresses nothing: ${parsed.error}`,
        place,
        manual: `write ${grammar}`,
      });
      continue;
    }
    const line = positionAt(file.text, place.start).line;
    const last = positionAt(file.text, comment.place.end).line;
    const first = parsed.reach === "line" ? line : nextCodeLine(file.text, last);
    const covers =
      parsed.reach === "file"
        ? undefined
        : ([first, parsed.reach === "line" ? line : lastLineOf(file, first)] as const);
    valid.push({ ...parsed, place, line, covers });
  }
  return { valid, malformed };
}

/** The lines of a comment that hold the marker, each with its place. */
function linesOf(comment: Comment, text: string): { comment: Comment; words: string; place: Place }[] {
  const { file, start, end } = comment.place;
  const words = comment.text.split(/\r?\n/).filter((line) => line.includes("deepseek-compat-ignore"));
  let from = start;
  return words.map((line) => {
    const at = text.indexOf("deepseek-compat-ignore", from);
    if (at < 0 || at >= end || words.length === 1) return { comment, words: line, place: comment.place };
    const stop = text.indexOf("\n", at);
    const place = { file, start: at, end: stop < 0 || stop > end ? end : stop };
    from = place.end;
    return { comment, words: line, place };
  });
}

/** What becomes of findings. */
export interface Suppressing<F> {
  readonly active: readonly F[];
  readonly suppressed: readonly { readonly finding: F; readonly by: Suppressed }[];
  /** Problems of malformed-suppression: those that cannot be read, and those that have expired. */
  readonly malformed: readonly Problem[];
  /** Problems of unused-suppression. */
  readonly unused: readonly Problem[];
}

/**
 * Takes suppressed findings out. `ran` says whether a rule ran on a file: only then can a suppression be said to be
 * unused. `today` is YYYY-MM-DD; without it nothing expires.
 */
export function applySuppressions<F extends Problem & { readonly rule: string }>(
  facts: Facts,
  findings: readonly F[],
  known: readonly Known[],
  ran: (rule: string, file: string) => boolean,
  today?: string,
): Suppressing<F> {
  const malformed: Problem[] = [];
  const inForce: Suppression[] = [];
  for (const file of facts.files) {
    if (file.comments.length === 0) continue;
    const read = readSuppressions(file, known);
    // documentation shows such comments, good and bad ones
    if (!file.reportOnly) malformed.push(...read.malformed);
    for (const one of read.valid) {
      if (one.until === undefined || today === undefined || today <= one.until) inForce.push(one);
      else if (!file.reportOnly) {
        malformed.push({
          message: `this suppression ended on ${one.until} and suppresses nothing any more (${one.reason})`,
          place: one.place,
          manual: "mend what it hid, or give it a new date",
        });
      }
    }
  }
  if (inForce.length === 0) return { active: findings, suppressed: [], malformed, unused: [] };
  const used = new Set<string>();
  const active: F[] = [];
  const suppressed: { finding: F; by: Suppressed }[] = [];
  for (const finding of findings) {
    const { place, rule } = finding;
    const line = positionAt(fileOf(facts, place.file)?.text ?? "", place.start).line;
    const by = inForce.filter(
      (one) =>
        one.place.file === place.file &&
        one.rules.includes(rule) &&
        (one.covers === undefined || (one.covers[0] <= line && line <= one.covers[1])),
    );
    // every one that covers it has its use; the nearest is named
    for (const one of by) used.add(useOf(one, rule));
    const nearest = by.find(({ covers }) => covers !== undefined) ?? by[0];
    if (!nearest) active.push(finding);
    else {
      const { reason, until, line: at } = nearest;
      suppressed.push({ finding, by: { reason, line: at, ...(until ? { until } : {}) } });
    }
  }
  const unused = inForce.flatMap((one) => {
    if (fileOf(facts, one.place.file)?.reportOnly) return [];
    const idle = one.rules.filter((rule) => ran(rule, one.place.file) && !used.has(useOf(one, rule)));
    if (idle.length === 0) return [];
    return [
      {
        message: `nothing is left that this comment suppresses: ${idle.join(", ")} finds nothing here`,
        place: one.place,
        manual: idle.length === one.rules.length ? "remove the comment" : `take ${idle.join(", ")} out of it`,
      },
    ];
  });
  return { active, suppressed, malformed, unused };
}

const useOf = ({ place }: Suppression, rule: string): string => `${place.file}:${place.start}:${rule}`;
