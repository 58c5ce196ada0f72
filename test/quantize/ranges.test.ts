import { describe, expect, test } from "@jest/globals";
import { normal, uniform } from "../../src/data/random.js";
import { type Range, type RangeSettings, rangeOf } from "../../src/quantize/ranges.js";
import { startCollecting } from "../../src/quantize/statistics.js";

type Kind = "gaussian" | "outliers" | "relu" | "shifted" | "sigmoid";

/** Values as layers make them. */
function values(kind: Kind, count = 20_000): Float32Array {
  const next = normal(7);
  const even = uniform(8);
  const make = {
    gaussian: () => next(),
    // one in a thousand is 30 times as large
    outliers: () => next() * (even() < 0.001 ? 30 : 1),
    relu: () => Math.max(0, next()),
    shifted: () => next() * 0.5 + 1.5,
    sigmoid: () => 1 / (1 + Math.exp(-2 * next())),
  }[kind];
  return Float32Array.from({ length: count }, make);
}

function statisticsOf(data: Float32Array) {
  const collector = startCollecting();
  // in samples of several sizes
  for (let at = 0, size = 1; at < data.length; at += size, size = Math.min(5000, size * 3)) {
    const part = data.slice(at, at + size);
    collector.add("x", { dtype: "float32", shape: [part.length], data: part });
  }
  return collector.statistics().get("x")!;
}

const rangeFor = (data: Float32Array, settings: RangeSettings) => rangeOf(statisticsOf(data), settings);

/** Mean squared error of quantizing these very values over a range, as QuantizeLinear does. */
function trueError(data: Float32Array, range: Range, symmetric: boolean): number {
  // jest runs modules where each look-up of a global costs more than the arithmetic
  const { min: least, max: most, round } = Math;
  const levels = symmetric ? 254 : 255;
  const scale = (range.max - range.min) / levels;
  const zero = symmetric ? 127 : round(-range.min / scale);
  let sum = 0;
  for (const value of data) {
    const q = least(levels, most(0, round(value / scale) + zero));
    sum += (value - (q - zero) * scale) ** 2;
  }
  return sum / data.length;
}

const sorted = (data: Float32Array) => Float32Array.from(data).sort();

