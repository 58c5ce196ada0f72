/** A number to three significant digits, never in exponent form above 0.001. */
function digits(value: number): string {
  const size = Math.abs(value);
  // 9.995 and up would round to 10.00, so the digits follow the rounded value
  const rounded = Number(size.toPrecision(3));
  return value.toFixed(rounded >= 100 ? 0 : rounded >= 10 ? 1 : 2);
}

function scaled(value: number, units: readonly (readonly [size: number, unit: string])[]): string {
  for (const [size, unit] of units) {
    if (Number((Math.abs(value) / size).toPrecision(3)) >= 1) return `${digits(value / size)} ${unit}`;
  }
  const [size, unit] = units.at(-1)!;
  return `${digits(value / size)} ${unit}`;
}

/** Bytes in decimal units, as disks and downloads count them: `10.8 MB`; below 1000 exact: `512 B`. */
export function formatBytes(bytes: number): string {
  if (Math.abs(bytes) < 1000) return `${Math.round(bytes)} B`;
  return scaled(bytes, [
    [1e12, "TB"],
    [1e9, "GB"],
    [1e6, "MB"],
    [1e3, "kB"],
  ]);
}

/** Operations of one run: `1.32 GFLOP`. */
export function formatFlops(flops: number): string {
  if (Math.abs(flops) < 1000) return `${Math.round(flops)} FLOP`;
  return scaled(flops, [
    [1e12, "TFLOP"],
    [1e9, "GFLOP"],
    [1e6, "MFLOP"],
    [1e3, "kFLOP"],
  ]);
}

const secondUnits = [
  [1, "s"],
  [1e-3, "ms"],
  [1e-6, "us"],
  [1e-9, "ns"],
] as const;

/** Seconds in the unit that suits: `1.20 s`, `35.1 ms`, `410 us`, `12.0 ns`. */
export function formatSeconds(seconds: number): string {
  return seconds === 0 ? "0 s" : scaled(seconds, secondUnits);
}

/** A time that people wait: `40 s`, `12 min`, `3 h 20 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest > 0 ? ` ${rest} min` : ""}`;
}

/** Seconds at the tick of an axis, without zeros that say nothing: `0.5 s`, `100 ms`. */
export function formatTick(seconds: number): string {
  return formatSeconds(seconds)
    .replace(/(\.\d*?)0+ /, "$1 ")
    .replace(". ", " ");
}

/** A time and its interval, all in the unit that suits the time: `35.1 ms [34.8, 35.9]`. */
export function formatTimeWithin(seconds: number, lower: number, upper: number): string {
  const text = formatSeconds(seconds);
  const [size] = secondUnits.find(([, unit]) => text.endsWith(` ${unit}`))!;
  return `${text} [${digits(lower / size)}, ${digits(upper / size)}]`;
}

/** A whole number with thousands separated: `10,822,323`. */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** So many of something: `1 round`, `6 rounds`; for nouns that take an s. */
export function formatNumberOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** A share or change as percent: 0.0123 -> `1.2 %`; `signed` puts a + before gains. */
export function formatPercent(share: number, signed = false, decimals = 1): string {
  const text = (share * 100).toFixed(decimals);
  // -0.04 % rounds to a zero that needs no sign
  const plain = Number(text) === 0 ? (0).toFixed(decimals) : text;
  return `${signed && Number(text) > 0 ? "+" : ""}${plain} %`;
}

/** A rate per second: `28.4/s`. */
export function formatRate(perSecond: number): string {
  return `${perSecond >= 1000 ? formatCount(perSecond) : digits(perSecond)}/s`;
}

/** A level in dB: `35.2 dB`; equal signals are `inf dB`. */
export function formatDecibels(decibels: number): string {
  if (!Number.isFinite(decibels)) return decibels > 0 ? "inf dB" : decibels < 0 ? "-inf dB" : "no dB";
  return `${decibels.toFixed(1)} dB`;
}
