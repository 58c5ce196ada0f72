import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../../src/engine/session.js";
import { encodeModel, makeTensor } from "../../../src/formats/onnx.js";
import { makeNode } from "../../../src/graph/node.js";
import { packNibbles, quantizeReference } from "../../../src/tensor/kernels/reference.js";
import { quantizeLinear } from "../../../src/tensor/quantize-linear.js";
import type { QuantizedForm, QuantizedWeight } from "../../../src/tensor/quantized.js";
import { elementCount } from "../../../src/tensor/tensor.js";
import { makeModel } from "../../onnx-model.js";
import fc from "../../property.js";
import { floatsFor, formFor, seededFloats, sourceOf } from "./forms.js";

const bytes: QuantizedForm = { bits: 8, signed: true, symmetric: true, granularity: "channel", axis: 0 };
const nibbles: QuantizedForm = { ...bytes, bits: 4 };

const quantize = (
  data: Float32Array,
  shape: readonly number[],
  form: QuantizedForm,
  clip: "max" | "mse" = "max",
): QuantizedWeight => quantizeReference({ dtype: "float32", shape, data }, form, clip);

const modeOf = (form: QuantizedForm) => ({
  ...(form.granularity === "tensor" ? {} : { axis: form.axis }),
  ...(form.granularity === "block" ? { block_size: form.blockSize! } : {}),
});

/** What onnxruntime's QuantizeLinear makes of the data with these scales. */
async function oracle(data: Float32Array, shape: readonly number[], weight: QuantizedWeight) {
  const { form, scales, scaleShape } = weight;
  const type = form.signed ? "int8" : "uint8";
  const zeroPoints = weight.zeroPoints ?? new Int8Array(scales.length);
  const model = makeModel({
    inputs: [["x", "float32", shape]],
    outputs: [["q", type, shape]],
    nodes: [makeNode("QuantizeLinear", "q", ["x", "s", "z"], ["q"], modeOf(form))],
    initializers: [
      makeTensor("s", { dtype: "float32", shape: scaleShape, data: scales }),
      makeTensor("z", { dtype: type, shape: scaleShape, data: zeroPoints }),
    ],
    opset: 21,
    ir: 10,
  });
  const session = await openSession(encodeModel(model));
  const outputs = await session.run(new Map([["x", { dtype: "float32" as const, shape, data }]]));
  await session.close();
  return [...(outputs.get("q")!.data as Uint8Array)];
}

const anyCase = fc
  .array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 })
  .chain((shape) =>
    fc.record({ shape: fc.constant(shape), data: floatsFor(elementCount(shape)), form: formFor(shape) }),
  );

