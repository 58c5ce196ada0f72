import { escapeHtml } from "./html-page.js";
import type { Scale } from "./scales.js";

/** Style of the plots; colours are the tones of the charts. */
export const plotStyle = `
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem 1.5rem; }
.plot { margin: .8rem 0; min-width: 0; }
.plot figcaption { font-size: 13px; margin-bottom: .3rem; }
.plot .area { display: grid; grid-template-columns: 3.6rem minmax(0, 1fr); }
.plot .ends { padding-right: 1rem; }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .ticks text, svg text.ticks { fill: var(--quiet); font-size: 11px; }
svg .beside { paint-order: stroke; stroke: var(--back); stroke-width: 4px; stroke-linejoin: round; }
svg .line { fill: none; stroke: currentColor; stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
svg .line.dash-1 { stroke-dasharray: 7 3; } svg .line.dash-2 { stroke-dasharray: 2 3; }
svg .shade { opacity: .13; } svg .dot { opacity: .75; } svg .ring { fill: var(--back); stroke: currentColor; stroke-width: 1.5; }
svg .cross { stroke: var(--error); stroke-width: 2; }
svg .bar { opacity: .6; } svg .band { fill: var(--tone-7); opacity: .2; } svg .even { stroke: var(--quiet); stroke-dasharray: 3 3; }
svg .whisker { stroke: currentColor; stroke-width: 1.5; } svg .box { fill-opacity: .35; stroke: currentColor; stroke-width: 1.5; }
svg .middle { stroke: currentColor; stroke-width: 3; } svg .faint { opacity: .55; }
svg .good { color: var(--tone-1); fill: var(--tone-1); } svg .bad { color: var(--error); fill: var(--error); }
svg .open { color: var(--warning); fill: var(--warning); } svg .plain { color: var(--quiet); fill: var(--quiet); }
.rows { display: grid; grid-template-columns: minmax(5rem, max-content) minmax(0, 1fr) minmax(max-content, 4rem); column-gap: .8rem;
  align-items: center; font-size: 13px; }
.plot .rows { margin: 0; } .rows > div { display: contents; } .rows .head { grid-column: 1 / -1; font-weight: 600; margin-top: .5rem; }
.rows .name { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; max-width: 22rem; }
.rows .value { white-space: nowrap; font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) {
  .rows { grid-template-columns: minmax(0, 1fr) max-content; } .rows .name { grid-column: 1; max-width: none; }
  .rows .value { grid-column: 2; grid-row: auto; } .rows .track { grid-column: 1 / -1; order: 0; }
  .rows > div { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; } .rows > div .track { grid-row: 2; }
}
@media print { .plot, .rows > div { break-inside: avoid; } }
`;

const percent = (share: number): string => `${Number((100 * share).toFixed(2))}%`;
const pixel = (value: number): number => Number(value.toFixed(1));

/** A line through points in the values of the axes. */
export interface Line {
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly tone: number;
  readonly title: string;
}

/** A point: `dot` one of many, `ring` one that is pointed at (or left out of the count), `cross` a failure. */
export interface Dot {
  readonly x: number;
  readonly y: number;
  readonly tone: number;
  readonly kind: "dot" | "ring" | "cross";
  readonly title: string;
  /** Stands beside it. */
  readonly text?: string;
}

/** A part of the x axis in the colour of somebody. */
export interface Shade {
  readonly from: number;
  readonly to: number;
  readonly tone: number;
  readonly title: string;
}

export interface Plot {
  readonly title: string;
  /** For those who do not see it: what there is to see. */
  readonly label: string;
  readonly x: Scale;
  readonly y: Scale;
  readonly xWords: string;
  readonly height?: number;
  readonly lines?: readonly Line[];
  readonly dots?: readonly Dot[];
  readonly shades?: readonly Shade[];
  /** Bars from the lower end of y, by the values of x. */
  readonly bars?: readonly (Shade & { readonly y: number })[];
}

const top = 10;
const below = 38;

