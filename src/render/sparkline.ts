const steps = "▁▂▃▄▅▆▇█";

/** The least and the greatest finite value of several series, so that they can be drawn on one scale; null without any. */
export function rangeOf(
  ...series: readonly (readonly number[])[]
): { readonly low: number; readonly high: number } | null {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const values of series) {
    for (const value of values) {
      if (!Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? { low, high } : null;
}

/** Values in order, brought to at most `width` by the median of as many equal parts. */
export function condense(values: readonly number[], width: number): readonly number[] {
  if (values.length <= width) return values;
  return Array.from({ length: width }, (_, at) => {
    const from = Math.floor((at * values.length) / width);
    const part = values.slice(from, Math.floor(((at + 1) * values.length) / width)).sort((a, b) => a - b);
    return part[Math.floor(part.length / 2)]!;
  });
}

/** A line of block characters, one a value; a value that is no number is a space. */
export function sparkline(values: readonly number[], range = rangeOf(values)): string {
  return values
    .map((value) => {
      if (!range || !Number.isFinite(value)) return " ";
      const share = range.high > range.low ? (value - range.low) / (range.high - range.low) : 0.5;
      return steps[Math.min(steps.length - 1, Math.max(0, Math.floor(share * steps.length)))]!;
    })
    .join("");
}

/** How many values lie in each of `bins` equal parts from `low` to `high`; what lies beyond counts for the ends. */
export function countsIn(
  values: Iterable<number>,
  range: { readonly low: number; readonly high: number },
  bins: number,
): readonly number[] {
  const counts = new Array<number>(bins).fill(0);
  const size = (range.high - range.low) / bins;
  for (const value of values) {
    const at = size > 0 ? Math.floor((value - range.low) / size) : 0;
    counts[Math.min(bins - 1, Math.max(0, at))]! += 1;
  }
  return counts;
}

/** How values spread, as block characters; parts without any value are spaces. */
export function spreadline(
  values: readonly number[],
  range: { readonly low: number; readonly high: number } | null,
  width: number,
): string {
  if (!range || values.length === 0) return " ".repeat(width);
  const counts = countsIn(values, range, width);
  const most = Math.max(...counts);
  return counts.map((count) => (count === 0 ? " " : sparkline([count], { low: 0, high: most }))).join("");
}
