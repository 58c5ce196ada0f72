import { ascending, quantileOf } from "../bench/compare/distribution.js";
import type { EndpointBenchResult } from "../bench/endpoints/result.js";
import type { MetricId } from "../bench/metrics.js";
import { requestValue } from "../bench/metrics-table.js";
import { gapsIn, type Series, thinned, valuesOf } from "./bench-samples.js";
import { nameAt, summariesAt } from "./bench-tables.js";
import { formatMetric, isNumber, pointWords, titleOf } from "./metric-words.js";
import { boxMarks, type Dot, type Line, plot, type Row, rowChart, type Shade } from "./plots.js";
import { formatCount, formatSeconds, formatTick } from "./quantities.js";
import { linearScale, logScale, scaleFor } from "./scales.js";
import { countsIn, rangeOf } from "./sparkline.js";

/** Points of a line of a distribution at most. */
export const quantilesDrawn = 200;

/** Share of requests that took at most so long, a line each target. */
export function cdfChart(result: EndpointBenchResult, series: readonly Series[], id: MetricId): string {
  const own = series
    .map((one) => ({ ...one, order: ascending(valuesOf(one, id)) }))
    .filter(({ order }) => order.length > 1);
  const range = rangeOf(...own.map(({ order }) => [order[0]!, quantileOf(order, 0.999)]));
  if (!range) return "";
  const lines = own.map(({ target, order }): Line => {
    const count = Math.min(quantilesDrawn, order.length);
    const points = Array.from({ length: count }, (_, step) => {
      const p = step / (count - 1);
      return [quantileOf(order, p), p] as const;
    });
    return {
      points,
      tone: toneOf(result, target),
      title: `${target}: median ${formatMetric(id, quantileOf(order, 0.5))}`,
    };
  });
  const middles = own.map(
    ({ target, order }) =>
      `${target} ${formatMetric(id, quantileOf(order, 0.5))} (${formatCount(order.length)} values)`,
  );
  return plot({
    title: `${titleOf(id)}: share of requests up to a time`,
    label: `Cumulative distribution of ${titleOf(id)}; medians: ${middles.join(", ")}`,
    x: scaleFor(range.low, range.high, formatTick),
    y: linearScale(0, 1, (share) => `${Math.round(share * 100)} %`, { count: 4 }),
    xWords: titleOf(id),
    lines,
  });
}

/** The colour of a target. */
export function toneOf({ targets }: EndpointBenchResult, target: string): number {
  return (
    Math.max(
      0,
      targets.findIndex(({ label }) => label === target),
    ) % 7
  );
}

/** A metric of each request over the time of the run, blocks shaded, warm-up as rings, failures as crosses on top. */
export function timeChart(
  result: EndpointBenchResult,
  series: readonly Series[],
  id: MetricId,
  dotsDrawn: number,
): string {
  const point = series[0]?.point;
  const blocks = result.raw.blocks.filter((block) => block.point === point);
  const span = rangeOf(blocks.flatMap(({ start, end }) => [start, end]));
  if (!span) return "";
  const dots = series.flatMap((one): Dot[] => {
    const tone = toneOf(result, one.target);
    const dot =
      (kind: "dot" | "ring") =>
      (record: (typeof one.counted)[number]): Dot[] => {
        const y = requestValue(id, record);
        if (y === null) return [];
        const title = `${one.target}, round ${record.round + 1}: ${formatMetric(id, y)}${kind === "ring" ? " (warm-up)" : ""}`;
        return [{ x: record.sent - span.low, y, tone, kind, title }];
      };
    return [
      ...thinned(
        one.warmUp.filter(({ error }) => !error),
        Math.ceil(dotsDrawn / 8),
      ).flatMap(dot("ring")),
      ...thinned(one.counted, dotsDrawn).flatMap(dot("dot")),
    ];
  });
  const range = rangeOf(dots.map(({ y }) => y));
  const y = range ? scaleFor(range.low, range.high, formatTick) : linearScale(0, 1, () => "");
  const failures = series.flatMap(({ failed, target }) =>
    thinned(failed, Math.ceil(dotsDrawn / 2)).map(
      ({ sent, error }): Dot => ({
        x: sent - span.low,
        y: y.high,
        tone: 0,
        kind: "cross",
        title: `${target}: ${error!.kind}`,
      }),
    ),
  );
  const shades = blocks.map(({ start, end, target, round }): Shade => {
    return {
      from: start - span.low,
      to: end - span.low,
      tone: toneOf(result, target),
      title: `${target}, round ${round + 1}`,
    };
  });
  const all = series.reduce((sum, { counted }) => sum + counted.length, 0);
  const shown = Math.min(
    all,
    series.reduce((sum, { counted }) => sum + Math.min(dotsDrawn, counted.length), 0),
  );
  const thin = shown < all ? ` (${formatCount(shown)} of ${formatCount(all)} requests drawn)` : "";
  return plot({
    title: `${titleOf(id)} over the run${thin}; the shade says whose turn it is, crosses are failures`,
    label: `${titleOf(id)} of each request over the time of the run, ${formatCount(all)} requests in ${blocks.length} blocks`,
    x: linearScale(0, span.high - span.low, formatTick, { exact: true, count: 5 }),
    y,
    xWords: "time since the first request of this load",
    height: 260,
    dots: [...dots, ...failures],
    shades,
  });
}