/** A figure of a plot with two axes; empty where there is nothing to draw. Texts keep their size on narrow screens. */
export function plot({ title, label, x, y, xWords, height = 230, ...marks }: Plot): string {
  const { lines = [], dots = [], shades = [], bars = [] } = marks;
  if (lines.length + dots.length + bars.length === 0) return "";
  const bottom = height - below;
  const yOf = (value: number) => pixel(bottom - y.at(value) * (bottom - top));
  const grid = y.ticks.map(
    ({ value }) => `<line class="grid" x1="0" x2="100%" y1="${yOf(value)}" y2="${yOf(value)}"/>`,
  );
  const names = y.ticks.map(
    ({ value, text }) =>
      `<text class="ticks" x="92%" y="${yOf(value) + 4}" text-anchor="end">${escapeHtml(text)}</text>`,
  );
  const areas = [
    ...shades.map((one) => {
      const [from, to] = [x.at(one.from), x.at(one.to)];
      return `<rect class="tone-${one.tone} shade" x="${percent(from)}" width="${percent(Math.max(0.001, to - from))}" y="${top}" height="${bottom - top}">${titled(one.title)}</rect>`;
    }),
    ...bars.map((one) => {
      const [from, to] = [x.at(one.from), x.at(one.to)];
      const high = yOf(one.y);
      return `<rect class="tone-${one.tone} bar" x="${percent(from)}" width="${percent(Math.max(0.002, to - from))}" y="${high}" height="${pixel(bottom - high)}">${titled(one.title)}</rect>`;
    }),
  ];
  const paths = lines
    .filter(({ points }) => points.length > 1)
    .map(({ points, tone, title: own }) => {
      const steps = points.map(
        ([px, py], at) => `${at === 0 ? "M" : "L"}${pixel(1000 * x.at(px))} ${pixel(1000 * (1 - y.at(py)))}`,
      );
      return `<path class="tone-${tone} line dash-${tone % 3}" d="${steps.join("")}">${titled(own)}</path>`;
    });
  const drawn =
    paths.length === 0
      ? ""
      : `<svg x="0" y="${top}" width="100%" height="${bottom - top}" viewBox="0 0 1000 1000" preserveAspectRatio="none">${paths.join("")}</svg>`;
  return `<figure class="plot"><figcaption>${escapeHtml(title)}</figcaption><div class="area"><svg height="${height}" aria-hidden="true">${names.join("")}</svg><div class="ends"><svg height="${height}" role="img" aria-label="${escapeHtml(label)}">
${[...grid, ...areas].join("")}
${drawn}
${dots.map((dot) => dotMark(dot, x.at(dot.x), yOf(dot.y))).join("")}
${tickTexts(x, bottom + 15, 260)}
<text class="ticks" x="50%" y="${bottom + 33}" text-anchor="middle">${escapeHtml(xWords)}</text>
</svg></div></div></figure>`;
}

const titled = (title: string): string => (title === "" ? "" : `<title>${escapeHtml(title)}</title>`);

function dotMark({ tone, kind, title, text }: Dot, share: number, y: number): string {
  const place = `cx="${percent(share)}" cy="${y}"`;
  const own = titled(title);
  const beside =
    text === undefined
      ? ""
      : `<text class="beside" x="${percent(share)}" y="${y < 24 ? y + 17 : y - 9}" text-anchor="${share > 0.85 ? "end" : share < 0.1 ? "start" : "middle"}">${escapeHtml(text)}</text>`;
  if (kind === "cross") {
    // two short lines, as lengths in percent cannot be added to pixels
    return `<svg x="${percent(share)}" y="${y}" width="1" height="1" overflow="visible"><path class="cross" d="M-3-3L3 3M-3 3L3-3">${own}</path></svg>`;
  }
  return `<circle class="tone-${tone} ${kind}" ${place} r="${kind === "ring" ? 4.5 : 2.5}">${own}</circle>${beside}`;
}

/**
 * Texts of ticks under an axis of `width` pixels; the first and last stay inside. Where they would touch, only every
 * second, third ... is left (on a logarithmic axis, where ticks are not even: those that touch the one before go).
 */
function tickTexts(x: Scale, y: number, width: number): string {
  const all = x.ticks.map(({ value, text }) => {
    const share = x.at(value);
    const anchor = share < 0.04 ? "start" : share > 0.96 ? "end" : "middle";
    const long = (text.length * 6.2 + 8) / width;
    return { text, share, anchor, long, from: share - (anchor === "start" ? 0 : anchor === "end" ? long : long / 2) };
  });
  const apart = (ticks: typeof all) => ticks.every(({ from, long }, at) => from + long <= (ticks[at + 1]?.from ?? 2));
  let shown = all;
  if (x.logarithmic) {
    let free = 0;
    shown = all.filter(({ from, long }) => {
      if (from < free) return false;
      free = from + long;
      return true;
    });
  } else {
    for (let step = 2; !apart(shown) && step <= all.length; step++) shown = all.filter((_, at) => at % step === 0);
  }
  const texts = shown.map(
    ({ text, share, anchor }) =>
      `<text x="${percent(share)}" y="${y}" text-anchor="${anchor}">${escapeHtml(text)}</text>`,
  );
  return `<g class="ticks">${texts.join("")}</g>`;
}

