import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { makeNode } from "../../src/graph/node.js";
import {
  dequantizeLinear,
  dynamicQuantizeLinear,
  integerLimits,
  type QuantizedType,
  quantizeLinear,
} from "../../src/tensor/quantize-linear.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import fc from "../property.js";
import { operator } from "./operators.js";

const shape = [3, 4, 5];
const modes = {
  tensor: { attributes: {}, scaleShape: [] },
  axis: { attributes: { axis: 1 }, scaleShape: [4] },
  blocks: { attributes: { axis: 2, block_size: 2 }, scaleShape: [3, 4, 3] },
} as const;
type Mode = keyof typeof modes;

const codes = { int8: 3, uint8: 2, int16: 5, uint16: 4 };
/** The element type in which onnxruntime passes a type to JavaScript, and its number in ONNX. */
const carriers: Readonly<Record<QuantizedType, readonly [keyof typeof codes, number]>> = {
  ...{ int8: ["int8", 3], uint8: ["uint8", 2], int16: ["int16", 5], uint16: ["uint16", 4] },
  ...{ int4: ["int8", 22], uint4: ["uint8", 21], int2: ["int8", 26], uint2: ["uint8", 25] },
};
const views = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array };

const cases = (Object.keys(carriers) as QuantizedType[]).flatMap((type) =>
  (Object.keys(modes) as Mode[]).map((mode) => ({ type, mode })),
);