describe("quantization of weights", () => {
  test("to 8 bits equals onnxruntime's QuantizeLinear with these scales byte for byte", async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, fc.constantFrom("max" as const, "mse" as const), async (given, clip) => {
        const { shape, data } = given;
        const weight = quantize(data, shape, { ...given.form, bits: 8 }, clip);
        // onnxruntime takes a single scale, and scales of one axis, for no blocks at all
        fc.pre(given.form.granularity !== "block" || (shape.length > 1 && weight.scales.length > 1));
        // the symmetric limits -127 .. 127 are ours; only clipping makes a difference to -128
        const limited = weight.form.symmetric && clip === "mse";
        const expected = await oracle(data, shape, weight);
        const least = weight.form.signed ? -127 : 1;
        expect([...weight.values]).toEqual(limited ? expected.map((value) => Math.max(least, value)) : expected);
      }),
      { numRuns: 120 },
    );
  });

  test("to 4 bits equals QuantizeLinear, packed two in a byte", () => {
    fc.assert(
      fc.property(anyCase, (given) => {
        const { shape, data } = given;
        const form: QuantizedForm = { ...given.form, bits: 4 };
        const { scales, zeroPoints, values } = quantize(data, shape, form);
        const { axis, block_size: blockSize = 0 } = modeOf(form) as { axis?: number; block_size?: number };
        const scaling = { scales, zeroPoints, ...(axis === undefined ? {} : { axis }), blockSize };
        const expected = quantizeLinear(data, shape, scaling, form.signed ? "int4" : "uint4");
        expect([...values]).toEqual([...packNibbles(expected as Int8Array)]);
      }),
    );
  });

  test("halves are rounded to even and the largest weight is hit exactly", () => {
    // scale 1: 127 is the peak
    const { values, scales } = quantize(Float32Array.of(127, 0.5, 1.5, 2.5, -0.5, -1.5), [1, 6], bytes);
    expect([...scales]).toEqual([1]);
    expect([...values]).toEqual([127, 0, 2, 2, 0, -2]);
  });

  test("unsigned symmetric values are the signed ones plus 128, or 8", () => {
    const data = Float32Array.of(1, -1, 0, 0.25);
    const signed = quantize(data, [2, 2], { ...bytes, axis: 1 });
    const unsigned = quantize(data, [2, 2], { ...bytes, axis: 1, signed: false });
    expect([...unsigned.values]).toEqual([...signed.values].map((value) => value + 128));
    expect([...unsigned.zeroPoints!]).toEqual([128, 128]);
    expect(signed.zeroPoints).toBeNull();
    const four = quantize(data, [2, 2], { ...nibbles, signed: false });
    expect([...four.zeroPoints!]).toEqual([8, 8]);
    expect([...four.values]).toEqual([0x1f, 0xf8]);
    expect([...quantize(data, [2, 2], nibbles).values]).toEqual([0x97, 0x70]);
  });

  // the literals of onnxruntime's test_quant_util.py: a range of -1 .. 2
  test.each([
    [true, true, 2 / 127, 0],
    [false, false, 3 / 255, 85],
    [true, false, 3 / 255, -43],
  ])("signed %s, symmetric %s: -1 .. 2 has scale %f and zero point %i", (signed, symmetric, scale, zeroPoint) => {
    const form = { ...bytes, signed, symmetric };
    const { scales, zeroPoints } = quantize(Float32Array.of(-1, 2), [1, 2], form);
    expect([...scales]).toEqual([Math.fround(scale)]);
    expect(zeroPoints?.[0] ?? 0).toBe(zeroPoint);
  });

  test("an asymmetric range always holds 0, which stays exact", () => {
    const form = { ...bytes, signed: false, symmetric: false };
    const positive = quantize(Float32Array.of(3, 5, 4), [1, 3], form);
    expect([...positive.zeroPoints!, positive.values[1]]).toEqual([0, 255]);
    const negative = quantize(Float32Array.of(-3, -5, 0), [1, 3], form);
    expect([...negative.zeroPoints!, negative.values[1], negative.values[2]]).toEqual([255, 0, 255]);
  });

  test("a channel of zeros, or of nothing but subnormals, gets scale 1 and zeros", () => {
    for (const symmetric of [true, false]) {
      const form = { ...bytes, axis: 1, symmetric };
      const { values, scales, zeroPoints, noise } = quantize(Float32Array.of(0, 1e-40, 0, -1e-40), [2, 2], form, "mse");
      expect([...scales]).toEqual([1, 1]);
      expect([...values]).toEqual([0, 0, 0, 0]);
      expect(zeroPoints?.every((point) => point === 0) ?? true).toBe(true);
      expect(noise).toBeLessThan(1e-70);
    }
  });

  test("weights at both ends of float32 have a finite scale", () => {
    const largest = 3.4028234663852886e38;
    const form = { ...bytes, signed: false, symmetric: false };
    const { values, scales, noise } = quantize(Float32Array.of(largest, -largest), [1, 2], form);
    expect([...values]).toEqual([255, 0]);
    expect(Number.isFinite(scales[0]!) && Number.isFinite(noise)).toBe(true);
  });

  test("blocks along an axis: the last one is short, and each has a scale of its own", () => {
    // [K = 3, N = 2] in blocks of 2 along K
    const data = Float32Array.of(127, 1, 254, 2, 12.7, 0);
    const form: QuantizedForm = { ...bytes, granularity: "block", axis: 0, blockSize: 2 };
    const { scales, scaleShape, values } = quantize(data, [3, 2], form);
    expect(scaleShape).toEqual([2, 2]);
    expect([...scales].map((scale) => Number(scale.toFixed(6)))).toEqual([2, 0.015748, 0.1, 1]);
    expect([...values]).toEqual([64, 64, 127, 127, 127, 0]);
  });

  test("no element is off by more than half a step, whatever the weights", () => {
    fc.assert(
      fc.property(floatsFor(6), fc.constantFrom(0, 1), (data, axis) => {
        const { values, scales } = quantize(data, [2, 3], { ...bytes, axis });
        data.forEach((weight, at) => {
          const scale = scales[axis === 0 ? Math.floor(at / 3) : at % 3]!;
          // one float32 rounding of the quotient on top
          expect(Math.abs(weight - values[at]! * scale)).toBeLessThanOrEqual(scale * 0.5001);
        });
      }),
    );
  });

  test("signal and noise are the sums the report's SQNR is made of", () => {
    const { signal, noise } = quantize(Float32Array.of(127, 0.25), [1, 2], bytes);
    expect(signal).toBe(127 * 127 + 0.0625);
    expect(noise).toBe(0.0625);
  });

  test("their sums are those of the stored values, to five digits", () => {
    const shape = [40, 500];
    const data = seededFloats(shape);
    for (const form of [bytes, nibbles, { ...bytes, symmetric: false, axis: 1 }]) {
      const { values, scales, zeroPoints, signal, noise } = quantize(data, shape, form);
      let squares = 0;
      let lost = 0;
      data.forEach((weight, at) => {
        const group = form.axis === 0 ? Math.floor(at / 500) : at % 500;
        const byte = form.bits === 8 ? values[at]! : ((values[at >> 1]! >> (4 * (at & 1))) << 28) >> 28;
        squares += weight * weight;
        lost += (weight - (byte - (zeroPoints?.[group] ?? 0)) * scales[group]!) ** 2;
      });
      expect(Math.abs(signal / squares - 1)).toBeLessThan(1e-5);
      expect(Math.abs(noise / lost - 1)).toBeLessThan(1e-5);
    }
  });

  test("the clip search never loses to the largest value, and wins where one weight sticks out", () => {
    fc.assert(
      fc.property(anyCase, ({ shape, data, form }) => {
        const searched = quantize(data, shape, form, "mse").noise;
        // the search multiplies where the result divides
        expect(searched).toBeLessThanOrEqual(quantize(data, shape, form).noise * 1.0001);
      }),
    );
    const data = seededFloats([1, 256]);
    data[7] = 2;
    expect(quantize(data, [1, 256], nibbles, "mse").noise).toBeLessThan(0.95 * quantize(data, [1, 256], nibbles).noise);
  });

  test("16-bit floats give what their float32 values give", () => {
    const shape = [6, 7];
    const data = Float32Array.from(seededFloats(shape), (value) => Math.round(value * 64) / 64);
    const { values, scales, signal } = quantize(data, shape, { ...bytes, axis: 1 }, "mse");
    for (const dtype of ["float16", "bfloat16"] as const) {
      const half = quantizeReference(sourceOf(data, shape, dtype), { ...bytes, axis: 1 }, "mse");
      expect([...half.values]).toEqual([...values]);
      expect([...half.scales]).toEqual([...scales]);
      expect(half.signal).toBe(signal);
    }
  });

  test("forms that do not fit are refused", () => {
    const data = new Float32Array(6);
    expect(() => quantize(data, [2, 3], { ...bytes, axis: 2 })).toThrow("shape 2x3 has no axis 2");
    expect(() => quantize(data, [2, 3], { ...bytes, granularity: "block" })).toThrow("needs a block size");
  });
});
