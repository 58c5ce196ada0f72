import { describe, expect, test } from "@jest/globals";
import {
  formatBytes,
  formatCount,
  formatDecibels,
  formatNumberOf,
  formatPercent,
  formatRate,
  formatSeconds,
  formatTimeWithin,
} from "../../src/render/quantities.js";

describe("quantities as people read them", () => {
  test.each([
    [formatBytes(0), "0 B"],
    [formatBytes(999), "999 B"],
    [formatBytes(1000), "1.00 kB"],
    [formatBytes(999_600), "1.00 MB"],
    [formatBytes(10_822_323), "10.8 MB"],
    [formatBytes(2.5e9), "2.50 GB"],
    [formatBytes(-2500), "-2.50 kB"],
    [formatSeconds(0), "0 s"],
    [formatSeconds(12.345), "12.3 s"],
    [formatSeconds(0.9996), "1.00 s"],
    [formatSeconds(0.0351), "35.1 ms"],
    [formatSeconds(0.00041), "410 us"],
    [formatSeconds(1.2e-8), "12.0 ns"],
    [formatSeconds(1e-11), "0.01 ns"],
    [formatCount(0), "0"],
    [formatCount(10_822_323), "10,822,323"],
    [formatCount(-1234), "-1,234"],
    [formatNumberOf(1, "round"), "1 round"],
    [formatNumberOf(6000, "round"), "6,000 rounds"],
    [formatPercent(0.0123), "1.2 %"],
    [formatPercent(0.0123, true), "+1.2 %"],
    [formatPercent(-0.5, true), "-50.0 %"],
    [formatPercent(-0.0004, true), "0.0 %"],
    [formatPercent(1, false, 0), "100 %"],
    [formatRate(28.4), "28.4/s"],
    [formatRate(12345), "12,345/s"],
    [formatDecibels(35.16), "35.2 dB"],
    [formatDecibels(Number.POSITIVE_INFINITY), "inf dB"],
    [formatDecibels(Number.NEGATIVE_INFINITY), "-inf dB"],
    [formatDecibels(Number.NaN), "no dB"],
  ])("%s", (text, expected) => {
    expect(text).toBe(expected);
  });
});

test("a time and its interval share one unit", () => {
  expect(formatTimeWithin(0.0351, 0.0348, 0.0359)).toBe("35.1 ms [34.8, 35.9]");
  expect(formatTimeWithin(0.001, 0.00099, 0.00102)).toBe("1.00 ms [0.99, 1.02]");
  expect(formatTimeWithin(2, 1.5, 12)).toBe("2.00 s [1.50, 12.0]");
});
