import { describe, expect, test } from "@jest/globals";
import { halfBits, halfValue, numbersOf } from "../../src/tensor/numbers.js";

describe("half precision", () => {
  test.each([
    // numpy: np.array(v, dtype="f4").astype("f2").view("u2")
    [1, 15360],
    [0.1, 11878],
    [65504, 31743],
    [65519.9, 31743],
    [65520, 31744],
    [2049, 26624],
    [2051, 26626],
    [5.96e-8, 1],
    [2.98e-8, 0],
    [2.99e-8, 1],
    [6.1e-5, 1023],
    [1.0009765, 15361],
    [1.00048828125, 15360],
    [-0, 32768],
    [-16070.0810546875, 62425],
    [Number.NEGATIVE_INFINITY, 64512],
  ])("of %p has the bits %p", (value, bits) => {
    expect(halfBits(value)).toBe(bits);
  });

  test("every bit pattern comes back", () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < 65536; bits++) {
      const value = halfValue(bits);
      if (!Number.isNaN(value) && halfBits(value) !== bits) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
    expect(halfValue(halfBits(Number.NaN))).toBeNaN();
  });
});

test("bfloat16 is the upper half of a float32", () => {
  const tensor = { dtype: "bfloat16", shape: [3], data: Uint16Array.of(0x3f80, 0xc049, 0x7f80) } as const;
  expect(Array.from(numbersOf(tensor))).toEqual([1, -3.140625, Number.POSITIVE_INFINITY]);
});
