import { describe, expect, test } from "@jest/globals";
import type { Batch, DeclaredInput } from "../../src/data/batch.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { createBatches, type Position, shuffled } from "../../src/train/batches.js";
import type { TrainingData } from "../../src/train/task.js";

const ints = (shape: readonly number[], values: readonly number[]): Tensor => ({
  dtype: "int64",
  shape,
  data: BigInt64Array.from(values.map(BigInt)),
});
const floats = (shape: readonly number[], values: readonly number[]): Tensor => ({
  dtype: "float32",
  shape,
  data: Float32Array.from(values),
});
const data = (samples: readonly (readonly (readonly [string, Tensor])[])[]): TrainingData & { reads: number } => {
  const self = {
    count: samples.length,
    source: "listed",
    reads: 0,
    read: async (at: number): Promise<Batch> => {
      self.reads += 1;
      return new Map(samples[at]!);
    },
    nameOf: (at: number) => `sample ${at}`,
  };
  return self;
};
const x: DeclaredInput = { name: "x", dtype: "float32", shape: ["rows", null] };
/** `count` samples whose one element is their number, of `width` elements. */
const numbered = (count: number, width: (at: number) => number = () => 1) =>
  Array.from({ length: count }, (_, at) => [["x", floats([1, width(at)], new Array(width(at)).fill(at))]] as const);
const firsts = (batch: Batch) => {
  const { shape, data } = batch.get("x")!;
  return Array.from({ length: shape[0]! }, (_, row) => Number(data[row * shape[1]!]));
};

describe("batches", () => {
  test("an epoch has every sample once, each in another order, the same for the same seed", () => {
    const orders = [0, 1, 2].map((epoch) => [...shuffled(50, 7, epoch)]);
    const all = Array.from({ length: 50 }, (_, at) => at);
    for (const order of orders) expect([...order].sort((a, b) => a - b)).toEqual(all);
    expect(orders[0]).not.toEqual(orders[1]);
    expect([...shuffled(50, 7, 1)]).toEqual(orders[1]);
    expect([...shuffled(50, 8, 1)]).not.toEqual(orders[1]);
  });

  test("are full, of samples of one shape, and use each as often as the others", async () => {
    const samples = data(numbered(13, (at) => 1 + (at % 2)));
    const source = await createBatches(samples, [x], { batchSize: 4, seed: 1 });
    const seen = new Map<number, number>();
    for (let at = 0; at < 13; at++) {
      const batch = await source.next();
      const rows = firsts(batch);
      expect(rows).toHaveLength(4);
      expect(new Set(rows.map((row) => row % 2)).size).toBe(1);
      for (const row of rows) seen.set(row, (seen.get(row) ?? 0) + 1);
    }
    expect(Math.max(...seen.values()) - Math.min(...seen.values())).toBeLessThanOrEqual(1);
    expect(samples.reads).toBe(13);
  });

  test("go on from a position as if nothing had been between", async () => {
    const settings = { batchSize: 3, seed: 5 };
    const make = (start?: Position) => createBatches(data(numbered(11, (at) => 1 + (at % 3))), [x], settings, start);
    const whole = await make();
    const batches: Batch[] = [];
    const positions: Position[] = [];
    for (let at = 0; at < 12; at++) {
      positions.push(whole.position());
      batches.push(await whole.next());
    }
    for (const [at, position] of positions.entries()) {
      const rest = await make(position);
      for (const batch of batches.slice(at)) expect(await rest.next()).toEqual(batch);
    }
  });

  test("pad sequences to the lengths of buckets, with what belongs to them, and nothing else", async () => {
    const text = (length: number): readonly (readonly [string, Tensor])[] => [
      ["input_ids", ints([1, length], new Array(length).fill(9))],
      ["attention_mask", ints([1, length], new Array(length).fill(1))],
      ["tokens", floats([1, length, 2], new Array(2 * length).fill(3))],
      ["attention", floats([1, 1, length, length], new Array(length * length).fill(4))],
      // three classes, as many as the first sample has words
      ["label", floats([1, 3], [0, 1, 0])],
    ];
    const inputs: DeclaredInput[] = ["input_ids", "attention_mask"].map((name) => ({
      name,
      dtype: "int64",
      shape: ["batch", "sequence"],
    }));
    const source = await createBatches(data([3, 5, 65].map(text)), inputs, { batchSize: 2, seed: 1 });
    const batches = [await source.next(), await source.next(), await source.next()];
    const shapes = (name: string) => new Set(batches.map((batch) => batch.get(name)!.shape.join("x")));
    expect(shapes("input_ids")).toEqual(new Set(["2x64", "2x128"]));
    expect(shapes("tokens")).toEqual(new Set(["2x64x2", "2x128x2"]));
    expect(shapes("attention")).toEqual(new Set(["2x1x64x64", "2x1x128x128"]));
    expect(shapes("label")).toEqual(new Set(["2x3"]));
    const short = batches.find((batch) => batch.get("input_ids")!.shape[1] === 64)!;
    const count = (name: string) => Array.from(short.get(name)!.data as Float32Array, Number).filter(Boolean).length;
    expect(count("attention_mask")).toBe(3 + 5);
    expect(count("tokens")).toBe(2 * (3 + 5));
    expect(count("attention")).toBe(9 + 25);
  });

  test("are of one row where the model takes one", async () => {
    const source = await createBatches(data(numbered(5)), [{ ...x, shape: [1, 1] }], { batchSize: 4, seed: 1 });
    expect(source.rows).toBe(1);
    expect((await source.next()).get("x")!.shape).toEqual([1, 1]);
  });

  test.each<[string, readonly (readonly [string, Tensor])[], string]>([
    ["without an input", [["y", floats([1, 1], [1])]], 'sample 0: there is nothing for input "x"'],
    ["of another type", [["x", ints([1, 1], [1])]], 'sample 0: input "x" takes float32, found int64'],
    ["of another rank", [["x", floats([1], [1])]], "takes shape ?x?, found 1"],
  ])("refuse a sample %s", async (_, sample, message) => {
    const source = await createBatches(data([sample]), [x], { batchSize: 1, seed: 1 });
    await expect(source.next()).rejects.toThrow(message);
  });
});
