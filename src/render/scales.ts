/** Maps values to a share of a picture's length, 0 to 1, and knows where its ticks stand. */
export interface Scale {
  /** Values beyond the ends go to the ends. */
  at(value: number): number;
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly { readonly value: number; readonly text: string }[];
  readonly logarithmic: boolean;
}

const within = (share: number): number => Math.min(1, Math.max(0, share));

/** From `low` to `high`, both moved out to the next tick unless `exact`; about `count` ticks at 1, 2 or 5 times a power of ten. */
export function linearScale(
  low: number,
  high: number,
  text: (value: number) => string,
  options: { readonly count?: number; readonly exact?: boolean } = {},
): Scale {
  const size = high > low ? high - low : Math.abs(high) || 1;
  const least = size / (1.3 * (options.count ?? 4));
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * ([1, 2, 5].find((one) => one * power >= least * 0.999) ?? 10);
  const from = options.exact ? low : Math.floor(low / step + 1e-9) * step;
  const to = options.exact ? low + size : Math.max(Math.ceil(high / step - 1e-9) * step, from + step);
  const ticks = [];
  for (let index = Math.ceil(from / step - 1e-9); index * step <= to + step * 1e-9; index++) {
    const value = index * step;
    ticks.push({ value, text: text(value) });
  }
  return { low: from, high: to, ticks, logarithmic: false, at: (value) => within((value - from) / (to - from)) };
}

/** Logarithmic; `low` and `high` above 0. Ticks at powers of ten, and between them where the range is short. */
export function logScale(low: number, high: number, text: (value: number) => string): Scale {
  const span = Math.log(high / low);
  const decades = span / Math.LN10;
  const marks = decades > 4 ? [1] : decades > 2 ? [1, 3] : [1, 2, 5];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const mark of marks) {
      const value = mark * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push({ value, text: text(value) });
    }
  }
  return { low, high, ticks, logarithmic: true, at: (value) => (value > 0 ? within(Math.log(value / low) / span) : 0) };
}

/** A scale for values above 0: logarithmic where they differ by over ten times, else linear from 0 or near them. */
export function scaleFor(
  low: number,
  high: number,
  text: (value: number) => string,
  options: { readonly fromZero?: boolean; readonly count?: number } = {},
): Scale {
  if (low > 0 && high / low > 12) return logScale(low * 0.95, high * 1.05, text);
  return linearScale(
    options.fromZero ? Math.min(0, low) : low,
    high,
    text,
    options.count ? { count: options.count } : {},
  );
}
