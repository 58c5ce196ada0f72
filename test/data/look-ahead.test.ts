import { expect, test } from "@jest/globals";
import type { Batch } from "../../src/data/batch.js";
import { lookAhead } from "../../src/data/look-ahead.js";
import type { Tensor } from "../../src/tensor/tensor.js";

const inputs = [{ name: "x", dtype: "float32" as const, shape: ["n", null] }];
const row = (...data: number[]): Batch =>
  new Map([["x", { dtype: "float32", shape: [1, data.length], data: Float32Array.from(data) }]]);

/** Runs samples in order through a model that sums each row, and says how many rows each run had. */
async function sums(samples: readonly Batch[], rows: number, alongBatch = true, declared = inputs) {
  const runs: number[] = [];
  const run = async (feeds: Batch): Promise<ReadonlyMap<string, Tensor>> => {
    const { shape, data } = feeds.get("x")! as Tensor & { readonly data: Float32Array };
    const [count, width] = shape as [number, number];
    runs.push(count);
    const each = Array.from({ length: count }, (_, at) =>
      data.subarray(at * width, (at + 1) * width).reduce((sum, one) => sum + one, 0),
    );
    const y: Tensor = { dtype: "float32", shape: [count, 1], data: Float32Array.from(each) };
    const total: Tensor = { dtype: "float32", shape: [], data: Float32Array.of(0) };
    return new Map([["y", y], ...(alongBatch ? [] : [["total", total] as const])]);
  };
  const source = { count: samples.length, read: (at: number) => samples[at]!, nameOf: String };
  const ahead = lookAhead(run, declared, source, rows);
  const found: number[] = [];
  for (const [at, sample] of samples.entries()) found.push((await ahead(sample, at)).get("y")!.data[0] as number);
  return { runs, found };
}

test("samples of one shape run together and get their own outputs", async () => {
  const samples = [row(1, 2), row(3, 4), row(5, 6), row(1, 1, 1), row(2, 2, 2)];
  expect(await sums(samples, 2)).toEqual({ runs: [2, 1, 2], found: [3, 7, 11, 3, 6] });
});

test("without a batch axis, or with outputs that have none, each runs alone", async () => {
  const samples = [row(1, 2), row(3, 4)];
  const fixed = [{ name: "x", dtype: "float32" as const, shape: [1, 2] }];
  expect((await sums(samples, 8, true, fixed as never)).runs).toEqual([1, 1]);
  expect(await sums(samples, 8, false)).toEqual({ runs: [2, 1, 1], found: [3, 7] });
});

test("large samples run alone", async () => {
  const data = new Float32Array(2 ** 20 + 1);
  const wide: Batch = new Map([["x", { dtype: "float32", shape: [1, data.length], data }]]);
  expect((await sums([wide, wide], 8)).runs).toEqual([1, 1]);
});
