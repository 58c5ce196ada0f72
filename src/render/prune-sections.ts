import type { BeforeAfter, FrozenCause, PrunedGroup, PrunePlanResult, PruneResult } from "./prune-result.js";
import {
  formatBytes,
  formatCount,
  formatDecibels,
  formatDuration,
  formatFlops,
  formatNumberOf,
  formatPercent,
} from "./quantities.js";
import type { Section } from "./sections.js";
import { formatScore } from "./training-sections.js";

const right = "right" as const;

/** How much of it went: 0.3 for 100 -> 70; 0 where there was nothing. */
export const goneOf = ({ before, after }: BeforeAfter): number => (before > 0 ? 1 - after / before : 0);

/** `1,000 -> 700 (-30.0 %)`. */
export function changeWords(one: BeforeAfter, format: (value: number) => string = formatCount): string {
  return `${format(one.before)} -> ${format(one.after)} (${formatPercent(-goneOf(one), true)})`;
}

/** Groups that lost channels, the most parameters first. */
export function cutGroups(groups: readonly PrunedGroup[]): readonly PrunedGroup[] {
  const lost = ({ parameters }: PrunedGroup) => parameters.before - parameters.after;
  const share = ({ channels }: PrunedGroup) => goneOf(channels);
  return groups
    .filter(({ channels }) => channels.after < channels.before)
    .sort((a, b) => lost(b) - lost(a) || share(b) - share(a));
}

