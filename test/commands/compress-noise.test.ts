import { expect, test } from "@jest/globals";
import { samplesForChoice } from "../../src/commands/compress-noise.js";
import { listedSamples } from "../../src/data/sample-set.js";

const check = (count: number, size: number) => {
  const first = new Map([["x", { dtype: "float32", shape: [size], data: new Float32Array(size) } as const]]);
  return {
    first,
    calibration: listedSamples(
      Array.from({ length: count }, () => first),
      "here",
      false,
    ),
  };
};

test.each([
  ["all, where they are few", 3, 10, 3],
  ["sixteen small ones", 100, 86_400, 16],
  ["fewer of images, as many as fit", 100, 500_000, 8],
  ["no fewer than four", 100, 3_000_000, 4],
])("a choice goes by %s", (_, count, size, expected) => {
  expect(samplesForChoice(check(count, size))).toBe(expected);
});
