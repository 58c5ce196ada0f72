import { describe, expect, test } from "@jest/globals";
import { zipSync } from "fflate";
import { FormatError } from "../../src/errors.js";
import { decodeNpz, encodeNpz } from "../../src/formats/npz.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import fc from "../property.js";

/*
 * numpy 2.4.6: numpy.savez_compressed(file, x=np.array([[1.5, -2, 3e38], [0, np.inf, -0.0]], dtype="f4"),
 *   n=np.array([2**62, -1]), h=np.array([1, 0.1, 65504, 6e-8], dtype="f2"), flag=np.array(True), none=np.zeros((0, 3)))
 */
const fromNumpy =
  "UEsDBC0AAAAIAAAAIQBrY1zj//////////8FABQAeC5ucHkBABAAmAAAAAAAAABXAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqKuo6" +
  "Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsaaOgq1CmQDLgaGA/YMQOLZxsR6BjBoANENAFBLAwQtAAAACAAAACEAkmmln///////" +
  "////BQAUAG4ubnB5AQAQAJAAAAAAAAAASgAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2" +
  "ckFqQC+RpGOpo6CrUKFAAuBghw+A8FAFBLAwQtAAAACAAAACEAodvUm///////////BQAUAGgubnB5AQAQAIgAAAAAAAAATAAAAAAAAACb7Bfq" +
  "GxDJyFDGUK2eklqcXKRupaBuk2akrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RomOpo6CrUKFAAuBps0vf/VjAwAUEsDBC0AAAAIAA" +
  "AAIQCCLfjT//////////8IABQAZmxhZy5ucHkBABAAgQAAAAAAAABDAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loF6TZKiuo6Cell9UUpSY" +
  "F59flJIKEndLzClOBYoXZyQWpAL5Gpo6CrUKFAEuRgBQSwMELQAAAAgAAAAhAFj7YPj//////////wgAFABub25lLm5weQEAEACAAAAAAAAAAE" +
  "YAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNmoa6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaBjoKxpo6CrUKZAMuAFBLAQIt" +
  "Ay0AAAAIAAAAIQBrY1zjVwAAAJgAAAAFAAAAAAAAAAAAAACAAQAAAAB4Lm5weVBLAQItAy0AAAAIAAAAIQCSaaWfSgAAAJAAAAAFAAAAAAAAAA" +
  "AAAACAAY4AAABuLm5weVBLAQItAy0AAAAIAAAAIQCh29SbTAAAAIgAAAAFAAAAAAAAAAAAAACAAQ8BAABoLm5weVBLAQItAy0AAAAIAAAAIQCC" +
  "LfjTQwAAAIEAAAAIAAAAAAAAAAAAAACAAZIBAABmbGFnLm5weVBLAQItAy0AAAAIAAAAIQBY+2D4RgAAAIAAAAAIAAAAAAAAAAAAAACAAQ8CAA" +
  "Bub25lLm5weVBLBQYAAAAABQAFAAUBAACPAgAAAAA=";

const types = [
  ["float32", Float32Array],
  ["float64", Float64Array],
  ["float16", Uint16Array],
  ["int8", Int8Array],
  ["uint8", Uint8Array],
  ["bool", Uint8Array],
  ["int16", Int16Array],
  ["uint16", Uint16Array],
  ["int32", Int32Array],
  ["uint32", Uint32Array],
  ["int64", BigInt64Array],
  ["uint64", BigUint64Array],
] as const;

/** Any numeric tensor: its bytes are arbitrary, so NaN patterns and extremes come up. */
const tensors: fc.Arbitrary<Tensor> = fc
  .tuple(fc.constantFrom(...types), fc.array(fc.nat(4), { maxLength: 4 }))
  .chain(([[dtype, ctor], shape]) => {
    const bytes = elementCount(shape) * ctor.BYTES_PER_ELEMENT;
    return fc
      .uint8Array({ minLength: bytes, maxLength: bytes })
      .map((data) => ({ dtype, shape, data: new ctor(data.slice().buffer) }));
  });

const bytesOf = ({ data }: Tensor) => {
  const array = data as Uint8Array;
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
};