/** A row of a chart of rows: marks on a common axis. */
export interface Row {
  readonly name: string;
  readonly value: string;
  readonly label: string;
  /** Of `boxMarks` or `intervalMarks`. */
  readonly marks: string;
}

const rowHeight = 24;
/** Of the tracks, in pixels. */
const narrowest = 170;

/** Rows under headings, all on one axis, which stands below them. `band` shades a part of it, `even` marks a value. */
export function rowChart(
  groups: readonly { readonly head: string; readonly rows: readonly Row[] }[],
  scale: Scale,
  words: {
    readonly label: string;
    readonly axis: string /** Of the tracks at least, in pixels. */;
    readonly width?: number;
  },
  band?: { readonly from: number; readonly to: number; readonly even: number },
): string {
  if (groups.every(({ rows }) => rows.length === 0)) return "";
  const upright = (value: number, kind: string) =>
    `<line class="${kind}" x1="${percent(scale.at(value))}" x2="${percent(scale.at(value))}" y1="0" y2="100%"/>`;
  const back = [
    ...(band
      ? [
          `<rect class="band" x="${percent(scale.at(band.from))}" width="${percent(scale.at(band.to) - scale.at(band.from))}" height="100%"/>`,
        ]
      : []),
    ...scale.ticks.map(({ value }) => upright(value, "grid")),
    ...(band ? [upright(band.even, "even")] : []),
  ].join("");
  const lines = groups.flatMap(({ head, rows }) => [
    ...(head === "" ? [] : [`<div><span class="head">${escapeHtml(head)}</span></div>`]),
    ...rows.map(
      ({ name, value, label, marks }) =>
        `<div><span class="name" title="${escapeHtml(name)}">${escapeHtml(name)}</span><svg class="track" height="${rowHeight}" role="img" aria-label="${escapeHtml(label)}">${back}${marks}</svg><span class="value number">${escapeHtml(value)}</span></div>`,
    ),
  ]);
  return `<div class="rows plot" role="group" aria-label="${escapeHtml(words.label)}">
${lines.join("\n")}
<div><span class="name"></span><svg class="track" height="36" aria-hidden="true">${tickTexts(scale, 13, words.width ?? narrowest)}<text class="ticks" x="50%" y="30" text-anchor="middle">${escapeHtml(words.axis)}</text></svg><span class="value"></span></div>
</div>`;
}

const middle = rowHeight / 2;
const level = (from: number, to: number, kind: string) =>
  `<line class="${kind}" x1="${percent(from)}" x2="${percent(to)}" y1="${middle}" y2="${middle}"/>`;

/** Quartiles as a box, whiskers, and values of their own as dots, in the values of the scale. */
export function boxMarks(
  box: { readonly low: number; readonly q1: number; readonly q2: number; readonly q3: number; readonly high: number },
  scale: Scale,
  tone: number,
  dots: readonly number[] = [],
): string {
  const [low, q1, q2, q3, high] = [box.low, box.q1, box.q2, box.q3, box.high].map((value) => scale.at(value)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const points = dots.map((value) => `<circle class="faint" cx="${percent(scale.at(value))}" cy="${middle}" r="2.5"/>`);
  return `<g class="tone-${tone}">${level(low, q1, "whisker")}${level(q3, high, "whisker")}<rect class="box" x="${percent(q1)}" width="${percent(Math.max(0.002, q3 - q1))}" y="4" height="${rowHeight - 8}"/><line class="middle" x1="${percent(q2)}" x2="${percent(q2)}" y1="4" y2="${rowHeight - 4}"/>${points.join("")}</g>`;
}

/** An estimate with its interval; ends beyond the scale are drawn as arrows. */
export function intervalMarks(
  { estimate, lower, upper }: { readonly estimate: number; readonly lower: number; readonly upper: number },
  scale: Scale,
  kind: "good" | "bad" | "open" | "plain",
): string {
  const arrow = (share: number, way: 1 | -1) =>
    `<svg x="${percent(share)}" y="${middle}" width="1" height="1" overflow="visible"><path d="M${-7 * way}-5L0 0L${-7 * way} 5"/></svg>`;
  const ends = [...(lower < scale.low ? [arrow(0, -1)] : []), ...(upper > scale.high ? [arrow(1, 1)] : [])];
  return `<g class="${kind}">${level(scale.at(lower), scale.at(upper), "whisker")}${ends.join("")}<circle cx="${percent(scale.at(estimate))}" cy="${middle}" r="5"/></g>`;
}
