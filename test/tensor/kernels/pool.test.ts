import { afterAll, describe, expect, test } from "@jest/globals";
import { createQuantizer } from "../../../src/tensor/kernels/pool.js";
import { quantizeReference } from "../../../src/tensor/kernels/reference.js";
import type { Balance, QuantizedForm, QuantizerSource } from "../../../src/tensor/quantized.js";
import { elementCount } from "../../../src/tensor/tensor.js";
import fc from "../../property.js";
import { floatsFor, formFor, plain, seededFloats, sourceOf } from "./forms.js";

const alone = createQuantizer(1);
const crew = createQuantizer(3);
afterAll(async () => {
  await alone.close();
  await crew.close();
});

const clips = ["max", "mse"] as const;
const dtypes = ["float32", "float16", "bfloat16"] as const;

describe("the SIMD kernels", () => {
  test("equal the reference bit for bit, whatever shape, form, dtype and values", async () => {
    const cases = fc
      .array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 })
      .chain((shape) => {
        // rows that end anywhere between two vectors
        const long = fc.constantFrom(1, 7, 13, 33).map((last) => [...shape.slice(0, 2), last]);
        return fc.oneof(fc.constant(shape), long);
      })
      .chain((shape) =>
        fc.record({
          shape: fc.constant(shape),
          data: floatsFor(elementCount(shape)),
          form: formFor(shape),
          dtype: fc.constantFrom(...dtypes),
          clip: fc.constantFrom(...clips),
        }),
      );
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape, data, form, dtype, clip }) => {
        const source = sourceOf(data, shape, dtype);
        expect(plain(await alone.quantize(source, form, clip))).toEqual(plain(quantizeReference(source, form, clip)));
      }),
      { numRuns: 600 },
    );
  });

  test("equal it where the errors of convolutions are balanced", async () => {
    const sizes = fc.tuple(...[4, 12, 3, 3].map((max) => fc.integer({ min: 1, max })));
    const cases = sizes.chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        data: floatsFor(elementCount(shape)),
        signed: fc.boolean(),
        dtype: fc.constantFrom(...dtypes),
        clip: fc.constantFrom(...clips),
        over: fc.constantFrom<Balance>("kernels", "outputs"),
      }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape, data, signed, dtype, clip, over }) => {
        const source = sourceOf(data, shape, dtype);
        const form: QuantizedForm = { ...shared, signed, granularity: "channel", axis: 0 };
        const kernel = shape[2]! * shape[3]!;
        const expected = plain(quantizeReference(source, form, clip, kernel, over));
        expect(plain(await alone.quantize(source, form, clip, kernel, over))).toEqual(expected);
      }),
      { numRuns: 100 },
    );
    const source: QuantizerSource = { dtype: "float32", shape: [150, 640, 3, 3], data: seededFloats([150, 640, 3, 3]) };
    const form: QuantizedForm = { ...shared, granularity: "channel", axis: 0 };
    const expected = JSON.stringify(plain(quantizeReference(source, form, "max", 9)));
    expect(JSON.stringify(plain(await crew.quantize(source, form, "max", 9))) === expected).toBe(true);
  });

  const shared = { bits: 8, signed: true, symmetric: true } as const;
  const large: readonly [name: string, shape: readonly number[], form: QuantizedForm][] = [
    ["rows", [400, 1501], { ...shared, granularity: "channel", axis: 0 }],
    ["columns, in strips", [1200, 901], { ...shared, granularity: "channel", axis: 1 }],
    ["runs", [64, 65, 3, 43], { ...shared, granularity: "channel", axis: 1 }],
    [
      "rows in blocks, the last of each short",
      [2, 300001],
      { ...shared, granularity: "block", axis: 1, blockSize: 64 },
    ],
    ["columns in blocks, the last short", [1025, 523], { ...shared, granularity: "block", axis: 0, blockSize: 128 }],
    [
      "columns in blocks too large for a slab",
      [9000, 60],
      { ...shared, granularity: "block", axis: 0, blockSize: 8192 },
    ],
    ["one scale", [1100000], { ...shared, granularity: "tensor", axis: 0 }],
    ["two channels too large for a slab", [2, 1048579], { ...shared, granularity: "channel", axis: 0 }],
    [
      "4 bits, asymmetric, odd rows",
      [901, 601],
      { ...shared, bits: 4, symmetric: false, granularity: "channel", axis: 0 },
    ],
    ["4 bits, one scale, an odd end", [1100001], { ...shared, bits: 4, signed: false, granularity: "tensor", axis: 0 }],
  ];
  test.each(large)("equal it on many threads and slabs: %s", async (_, shape, form) => {
    const source: QuantizerSource = { dtype: "float32", shape, data: seededFloats(shape) };
    // the search goes the same ways; it is slow here
    const clip = shape.length === 1 && form.bits === 8 ? "mse" : "max";
    const expected = JSON.stringify(plain(quantizeReference(source, form, clip)));
    // nothing but "equal" would be readable here
    expect(JSON.stringify(plain(await alone.quantize(source, form, clip))) === expected).toBe(true);
    expect(JSON.stringify(plain(await crew.quantize(source, form, clip))) === expected).toBe(true);
  });

  test("calls at the same time do not get into each other's way, nor does closing twice", async () => {
    const quantizer = createQuantizer(2);
    const form: QuantizedForm = { ...shared, granularity: "channel", axis: 0 };
    const sources = [1, 2, 3].map((seed): QuantizerSource => {
      const shape = [100, 2700 + seed];
      return { dtype: "float32", shape, data: seededFloats(shape, seed) };
    });
    const results = await Promise.all(sources.map((source) => quantizer.quantize(source, form, "mse")));
    results.forEach((result, at) => {
      const expected = plain(quantizeReference(sources[at]!, form, "mse"));
      expect(JSON.stringify(plain(result)) === JSON.stringify(expected)).toBe(true);
    });
    await quantizer.close();
    await quantizer.close();
    // still answers, in this thread
    const again = await quantizer.quantize(sources[0]!, form, "mse");
    expect(again.noise).toBe(results[0]!.noise);
  });

  test("closing waits for what is under way", async () => {
    const quantizer = createQuantizer(2);
    const shape = [100, 2703];
    const source: QuantizerSource = { dtype: "float32", shape, data: seededFloats(shape) };
    const form: QuantizedForm = { ...shared, granularity: "channel", axis: 1 };
    const result = quantizer.quantize(source, form, "mse");
    await quantizer.close();
    expect((await result).noise).toBe((await alone.quantize(source, form, "mse")).noise);
  });

  test("without WebAssembly the reference does the work", async () => {
    const platform = globalThis as { WebAssembly?: unknown };
    const { WebAssembly: kept } = platform;
    platform.WebAssembly = undefined;
    const quantizer = createQuantizer(2);
    platform.WebAssembly = kept;
    const source: QuantizerSource = { dtype: "float32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 127) };
    const form: QuantizedForm = { ...shared, granularity: "tensor", axis: 0 };
    expect([...(await quantizer.quantize(source, form, "max")).values]).toEqual([1, 2, 3, 127]);
    await quantizer.close();
  });

  test("a source that is not finite shows in its signal", async () => {
    const form: QuantizedForm = { ...shared, granularity: "channel", axis: 0 };
    for (const [dtype, bits] of [
      ["float16", 0x7c00],
      ["float16", 0xfe00],
      ["bfloat16", 0xff80],
    ] as const) {
      const data = Uint16Array.of(0, 0, 0, 0, 0, bits, 0, 0);
      const { signal } = await alone.quantize({ dtype, shape: [2, 4], data }, form, "max");
      expect(Number.isFinite(signal)).toBe(false);
      expect(Number.isFinite(quantizeReference({ dtype, shape: [2, 4], data }, form, "max").signal)).toBe(false);
    }
    const data = Float32Array.of(1, 2, Number.NaN, 4);
    expect((await alone.quantize({ dtype: "float32", shape: [1, 4], data }, form, "mse")).signal).toBeNaN();
  });

  test("a tensor without elements, and an axis the shape does not have", async () => {
    const empty: QuantizerSource = { dtype: "float32", shape: [0, 4], data: new Float32Array(0) };
    const form: QuantizedForm = { ...shared, granularity: "channel", axis: 1 };
    expect([...(await alone.quantize(empty, form, "mse")).scales]).toEqual([1, 1, 1, 1]);
    await expect(alone.quantize(empty, { ...form, axis: 2 }, "max")).rejects.toThrow("shape 0x4 has no axis 2");
  });
});
