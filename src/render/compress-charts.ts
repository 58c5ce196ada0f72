import type { AppliedTensor } from "../quantize/apply.js";
import type { Gate } from "../quantize/gate.js";
import type { PlannedTensor } from "../quantize/plan.js";
import { barChart, histogramChart, legend, limitChart, stackChart } from "./charts.js";
import { placeOf, type Way, worstFirst } from "./compress-decisions.js";
import { lossText } from "./compress-loss.js";
import type { ActivationRange } from "./compress-result.js";
import { escapeHtml } from "./html-page.js";
import { formatBytes, formatDecibels, formatNumberOf } from "./quantities.js";

const tones: readonly Way[] = ["qdq", "unpack", "nbits", "gather", "dynamic", "static", "half", "left"];

/** The colour of a scheme. */
export const toneOf = (way: Way): number => tones.indexOf(way);

/** Weights that the chart of SQNR shows. */
const barsShown = 60;

/** A signal this far above its noise fills the width of the chart, in dB. */
const fullDb = 60;

/** Bars of each weight's SQNR, the worst first, coloured by scheme. */
export function sqnrChart(tensors: readonly AppliedTensor[]): string {
  const all = worstFirst(tensors);
  if (all.length === 0) return "";
  const shown = all.slice(0, barsShown);
  const most = Math.max(fullDb, ...shown.map(({ sqnrDb }) => sqnrDb));
  const ways = tones.filter((way) => shown.some(({ scheme }) => scheme === way));
  const bars = shown.map((tensor) => ({
    name: placeOf(tensor),
    share: Math.max(0, tensor.sqnrDb) / most,
    value: formatDecibels(tensor.sqnrDb),
    tone: toneOf(tensor.scheme ?? "left"),
  }));
  const more =
    all.length > shown.length ? `, the worst ${shown.length} of ${formatNumberOf(all.length, "weight")}` : "";
  return `<h2>Signal to noise of each weight</h2>
<p class="quiet">Worst first${more}; 6 dB more is half the error.</p>
${legend(ways.map((name) => ({ name, tone: toneOf(name) })))}
${barChart(bars, "Signal to quantization noise ratio of each weight, worst first")}`;
}

/** Operators that have a colour of their own; smaller ones share one. */
const operatorsShown = 7;

/** Bytes of the tensors before and afterwards, by the operator that reads them. */
export function sizeChart(tensors: readonly PlannedTensor[]): string {
  const sums = new Map<string, { before: number; after: number }>();
  for (const { usedBy, bytes, bytesAfter } of tensors) {
    const name = usedBy[0] ?? "nothing";
    const sum = sums.get(name) ?? { before: 0, after: 0 };
    sums.set(name, { before: sum.before + bytes, after: sum.after + bytesAfter });
  }
  const sorted = [...sums].map(([name, sum]) => ({ name, ...sum })).sort((a, b) => b.before - a.before);
  if (sorted.length === 0) return "";
  const rest = sorted.slice(operatorsShown);
  const groups = [
    ...sorted.slice(0, operatorsShown),
    ...(rest.length > 0
      ? [
          {
            name: "others",
            before: rest.reduce((sum, { before }) => sum + before, 0),
            after: rest.reduce((sum, { after }) => sum + after, 0),
          },
        ]
      : []),
  ];
  const row = (name: "before" | "after") => ({
    name,
    parts: groups.map((group, tone) => ({
      size: group[name],
      tone,
      title: `${group.name} ${formatBytes(group[name])}`,
    })),
  });
  const names = groups.map(({ name, before, after }, tone) => ({
    name: `${name}: ${formatBytes(before)} -> ${formatBytes(after)}`,
    tone,
  }));
  return `<h2>Size by operator</h2>
${legend(names)}
${stackChart([row("before"), row("after")])}`;
}

/** The trials of the gate against the limit. */
export function gateChart({ trials, maxDrop, reached }: Gate): string {
  const points = trials.map(({ floats, drop }) => ({
    x: floats,
    y: drop,
    title: `${floats} taken back: loss ${lossText(drop)}`,
  }));
  const chart = limitChart(
    points,
    { y: maxDrop, words: `limit ${lossText(maxDrop)}` },
    { x: "decisions taken back to milder ways, worst first", formatY: lossText },
  );
  return `<h2>Search for what costs too much</h2>
<p class="quiet">Each point is a model that was made and measured${reached ? "" : "; none kept the limit"}.</p>
${chart}`;
}

/** Small histograms of what calibration saw. */
export function rangeCharts(ranges: readonly ActivationRange[]): string {
  if (ranges.length === 0) return "";
  const figures = ranges.map(({ name, min, max, histogram, range }) => {
    const { low, high, counts } = histogram;
    const place = (value: number) => Math.min(1, Math.max(0, (value - low) / (high - low)));
    const inside = range && high > low ? { from: place(range.min), to: place(range.max) } : undefined;
    const reached = range ? `; 8 bits reach ${short(range.min)} to ${short(range.max)}` : "";
    return `<figure>${histogramChart(counts, inside, range ? 5 : 0)}<figcaption><b>${escapeHtml(name)}</b><br><span class="quiet">${short(min)} to ${short(max)}${reached}</span></figcaption></figure>`;
  });
  return `<h2>Ranges of activations</h2>
<p class="quiet">The ${ranges.length} widest that calibration saw; counts on a logarithmic scale, exact zeros left out; the shaded part is what 8 bits reach.</p>
<div class="multiples">
${figures.join("\n")}
</div>`;
}

const short = (value: number): string => String(Number(value.toPrecision(3)));
