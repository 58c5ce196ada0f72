import { legend } from "./charts.js";
import { escapeHtml } from "./html-page.js";
import { type Line, plot } from "./plots.js";
import { formatCount } from "./quantities.js";
import { linearScale, type Scale, scaleFor } from "./scales.js";
import { rangeOf } from "./sparkline.js";
import type { TrainingCourse } from "./training-result.js";

const short = (value: number): string =>
  value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
    ? value.toExponential(1).replace("e+", "e").replace(".0e", "e")
    : String(Number(value.toPrecision(3)));

/** The curves of a training: loss and its terms, measurements, rate and norm of the gradient. */
export function trainingCharts({ curve, evaluations, measure, bestStep }: TrainingCourse): string {
  const steps = Math.max(1, curve.at(-1)?.step ?? 1, evaluations.at(-1)?.step ?? 1);
  const x = () => linearScale(0, steps, formatCount, { exact: true });
  const names = [...new Set(curve.flatMap(({ terms }) => Object.keys(terms)))];
  const lineOf = (title: string, tone: number, of: (point: TrainingCourse["curve"][number]) => number): Line => ({
    title,
    tone,
    points: curve.flatMap((point): (readonly [number, number])[] => {
      const value = of(point);
      return Number.isFinite(value) ? [[point.step, value]] : [];
    }),
  });
  const losses = [
    lineOf("loss", 0, ({ loss }) => loss),
    ...(names.length > 1
      ? names.map((name, at) => lineOf(name, (at % 6) + 1, ({ terms }) => terms[name] ?? Number.NaN))
      : []),
  ];
  const figures = [
    curvePlot(losses.length > 1 ? "Loss, and its terms before they are weighted" : "Loss", losses, x()),
    measurePlot(evaluations, measure, bestStep, x()),
    curvePlot("Learning rate", [lineOf("rate", 3, ({ rate }) => rate)], x(), (_, high) => linearScale(0, high, short)),
    curvePlot("Norm of the gradient", [lineOf("norm", 6, ({ gradientNorm }) => gradientNorm)], x()),
  ];
  const shown = figures.filter((figure) => figure !== "");
  if (shown.length === 0) return "";
  const terms = losses.length > 1 ? legend(losses.map(({ title, tone }) => ({ name: title, tone }))) : "";
  return `<h2>How training went</h2>\n${terms}<div class="plots">\n${shown.join("\n")}\n</div>`;
}

function curvePlot(
  title: string,
  lines: readonly Line[],
  x: Scale,
  scale: (low: number, high: number) => Scale = (low, high) => scaleFor(low, high, short),
): string {
  const range = rangeOf(...lines.map(({ points }) => points.map(([, value]) => value)));
  const points = lines[0]!.points;
  if (!range || points.length < 2) return "";
  return plot({
    title,
    label: `${title} over the steps: ${short(points[0]![1])} at first, ${short(points.at(-1)![1])} at last`,
    x,
    y: scale(range.low, range.high),
    xWords: "steps",
    lines,
  });
}

function measurePlot(
  evaluations: TrainingCourse["evaluations"],
  measure: TrainingCourse["measure"],
  bestStep: number | null,
  x: Scale,
): string {
  const finite = evaluations.filter(({ value }) => Number.isFinite(value));
  const range = rangeOf(finite.map(({ value }) => value));
  if (!range) return "";
  const { low, high } = range;
  const text = (value: number) =>
    high <= 1 && low >= 0 && high > 0.01 ? `${Number((100 * value).toFixed(1))} %` : short(value);
  const better = measure.higherIsBetter ? "more is better" : "less is better";
  return plot({
    title: `${measure.name} on held-out samples (${better})`,
    label: `${measure.name}: ${finite.map(({ step, value }) => `${text(value)} at step ${step}`).join(", ")}`,
    x,
    // room for what stands beside the best
    y: linearScale(low, high + 0.15 * (high - low), text),
    xWords: "steps",
    lines: [{ title: measure.name, tone: 0, points: finite.map(({ step, value }) => [step, value] as const) }],
    dots: finite.map(({ step, value }) => ({
      x: step,
      y: value,
      tone: 0,
      kind: "ring" as const,
      title: `step ${formatCount(step)}: ${text(value)}`,
      ...(step === bestStep ? { text: `best: ${text(value)}` } : {}),
    })),
  });
}

/** Parameters of each layer of a model, kept ones and others in different colours. */
export function layerChart(
  layers: readonly { readonly name: string; readonly parameters: number; readonly kept: boolean }[],
  title = "Layers of the teacher",
): string {
  if (layers.length === 0) return "";
  const most = Math.max(1, ...layers.map(({ parameters }) => parameters));
  const rows = layers.map(
    ({ name, parameters, kept }) =>
      `<span class="name" title="${escapeHtml(name)}">&lrm;${escapeHtml(name)}&lrm;</span><svg height="14" aria-hidden="true"><rect class="tone-${kept ? 1 : 7}" width="${Number((100 * Math.max(0.003, parameters / most)).toFixed(2))}%" height="14" rx="2"/></svg><span class="number">${formatCount(parameters)}${kept ? "" : ", left out"}</span>`,
  );
  return `<h2>${escapeHtml(title)}</h2>
${legend([
  { name: "kept", tone: 1 },
  { name: "left out", tone: 7 },
])}
<div class="bars" role="group" aria-label="${escapeHtml(`${title}: parameters of each`)}">
${rows.join("\n")}
</div>`;
}
