import { formatPatch, type StructuredPatch, type StructuredPatchHunk, structuredPatch } from "diff";

/** Changed lines beyond which the shortest diff takes too long: its time grows with their square. */
const mostExact = 100;
/** Lines that are looked ahead for the next pair of equal ones. */
const lookAhead = 60;
const context = 3;

/** A unified diff of a file, with names that `git apply` and `patch -p1` take; linear time for large changes. */
export function fileDiff(file: string, before: string, after: string): string {
  const exact = isManyChanges(before, after)
    ? undefined
    : structuredPatch(`a/${file}`, `b/${file}`, before, after, undefined, undefined, {
        context,
        maxEditLength: mostExact,
      });
  const patch = exact ?? nearPatch(file, before, after);
  return formatPatch(patch).replace(/^=+\n/, "");
}

/** Do certainly more lines differ than the shortest diff is looked for? Those of one text that are not in the other. */
function isManyChanges(before: string, after: string): boolean {
  const [old, now] = [new Set(linesOf(before)), linesOf(after)];
  return now.filter((line) => !old.has(line)).length > mostExact;
}

interface Step {
  readonly sign: " " | "-" | "+";
  readonly line: string;
}

/** A diff that need not be the shortest one: at each difference the nearest pair of equal lines ends it. */
function nearPatch(file: string, before: string, after: string): StructuredPatch {
  const [old, now] = [linesOf(before), linesOf(after)];
  const steps: Step[] = [];
  let [from, to] = [0, 0];
  const drop = (count: number) => {
    for (let left = count; left > 0; left -= 1) steps.push({ sign: "-", line: old[from++]! });
  };
  const add = (count: number) => {
    for (let left = count; left > 0; left -= 1) steps.push({ sign: "+", line: now[to++]! });
  };
  while (from < old.length && to < now.length) {
    if (old[from] === now[to]) {
      steps.push({ sign: " ", line: old[from]! });
      from += 1;
      to += 1;
      continue;
    }
    const next = nextPair(old, now, from, to);
    drop(next ? next[0] : 1);
    add(next ? next[1] : 1);
  }
  drop(old.length - from);
  add(now.length - to);
  return {
    oldFileName: `a/${file}`,
    newFileName: `b/${file}`,
    oldHeader: undefined,
    newHeader: undefined,
    hunks: hunksOf(steps),
  };
}

/** Lines with their breaks: a last one without is another line than one with. */
const linesOf = (text: string): readonly string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

function nextPair(
  old: readonly string[],
  now: readonly string[],
  from: number,
  to: number,
): readonly [number, number] | undefined {
  for (let both = 1; both <= lookAhead; both += 1) {
    for (let dropped = 0; dropped <= both; dropped += 1) {
      const line = old[from + dropped];
      if (line !== undefined && line === now[to + both - dropped]) return [dropped, both - dropped];
    }
  }
  return undefined;
}

function hunksOf(steps: readonly Step[]): StructuredPatchHunk[] {
  const ranges: { first: number; end: number }[] = [];
  for (const [index, { sign }] of steps.entries()) {
    if (sign === " ") continue;
    const last = ranges.at(-1);
    const first = Math.max(0, index - context);
    const end = Math.min(steps.length, index + 1 + context);
    if (last && first <= last.end) last.end = end;
    else ranges.push({ first, end });
  }
  let [oldLine, newLine, at] = [1, 1, 0];
  return ranges.map(({ first, end }) => {
    // between hunks nothing differs
    oldLine += first - at;
    newLine += first - at;
    at = end;
    const part = arranged(steps.slice(first, end));
    const oldLines = part.filter(({ sign }) => sign !== "+").length;
    const newLines = part.filter(({ sign }) => sign !== "-").length;
    const lines = part.flatMap(({ sign, line }) =>
      line.endsWith("\n") ? [sign + line.slice(0, -1)] : [sign + line, "\\ No newline at end of file"],
    );
    const hunk = { oldStart: oldLine, oldLines, newStart: newLine, newLines, lines };
    oldLine += oldLines;
    newLine += newLines;
    return hunk;
  });
}

/** The steps of each change with what goes before what comes, as people read it. */
function arranged(steps: readonly Step[]): readonly Step[] {
  const result: Step[] = [];
  let coming: Step[] = [];
  for (const step of steps) {
    if (step.sign === "+") coming.push(step);
    else {
      if (step.sign === " ") {
        result.push(...coming);
        coming = [];
      }
      result.push(step);
    }
  }
  return [...result, ...coming];
}