/** Quartiles of latencies by load and target. */
export function boxChart(result: EndpointBenchResult, series: readonly Series[], id: MetricId): string {
  const boxes = series
    .map((one) => {
      const order = ascending(valuesOf(one, id));
      if (order.length === 0) return undefined;
      const [low, q1, q2, q3, high] = [0.05, 0.25, 0.5, 0.75, 0.95].map((p) => quantileOf(order, p)) as [
        number,
        number,
        number,
        number,
        number,
      ];
      return { ...one, box: { low, q1, q2, q3, high } };
    })
    .filter((one) => one !== undefined);
  const range = rangeOf(boxes.flatMap(({ box }) => [box.low, box.high]));
  if (!range) return "";
  const scale = scaleFor(range.low, range.high, formatTick, {
    fromZero: range.high >= 5 * range.low,
    count: 5,
  });
  const groups = result.points.map((point, index) => ({
    head: pointWords(point),
    rows: boxes
      .filter((one) => one.point === index)
      .map(({ target, box }): Row => {
        const text = (value: number) => formatMetric(id, value);
        return {
          name: target,
          value: text(box.q2),
          label: `${target}, ${pointWords(point)}: median ${text(box.q2)}, half between ${text(box.q1)} and ${text(box.q3)}, 90 % between ${text(box.low)} and ${text(box.high)}`,
          marks: boxMarks(box, scale, toneOf(result, target)),
        };
      }),
  }));
  const words = {
    label: `${titleOf(id)} by load and target`,
    axis: `${titleOf(id)}: quartiles, whiskers from 5 % to 95 %`,
  };
  return `<figure class="plot"><figcaption>${titleOf(id)}</figcaption>${rowChart(
    groups.filter(({ rows }) => rows.length > 0),
    scale,
    words,
  )}</figure>`;
}

/** Output tokens a second against a latency, a line each target through its loads. */
export function curveChart(result: EndpointBenchResult, id: MetricId): string {
  const all = result.targets.map(({ label }) => ({
    label,
    points: result.points.flatMap((point, index) => {
      const own = summariesAt(result, index).find(({ target }) => target === label);
      const x = own?.values.output_throughput ?? own?.values.request_throughput;
      const y = own?.metrics[id]?.p50;
      return isNumber(x) && isNumber(y) ? [{ x, y, words: pointWords(point) }] : [];
    }),
  }));
  const spots = all.flatMap(({ points }) => points);
  if (result.points.length < 2 || spots.length < 2) return "";
  const tokens = result.summaries.some(({ values }) => isNumber(values.output_throughput));
  const unit = tokens ? "output tokens/s" : "requests/s";
  const rate = (value: number) => formatMetric("output_throughput", value);
  const [xs, ys] = [rangeOf(spots.map(({ x }) => x))!, rangeOf(spots.map(({ y }) => y))!];
  const last = all.findLast(({ points }) => points.length > 0)?.label;
  return plot({
    title: `${titleOf(id)} (median) against ${unit}`,
    label: `${titleOf(id)} against ${unit} over ${result.points.length} loads; ${all.map(({ label, points }) => `${label}: ${points.map(({ words, x, y }) => `${words} ${rate(x)} at ${formatMetric(id, y)}`).join(", ")}`).join("; ")}`,
    x: scaleFor(0, xs.high * 1.05, rate),
    y: scaleFor(ys.low, ys.high, formatTick, { fromZero: true }),
    xWords: unit,
    lines: all.map(({ label, points }) => ({
      points: points.map(({ x, y }) => [x, y] as const),
      tone: toneOf(result, label),
      title: label,
    })),
    dots: all.flatMap(({ label, points }) =>
      points.map(
        ({ x, y, words }): Dot => ({
          x,
          y,
          tone: toneOf(result, label),
          kind: "ring",
          title: `${label}, ${words}: ${rate(x)}, ${formatMetric(id, y)}`,
          ...(label === last ? { text: words } : {}),
        }),
      ),
    ),
  });
}

const gapBins = 40;

/** How often which gap between token events came, one small plot a target. */
export function gapCharts(result: EndpointBenchResult, series: readonly Series[]): string {
  const point = series[0]?.point ?? 0;
  const name = nameAt("itl", summariesAt(result, point));
  // several events of one socket read have no gap between them, and no place on a logarithmic axis
  const own = series.map((one) => {
    const gaps: number[] = [];
    let together = 0;
    for (const gap of gapsIn(one)) {
      if (gap > 0) gaps.push(gap);
      else together += 1;
    }
    return { ...one, gaps, together };
  });
  const range = rangeOf(...own.map(({ gaps }) => gaps));
  if (!range || !(range.high > range.low)) return "";
  const x = logScale(range.low, range.high, formatTick);
  const logs = { low: Math.log(range.low), high: Math.log(range.high) };
  const counted = own.map((one) => ({ ...one, counts: countsIn(one.gaps.map(Math.log), logs, gapBins) }));
  const most = Math.max(1, ...counted.flatMap(({ counts }) => counts));
  const y = scaleFor(0, most, formatCount, { count: 3 });
  const edge = (bin: number) => Math.exp(logs.low + ((logs.high - logs.low) * bin) / gapBins);
  return counted
    .map(({ target, gaps, together, counts }) =>
      plot({
        title: `${target}: gaps between ${name === "ITL" ? "token events" : "chunks"}${together > 0 ? `; ${formatCount(together)} came together with the one before` : ""}`,
        label: `Histogram of ${formatCount(gaps.length)} gaps of ${target}${gaps.length > 0 ? `, median ${formatSeconds(quantileOf(ascending(gaps), 0.5))}` : ""}`,
        x,
        y,
        xWords: `${name}, on a logarithmic scale`,
        height: 180,
        bars: counts.flatMap((count, bin) =>
          count === 0
            ? []
            : [
                {
                  from: edge(bin),
                  to: edge(bin + 1),
                  y: count,
                  tone: toneOf(result, target),
                  title: `${formatTick(edge(bin))} to ${formatTick(edge(bin + 1))}: ${formatCount(count)}`,
                },
              ],
        ),
      }),
    )
    .join("\n");
}
