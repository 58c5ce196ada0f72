import { escapeHtml } from "./html-page.js";

/** A length in percent of the picture's width, short. */
const percent = (share: number): string => `${Number((100 * share).toFixed(2))}%`;

/** Style of the charts. Colours are classes `tone-0` to `tone-7`; texts keep their size on narrow screens. */
export const chartStyle = `
:root { --tone-0: #2f6fde; --tone-1: #2a9d66; --tone-2: #b3630e; --tone-3: #8250c4; --tone-4: #c23f77; --tone-5: #12848c;
  --tone-6: #8a7a10; --tone-7: #7d8590; }
@media (prefers-color-scheme: dark) {
  :root { --tone-0: #79a8ff; --tone-1: #56c98f; --tone-2: #f0a04b; --tone-3: #b795f0; --tone-4: #f27fae; --tone-5: #4fc4cc;
    --tone-6: #d8c44a; --tone-7: #8b949e; }
}
${Array.from({ length: 8 }, (_, at) => `.tone-${at} { fill: var(--tone-${at}); color: var(--tone-${at}); }`).join("\n")}
svg { display: block; width: 100%; overflow: visible; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
svg text { fill: var(--front); font: 12px system-ui, sans-serif; }
svg .axis { stroke: var(--line); } svg .limit { stroke: var(--error); stroke-dasharray: 5 4; } svg .path { fill: none; stroke: var(--quiet); }
svg .inside { fill: var(--panel); stroke: var(--line); vector-effect: non-scaling-stroke; }
.bars { display: grid; grid-template-columns: minmax(6rem, 20rem) 1fr max-content; gap: .15rem .7rem; align-items: center; font-size: 13px; }
.bars .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; direction: rtl; text-align: left; }
.scheme { min-width: 10rem; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .4rem 0; padding: 0; list-style: none; }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; background: currentColor; margin-right: .35em;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.legend span { color: var(--front); }
.stack { display: grid; grid-template-columns: max-content 1fr; gap: .3rem .7rem; align-items: center; }
.multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-size: 12px; }
@media (max-width: 40rem) { .bars { grid-template-columns: 7rem 1fr max-content; } }
@media print { figure, .stack, .bars > * { break-inside: avoid; } }
`;

/** One bar: a name, how long (0 to 1), what stands behind it, and its colour. */
export interface Bar {
  readonly name: string;
  readonly share: number;
  readonly value: string;
  readonly tone: number;
}

/** Bars below each other. */
export function barChart(bars: readonly Bar[], label: string): string {
  const rows = bars.map(
    ({ name, share, value, tone }) =>
      // the marks keep signs at the ends of a name in place, whose start is cut off where it is too long
      `<span class="name" title="${escapeHtml(name)}">&lrm;${escapeHtml(name)}&lrm;</span><svg height="14" aria-hidden="true"><rect class="tone-${tone}" width="${percent(Math.max(0.003, share))}" height="14" rx="2"/></svg><span class="number">${escapeHtml(value)}</span>`,
  );
  return `<div class="bars" role="group" aria-label="${escapeHtml(label)}">\n${rows.join("\n")}\n</div>`;
}

/** What colours stand for. */
export function legend(entries: readonly { readonly name: string; readonly tone: number }[]): string {
  const items = entries.map(
    ({ name, tone }) => `<li class="tone-${tone}"><i></i><span>${escapeHtml(name)}</span></li>`,
  );
  return `<ul class="legend">${items.join("")}</ul>`;
}

/** Parts of a whole, one row a whole; lengths are shares of the longest. */
export function stackChart(
  rows: readonly {
    readonly name: string;
    readonly parts: readonly { readonly size: number; readonly tone: number; readonly title: string }[];
  }[],
): string {
  const most = Math.max(1, ...rows.map(({ parts }) => parts.reduce((sum, { size }) => sum + size, 0)));
  const lines = rows.map(({ name, parts }) => {
    let from = 0;
    const rects = parts.map(({ size, tone, title }) => {
      const rect = `<rect class="tone-${tone}" x="${percent(from / most)}" width="${percent(size / most)}" height="26"><title>${escapeHtml(title)}</title></rect>`;
      from += size;
      return rect;
    });
    return `<span>${escapeHtml(name)}</span><svg height="26" role="img" aria-label="${escapeHtml(`${name}: ${parts.map(({ title }) => title).join(", ")}`)}">${rects.join("")}</svg>`;
  });
  return `<div class="stack">\n${lines.join("\n")}\n</div>`;
}

