import { quantile } from "../bench/compare/statistics.js";
import type { Round } from "../bench/models/measure.js";
import type { BenchResult, Metric, ModelResult } from "../bench/models/result.js";
import { asMetricComparison, pointsOf, toleranceOf } from "./bench-comparisons.js";
import { type ForestRow, forestChart, forestRow } from "./bench-forest.js";
import { plots } from "./bench-page-parts.js";
import { barChart, legend } from "./charts.js";
import { isNumber, none, titleOf } from "./metric-words.js";
import { boxMarks, plot, type Row, rowChart } from "./plots.js";
import { formatNumberOf, formatRate, formatSeconds, formatTick } from "./quantities.js";
import { linearScale, scaleFor } from "./scales.js";
import { rangeOf } from "./sparkline.js";

/** A number of each model, by its name. */
export type Kind = readonly [name: string, of: (model: ModelResult) => number];

/** The colour of a model. */
const toneOf = (at: number): number => at % 7;

/** CPU and wall time of each candidate as a ratio to the baseline. */
export function ratioChart(result: BenchResult): string {
  const groups = pointsOf(result).flatMap(({ label, comparisons }) =>
    comparisons.map((comparison) => ({
      head: `${comparison.candidate} against ${comparison.baseline}${label === "" ? "" : `, ${label}`}`,
      rows: (["time", "other"] as const).flatMap((of): ForestRow[] => {
        const row = forestRow(asMetricComparison(comparison, of, result.settings, label));
        return row ? [row] : [];
      }),
    })),
  );
  return forestChart(
    groups,
    toleranceOf(result),
    "Times of the candidates as ratios to the baseline's, with their intervals",
  );
}

/** Time and throughput over the points, where there are several: a line each model. */
export function sweepCharts(result: BenchResult): string {
  const points = pointsOf(result);
  if (points.length < 2) return "";
  const shown = result.models.filter(({ role }) => role !== "control");
  const chart = (title: string, text: (value: number) => string, of: (model: ModelResult) => number) => {
    const lines = shown.map(({ label }, tone) => ({
      tone,
      title: label,
      points: points.flatMap(({ models }, x) => {
        const model = models.find((one) => one.label === label);
        const value = model ? of(model) : Number.NaN;
        return Number.isFinite(value) ? [[x, value] as const] : [];
      }),
    }));
    const range = rangeOf(lines.flatMap((line) => line.points.map(([, value]) => value)));
    if (!range) return "";
    const names = points.map(({ label }, value) => ({ value, text: label }));
    return plot({
      title,
      label: `${title}: ${lines.map((line) => `${line.title} ${line.points.map(([x, value]) => `${text(value)} at ${points[x]!.label}`).join(", ")}`).join("; ")}`,
      x: { ...linearScale(0, points.length - 1, String, { exact: true }), ticks: names },
      y: scaleFor(range.low, range.high, text, { fromZero: true }),
      xWords: "",
      lines,
      dots: lines.flatMap(({ tone, title: name, points: own }) =>
        own.map(([x, y]) => ({ x, y, tone, kind: "ring" as const, title: `${name}, ${points[x]!.label}: ${text(y)}` })),
      ),
    });
  };
  const { metric } = result.settings;
  const figures = [
    chart(`${titleOf(metric)} of a run`, formatTick, (model) => model[metric].value),
    chart("samples per second", formatRate, ({ throughput }) => throughput),
  ];
  return legend(shown.map(({ label }, tone) => ({ name: label, tone: toneOf(tone) }))) + plots(figures);
}

const quartiles = (values: readonly number[]) => {
  const [low, q1, q2, q3, high] = [0, 0.25, 0.5, 0.75, 1].map((p) => quantile(values, p)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { low, q1, q2, q3, high };
};

/** Medians of the rounds of each model. */
export function roundBoxes(models: readonly ModelResult[], metric: Metric): string {
  const all = models.map(({ rounds }) => rounds.map((round) => round[metric].median).filter(isNumber));
  const range = rangeOf(...all);
  if (!range) return "";
  const scale = scaleFor(range.low, range.high, formatTick, { count: 5 });
  const rows = models.flatMap(({ label }, at): Row[] => {
    const values = all[at]!;
    if (values.length === 0) return [];
    const box = quartiles(values);
    const words = `median ${formatSeconds(box.q2)}, from ${formatSeconds(box.low)} to ${formatSeconds(box.high)}`;
    return [
      {
        name: label,
        value: formatSeconds(box.q2),
        label: `${label}: ${words} over ${formatNumberOf(values.length, "round")}`,
        marks: boxMarks(box, scale, toneOf(at), values),
      },
    ];
  });
  const title = `${titleOf(metric)} of a run`;
  return `<figure class="plot"><figcaption>${title}</figcaption>${rowChart([{ head: "", rows }], scale, { label: `${title} by model`, axis: `${title}: rounds, whiskers to the least and the most` })}</figure>`;
}

/** Rounds that are drawn one by one for each model. */
const mostRounds = 40;

/** The samples of each round as a box: quartiles where the samples were kept, else least, median and most. */
export function everyRound(models: readonly ModelResult[], metric: Metric): string {
  const boxOf = (round: Round) => {
    const raw = round.raw?.[metric] ?? [];
    const { median, min, max } = round[metric];
    return raw.length > 0 ? quartiles(raw) : { low: min, q1: median, q2: median, q3: median, high: max };
  };
  const groups = models.map(({ label, rounds }, at) => ({
    head: label,
    at,
    boxes: rounds.slice(0, mostRounds).map(boxOf),
  }));
  const range = rangeOf(groups.flatMap(({ boxes }) => boxes.flatMap(({ low, high }) => [low, high])));
  if (!range) return "";
  const scale = scaleFor(range.low, range.high, formatTick, { count: 5 });
  const drawn = groups.map(({ head, at, boxes }) => ({
    head,
    rows: boxes.map((box, round): Row => {
      const value = formatSeconds(box.q2);
      return {
        name: `round ${round + 1}`,
        value,
        label: `${head}, round ${round + 1}: median ${value}`,
        marks: boxMarks(box, scale, toneOf(at)),
      };
    }),
  }));
  return rowChart(drawn, scale, {
    label: "Samples of every round",
    width: 330,
    axis: `${titleOf(metric)} of a run: quartiles, whiskers to the least and the most`,
  });
}

/** Bars of some numbers of the models, each kind on its own scale. */
export function bars(
  models: readonly ModelResult[],
  kinds: readonly Kind[],
  format: (value: number) => string,
): string {
  const shown = models.filter(({ role }) => role !== "control");
  return kinds
    .map(([name, of]) => {
      const most = Math.max(Number.MIN_VALUE, ...shown.map(of).filter(isNumber));
      const rows = shown.map((model, at) => {
        const value = of(model);
        return {
          name: model.label,
          share: isNumber(value) ? Math.max(0, value) / most : 0,
          value: isNumber(value) ? format(value) : none,
          tone: toneOf(at),
        };
      });
      return `<h3>${name}</h3>\n${barChart(rows, name)}`;
    })
    .join("\n");
}
