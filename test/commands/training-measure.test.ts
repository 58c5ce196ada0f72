import { expect, test } from "@jest/globals";
import { judge } from "../../src/bench/compare/verdict.js";
import { slowerWords, slownessOf } from "../../src/commands/training-measure.js";

const verdict = (low: number, high: number) =>
  judge(
    { value: Math.log((low + high) / 2), interval: { lower: Math.log(low), upper: Math.log(high) } } as never,
    9,
    0.05,
  );

test("a student of lower rank that is surely slower than its teacher is told, before it is trained", async () => {
  expect(slowerWords(verdict(1.2, 1.4))).toEqual([
    expect.stringMatching(
      /^the student takes 1\.30 of the teacher's CPU time on a sample: .* \(--student-layers\) is faster$/,
    ),
  ]);
  expect(slowerWords(verdict(0.9, 1.4))).toEqual([]);
  expect(slowerWords(verdict(0.5, 0.6))).toEqual([]);
  expect(slowerWords(null)).toEqual([]);
});

test("others are not looked at, nor any with --speed-seconds 0", async () => {
  const open = () => Promise.reject(new Error("opened"));
  expect(await slownessOf("none.onnx", { isNear: false, open }, new Map(), { speedSeconds: 4 })).toEqual([]);
  expect(await slownessOf("none.onnx", { isNear: true, open }, new Map(), { speedSeconds: 0 })).toEqual([]);
  await expect(slownessOf("none.onnx", { isNear: true, open }, new Map(), { speedSeconds: 4 })).rejects.toThrow("none");
});
