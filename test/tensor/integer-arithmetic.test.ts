import { describe, expect, test } from "@jest/globals";
import { makeNode } from "../../src/graph/node.js";
import { type ConvAttributes, convInteger, matMulInteger } from "../../src/tensor/integer-arithmetic.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import fc from "../property.js";
import { operator } from "./operators.js";

type Kind = "int8" | "uint8";
const views = { int8: Int8Array, uint8: Uint8Array };

/** Seeded bytes; `small` keeps them where no processor saturates. */
function bytes(kind: Kind, shape: readonly number[], seed: number, small = false) {
  let state = seed;
  const data = new views[kind](elementCount(shape));
  for (let at = 0; at < data.length; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    data[at] = small ? (state >>> 25) - 64 : state >>> 24;
  }
  return { dtype: kind, shape, data } satisfies Tensor;
}

const kinds = [
  ["uint8", "uint8"],
  ["uint8", "int8"],
  ["int8", "int8"],
] as const;

describe.each(kinds)("%s times %s equals onnxruntime", (aKind, bKind) => {
  const zeroOf = (kind: Kind, count: number, seed: number) => bytes(kind, count === 0 ? [] : [count], seed);
  // unsigned times signed is only exact everywhere with 7 bits
  const small = aKind === "uint8" && bKind === "int8";

  test.each([
    [[5, 7], [7, 3], 0, 0],
    [[5, 7], [7, 3], 0, 3],
    [[2, 3, 4, 9], [3, 9, 2], 0, 0],
    [[4, 9], [2, 9, 2], 0, 0],
  ])("MatMulInteger of %j and %j, %i zero points of A and %i of B", async (aShape, bShape, aZeros, bZeros) => {
    const a = bytes(aKind, aShape, 1);
    const b = bytes(bKind, bShape, 2, small);
    const aZero = zeroOf(aKind, aZeros, 3);
    const bZero = zeroOf(bKind, bZeros, 4);
    const ort = await operator(
      [makeNode("MatMulInteger", "n", ["a", "b", "az", "bz"], ["y"])],
      [
        ["a", aKind, aShape.length],
        ["b", bKind, bShape.length],
        ["az", aKind, aZero.shape.length],
        ["bz", bKind, bZero.shape.length],
      ],
      ["y", "int32", Math.max(aShape.length, bShape.length)],
    );
    const expected = await ort.run(a, b, aZero, bZero);
    await ort.close();
    const own = matMulInteger(a, b, aZero.data, bZero.data);
    expect(own.shape).toEqual(expected.shape);
    expect([...own.data]).toEqual([...(expected.data as Int32Array)]);
  });

  const attributes: readonly (readonly [
    string,
    ConvAttributes,
    Readonly<Record<string, number | readonly number[]>>,
  ])[] = [
    ["plain", {}, {}],
    ["strides, unequal pads", { strides: [2, 1], pads: [1, 0, 2, 1] }, { strides: [2, 1], pads: [1, 0, 2, 1] }],
    ["dilated", { dilations: [2, 2], pads: [1, 1, 1, 1] }, { dilations: [2, 2], pads: [1, 1, 1, 1] }],
    ["in groups", { group: 2 }, { group: 2 }],
  ];
  test.each(attributes)("ConvInteger, %s", async (_, own, given) => {
    const { group = 1 } = own;
    const x = bytes(aKind, [2, 4, 7, 6], 5);
    const w = bytes(bKind, [6, 4 / group, 3, 2], 6, small);
    const xZero = bytes(aKind, [], 7);
    const wZero = bytes(bKind, [], 8);
    const ort = await operator(
      [makeNode("ConvInteger", "n", ["x", "w", "xz", "wz"], ["y"], given)],
      [
        ["x", aKind, 4],
        ["w", bKind, 4],
        ["xz", aKind, 0],
        ["wz", bKind, 0],
      ],
      ["y", "int32", 4],
    );
    const expected = await ort.run(x, w, xZero, wZero);
    await ort.close();
    const result = convInteger(x, w, xZero.data[0], wZero.data, own);
    expect(result.shape).toEqual(expected.shape);
    expect([...result.data]).toEqual([...(expected.data as Int32Array)]);
  });
});

test("SAME padding puts the odd element where its name says", () => {
  const x = { shape: [1, 1, 4], data: Uint8Array.of(1, 2, 3, 4) };
  const w = { shape: [1, 1, 2], data: Uint8Array.of(1, 10) };
  expect([...convInteger(x, w, 0, [0], { autoPad: "SAME_UPPER" }).data]).toEqual([21, 32, 43, 4]);
  expect([...convInteger(x, w, 0, [0], { autoPad: "SAME_LOWER" }).data]).toEqual([10, 21, 32, 43]);
});

test("a convolution is the product of each patch, saturated alike", () => {
  const weight = fc.array(fc.integer({ min: -128, max: 127 }), { minLength: 12, maxLength: 12 });
  fc.assert(
    fc.property(weight, (list) => {
      const shape = [1, 3, 2, 2];
      const x = { shape, data: new Uint8Array(12).fill(255) };
      const w = { shape, data: Int8Array.from(list) };
      // channels innermost
      const order = [0, 1, 2, 3].flatMap((tap) => [0, 1, 2].map((channel) => list[channel * 4 + tap]!));
      const b = { shape: [12, 1], data: Int8Array.from(order) };
      const a = { shape: [1, 12], data: x.data };
      expect([...convInteger(x, w, 0, [0], {}, "avx2").data]).toEqual([...matMulInteger(a, b, [0], [0], "avx2").data]);
    }),
  );
});

test("shapes that do not fit are named", () => {
  const a = bytes("uint8", [2, 3], 1);
  expect(() => matMulInteger(a, a)).toThrow("shapes 2x3 and 2x3 cannot be multiplied");
  expect(() => convInteger(bytes("uint8", [1, 3, 4], 1), bytes("uint8", [1, 2, 2], 1))).toThrow(
    "shapes 1x3x4 and 1x2x2 cannot be convolved",
  );
});