describe("npz", () => {
  test("written by numpy is read", () => {
    const arrays = decodeNpz(Buffer.from(fromNumpy, "base64"));
    expect(Object.fromEntries(arrays)).toEqual({
      x: { dtype: "float32", shape: [2, 3], data: Float32Array.of(1.5, -2, 3e38, 0, Number.POSITIVE_INFINITY, -0) },
      n: { dtype: "int64", shape: [2], data: BigInt64Array.of(2n ** 62n, -1n) },
      h: { dtype: "float16", shape: [4], data: Uint16Array.of(15360, 11878, 31743, 1) },
      flag: { dtype: "bool", shape: [], data: Uint8Array.of(1) },
      none: { dtype: "float64", shape: [0, 3], data: new Float64Array(0) },
    });
  });

  test("comes back as it was written, and the same tensors give the same bytes", () => {
    const names = fc.stringMatching(/^[a-zA-Z_][\w.:/-]{0,12}$/);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(names, tensors), { minLength: 1, maxLength: 4, selector: ([name]) => name }),
        (list) => {
          const bytes = encodeNpz(new Map(list));
          const decoded = decodeNpz(bytes);
          expect([...decoded.keys()].sort()).toEqual(list.map(([name]) => name).sort());
          for (const [name, tensor] of list) {
            expect(decoded.get(name)).toMatchObject({ dtype: tensor.dtype, shape: tensor.shape });
            expect(bytesOf(decoded.get(name)!)).toEqual(bytesOf(tensor));
          }
          expect(encodeNpz(new Map(list))).toEqual(bytes);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("cut off or damaged is refused by name or read whole, never crashes", () => {
    const whole = encodeNpz(
      new Map([["x", { dtype: "float32", shape: [4, 4], data: new Float32Array(16).fill(0.3) }]]),
    );
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeNpz(whole.subarray(0, length), "cut.npz")).toThrow(FormatError);
    }
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Uint8Array.from(whole);
        damaged[at]! ^= flip;
        try {
          decodeNpz(damaged, "damaged.npz");
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
          expect((error as Error).message).toMatch(/^damaged\.npz: /);
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** A .npy with any header and body. */
function npy(header: string, body: number, version = 1): Uint8Array {
  const text = new TextEncoder().encode(header);
  const start = version === 1 ? 10 : 12;
  const bytes = new Uint8Array(start + text.length + body);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), version, 0]);
  new DataView(bytes.buffer).setUint16(8, text.length, true);
  bytes.set(text, start);
  return bytes;
}

const header = (descr: string, shape: string, order = "False") =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`;
const f4 = header("'<f4'", "(2, 3)");

describe("a .npy", () => {
  test.each([
    ["version 2", npy(f4, 24, 2), [2, 3]],
    ["version 3", npy(f4, 24, 3), [2, 3]],
    ["Python 2's long sizes", npy(header("'<f4'", "(2L, 3L)"), 24), [2, 3]],
    ["Fortran order along one axis", npy(header("'<f4'", "(6,)", "True"), 24), [6]],
    ["one number", npy(header("'<f4'", "()"), 4), []],
  ])("of %s is read", (_, bytes, shape) => {
    expect(decodeNpz(zipSync({ "x.npy": bytes })).get("x")!.shape).toEqual(shape);
  });

  test.each([
    ["Fortran order", npy(header("'<f4'", "(2, 3)", "True"), 24), /Fortran order; save numpy\.ascontiguousarray/],
    ["big-endian numbers", npy(header("'>f4'", "(2, 3)"), 24), /big-endian; save array\.astype/],
    ["objects", npy(header("'|O'", "(2, 3)"), 24), /Python objects/],
    ["text", npy(header("'<U4'", "(2,)"), 32), /dtype <U4 cannot be fed/],
    ["complex numbers", npy(header("'<c8'", "(2,)"), 16), /dtype <c8 cannot be fed/],
    ["fields", npy(header("[('a', '<f4')]", "(2,)"), 8), /structured dtype/],
    ["fewer bytes than its shape", npy(f4, 20), /takes 24 bytes, but 20 are there/],
    ["more bytes than its shape", npy(f4, 28), /takes 24 bytes, but 28 are there/],
    ["an absurd shape", npy(header("'<f4'", "(99999999999, 99999999999)"), 24), /bytes, but 24 are there/],
    ["a negative size", npy(header("'<f4'", "(-1, 3)"), 24), /is not one/],
    ["no shape", npy("{'descr': '<f4', 'fortran_order': False}", 24), /has no shape/],
    ["an unknown version", npy(f4, 24, 9), /version 9 is not known/],
    ["a header beyond its end", npy(f4, 24).subarray(0, 40), /header is cut off/],
    ["another magic", new Uint8Array(64), /is not a \.npy array/],
  ])("with %s is refused", (_, bytes, message) => {
    const file = zipSync({ "x.npy": bytes });
    expect(() => decodeNpz(file, "a.npz")).toThrow(message);
    expect(() => decodeNpz(file, "a.npz")).toThrow(/^a\.npz: array "x": /);
  });
});

describe("a zip", () => {
  const entry = npy(f4, 24);

  test.each([
    [
      "with another file in it",
      zipSync({ "x.npy": entry, "notes.txt": new Uint8Array(1) }),
      /"notes\.txt" in it is not/,
    ],
    ["without entries", zipSync({}), /holds no arrays/],
    ["that is none", new Uint8Array(100), /is not a whole \.npz/],
  ])("%s is refused", (_, bytes, message) => {
    expect(() => decodeNpz(bytes, "a.npz")).toThrow(message);
  });

  test("that declares more than its bytes can hold is refused before anything is unpacked", () => {
    const bytes = zipSync({ "x.npy": entry });
    const view = new DataView(bytes.buffer);
    const directory = view.getUint32(bytes.length - 6, true);
    view.setUint32(directory + 24, 0xf0000000, true);
    expect(() => decodeNpz(bytes, "bomb.npz")).toThrow(
      /^bomb\.npz: "x\.npy" declares 4026531840 bytes, which cannot be/,
    );
  });
});

test("what numpy cannot hold is not written", () => {
  const tensor: Tensor = { dtype: "bfloat16", shape: [1], data: new Uint16Array(1) };
  expect(() => encodeNpz(new Map([["x", tensor]]))).toThrow(/no dtype for a bfloat16/);
});
