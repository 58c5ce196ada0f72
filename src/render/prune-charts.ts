import { legend, stackChart } from "./charts.js";
import { escapeHtml } from "./html-page.js";
import { plot } from "./plots.js";
import type { FrozenCause, LatencySearch, PrunedGroup, PrunePlanResult, PruneResult, Stage } from "./prune-result.js";
import { cutGroups, frozenKinds, goneOf, widthWords } from "./prune-sections.js";
import { formatBytes, formatCount, formatFlops, formatNumberOf, formatPercent } from "./quantities.js";
import { linearScale } from "./scales.js";
import { rangeOf } from "./sparkline.js";

/** Style of the bars of groups. */
export const pruneStyle = `
.went rect.tone-2, .went li.tone-2 i { opacity: .4; } .went { margin: .5rem 0; } .plots.one { max-width: 40rem; }
.groups .number { min-width: 13rem; } .groups rect.tone-7 { opacity: .35; } .groups .frozen { color: var(--quiet); }
.all td:first-child, .all td:last-child { overflow-wrap: anywhere; min-width: 13rem; } .all td:nth-child(6) { min-width: 9rem; }
.bars.stages { grid-template-columns: 5rem 1fr 8.5rem; }
.heat td { white-space: nowrap; } .heat th:first-child, .heat td:first-child { white-space: normal; }
@media (max-width: 40rem) { .groups .number { min-width: 0; white-space: normal; text-align: left; } }
`;

/** Colours: what is left, what went, what cannot go. */
const [left, gone, frozen] = [1, 2, 7] as const;

const percent = (share: number): string => `${Number((100 * share).toFixed(2))}%`;

/** Parameters, operations and channels in what is left, what went, and what could not go. */
export function shareChart({ schema, parameters, flops, channels }: PruneResult | PrunePlanResult): string {
  const fixed = Math.max(0, Math.min(parameters.before - parameters.prunable, parameters.after));
  const row = (name: string, before: number, parts: readonly (readonly [number, number, string])[]) => ({
    name,
    parts: parts
      .filter(([size]) => size > 0)
      .map(([size, tone, title]) => ({ size: size / Math.max(1, before), tone, title })),
  });
  const rows = [
    row("parameters", parameters.before, [
      [parameters.after - fixed, left, `${formatCount(parameters.after - fixed)} left of those that could go`],
      [parameters.before - parameters.after, gone, `${formatCount(parameters.before - parameters.after)} went`],
      [fixed, frozen, `${formatCount(fixed)} cannot go`],
    ]),
    row("a run", flops.before, [
      [flops.after, left, `${formatFlops(flops.after)} left`],
      [flops.before - flops.after, gone, `${formatFlops(flops.before - flops.after)} went`],
    ]),
    row("channels", channels.before, [
      [channels.after, left, `${formatCount(channels.after)} left`],
      [channels.before - channels.after, gone, `${formatCount(channels.before - channels.after)} went`],
    ]),
  ].filter(({ parts }) => parts.length > 0);
  const isDone = schema === "deepseek/prune@1";
  return `<h2>What ${isDone ? "went" : "would go"}</h2>
<div class="went">
${legend([
  { name: "left", tone: left },
  { name: isDone ? "went" : "goes", tone: gone },
  { name: "cannot go", tone: frozen },
])}
${stackChart(rows)}
</div>`;
}

/** Groups of which the bars stand open on the page. */
const barsOpen = 80;

/** A bar for every group, in the order of the graph, what is frozen below them in grey. */
export function groupChart({ groups, frozen: causes, parameters }: PruneResult | PrunePlanResult): string {
  if (groups.length + causes.length === 0) return "";
  const rows = [...groups.map(groupRow), ...frozenRows(causes, parameters.before)];
  const chart = `<div class="bars groups went" role="group" aria-label="Share of the channels that is left, group by group">\n${rows.join("\n")}\n</div>`;
  const cut = cutGroups(groups).length;
  const title = `${formatNumberOf(groups.length, "group")}, ${formatCount(cut)} of them cut`;
  const open = groups.length <= barsOpen ? " open" : "";
  return `<h2>Group by group</h2>
<p class="quiet">Channels that are alike are a group, named after the tensor that makes them; in the order of the model. A whole bar is all channels of a group.</p>
<details${open}><summary>${escapeHtml(title)}</summary>
${chart}
</details>`;
}

