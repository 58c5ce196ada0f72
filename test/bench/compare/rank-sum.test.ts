import { describe, expect, test } from "@jest/globals";
import { hodgesLehmannShift } from "../../../src/bench/compare/rank-sum.js";

describe("the shift between two samples", () => {
  test("has the interval that all 462 orders of the values give", () => {
    // every way to place 6 values among 11 was counted: P(U <= 3) = 7 / 462, so k = 4 covers 448 / 462
    const { value, interval } = hodgesLehmannShift([1.1, 2.3, 1.9, 4.2, 3.3], [2.0, 5.1, 3.7, 6.6, 4.4, 5.9]);
    expect(value).toBeCloseTo(2.25);
    expect(interval!.lower).toBeCloseTo(-0.3);
    expect(interval!.upper).toBeCloseTo(4.3);
    expect(interval!.coverage).toBeCloseTo(448 / 462);
  });

  test("needs 4 values a side at 95 %", () => {
    expect(hodgesLehmannShift([1, 2, 3], [1, 2, 3]).interval).toBeNull();
    expect(hodgesLehmannShift([1, 2, 3, 4], [1, 2, 3, 4]).interval!.coverage).toBeCloseTo(1 - 2 / 70);
  });

  test("goes over to the normal approximation without a jump", () => {
    const values = (count: number) => Array.from({ length: count }, (_, at) => (at * 0.618034) % 1);
    const [exact, rough] = [49, 50].map((count) => hodgesLehmannShift(values(count), values(count)).interval!);
    expect(rough!.upper - rough!.lower).toBeCloseTo(exact!.upper - exact!.lower, 1);
  });
});
