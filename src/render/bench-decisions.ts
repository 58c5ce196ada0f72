import type { MetricComparison } from "../bench/compare/result.js";
import type { EndpointBenchResult } from "../bench/endpoints/result.js";
import { estimateText, gateValues, intervalText, isMeasured, isUncertain, moreText } from "./bench-verdict.js";
import { isNumber, none, statisticOf, verdictWords } from "./metric-words.js";
import { formatCount, formatNumberOf } from "./quantities.js";
import type { Section } from "./sections.js";
import { numbers } from "./table.js";

/** Comparisons that belong together: a candidate under one load. */
export interface ComparisonGroup {
  readonly candidate: string;
  readonly baseline: string;
  readonly point: string;
  readonly comparisons: readonly MetricComparison[];
  /** So many more were left out. */
  readonly others?: number;
}

export function groupsOf({ comparisons }: EndpointBenchResult): readonly ComparisonGroup[] {
  const groups = new Map<string, MetricComparison[]>();
  for (const one of comparisons) {
    const key = JSON.stringify([one.candidate, one.baseline, one.point]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map((own) => {
    const { candidate, baseline, point } = own[0]!;
    return { candidate, baseline, point, comparisons: own };
  });
}

/** Without the control's comparisons, and of those that do not decide only what shows a difference. */
export function brieflyOf(result: EndpointBenchResult): readonly ComparisonGroup[] {
  const controls = new Set(result.targets.filter(({ role }) => role === "control").map(({ label }) => label));
  return groupsOf(result)
    .filter(({ candidate }) => !controls.has(candidate))
    .map((group) => {
      const shown = group.comparisons.filter((one) => one.gated || (isMeasured(one) && !isUncertain(one)));
      return { ...group, comparisons: shown, others: group.comparisons.length - shown.length };
    });
}

/** How the words of a cell are coloured: identity where they are not. */
export type Mark = (one: MetricComparison, text: string) => string;

/** A candidate against the baseline under one load. `full` adds the test's values. */
export function comparisonSection(group: ComparisonGroup, full: boolean, mark: Mark = (_, text) => text): Section {
  const notes = notesOf(group);
  const share = (value: number | null) => (isNumber(value) ? value.toPrecision(2) : none);
  return {
    title: `${group.candidate} against ${group.baseline}, ${group.point}`,
    columns: [
      { header: "" },
      ...numbers("ratio", "interval"),
      { header: "verdict" },
      { header: "decides" },
      ...(full ? numbers("pairs", "p", "p after Holm", "Cliff's delta") : []),
    ],
    rows: group.comparisons.map((one) => [
      statisticOf(one),
      estimateText(one),
      intervalText(one),
      mark(one, verdictWords(one.metric, one.verdict)),
      one.gated ? mark(one, one.decision) : "",
      ...(full
        ? [
            formatCount(one.pairs),
            share(one.pValue),
            share(one.adjustedPValue),
            isNumber(one.cliffsDelta) ? one.cliffsDelta.toFixed(2) : none,
          ]
        : []),
    ]),
    ...(notes.length > 0 ? { note: notes.join("\n") } : {}),
  };
}

/** What the numbers of a table do not say; where it is the same for several, once. */
function notesOf({ comparisons, others = 0 }: ComparisonGroup): readonly string[] {
  const notes = new Map<string, string[]>();
  for (const one of comparisons) {
    for (const words of [moreText(one), ...one.reasons].filter(Boolean)) {
      notes.set(words, [...(notes.get(words) ?? []), statisticOf(one)]);
    }
  }
  const lines = [...notes].map(([words, names]) => {
    const of = names.length === comparisons.length && names.length > 1 ? "all" : names.slice(0, mostNames).join(", ");
    const more = of !== "all" && names.length > mostNames ? ` and ${names.length - mostNames} more` : "";
    return `${of}${more}: ${words}`;
  });
  return others > 0 ? [...lines, `${formatNumberOf(others, "other")} without a difference to be seen`] : lines;
}

/** Metrics that a note names. */
const mostNames = 3;

/** The gates of --gate; none: no rows. */
export function gateSection({ gates }: Pick<EndpointBenchResult, "gates">): Section {
  return {
    title: "Gates",
    columns: [{ header: "" }, { header: "gate" }, { header: "of" }, { header: "measured" }, { header: "why" }],
    rows: gates.map((gate) => [
      gate.decision,
      gate.text,
      `${gate.target}${gate.point === "" ? "" : `, ${gate.point}`}`,
      gateValues(gate),
      gate.why,
    ]),
  };
}
