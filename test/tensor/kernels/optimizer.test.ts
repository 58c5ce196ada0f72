import { describe, expect, test } from "@jest/globals";
import { optimizerMemory } from "../../../src/tensor/kernels/optimizer.js";
import fc from "../../property.js";

const ratio = fc.double({ min: 0, max: 1, noNaN: true });
const scale = fc.double({ min: Math.fround(1e-6), max: 1e4, noNaN: true });
/** Floats of any size, but none so small that flushing them to 0 would make a difference between two engines. */
const float = fc
  .float({ noNaN: true, noDefaultInfinity: true })
  .map((value) => (Math.abs(value) < 1e-12 || Math.abs(value) > 1e12 ? 0 : value));

/** The same memory for both; the second moments are squares. */
function filled(how: "simd" | "plain", count: number, values: readonly (readonly number[])[]) {
  const memory = optimizerMemory(4 * count, how);
  values.forEach((list, slot) => {
    for (let at = 0; at < count; at++) {
      const value = list[at % list.length]!;
      memory.floats[slot * count + at] = slot === 2 ? Math.abs(value) : value;
    }
  });
  return memory;
}

const arrays = fc.record({
  count: fc.integer({ min: 1, max: 20 }).map((groups) => 4 * groups),
  values: fc.array(fc.array(float, { minLength: 1, maxLength: 80 }), { minLength: 4, maxLength: 4 }),
});
const bits = (floats: Float32Array, count: number) => [...new Uint32Array(floats.buffer, 0, 4 * count)];

describe("the SIMD kernels of the optimizer give the bits of the plain ones", () => {
  test("adamw", () => {
    const numbers = fc.record({
      ...{ scale, share1: ratio, beta2: ratio, share2: ratio, correction: scale, epsilon: scale, rate: ratio },
      keep: ratio,
    });
    fc.assert(
      fc.property(arrays, numbers, ({ count, values }, how) => {
        const both = (["simd", "plain"] as const).map((kind) => {
          const { floats, kernels } = filled(kind, count, values);
          kernels.adamw(0, count, 2 * count, 3 * count, count, how);
          return bits(floats, count);
        });
        expect(both[0]).toEqual(both[1]);
      }),
    );
  });

  test("sgd, averages, sums and sums of squares", () => {
    const numbers = fc.record({ scale, momentum: ratio, nesterov: fc.boolean(), rate: ratio, keep: ratio });
    fc.assert(
      fc.property(arrays, numbers, ({ count, values }, how) => {
        const both = (["simd", "plain"] as const).map((kind) => {
          const { floats, kernels } = filled(kind, count, values);
          kernels.sgd(0, count, 3 * count, count, how);
          kernels.average(2 * count, 0, count, how.momentum);
          kernels.addScaled(3 * count, count, count, how.scale);
          return [...bits(floats, count), kernels.sumOfSquares(0, 4 * count)];
        });
        expect(both[0]).toEqual(both[1]);
      }),
    );
  });

  test("a sum of squares shows what is not finite", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const { floats, kernels } = optimizerMemory(8);
      floats[5] = value;
      expect(Number.isFinite(kernels.sumOfSquares(0, 8))).toBe(false);
    }
  });
});