function groupRow(group: PrunedGroup): string {
  const { name, channels, parameters, why, operators } = group;
  const kept = 1 - goneOf(channels);
  const title = [
    name,
    `${widthWords(group)} channels, ${formatCount(channels.after)} left`,
    `${formatCount(parameters.before)} parameters, ${formatCount(parameters.after)} left`,
    ...(operators.length > 0
      ? [`read by ${operators.slice(0, 6).join(", ")}${operators.length > 6 ? ", ..." : ""}`]
      : []),
    ...(why === "" ? [] : [why]),
  ].join("\n");
  const words =
    channels.after === channels.before
      ? `${formatCount(channels.before)}, whole`
      : `${formatCount(channels.before)} -> ${formatCount(channels.after)} (${formatPercent(-goneOf(channels), true, 0)})`;
  return barRow(name, title, words, [
    { tone: left, from: 0, to: kept },
    { tone: gone, from: kept, to: 1 },
  ]);
}

function frozenRows(causes: readonly FrozenCause[], all: number): readonly string[] {
  return frozenKinds(causes).map(({ operator, why, nodes, parameters }) => {
    const name = `${operator}: ${why}`;
    const title = `${name}\n${nodes.slice(0, 6).join(", ")}${nodes.length > 6 ? `, ${nodes.length - 6} more` : ""}`;
    const words = `${formatCount(parameters)} parameters (${formatPercent(parameters / Math.max(1, all))})`;
    return barRow(name, title, words, [{ tone: frozen, from: 0, to: 1 }], true);
  });
}

function barRow(
  name: string,
  title: string,
  words: string,
  parts: readonly { readonly tone: number; readonly from: number; readonly to: number }[],
  isFrozen = false,
): string {
  const rects = parts
    .filter(({ from, to }) => to > from)
    .map(
      ({ tone, from, to }) =>
        `<rect class="tone-${tone}" x="${percent(from)}" width="${percent(to - from)}" height="12"/>`,
    );
  // the start of a long name is cut off: its end tells names of one model apart. Reasons read from the start
  const label = isFrozen
    ? `<span class="name frozen" style="direction: ltr" title="${escapeHtml(title)}">${escapeHtml(name)}</span>`
    : `<span class="name" title="${escapeHtml(title)}">&lrm;${escapeHtml(name)}&lrm;</span>`;
  return `${label}<svg height="12" aria-hidden="true">${rects.join("")}</svg><span class="number${isFrozen ? " frozen" : ""}">${escapeHtml(words)}</span>`;
}

/** Size, operations and time of each stage as shares of the original's. */
export function stageChart(stages: readonly Stage[]): string {
  const [original] = stages;
  if (!original || stages.length < 2) return "";
  const figure = (title: string, share: (one: Stage) => number | null, words: (one: Stage) => string) => {
    const known = stages.flatMap((one) => {
      const value = share(one);
      return value === null || !Number.isFinite(value) ? [] : [{ one, value }];
    });
    if (known.length < 2) return "";
    const most = Math.max(1, ...known.map(({ value }) => value));
    const rows = known.map(({ one, value }) =>
      barRow(one.stage, one.stage, `${percentOf(value)}${words(one)}`, [
        { tone: one.stage === "original" ? frozen : left, from: 0, to: Math.max(0.003, value / most) },
      ]),
    );
    return `<figure class="plot"><figcaption>${title}</figcaption><div class="bars stages">\n${rows.join("\n")}\n</div></figure>`;
  };
  const figures = [
    figure(
      "Size of the file",
      ({ bytes }) => bytes / original.bytes,
      ({ bytes }) => `, ${formatBytes(bytes)}`,
    ),
    figure(
      "Operations of a run",
      ({ flops }) => (flops === null || !original.flops ? null : flops / original.flops),
      ({ flops }) => `, ${formatFlops(flops ?? 0)}`,
    ),
    figure(
      "CPU time of a run",
      (one) => (one === original ? 1 : (one.speed?.ratio ?? null)),
      () => "",
    ),
  ].filter(Boolean);
  return figures.length === 0 ? "" : `<div class="plots">\n${figures.join("\n")}\n</div>`;
}

