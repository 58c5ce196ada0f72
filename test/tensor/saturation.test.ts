import { describe, expect, test } from "@jest/globals";
import { convInteger, matMulInteger } from "../../src/tensor/integer-arithmetic.js";
import { convolutionRisk, saturationRisk } from "../../src/tensor/saturation.js";
import fc from "../property.js";

const filled = (depth: number, weight: number) => ({
  a: { shape: [1, depth], data: new Uint8Array(depth).fill(255) },
  b: { shape: [depth, 1], data: new Int8Array(depth).fill(weight) },
});

describe("unsigned times signed bytes on AVX2 without VNNI", () => {
  // measured with onnxruntime 1.30 on such a processor
  test.each([
    [256, 127, 4194176, 8290560],
    [64, 127, 1048544, 2072640],
    [256, 65, 4194176, 4243200],
    [256, 64, 4177920, 4177920],
  ])("%i products of 255 x %i give %i, not %i", (depth, weight, saturated, exact) => {
    const { a, b } = filled(depth, weight);
    expect([...matMulInteger(a, b, [0], [0], "avx2").data]).toEqual([saturated]);
    expect([...matMulInteger(a, b).data]).toEqual([exact]);
  });

  test("other mixtures of signs are exact, and so is what is left of an odd depth", () => {
    const { b } = filled(4, -128);
    const signed = { shape: [1, 4], data: new Int8Array(4).fill(-128) };
    expect([...matMulInteger(signed, b, [0], [0], "avx2").data]).toEqual([4 * 128 * 128]);
    const unsigned = { shape: [4, 1], data: new Uint8Array(4).fill(255) };
    expect([...matMulInteger(filled(4, 0).a, unsigned, [0], [0], "avx2").data]).toEqual([4 * 255 * 255]);
    const odd = filled(3, -128);
    expect([...matMulInteger(odd.a, odd.b, [0], [0], "avx2").data]).toEqual([-32768 - 255 * 128]);
  });

  test("a convolution sums channels first, so neighbours are those of one kernel position", () => {
    // two channels, two positions: the large weights lie side by side in one channel
    const x = { shape: [1, 2, 1, 2], data: new Uint8Array(4).fill(255) };
    const apart = { shape: [1, 2, 1, 2], data: Int8Array.of(127, 127, 0, 0) };
    expect([...convInteger(x, apart, 0, [0], {}, "avx2").data]).toEqual([255 * 254]);
    expect(convolutionRisk(apart).pairs).toBe(0);
    const together = { shape: [1, 2, 1, 2], data: Int8Array.of(127, 0, 127, 0) };
    expect([...convInteger(x, together, 0, [0], {}, "avx2").data]).toEqual([32767]);
    expect(convolutionRisk(together)).toEqual({ pairs: 1, outputs: 1, worst: 255 * 254 - 32767 });
    expect(convolutionRisk({ ...together, data: new Uint8Array(4).fill(255) }).pairs).toBe(0);
  });

  test("weights at risk are exactly those that some activations saturate", () => {
    const weight = fc.oneof(fc.integer({ min: -128, max: 127 }), fc.constantFrom(-128, -65, -64, 64, 65, 127, 1, -1));
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1, maxLength: 7 }), (list) => {
        const depth = list.length;
        const data = Int8Array.from(list);
        const risk = saturationRisk({ data, outputs: 1, depth, outputStep: 1, depthStep: 1 });
        // 255 where a weight is positive, or where it is negative, is the worst that can happen
        const differs = [1, -1].some((sign) => {
          const a = { shape: [1, depth], data: Uint8Array.from(list, (value) => (value * sign > 0 ? 255 : 0)) };
          const b = { shape: [depth, 1], data };
          return matMulInteger(a, b, [0], [0], "avx2").data[0] !== matMulInteger(a, b).data[0];
        });
        expect(risk.pairs > 0).toBe(differs);
        expect(risk.outputs).toBe(differs ? 1 : 0);
        expect(risk.worst > 0).toBe(differs);
      }),
    );
  });

  test("columns of a matrix are told apart, and 7 bits of activation need no care", () => {
    // [K = 2, N = 3]
    const data = Int8Array.of(100, 1, -70, 100, 1, -70);
    const weights = { data, outputs: 3, depth: 2, outputStep: 1, depthStep: 3 };
    expect(saturationRisk(weights)).toEqual({ pairs: 2, outputs: 2, worst: 255 * 200 - 32767 });
    expect(saturationRisk(weights, 127).pairs).toBe(0);
  });
});
