import { describe, expect, test } from "@jest/globals";
import { maxBins } from "../../src/quantize/histogram.js";
import { startCollecting, type ValueStatistics } from "../../src/quantize/statistics.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import fc from "../property.js";

const floats = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor => ({
  dtype: "float32",
  shape,
  data: Float32Array.from(values),
});

function collect(samples: readonly (readonly number[])[]): ValueStatistics | undefined {
  const collector = startCollecting();
  for (const sample of samples) collector.add("x", floats(sample));
  return collector.statistics().get("x");
}

describe("statistics of a value", () => {
  test("extremes, zeros and histogram over samples of any shape", () => {
    const found = collect([[1, 0, 2], [-4], [0, 0, 3.5, 1]])!;
    expect(found).toMatchObject({ samples: 3, elements: 8, min: -4, max: 3.5, zeros: 3 });
    // 7.5 over 4096 bins: the next power of two is 2^-9
    expect(found.histogram.exponent).toBe(-9);
    const at = (value: number) => found.histogram.counts[Math.floor(value * 512) - found.histogram.first];
    expect([at(1), at(2), at(-4), at(3.5), at(3)]).toEqual([2, 1, 1, 1, 0]);
  });

  test("the moving average is a mean at first, then leans to what is new", () => {
    const collector = startCollecting({ averagingConstant: 0.5 });
    const steps = [0, 8, 0].map((max) => {
      collector.add("x", floats([-1, max]));
      return collector.statistics().get("x")!.movingMax;
    });
    expect(steps).toEqual([0, 4, 2]);
    expect(collector.statistics().get("x")!.movingMin).toBe(-1);
  });

  test("the histogram does not depend on the order of samples, holds every element and stays small", () => {
    const value = fc.float({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(
        fc.array(fc.array(value, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 6 }),
        (samples) => {
          const found = collect(samples)!;
          expect(collect([...samples].reverse())!.histogram).toEqual(found.histogram);
          const { exponent, first, counts } = found.histogram;
          expect(counts.length).toBeLessThanOrEqual(maxBins);
          const bins = Array.from(counts, () => 0);
          const all = samples.flat().map(Math.fround);
          for (const value of all) if (value !== 0) bins[Math.floor(value / 2 ** exponent) - first]!++;
          expect(Array.from(counts)).toEqual(bins);
          // no wider than needed: with half the width, the span would not fit
          const [low, high] = [Math.min(0, ...all), Math.max(0, ...all)];
          const half = 2 ** (exponent - 1);
          if (high > low) expect(Math.floor(high / half) - Math.floor(low / half) + 1).toBeGreaterThan(maxBins);
        },
      ),
    );
  });

  test("channels along any axis", () => {
    const collector = startCollecting({ channelAxis: (name) => (name === "nchw" ? 1 : -1) });
    const data = floats([1, 2, 3, 4, -5, 6, 7, 8], [1, 2, 4]);
    collector.add("nchw", data);
    collector.add("nchw", floats([1, -10], [1, 2, 1]));
    collector.add("last", floats([1, 2, 3, 4, -5, 6], [3, 2]));
    const { nchw, last } = Object.fromEntries(collector.statistics());
    expect(nchw!.channels).toEqual({
      axis: 1,
      mean: [11 / 5, 6 / 5],
      meanSquare: [31 / 5, 274 / 5],
      maxAbs: [4, 10],
      min: [1, -10],
      max: [4, 8],
    });
    expect(last!.channels).toEqual({
      axis: -1,
      mean: [-1 / 3, 4],
      meanSquare: [35 / 3, 56 / 3],
      maxAbs: [5, 6],
      min: [-5, 2],
      max: [3, 6],
    });
  });

  test("channels are left out where their number changes or the axis is not there", () => {
    const collector = startCollecting({ channelAxis: () => 1 });
    for (const shape of [
      [1, 2],
      [1, 3],
      [1, 2],
    ])
      collector.add("x", floats(Array(shape[1]).fill(1), shape));
    collector.add("flat", floats([1, 2]));
    expect([...collector.statistics().values()].map(({ channels }) => channels)).toEqual([null, null]);
  });

  test("half precision counts by its values; what is empty does not count", () => {
    const collector = startCollecting();
    collector.add("h", { dtype: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) });
    collector.add("h", { dtype: "float16", shape: [0], data: new Uint16Array(0) });
    collector.add("empty", floats([]));
    expect(collector.statistics().get("h")).toMatchObject({ samples: 1, min: -2, max: 1 });
    expect(collector.statistics().has("empty")).toBe(false);
  });

  test.each([
    [Number.NaN, /^value "x" \(2\) holds NaN/],
    [Number.POSITIVE_INFINITY, /^value "x" \(2\) holds infinity/],
  ])("%p is refused by name", (bad, message) => {
    expect(() => startCollecting().add("x", floats([1, bad]))).toThrow(message);
  });
});