const percentOf = (share: number): string => formatPercent(share, false, 0);

/** The tries of a search for a time. */
export function latencyChart({ wanted, tries }: LatencySearch): string {
  const range = rangeOf([0, 1, 1 - wanted, ...tries.map(({ time }) => time)]);
  if (tries.length === 0 || !range) return "";
  const most = Math.max(...tries.map(({ ratio }) => ratio), 0.05);
  const chart = plot({
    title: "Time over the original's by the share of operations that went; the line is what was wanted",
    label: tries
      .map(({ ratio, time }) => `${formatPercent(ratio)} less work: ${time.toFixed(2)} of the time`)
      .join(", "),
    x: linearScale(0, most, (value) => formatPercent(value, false, 0)),
    y: linearScale(0, range.high, (value) => value.toFixed(1)),
    xWords: "operations that went",
    lines: [
      {
        title: `wanted: ${(1 - wanted).toFixed(2)}`,
        tone: 2,
        points: [
          [0, 1 - wanted],
          [most, 1 - wanted],
        ],
      },
    ],
    dots: tries.map(({ ratio, time }, at) => ({
      x: ratio,
      y: time,
      tone: 0,
      kind: "ring" as const,
      title: `try ${at + 1}: ${formatPercent(ratio)} less work, ${time.toFixed(3)} of the time`,
      ...(at === tries.length - 1 ? { text: time.toFixed(2) } : {}),
    })),
  });
  return `<h2>Search for the time</h2>\n<div class="plots one">\n${chart}\n</div>`;
}

/** A table of what was lost when a share of one group alone went; darker is worse. */
export function damageTable(groups: readonly PrunedGroup[], damage: string | null): string {
  const measured = groups.filter(({ curve }) => curve !== null && curve.length > 0);
  if (measured.length === 0) return "";
  const most = Math.max(
    ...measured.flatMap(({ curve }) => curve!.map((point) => (Number.isFinite(point.damage) ? point.damage : 0))),
    1e-9,
  );
  const worst = ({ curve }: PrunedGroup) => Math.max(...curve!.map((point) => point.damage));
  const columns = Math.max(...measured.map(({ curve }) => curve!.length));
  const rows = [...measured]
    .sort((a, b) => worst(b) - worst(a))
    .map((group) => {
      const cells = Array.from({ length: columns }, (_, at) => {
        const point = group.curve![at];
        if (!point) return "<td></td>";
        const share = Number.isFinite(point.damage) ? Math.min(1, Math.max(0, point.damage / most)) : 1;
        return `<td class="number" style="background: color-mix(in srgb, var(--error) ${Math.round(55 * Math.sqrt(share))}%, transparent)"><span class="quiet">${formatPercent(point.removed, false, 0)}:</span> ${escapeHtml(damageText(point.damage))}</td>`;
      });
      return `<tr><td>${escapeHtml(group.name)}</td><td class="number">${formatPercent(goneOf(group.channels), false, 0)}</td>${cells.join("")}</tr>`;
    });
  return `<details><summary>Damage of each group alone (${formatCount(measured.length)})</summary>
<p class="quiet">What was measured: ${escapeHtml(damage ?? "the damage")}, when a share of one group alone goes; the most harmed first.</p>
<div class="wide"><table class="heat">
<thead><tr><th>group</th><th class="number">went</th><th colspan="${columns}">damage by the share that goes</th></tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table></div></details>`;
}

const damageText = (value: number): string =>
  !Number.isFinite(value)
    ? "not finite"
    : value !== 0 && Math.abs(value) < 1e-3
      ? value.toExponential(1)
      : String(Number(value.toPrecision(2)));