/** Points joined in the order of x, with a limit as a dashed line. `x` and `y` from 0 on. */
export function limitChart(
  points: readonly { readonly x: number; readonly y: number; readonly title: string }[],
  limit: { readonly y: number; readonly words: string },
  words: { readonly x: string; readonly formatY: (y: number) => string },
): string {
  const [height, top, bottom] = [220, 12, 180];
  const sorted = [...points].sort((a, b) => a.x - b.x);
  const mostX = Math.max(1, ...points.map(({ x }) => x));
  const mostY = 1.1 * Math.max(1e-9, limit.y, ...points.map(({ y }) => y).filter(Number.isFinite));
  const left = 0.03;
  const xOf = (x: number) => percent(left + (x / mostX) * (0.96 - left));
  const yOf = (y: number) => Number((bottom - (Math.min(Math.max(0, y), mostY) / mostY) * (bottom - top)).toFixed(1));
  const lines = sorted.slice(1).map((point, at) => {
    const { x, y } = sorted[at]!;
    return `<line class="path" x1="${xOf(x)}" y1="${yOf(y)}" x2="${xOf(point.x)}" y2="${yOf(point.y)}"/>`;
  });
  const dots = sorted.map(
    ({ x, y, title }) =>
      `<circle class="tone-${y <= limit.y ? 1 : 4}" cx="${xOf(x)}" cy="${yOf(y)}" r="5"><title>${escapeHtml(title)}</title></circle>`,
  );
  // only the first and last, and the limit, are sure not to overlap
  const ends = [...new Map([sorted[0], sorted.at(-1)].flatMap((point) => (point ? [[point.x, point]] : []))).values()];
  const texts = ends.map(
    ({ x, y }, at) =>
      `<text x="${xOf(x)}" y="${yOf(y) - 9}" text-anchor="${at === 0 ? "start" : "end"}">${escapeHtml(words.formatY(y))}</text><text x="${xOf(x)}" y="${bottom + 16}" text-anchor="${at === 0 ? "start" : "end"}">${x}</text>`,
  );
  return `<svg height="${height}" role="img" aria-label="${escapeHtml(sorted.map(({ title }) => title).join("; "))}">
<line class="axis" x1="0" y1="${bottom}" x2="100%" y2="${bottom}"/>
<line class="limit" x1="0" y1="${yOf(limit.y)}" x2="100%" y2="${yOf(limit.y)}"/>
<text x="50%" y="${yOf(limit.y) - 5}" text-anchor="middle">${escapeHtml(limit.words)}</text>
${[...lines, ...dots, ...texts].join("\n")}
<text x="50%" y="${bottom + 34}" text-anchor="middle">${escapeHtml(words.x)}</text>
</svg>`;
}

/** A small histogram on a logarithmic scale; `inside` is the part of its width that is drawn as reached. */
export function histogramChart(
  counts: readonly number[],
  inside: { readonly from: number; readonly to: number } | undefined,
  tone: number,
): string {
  const height = 56;
  const most = Math.max(1, ...counts.map((count) => Math.log1p(count)));
  const bars = counts.flatMap((count, at) => {
    const tall = Number(((Math.log1p(count) / most) * (height - 2)).toFixed(1));
    return count === 0
      ? []
      : [`<rect x="${at}" y="${Number((height - tall).toFixed(1))}" width="0.9" height="${tall}"/>`];
  });
  const short = (value: number) => Number((value * counts.length).toFixed(2));
  const reached = inside
    ? `<rect class="inside" x="${short(inside.from)}" y="0" width="${short(inside.to - inside.from)}" height="${height}"/>`
    : "";
  return `<svg height="${height}" viewBox="0 0 ${counts.length} ${height}" preserveAspectRatio="none" aria-hidden="true">${reached}<g class="tone-${tone}">${bars.join("")}</g></svg>`;
}