/** Quotients near halves, beyond the limits, of any size. */
const floats = fc.oneof(
  fc.integer({ min: -600, max: 600 }).map((step) => step / 4),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.float({ min: Math.fround(-1e-38), max: Math.fround(1e-38), noNaN: true }),
  fc.constantFrom(0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);
/** Quotients up to 10^9: beyond 2^31 onnxruntime's kernels of 4 and 2 bits wrap where ONNX saturates. */
const modest = fc.oneof(
  fc.integer({ min: -600, max: 600 }).map((step) => step / 4),
  fc.float({ min: -1000, max: 1000, noNaN: true }),
);
const scale = fc.oneof(fc.constantFrom(1, 0.5, 0.25, 0.1), fc.float({ min: Math.fround(1e-6), max: 1e6, noNaN: true }));

const float32 = (data: readonly number[], size: readonly number[]): Tensor => ({
  dtype: "float32",
  shape: size,
  data: Float32Array.from(data),
});
const hex = (view: ArrayBufferView) => Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("hex");
const listOf = (element: fc.Arbitrary<number>, count: number) =>
  fc.array(element, { minLength: count, maxLength: count, size: "max" });

describe.each(cases)("$type, one scale for $mode: equal to onnxruntime byte for byte", ({ type, mode }) => {
  const { attributes, scaleShape } = modes[mode];
  const [carrier, code] = carriers[type];
  const [least, largest] = integerLimits[type];
  const rank = scaleShape.length;
  const scaling = { axis: mode === "blocks" ? 2 : 1, blockSize: mode === "blocks" ? 2 : 0 };
  const scaled = fc.record({
    scales: listOf(scale, elementCount(scaleShape)),
    zeros: listOf(fc.integer({ min: least, max: largest }), elementCount(scaleShape)),
  });
  const opset = type.endsWith("2") ? 25 : 21;
  // small types cannot be passed in or out
  const cast = (to: number, from: string, name: string) => makeNode("Cast", `${name}_cast`, [from], [name], { to });
  let quantize: Awaited<ReturnType<typeof operator>>;
  let dequantize: Awaited<ReturnType<typeof operator>>;

  beforeAll(async () => {
    const zero = cast(code, "z", "zero");
    quantize = await operator(
      [zero, makeNode("QuantizeLinear", "q", ["x", "s", "zero"], ["q"], attributes), cast(codes[carrier], "q", "y")],
      [
        ["x", "float32", 3],
        ["s", "float32", rank],
        ["z", carrier, rank],
      ],
      ["y", carrier, 3],
      opset,
    );
    dequantize = await operator(
      [zero, cast(code, "x", "q"), makeNode("DequantizeLinear", "d", ["q", "s", "zero"], ["y"], attributes)],
      [
        ["x", carrier, 3],
        ["s", "float32", rank],
        ["z", carrier, rank],
      ],
      ["y", "float32", 3],
      opset,
    );
  });
  afterAll(async () => {
    await quantize.close();
    await dequantize.close();
  });

  const zeroTensor = (zeros: readonly number[]): Tensor => ({
    dtype: carrier,
    shape: scaleShape,
    data: views[carrier].from(zeros),
  });

  test("QuantizeLinear", async () => {
    const elements = largest <= 15 ? modest : floats;
    const property = fc.asyncProperty(listOf(elements, 60), scaled, async (list, { scales, zeros }) => {
      const x = float32(list, shape);
      const s = float32(scales, scaleShape);
      const expected = await quantize.run(x, s, zeroTensor(zeros));
      const own = quantizeLinear(
        x.data as Float32Array,
        shape,
        { ...scaling, scales: s.data as Float32Array, zeroPoints: zeros },
        type,
      );
      expect(hex(own)).toBe(hex(expected.data as Int8Array));
    });
    await fc.assert(property, { numRuns: 60 });
  });

  test("DequantizeLinear", async () => {
    const integers = listOf(fc.integer({ min: least, max: largest }), 60);
    const property = fc.asyncProperty(integers, scaled, async (list, { scales, zeros }) => {
      const x: Tensor = { dtype: carrier, shape, data: views[carrier].from(list) };
      const s = float32(scales, scaleShape);
      const expected = await dequantize.run(x, s, zeroTensor(zeros));
      const own = dequantizeLinear(list, shape, { ...scaling, scales: s.data as Float32Array, zeroPoints: zeros });
      // 0 and -0 are the same number
      expect([...own]).toEqual([...(expected.data as Float32Array)].map((value, at) => value || own[at]));
    });
    await fc.assert(property, { numRuns: 40 });
  });
});

test("DequantizeLinear of int32 rounds the integer to float32 first, as onnxruntime does", async () => {
  const ort = await operator(
    [makeNode("DequantizeLinear", "d", ["x", "s"], ["y"])],
    [
      ["x", "int32", 1],
      ["s", "float32", 0],
    ],
    ["y", "float32", 1],
  );
  const list = [2 ** 31 - 1, -(2 ** 31), 16777217, 33554435, -7, 0];
  const expected = await ort.run({ dtype: "int32", shape: [6], data: Int32Array.from(list) }, float32([0.1], []));
  await ort.close();
  const own = dequantizeLinear(list, [6], { scales: Float32Array.of(0.1) });
  expect([...own]).toEqual([...(expected.data as Float32Array)]);
});

test("DynamicQuantizeLinear equals onnxruntime's byte for byte", async () => {
  const outputs = ["q", "scale", "zero"] as const;
  const node = makeNode("DynamicQuantizeLinear", "n", ["x"], ["q", "scale", "zero"]);
  const types = { q: ["q", "uint8", 1], scale: ["scale", "float32", 0], zero: ["zero", "uint8", 0] } as const;
  const sessions = await Promise.all(outputs.map((name) => operator([node], [["x", "float32", 1]], types[name])));
  const usual = fc.float({ min: -10, max: 10, noNaN: true });
  const sized = fc.oneof(
    usual,
    fc.float({ min: Math.fround(-1e30), max: Math.fround(1e30), noNaN: true }),
    fc.constant(0),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(usual, usual, sized), { minLength: 1, maxLength: 40 }), async (list) => {
      // a scale that is 0 in float32 makes 0 / 0, which ONNX does not define
      const range = Math.max(0, ...list) - Math.min(0, ...list);
      fc.pre(range === 0 || range > 1e-36);
      const x = float32(list, [list.length]);
      const [q, scaleOf, zero] = await Promise.all(sessions.map((session) => session.run(x)));
      const own = dynamicQuantizeLinear(x.data as Float32Array);
      expect(own.scale).toBe((scaleOf!.data as Float32Array)[0]);
      expect(own.zeroPoint).toBe((zero!.data as Uint8Array)[0]);
      expect(hex(own.values)).toBe(hex(q!.data as Uint8Array));
    }),
    { numRuns: 150 },
  );
  for (const session of sessions) await session.close();
});

test("scales that fit no axis are refused", () => {
  expect(() => quantizeLinear([1, 2, 3], [3], { scales: [1, 2] }, "int8")).toThrow("2 scales do not fit shape 3");
  expect(() => dequantizeLinear([1, 2, 3], [3], { scales: [1], axis: 0, blockSize: 2 })).toThrow(
    "1 scales do not fit shape 3",
  );
});
