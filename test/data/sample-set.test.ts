import { describe, expect, test } from "@jest/globals";
import type { Batch, SampleSet } from "../../src/data/batch.js";
import { rowsOf, sampleRows } from "../../src/data/rows.js";
import { fittedSamples, listedSamples, splitSamples } from "../../src/data/sample-set.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { makeModel } from "../onnx-model.js";
import fc from "../property.js";

const batch = (value: number, dtype: "float32" | "float64" = "float32"): Batch =>
  new Map([["x", { dtype, shape: [1], data: dtype === "float32" ? Float32Array.of(value) : Float64Array.of(value) }]]);
const set = (count: number): SampleSet =>
  listedSamples(
    Array.from({ length: count }, (_, at) => batch(at)),
    "samples/",
    false,
  );

describe("parting samples", () => {
  test("gives every sample to one side, the same way each time, in their order", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 60 }),
        fc.nat(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (count, seed, share) => {
          const { calibration, heldOut } = splitSamples(set(count), seed, share);
          const all = [...calibration.indices, ...heldOut.indices].sort((a, b) => a - b);
          expect(all).toEqual(Array.from({ length: count }, (_, at) => at));
          expect(Math.min(calibration.count, heldOut.count)).toBeGreaterThan(0);
          expect(Math.abs(calibration.count - count * share)).toBeLessThanOrEqual(1);
          for (const { indices } of [calibration, heldOut]) expect(indices).toEqual([...indices].sort((a, b) => a - b));
          expect(splitSamples(set(count), seed, share).calibration.indices).toEqual(calibration.indices);
        },
      ),
    );
  });

  test("halves them, reads them under their own names and says so", async () => {
    const { calibration, heldOut, note } = splitSamples(set(5), 1);
    expect(note).toBe("3 of 5 samples for calibration, 2 held out for the check, parted with seed 1");
    for (const part of [calibration, heldOut]) {
      for (let at = 0; at < part.count; at++) {
        const index = part.indices[at]!;
        expect((await part.read(at)).get("x")!.data[0]).toBe(index);
        expect(part.nameOf(at)).toBe(`sample ${index + 1}`);
      }
    }
    expect(heldOut.source).toBe("samples/: 2 of 5 samples held out, seed 1");
    expect(splitSamples(set(40), 1).calibration.indices).not.toEqual(splitSamples(set(40), 2).calibration.indices);
  });

  test("of one sample uses it for both, and says so", () => {
    const { calibration, heldOut, note } = splitSamples(set(1), 1);
    expect([calibration.count, heldOut.count]).toEqual([1, 1]);
    expect(note).toBe("1 sample, used for calibration and for the check alike");
  });
});

test("conversions are counted once a sample, however often it is read", async () => {
  const raw = { ...set(3), read: async (at: number) => batch(at, "float64") };
  const fitted = fittedSamples(raw, [{ name: "x", dtype: "float32", shape: [1] }]);
  expect(fitted.notes).toEqual([]);
  for (const at of [0, 1, 1, 0]) await fitted.read(at);
  expect(fitted.notes).toEqual(['sample 1: array "x" converted from float64 to float32 (and in 1 more samples)']);
});

describe("rows of arrays as samples", () => {
  const array = (shape: readonly number[]): Tensor => ({
    dtype: "float32",
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => at),
  });
  const inputs = (...firsts: readonly (number | string)[]) =>
    firsts.map((first, at) => ({ name: `i${at}`, dtype: "float32" as const, shape: [first, 2] }));
  const arrays = (...shapes: readonly (readonly number[])[]) =>
    new Map(shapes.map((shape, at) => [`i${at}`, array(shape)]));

  test.each<[string, readonly (readonly number[])[], readonly (number | string)[], boolean, object | null]>([
    ["one row each", [[6, 2]], [1], false, { samples: 6, rows: 1 }],
    ["two rows each", [[6, 2]], [2], false, { samples: 3, rows: 2 }],
    ["as many as the model takes", [[6, 2]], [6], false, null],
    ["a number that does not divide", [[6, 2]], [4], false, null],
    ["another rank", [[6, 2, 1]], [1], false, null],
    ["a dynamic axis", [[6, 2]], ["n"], false, null],
    ["a dynamic axis by row", [[6, 2]], ["n"], true, { samples: 6, rows: 1 }],
    [
      "two arrays alike",
      [
        [6, 2],
        [12, 2],
      ],
      [1, 2],
      false,
      { samples: 6, rows: 1 },
    ],
    [
      "two arrays that differ",
      [
        [6, 2],
        [5, 2],
      ],
      [1, 1],
      false,
      null,
    ],
    ["nothing", [[0, 2]], [1], false, null],
  ])("%s", (_, shapes, firsts, byRow, expected) => {
    expect(sampleRows(arrays(...shapes), inputs(...firsts), byRow, "a.npz")).toEqual(expected);
  });

  test("must be as many in every array where they are asked for", () => {
    const two = arrays([6, 2], [5, 2]);
    expect(() => sampleRows(two, inputs("n", "n"), true, "a.npz")).toThrow(
      'a.npz: --rows: array "i1" has 5 rows, which make no samples like the others',
    );
  });

  test.each([
    [
      "of a name that the model does not know",
      [
        [6, 2],
        [6, 2],
      ],
      ["n"],
      /"i1" is no input of the model; its inputs: i0$/,
    ],
    ["of another rank", [[6, 2, 1]], ["n"], /"i0" has shape 6x2x1, but the model expects \?x2$/],
    ["without rows", [[0, 2]], ["n"], /"i0" has no rows$/],
    ["that is not a multiple", [[5, 2]], [2], /"i0" has 5 rows, but the model takes 2 at a time$/],
  ])("must be rows of the model's inputs where they are asked for, not an array %s", (_, shapes, firsts, message) => {
    expect(() => sampleRows(arrays(...shapes), inputs(...firsts), true, "a.npz")).toThrow(message);
  });

  test("are cut without a copy", () => {
    const all = arrays([6, 2], [3, 2]);
    const part = rowsOf(all, 1, 3);
    expect(part.get("i0")).toEqual({ dtype: "float32", shape: [2, 2], data: Float32Array.of(4, 5, 6, 7) });
    expect(part.get("i1")).toEqual({ dtype: "float32", shape: [1, 2], data: Float32Array.of(2, 3) });
    expect((part.get("i0")!.data as Float32Array).buffer).toBe((all.get("i0")!.data as Float32Array).buffer);
  });

  test("are what the runtime is fed, though they share memory", async () => {
    const model = makeModel({
      inputs: [["i0", "float32", [1, 2]]],
      outputs: [["y", "float32", [1, 2]]],
      nodes: [makeNode("Neg", "n", ["i0"], ["y"])],
    });
    const session = await openSession(encodeModel(model));
    const found = await session.run(rowsOf(arrays([3, 2]), 1, 3));
    await session.close();
    expect(found.get("y")!.data).toEqual(Float32Array.of(-2, -3));
  });
});