/** How many groups stay whole, by why: `3 x --keep; 2 x --limit`. */
function wholeWords(groups: readonly PrunedGroup[]): string {
  const counts = new Map<string, number>();
  for (const { channels, why } of groups) {
    if (channels.after === channels.before) counts.set(why, (counts.get(why) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const others = sorted.slice(reasonsShown).reduce((sum, [, count]) => sum + count, 0);
  return [
    ...sorted.slice(0, reasonsShown).map(([why, count]) => `${formatCount(count)} x ${why || "no reason given"}`),
    ...(others > 0 ? [`${formatCount(others)} x other reasons`] : []),
  ].join("; ");
}

/** Groups and causes that a terminal shows. */
const groupsShown = 12;
const causesShown = 8;
const reasonsShown = 4;
const barWidth = 10;

/** What is left of it as characters: `######....`. */
function bar(one: BeforeAfter): string {
  const left = Math.round(barWidth * (1 - goneOf(one)));
  // neither a group that lost something nor one that has something left looks as if it had not
  const shown = one.after === 0 ? 0 : one.after < one.before ? Math.min(barWidth - 1, Math.max(1, left)) : barWidth;
  return `${"#".repeat(shown)}${".".repeat(barWidth - shown)}`;
}

/** The groups that lost most. */
export function groupSection({ schema, groups }: PruneResult | PrunePlanResult): readonly Section[] {
  const cut = cutGroups(groups);
  if (cut.length === 0) return [];
  const shown = cut.slice(0, groupsShown);
  const whole = wholeWords(groups);
  const notes = [
    ...(cut.length > shown.length
      ? [`${formatNumberOf(cut.length - shown.length, "group")} more lose channels; a report (--report x.html) has all`]
      : []),
    ...(whole === "" ? [] : [`whole: ${whole}`]),
  ];
  return [
    {
      title: `Channels of ${formatCount(cut.length)} of ${formatNumberOf(groups.length, "group")} ${schema === "deepseek/prune@1" ? "went" : "would go"}${cut.length > shown.length ? `, the ${shown.length} that lose most` : ""}`,
      columns: [
        { header: "channels", align: right },
        { header: "left", align: right },
        { header: "" },
        { header: "parameters", align: right },
        { header: "left", align: right },
        { header: "group" },
      ],
      rows: shown.map((group) => [
        widthWords(group),
        formatCount(group.channels.after),
        bar(group.channels),
        formatCount(group.parameters.before),
        formatCount(group.parameters.after),
        group.name,
      ]),
      ...(notes.length > 0 ? { note: notes.join(";\n") } : {}),
    },
  ];
}

/** `64`; `12 x 64` where a channel is more than one index wide. */
export function widthWords({ channels, width }: PrunedGroup): string {
  return width > 1 ? `${formatCount(channels.before)} x ${formatCount(width)}` : formatCount(channels.before);
}

/** Causes that are alike but for their node. */
export interface FrozenKind {
  readonly operator: string;
  readonly why: string;
  readonly nodes: readonly string[];
  readonly tensors: number;
  readonly parameters: number;
}

/** Causes by operator and reason, the most parameters first. */
export function frozenKinds(frozen: readonly FrozenCause[]): readonly FrozenKind[] {
  const kinds = new Map<string, FrozenCause[]>();
  for (const cause of frozen) {
    const key = JSON.stringify([cause.operator, cause.why]);
    kinds.set(key, [...(kinds.get(key) ?? []), cause]);
  }
  return [...kinds.values()]
    .map((causes) => ({
      operator: causes[0]!.operator,
      why: causes[0]!.why,
      nodes: causes.map(({ node }) => node),
      tensors: causes.reduce((sum, { tensors }) => sum + tensors.length, 0),
      parameters: causes.reduce((sum, { parameters }) => sum + parameters, 0),
    }))
    .sort((a, b) => b.parameters - a.parameters || b.tensors - a.tensors);
}

/** What keeps weights as long as they are; `all` without a limit to the rows. */
export function frozenSection({ frozen, parameters }: PruneResult | PrunePlanResult, all = false): readonly Section[] {
  const kinds = frozenKinds(frozen);
  if (kinds.length === 0) return [];
  const shown = all ? kinds : kinds.slice(0, causesShown);
  const fixed = parameters.before - parameters.prunable;
  return [
    {
      title: `What cannot go: ${formatCount(fixed)} of ${formatCount(parameters.before)} parameters (${formatPercent(fixed / Math.max(1, parameters.before))})`,
      columns: [
        { header: "held by" },
        { header: "parameters", align: right },
        { header: "tensors", align: right },
        { header: "nodes", align: right },
        { header: "why" },
      ],
      rows: shown.map((kind) => [
        kind.operator,
        formatCount(kind.parameters),
        formatCount(kind.tensors),
        formatCount(kind.nodes.length),
        `${kind.why} (${kind.nodes[0]}${kind.nodes.length > 1 ? ", ..." : ""})`,
      ]),
      ...(kinds.length > shown.length
        ? { note: `${formatNumberOf(kinds.length - shown.length, "cause")} more; a report has them all` }
        : {}),
    },
  ];
}

/** The model stage by stage; `all` with figures that a terminal has no room for. */
export function stageSection({ stages, metric, data, kept, written }: PruneResult, all = false): Section {
  const classes = stages.some(({ agreement }) => agreement !== null && agreement.topOne !== null);
  const timed = stages.some(({ speed }) => speed !== null);
  const compared = timed || stages.some(({ agreement, metric: value }) => agreement !== null || value !== null);
  const noise = compared && (all || !classes);
  const counted = stages.some(({ flops }) => flops !== null);
  const [original] = stages;
  const size = (bytes: number) =>
    all && original && bytes !== original.bytes
      ? `${formatBytes(bytes)} (${(bytes / original.bytes).toFixed(3)})`
      : formatBytes(bytes);
  const samples = data === null ? "made-up samples" : formatNumberOf(data.heldOut, "held-out sample");
  return {
    title: "Stage by stage",
    columns: [
      { header: "stage" },
      ...(metric ? [{ header: metric.name, align: right }] : []),
      ...(classes ? [{ header: "same class", align: right }] : []),
      ...(noise ? [{ header: "SQNR", align: right }] : []),
      { header: "parameters", align: right },
      ...(counted ? [{ header: "a run", align: right }] : []),
      { header: "size", align: right },
      ...(timed ? [{ header: "CPU time", align: right }] : []),
      { header: "took", align: right },
    ],
    rows: stages.map(({ stage, metric: value, agreement, parameters, flops, bytes, speed, seconds }) => [
      written && stage === kept ? `${stage} *` : stage,
      ...(metric ? [value === null ? "-" : formatScore(value)] : []),
      ...(classes
        ? [agreement === null || agreement.topOne === null ? "-" : formatPercent(agreement.topOne, false, 2)]
        : []),
      ...(noise
        ? [agreement === null ? "-" : agreement.sqnrDb === null ? "equal" : formatDecibels(agreement.sqnrDb)]
        : []),
      formatCount(parameters),
      ...(counted ? [flops === null ? "-" : formatFlops(flops)] : []),
      size(bytes),
      ...(timed ? [speed?.ratio ? speed.ratio.toFixed(2) : "-"] : []),
      seconds === null ? "-" : formatDuration(seconds),
    ]),
    note: [
      written ? "Written: *." : "Nothing was written.",
      ...(compared ? [`Against the original, on ${samples}${timed ? "; CPU time as a share of its own" : ""}.`] : []),
    ].join(" "),
  };
}
