import { describe, expect, test } from "@jest/globals";
import { FormatError } from "../../src/errors.js";
import { decodeSafetensors, encodeSafetensors } from "../../src/formats/safetensors.js";
import { elementCount, type Tensor, typedArrays } from "../../src/tensor/tensor.js";
import fc from "../property.js";

/** A file with this header before this many bytes of data. */
function file(header: string | Uint8Array, data = 0, length?: number): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + data);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const entry = (shape: readonly unknown[], offsets: readonly unknown[], dtype = "F32") =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

const dtypes = Object.keys(typedArrays) as (keyof typeof typedArrays)[];
const tensor: fc.Arbitrary<Tensor> = fc
  .record({ dtype: fc.constantFrom(...dtypes), shape: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }) })
  .map(({ dtype, shape }) => {
    const data = new typedArrays[dtype](elementCount(shape));
    const bytes = new Uint8Array(data.buffer);
    for (let at = 0; at < bytes.length; at++) bytes[at] = (37 * at + 1) % (dtype === "bool" ? 2 : 256);
    return { dtype, shape, data };
  });

describe("safetensors", () => {
  test("come back as they were written, from any place in memory", () => {
    const names = fc.string({ unit: "grapheme", maxLength: 8 }).filter((name) => name !== "__metadata__");
    const files = fc.array(fc.tuple(names, tensor), { maxLength: 6 });
    const words = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 });
    fc.assert(
      fc.property(files, words, fc.integer({ min: 0, max: 9 }), (entries, metadata, shift) => {
        const tensors = new Map(entries);
        const bytes = encodeSafetensors({ tensors, metadata: new Map(Object.entries(metadata)) });
        const moved = new Uint8Array(bytes.length + shift).subarray(shift);
        moved.set(bytes);
        const found = decodeSafetensors(moved, "x");
        const raw = ({ data }: Tensor) => {
          const { buffer, byteOffset, byteLength } = data as Float32Array;
          return [...new Uint8Array(buffer, byteOffset, byteLength)];
        };
        expect([...found.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
        for (const [name, { dtype, shape, ...rest }] of tensors) {
          expect(found.tensors.get(name)).toMatchObject({ dtype, shape });
          expect(raw(found.tensors.get(name)!)).toEqual(raw({ dtype, shape, ...rest }));
        }
        expect(Object.fromEntries(found.metadata)).toEqual(metadata);
      }),
    );
  });

  test("reads a file laid out by hand", () => {
    // the header padded with spaces to a multiple of 8 bytes, as the format describes it
    const header = '{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}';
    const bytes = file(header.padEnd(88), 16);
    new Float32Array(bytes.buffer, 96).set([1, 2, 3, 4]);
    const { tensors, metadata } = decodeSafetensors(bytes, "w.safetensors");
    expect(tensors.get("w")).toEqual({ dtype: "float32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) });
    expect([...metadata]).toEqual([["format", "pt"]]);
  });

  test.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(), "less than 8 bytes"],
    ["a header longer than the file", file("{}", 0, 1000), "its header would have 1000 bytes"],
    ["an absurd header", file("{}", 0, Number.MAX_SAFE_INTEGER), "its header would have"],
    ["no JSON", file("{a}"), "no JSON"],
    ["bad UTF-8", file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), "no JSON"],
    ["a list", file("[]"), "no JSON object"],
    ["an entry that is none", file('{"w":3}'), 'tensor "w" is no object'],
    ["an unknown type", file(`{"w":${entry([1], [0, 1], "F8_E4M3")}}`, 1), 'type "F8_E4M3"'],
    ["a type named like a property of every object", file(`{"w":${entry([1], [0, 1], "toString")}}`, 1), "toString"],
    ["a negative size", file(`{"w":${entry([-1], [0, 4])}}`, 4), "no shape"],
    ["half a size", file(`{"w":${entry([0.5], [0, 2])}}`, 2), "no shape"],
    ["sizes beyond counting", file(`{"w":${entry([2 ** 40, 2 ** 40], [0, 4])}}`, 4), "its shape"],
    ["more than its bytes", file(`{"w":${entry([2], [0, 4])}}`, 4), "takes 4 bytes, its shape 8"],
    ["an end before the start", file(`{"w":${entry([1], [4, 0])}}`, 4), "takes -4 bytes"],
    ["data past the end", file(`{"w":${entry([2], [0, 8])}}`, 4), "holds 4 bytes of tensors"],
    ["a gap", file(`{"w":${entry([1], [4, 8])}}`, 8), 'tensor "w" starts at byte 4'],
    [
      "an overlap",
      file(`{"v":${entry([1], [0, 4])},"w":${entry([1], [0, 4])}}`, 4),
      "starts at byte 0 of the data, not 4",
    ],
    ["data nobody has", file("{}", 4), "holds 4 bytes of tensors, its header tells of 0"],
    ["metadata that is no text", file('{"__metadata__":{"a":1}}'), '__metadata__ "a"'],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes, "bad.safetensors")).toThrow(FormatError);
    expect(() => decodeSafetensors(bytes, "bad.safetensors")).toThrow(message);
  });

  test("refuses every file that is cut short", () => {
    const whole = encodeSafetensors({
      tensors: new Map([["w", { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) }]]),
      metadata: new Map([["a", "b"]]),
    });
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeSafetensors(whole.subarray(0, length), "cut")).toThrow(FormatError);
    }
  });
});
