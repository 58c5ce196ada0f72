import type { MetricComparison } from "../bench/compare/result.js";
import type { Verdict } from "../bench/compare/verdict.js";
import { changeSentence, estimateText, intervalText, isMeasured } from "./bench-verdict.js";
import { isNumber, statisticOf } from "./metric-words.js";
import { intervalMarks, type Row, rowChart } from "./plots.js";
import { formatPercent } from "./quantities.js";
import { linearScale } from "./scales.js";

/** A ratio with its interval, as a row of the plot. */
export interface ForestRow {
  readonly name: string;
  readonly value: string;
  readonly label: string;
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
  readonly verdict: Verdict;
}

const kinds: Readonly<Record<Verdict, "good" | "bad" | "open" | "plain">> = {
  slower: "bad",
  missing: "bad",
  faster: "good",
  same: "plain",
  "not slower": "plain",
  inconclusive: "open",
};

/** Ratios on one axis around 1, the tolerance as a band; ends of intervals beyond twice or half are cut off. */
export function forestChart(
  groups: readonly { readonly head: string; readonly rows: readonly ForestRow[] }[],
  tolerance: number,
  label: string,
): string {
  const rows = groups.flatMap((group) => group.rows);
  if (rows.length === 0) return "";
  const most = (of: (row: ForestRow) => number) => Math.max(2 * tolerance, ...rows.map(of));
  const low = 1 - most(({ estimate, lower }) => Math.max(1 - estimate, Math.min(0.5, 1 - lower)));
  const high = 1 + most(({ estimate, upper }) => Math.max(estimate - 1, Math.min(1, upper - 1)));
  const scale = linearScale(
    low,
    high,
    (ratio) => (Math.abs(ratio - 1) < 1e-9 ? "same" : formatPercent(ratio - 1, true, high - low < 0.1 ? 1 : 0)),
    { count: 6 },
  );
  const drawn = groups.map(({ head, rows: own }) => ({
    head,
    rows: own.map((row): Row => ({ ...row, marks: intervalMarks(row, scale, kinds[row.verdict]) })),
  }));
  return rowChart(
    drawn.filter((group) => group.rows.length > 0),
    scale,
    { label, width: 330, axis: `change against the baseline; shaded: the tolerance of ${formatPercent(tolerance)}` },
    { from: 1 - tolerance, to: 1 + tolerance, even: 1 },
  );
}

/** A comparison as a row; undefined where it was not measured or is no ratio. */
export function forestRow(one: MetricComparison): ForestRow | undefined {
  if (one.scale !== "ratio" || !isMeasured(one)) return undefined;
  const { estimate, interval, verdict, gated } = one;
  return {
    name: statisticOf(one) + (gated ? "" : " (does not decide)"),
    value: `${estimateText(one)} ${intervalText(one)}`.trim(),
    label: changeSentence(one),
    estimate,
    lower: isNumber(interval?.lower) ? interval.lower : estimate,
    upper: isNumber(interval?.upper) ? interval.upper : estimate,
    verdict,
  };
}
