import { expect, test } from "@jest/globals";
import { takeIndices } from "../../src/prune/slice.js";

const shape = [3, 40, 5, 7];
const data = Float32Array.from({ length: 3 * 40 * 5 * 7 }, (_, at) => at);
const runs = [...Array(36).keys()].filter((at) => at !== 3 && at !== 20);

test.each([
  [[null, null, null, null]],
  [[[0, 2], null, null, null]],
  [[null, runs, null, null]],
  [[null, runs, null, [0, 1, 5]]],
  [[[1], [0, 39], [4], [6]]],
  [[null, null, [], null]],
])("takes the elements at the kept indices of each axis (%j)", (kept) => {
  const ways = shape.map((size, axis) => kept[axis] ?? [...Array(size).keys()]);
  const [a, b, c, d] = ways as [number[], number[], number[], number[]];
  const expected = a.flatMap((i) =>
    b.flatMap((j) => c.flatMap((k) => d.map((l) => data[((i * 40 + j) * 5 + k) * 7 + l]))),
  );
  const taken = takeIndices({ dtype: "float32", shape, data }, kept);
  expect(taken.shape).toEqual(ways.map(({ length }) => length));
  expect([...taken.data]).toEqual(expected);
});
