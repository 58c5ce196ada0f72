/** Index of the last of some ascending offsets that is not behind an offset; 0 where all are. */
export function lastAtMost(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle;
  }
  return low;
}

/** Offsets of the beginnings of lines. */
export function lineStartsOf(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** Line beginnings of texts that were asked about lately: findings come file by file, values by way of several. */
const recent = new Map<string, readonly number[]>();
const mostRecent = 64;

/** Line and column of an offset, counted from 1. */
export function positionAt(text: string, offset: number): { readonly line: number; readonly column: number } {
  let starts = recent.get(text);
  if (!starts) {
    if (recent.size >= mostRecent) recent.clear();
    starts = lineStartsOf(text);
    recent.set(text, starts);
  }
  const index = lastAtMost(starts, offset);
  return { line: index + 1, column: offset - starts[index]! + 1 };
}
