import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { TensorProtoSchema } from "onnx-buf";
import { FormatError } from "../../src/errors.js";
import { decodeNpy, encodeNpy } from "../../src/formats/npy.js";
import { decodeTensor, makeTensor, setExternal } from "../../src/formats/onnx.js";
import { type DType, elementCount, type Tensor, typedArrays } from "../../src/tensor/tensor.js";
import fc from "../property.js";

const dtypes = Object.keys(typedArrays) as (keyof typeof typedArrays)[];

/** Tensors of every dtype, with any bits. */
const tensors = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.nat({ max: 4 }), { maxLength: 4 }))
  .chain(([dtype, shape]) => {
    const bytes = elementCount(shape) * typedArrays[dtype].BYTES_PER_ELEMENT;
    return fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((raw): Tensor => {
      return { dtype, shape, data: new typedArrays[dtype](raw.slice().buffer) };
    });
  });
const encode = (name: string, tensor: Tensor) => toBinary(TensorProtoSchema, makeTensor(name, tensor));

/** The bytes of a tensor's elements: NaN is like itself there. */
const bits = ({ data }: Tensor) =>
  Array.from(
    new Uint8Array(
      (data as Uint8Array).buffer as ArrayBuffer,
      (data as Uint8Array).byteOffset,
      (data as Uint8Array).byteLength,
    ),
  );

describe("a tensor in a file of its own", () => {
  test("comes back as it was, with its name", () => {
    fc.assert(
      fc.property(tensors, fc.string(), (tensor, name) => {
        const found = decodeTensor(encode(name, tensor), "input_0.pb");
        expect([found.name, found.tensor.dtype, found.tensor.shape]).toEqual([name, tensor.dtype, tensor.shape]);
        expect(bits(found.tensor)).toEqual(bits(tensor));
      }),
    );
  });

  test("may hold its elements as a list, or text", () => {
    const list = create(TensorProtoSchema, { dataType: 7, dims: [2n], int64Data: [3n, -4n] });
    expect(decodeTensor(toBinary(TensorProtoSchema, list), "a.pb").tensor.data).toEqual(BigInt64Array.of(3n, -4n));
    const text: Tensor = { dtype: "string", shape: [2], data: ["a", "é"] };
    expect(decodeTensor(encode("", text), "a.pb").tensor).toEqual(text);
  });

  test("is refused where raw bytes are said to be text", () => {
    const bytes = encode("x", { dtype: "int8", shape: [], data: Int8Array.of(0) });
    // the element type, which is the first field: 3 is int8, 8 is string
    bytes[bytes.indexOf(3)] = 8;
    expect(() => decodeTensor(bytes, "input_0.pb")).toThrow(
      /input_0\.pb.* has raw bytes, but holds text; it is damaged/,
    );
  });

  test("damaged anywhere, is refused by its file's name or is another tensor that is whole", () => {
    const place = fc.tuple(tensors, fc.nat(), fc.nat({ max: 255 }), fc.boolean());
    fc.assert(
      fc.property(place, ([tensor, at, byte, cut]) => {
        const bytes = encode("x", tensor);
        const index = at % bytes.length;
        const damaged = cut ? bytes.slice(0, index) : bytes.slice();
        if (!cut) damaged[index] = byte;
        for (const decode of [
          () => decodeTensor(damaged, "input_0.pb").tensor,
          () => decodeNpy(damaged, "input_0.pb"),
        ]) {
          try {
            const found = decode();
            expect(found.data.length).toBe(elementCount(found.shape));
          } catch (error) {
            expect(error).toBeInstanceOf(FormatError);
            expect((error as Error).message).toMatch(/^input_0\.pb: /);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("is refused where its data lie in another file, named or not", () => {
    const proto = makeTensor("x", { dtype: "int8", shape: [1], data: Int8Array.of(0) });
    setExternal(proto, "", 0, 1);
    expect(() => decodeTensor(toBinary(TensorProtoSchema, proto), "input_0.pb")).toThrow(
      /^input_0\.pb: keeps its data in another file/,
    );
  });

  const lying = (fields: object) => toBinary(TensorProtoSchema, create(TensorProtoSchema, fields));
  const external = () => {
    const proto = makeTensor("x", { dtype: "float32", shape: [1], data: new Float32Array(1) });
    setExternal(proto, "/etc/hostname", 0, 4);
    return toBinary(TensorProtoSchema, proto);
  };
  test.each<[string, Uint8Array, RegExp]>([
    ["nothing", new Uint8Array(0), /is no ONNX tensor$/],
    ["an array of numpy", encodeNpy({ dtype: "int8", shape: [1], data: Int8Array.of(1) }), /is no ONNX tensor/],
    [
      "more elements than bytes",
      lying({ dataType: 1, dims: [2n ** 30n], rawData: new Uint8Array(4) }),
      /needs 4294967296 bytes/,
    ],
    [
      "an absurd size",
      lying({ dataType: 1, dims: [2n ** 62n], rawData: new Uint8Array(4) }),
      /declares an absurd size/,
    ],
    ["a negative size", lying({ dataType: 1, dims: [-1n], rawData: new Uint8Array(4) }), /declares a negative size/],
    ["an unknown type", lying({ dataType: 99, dims: [1n], rawData: new Uint8Array(4) }), /has element type 99/],
    [
      "a type that is not computed with",
      lying({ dataType: 17, dims: [1n], rawData: new Uint8Array(1) }),
      /holds float8e4m3fn elements, which cannot be fed/,
    ],
    ["data in another file", external(), /keeps its data in another file, which is not read/],
  ])("holding %s is refused", (_, bytes, message) => {
    expect(() => decodeTensor(bytes, "a.pb")).toThrow(message);
    expect(() => decodeTensor(bytes, "a.pb")).toThrow(FormatError);
  });
});

test("every dtype of numpy has its .npy, however it is damaged", () => {
  const numpy = tensors.filter(({ dtype }: { dtype: DType }) => dtype !== "bfloat16");
  fc.assert(
    fc.property(numpy, fc.nat(), fc.nat({ max: 255 }), (tensor, at, byte) => {
      const bytes = encodeNpy(tensor);
      expect(bits(decodeNpy(bytes, "a.npy"))).toEqual(bits(tensor));
      const damaged = bytes.slice();
      damaged[at % bytes.length] = byte;
      try {
        const found = decodeNpy(damaged, "a.npy");
        expect(found.data.length).toBe(elementCount(found.shape));
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }),
    { numRuns: 300 },
  );
});
