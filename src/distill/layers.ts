import type { Segment } from "./segments.js";

/** What people call a layer: one part, or several in a row that repeat in the same order (attention and feed-forward). */
export interface Layer {
  /** From 0, in the order of the graph. */
  readonly index: number;
  readonly start: string;
  readonly end: string;
  readonly parts: readonly Segment[];
  readonly parameters: number;
}

/** The longest row of parts that repeats. */
const longestPeriod = 6;

/** Groups parts into layers. */
export function groupLayers(segments: readonly Segment[]): readonly Layer[] {
  const layers: Layer[] = [];
  for (let at = 0; at < segments.length; ) {
    const period = periodAt(segments, at);
    const parts = segments.slice(at, at + period);
    layers.push({
      index: layers.length,
      start: parts[0]!.start,
      end: parts.at(-1)!.end,
      parts,
      parameters: parts.reduce((sum, part) => sum + part.parameters, 0),
    });
    at += period;
  }
  return layers;
}

/** How many parts from here on make a layer: the period by which most of what follows (or came before) repeats. */
function periodAt(segments: readonly Segment[], at: number): number {
  let [best, covered] = [1, 0];
  for (let period = 1; period <= longestPeriod && at + period <= segments.length; period++) {
    if (!inARow(segments.slice(at, at + period))) break;
    let [from, to] = [at, at + period];
    while (alike(segments, to, at, period)) to += period;
    while (from >= period && alike(segments, from - period, at, period)) from -= period;
    const length = to - from;
    if (length >= 2 * period && length > covered) [best, covered] = [period, length];
  }
  return best;
}

function inARow(parts: readonly Segment[]): boolean {
  return parts.every((part, at) => at === 0 || parts[at - 1]!.end === part.start);
}

/** Whether the parts from `at` on are built like those from `other` on. */
function alike(segments: readonly Segment[], at: number, other: number, count: number): boolean {
  const parts = segments.slice(at, at + count);
  return (
    parts.length === count &&
    inARow(parts) &&
    parts.every(({ signature }, i) => signature === segments[other + i]!.signature)
  );
}
