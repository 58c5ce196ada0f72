import { describe, expect, test } from "@jest/globals";
import { cosine, maxAbsError, sqnrDb, topOneAgreement } from "../../src/evaluate/metrics.js";

const { NaN: nan, POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minusInf } = Number;

describe("measures of two arrays", () => {
  test.each([
    // 10 log10(sum r^2 / sum (r - t)^2)
    ["an error of a tenth", [1, -1, 1, -1], [1.1, -1.1, 1.1, -1.1], 20, 1, 0.1],
    ["noise as strong as the signal", [3, 4], [3, 9], 0, (9 + 36) / (5 * Math.sqrt(90)), 5],
    ["equal arrays", [1, 2], [1, 2], inf, 1, 0],
    ["zeros", [0, 0], [0, 0], inf, 1, 0],
    ["a signal lost", [1, 2], [0, 0], 0, 0, 2],
    ["something for nothing", [0, 0], [1, 0], minusInf, 0, 1],
    ["the opposite", [1, 2], [-1, -2], 10 * Math.log10(1 / 4), -1, 4],
    ["the same infinity and NaN on both sides: left out", [1, inf, nan], [1, inf, nan], inf, 1, 0],
    ["NaN in the test", [1, 2], [1, nan], minusInf, 0, inf],
    ["infinity in the reference", [1, inf], [1, 2], minusInf, 0, inf],
    ["the wrong infinity", [1, inf], [1, minusInf], minusInf, 0, inf],
  ])("%s", (_, reference, found, sqnr, angle, error) => {
    expect(sqnrDb(reference, found)).toBeCloseTo(sqnr, 9);
    expect(cosine(reference, found)).toBeCloseTo(angle, 9);
    expect(maxAbsError(reference, found)).toBeCloseTo(error, 9);
  });
});

describe("top-1 agreement", () => {
  test.each([
    ["every row", [0, 1, 5, 2], [0, 9, 3, 2], 2, { agree: 2, total: 2 }],
    ["one row of two", [0, 1, 5, 2], [9, 0, 3, 2], 2, { agree: 1, total: 2 }],
    ["the first of equals", [1, 1, 0], [1, 0, 1], 3, { agree: 1, total: 1 }],
    ["NaN never wins", [nan, 1, 0], [0, 1, nan], 3, { agree: 1, total: 1 }],
    ["only NaN is no class", [0, 1], [nan, nan], 2, { agree: 0, total: 1 }],
  ])("%s", (_, reference, found, classes, expected) => {
    expect(topOneAgreement(reference, found, classes)).toEqual(expected);
  });

  test("needs two classes", () => {
    expect(topOneAgreement([1], [2], 1)).toBeUndefined();
  });
});
