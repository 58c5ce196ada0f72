import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, makeTensor } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { isFiniteData, quantizeChannels, type WeightType } from "../../src/quantize/channels.js";
import { elementCount } from "../../src/tensor/tensor.js";
import { makeModel } from "../onnx-model.js";

/** What onnxruntime's QuantizeLinear makes of the data with these scales. */
async function oracle(
  data: Float32Array,
  shape: readonly number[],
  axis: number,
  type: WeightType,
  scales: Float32Array<ArrayBuffer>,
) {
  const zeros = type === "uint8" ? new Uint8Array(scales.length).fill(128) : new Int8Array(scales.length);
  const model = makeModel({
    inputs: [["x", "float32", shape]],
    outputs: [["q", type, shape]],
    nodes: [makeNode("QuantizeLinear", "q", ["x", "s", "z"], ["q"], { axis })],
    initializers: [
      makeTensor("s", { dtype: "float32", shape: [scales.length], data: scales }),
      makeTensor("z", { dtype: type, shape: [scales.length], data: zeros }),
    ],
  });
  const session = await openSession(encodeModel(model));
  const outputs = await session.run(new Map([["x", { dtype: "float32" as const, shape, data }]]));
  await session.close();
  return [...(outputs.get("q")!.data as Uint8Array)];
}

describe("per-channel 8-bit quantization", () => {
  const cases: readonly [shape: readonly number[], axis: number][] = [
    [[3, 5], 1],
    [[3, 5], 0],
    [[4, 2, 3, 3], 0],
    [[2, 4, 3, 3], 1],
    [[2, 3, 4], 2],
    [[1, 1], 0],
  ];
  test.each(cases.flatMap(([shape, axis]) => (["uint8", "int8"] as const).map((type) => ({ shape, axis, type }))))(
    "equals onnxruntime's QuantizeLinear byte for byte: $type, shape $shape, axis $axis",
    async ({ shape, axis, type }) => {
      const data = Float32Array.from(
        { length: elementCount(shape) },
        (_, at) => Math.sin(at * 12.9898) * 10 ** ((at % 7) - 3),
      );
      const { values, scales } = quantizeChannels(data, shape, axis, type);
      expect([...values]).toEqual(await oracle(data, shape, axis, type, scales));
    },
  );

  test("halves are rounded to even and the largest weight is hit exactly", () => {
    // scale 1: 127 is the peak
    const { values, scales } = quantizeChannels(Float32Array.of(127, 0.5, 1.5, 2.5, -0.5, -1.5), [1, 6], 0, "int8");
    expect([...scales]).toEqual([1]);
    expect([...values]).toEqual([127, 0, 2, 2, 0, -2]);
  });

  test("unsigned values are the signed ones plus 128", () => {
    const data = Float32Array.of(1, -1, 0, 0.25);
    expect([...quantizeChannels(data, [2, 2], 1, "uint8").values]).toEqual(
      [...quantizeChannels(data, [2, 2], 1, "int8").values].map((value) => value + 128),
    );
  });

  test("a channel of zeros, or of nothing but subnormals, gets scale 1 and zeros", () => {
    const { values, scales, noise } = quantizeChannels(Float32Array.of(0, 1e-40, 0, -1e-40), [2, 2], 1, "int8");
    expect([...scales]).toEqual([1, 1]);
    expect([...values]).toEqual([0, 0, 0, 0]);
    expect(noise).toBeLessThan(1e-70);
  });

  test("no element is off by more than half a step, whatever the weights", () => {
    const float = fc.float({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(float, { minLength: 6, maxLength: 6 }), fc.constantFrom(0, 1), (list, axis) => {
        const shape = [2, 3];
        const data = Float32Array.from(list);
        const { values, scales } = quantizeChannels(data, shape, axis, "int8");
        data.forEach((weight, at) => {
          const scale = scales[axis === 0 ? Math.floor(at / 3) : at % 3]!;
          // one float32 rounding of the quotient on top
          expect(Math.abs(weight - values[at]! * scale)).toBeLessThanOrEqual(scale * 0.5001);
        });
      }),
    );
  });

  test("signal and noise are the sums the report's SQNR is made of", () => {
    const { signal, noise } = quantizeChannels(Float32Array.of(127, 0.25), [1, 2], 0, "int8");
    expect(signal).toBe(127 * 127 + 0.0625);
    expect(noise).toBe(0.0625);
  });

  test("NaN and infinities are found", () => {
    expect(isFiniteData(Float32Array.of(1, 2))).toBe(true);
    expect(isFiniteData(Float32Array.of(1, Number.NaN))).toBe(false);
    expect(isFiniteData(Float32Array.of(Number.NEGATIVE_INFINITY))).toBe(false);
  });
});