describe("ranges", () => {
  test("minmax and moving hold 0, and both sides alike where symmetric", () => {
    const collector = startCollecting();
    for (const sample of [
      [1, 3],
      [2, 5],
    ]) {
      collector.add("x", { dtype: "float32", shape: [2], data: Float32Array.from(sample) });
    }
    const statistics = collector.statistics().get("x")!;
    expect(rangeOf(statistics, { method: "minmax" })).toEqual({ min: 0, max: 5 });
    expect(rangeOf(statistics, { method: "moving" })).toEqual({ min: 0, max: 4 });
    expect(rangeOf(statistics, { method: "minmax", symmetric: true })).toEqual({ min: -5, max: 5 });
  });

  test("percentile by hand: 1 of 100 elements on each side is left out", () => {
    const data = Float32Array.from({ length: 100 }, (_, at) => at - 49.5);
    const { min, max } = rangeFor(data, { method: "percentile", percentile: 98 });
    // between the outermost element and the next, to the width of a bin
    expect(min).toBeGreaterThanOrEqual(-49.5);
    expect(min).toBeLessThan(-48.4);
    expect(max).toBeLessThanOrEqual(49.5);
    expect(max).toBeGreaterThan(48.4);
  });

  test.each<[Kind, number]>([
    ["gaussian", 99],
    ["outliers", 99.9],
    ["relu", 99.5],
    ["shifted", 95],
  ])("percentile of %s equals that of the sorted values", (kind, percentile) => {
    const data = values(kind);
    const all = sorted(data);
    const statistics = statisticsOf(data);
    const width = 2 ** statistics.histogram.exponent;
    const outside = ((1 - percentile / 100) / 2) * all.length;
    const { min, max } = rangeOf(statistics, { method: "percentile", percentile });
    expect(Math.abs(min - Math.min(0, all[Math.floor(outside)]!))).toBeLessThanOrEqual(width);
    expect(Math.abs(max - all[all.length - 1 - Math.floor(outside)]!)).toBeLessThanOrEqual(width);
    const magnitudes = sorted(data.map(Math.abs));
    const both = rangeOf(statistics, { method: "percentile", percentile, symmetric: true });
    expect(Math.abs(both.max - magnitudes[Math.ceil((percentile / 100) * all.length) - 1]!)).toBeLessThanOrEqual(width);
    expect(both.min).toBe(-both.max);
  });

  test.each<[Kind, boolean]>(
    (["gaussian", "outliers", "relu", "shifted", "sigmoid"] as const).flatMap((kind) => [
      [kind, false],
      [kind, true],
    ]),
  )("mse of %s (symmetric: %s) is as small as that of the best range over the values themselves", (kind, symmetric) => {
    const data = values(kind, 1500);
    const found = rangeFor(data, { method: "mse", symmetric });
    const full = rangeFor(data, { method: "minmax", symmetric });
    let best = Number.POSITIVE_INFINITY;
    for (let a = 1; a <= 16; a++) {
      for (let b = 1; b <= 16; b++) {
        if (symmetric ? a !== b : full.min === 0 && a > 1) continue;
        const range = { min: (full.min * a) / 16, max: (full.max * b) / 16 };
        best = Math.min(best, trueError(data, range, symmetric));
      }
    }
    expect(trueError(data, found, symmetric)).toBeLessThan(best * 1.03);
  });

  test("mse of a Gaussian in 4 bits is Max's uniform quantizer", () => {
    // J. Max, "Quantizing for minimum distortion" (1960), table II: 15 levels lie 0.3534 standard deviations apart
    const { max } = rangeFor(values("gaussian"), { method: "mse", bits: 4, symmetric: true });
    expect(max / 7).toBeGreaterThan(0.34);
    expect(max / 7).toBeLessThan(0.37);
    expect(rangeFor(values("sigmoid"), { method: "mse" }).max).toBeGreaterThan(0.98);
  });

  /** The divergence as its definition has it, over a whole number of bins. */
  function divergence(data: Float32Array, width: number, bound: number): number {
    const bins = Math.round((2 * bound) / width);
    const index = (value: number) => Math.floor(value / width) + bins / 2;
    const inside = Array(bins).fill(0);
    const clipped = Array(bins).fill(0);
    for (const value of data) {
      if (value === 0) continue;
      const at = index(value);
      if (at >= 0 && at < bins) inside[at]++;
      clipped[Math.min(bins - 1, Math.max(0, at))]++;
    }
    const scale = (2 * bound) / 255;
    const level = inside.map((_, at) => Math.round(((at - bins / 2 + 0.5) * width) / scale));
    const sum = (list: readonly number[]) => list.reduce((total, number) => total + number, 0);
    const support = clipped.filter((count) => count > 0).length;
    return sum(
      clipped.map((count, at) => {
        if (count === 0) return 0;
        const same = level.map((other, k) => (other === level[at] && clipped[k] > 0 ? inside[k] : undefined));
        const kept = same.filter((number) => number !== undefined);
        const q = (0.9999 * sum(kept)) / kept.length / sum(inside) + 0.0001 / support;
        const p = count / sum(clipped);
        return p * Math.log(p / q);
      }),
    );
  }

  test("entropy picks the least divergence among bounds", () => {
    const data = values("gaussian", 1500);
    const statistics = statisticsOf(data);
    const width = 2 ** statistics.histogram.exponent;
    const { max } = rangeOf(statistics, { method: "entropy" });
    const chosen = divergence(data, width, Math.ceil(max / width) * width);
    for (const share of [0.4, 0.7, 1]) {
      const bound = Math.floor((statistics.max * share) / width) * width;
      expect(chosen).toBeLessThanOrEqual(divergence(data, width, bound) + 0.01);
    }
  });

  test.each([false, true])("entropy leaves outliers out and a full range in (symmetric: %s)", (symmetric) => {
    const bulk = rangeFor(values("outliers"), { method: "entropy", symmetric });
    expect(bulk.max).toBeGreaterThan(2.5);
    expect(bulk.max).toBeLessThan(rangeFor(values("outliers"), { method: "minmax" }).max / 2);
    const even = uniform(3);
    const full = Float32Array.from({ length: 50_000 }, () => even() * 4 - 1);
    expect(rangeFor(full, { method: "entropy", symmetric }).max).toBeGreaterThan(2.8);
  });

  test("many zeros do not make entropy clip the rest", () => {
    const data = values("relu");
    const dense = data.filter((value) => value > 0);
    const found = rangeFor(data, { method: "entropy" });
    expect(found).toEqual(rangeFor(dense, { method: "entropy" }));
    expect(found.min).toBe(0);
  });

  test.each(["minmax", "moving", "percentile", "entropy", "mse"] as const)(
    "%s of one number, of zeros and of the largest floats",
    (method) => {
      for (const data of [[0, 0], [3], [-3, -3, 0], [1e-42], [3e38, -3e38, 1]]) {
        const settings = { method, symmetric: false };
        const { min, max } = rangeFor(Float32Array.from(data), settings);
        const floats = Array.from(Float32Array.from(data));
        expect([min <= 0, max >= 0, Number.isFinite(max - min)]).toEqual([true, true, true]);
        expect(min).toBeGreaterThanOrEqual(Math.min(0, ...floats));
        expect(max).toBeLessThanOrEqual(Math.max(0, ...floats));
        if (data.length === 1) expect(max).toBeGreaterThan(floats[0]! * 0.9);
        const { min: low, max: high } = rangeFor(Float32Array.from(data), { method, symmetric: true });
        expect(low).toBe(0 - high);
      }
    },
  );
});
