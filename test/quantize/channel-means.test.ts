import { describe, expect, test } from "@jest/globals";
import { meansOf, middleMeans } from "../../src/quantize/channel-means.js";

const value = (shape: readonly number[], data: readonly number[]) =>
  ({ dtype: "float32", shape, data: Float32Array.from(data) }) as const;

describe("means of channels", () => {
  test("along the axis that is named, from either end", () => {
    const tensor = value([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
    expect(meansOf(tensor, 1)).toEqual([3.5, 5.5]);
    expect(meansOf(tensor, -1)).toEqual([4, 5]);
    expect(meansOf(tensor, 0)).toEqual([2.5, 6.5]);
  });

  test("the middle of three, channel by channel, with no more than their own power", () => {
    const means = middleMeans([
      [0, 0, 0],
      [1, -1, 5],
      [9, -9, 2],
    ]);
    expect(means).toEqual({ mean: [1, -1, 2], meanSquare: [1, 1, 4] });
  });

  test.each<[string, readonly (readonly number[])[]]>([
    ["none", []],
    ["of other channels", [[1], [1, 2]]],
    ["not finite", [[1], [Number.NaN], [2]]],
  ])("nothing is known from means that are %s", (_, all) => {
    expect(middleMeans(all)).toBeUndefined();
  });
});
