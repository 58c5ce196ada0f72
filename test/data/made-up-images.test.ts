import { describe, expect, test } from "@jest/globals";
import type { DeclaredInput } from "../../src/data/batch.js";
import { imageShapes, noiseImage } from "../../src/data/made-up-images.js";

type Shape = DeclaredInput["shape"];
const input = (shape: Shape, dtype: DeclaredInput["dtype"] = "float32") => ({ name: "x", dtype, shape });

describe("shapes of made-up images", () => {
  test.each<[string, Shape, readonly (readonly number[])[]]>([
    ["sizes left open are 128, the batch is 1", ["n", 3, null, "w"], [[1, 3, 128, 128]]],
    ["small sizes stay", [2, 3, 48, "w"], [[2, 3, 48, 128]]],
    ["large ones are tried small first", [1, 512, 512, 4], [[1, 128, 128, 4], [1, 512, 512, 4]]], // biome-ignore format: one row
    ["grey ones", [1, 1, 28, 28], [[1, 1, 28, 28]]],
    ["features are no images", [1, 8, 16, 16], []],
    ["how many channels must be known", [1, null, 16, 16], []],
    ["a signal is none", [1, 3, 16000], []],
  ])("%s", (_, shape, expected) => {
    expect(imageShapes([input(shape)])).toEqual(expected);
  });

  test("token ids, bytes and further inputs are no images", () => {
    expect(imageShapes([input([1, 3, 8, 8], "int64")])).toEqual([]);
    expect(imageShapes([input([1, 3, 8, 8]), input([1, 3, 8, 8])])).toEqual([]);
    expect(imageShapes([])).toEqual([]);
  });
});

test("noise has mean 0 and deviation 1, neighbours that are alike, and channels that are not", () => {
  const [height, width] = [96, 160];
  const image = noiseImage([1, 2, height, width], 1);
  const plane = height * width;
  const mean = (of: (at: number) => number) => {
    let sum = 0;
    for (let at = 0; at < plane - 1; at++) sum += of(at);
    return sum / (plane - 1);
  };
  // blocks of 64 are few, so a plane's mean may lie 0.2 beside
  expect(Math.abs(mean((at) => image[at]!))).toBeLessThan(0.4);
  expect(mean((at) => image[at]! ** 2)).toBeGreaterThan(0.7);
  expect(mean((at) => image[at]! ** 2)).toBeLessThan(1.4);
  expect(mean((at) => image[at]! * image[at + 1]!)).toBeGreaterThan(0.5);
  expect(Math.abs(mean((at) => image[at]! * image[plane + at]!))).toBeLessThan(0.4);
  expect(noiseImage([1, 2, height, width], 1)).toEqual(image);
  // rows are channels last in the other layout
  const last = noiseImage([1, height, width, 3], 1);
  expect(mean((at) => last[3 * at]! * last[3 * at + 3]!)).toBeGreaterThan(0.4);
});
