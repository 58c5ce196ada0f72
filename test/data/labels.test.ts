import { describe, expect, test } from "@jest/globals";
import { type Label, parseLabels } from "../../src/data/labels.js";
import { encodeNpy } from "../../src/formats/npy.js";
import type { Tensor } from "../../src/tensor/tensor.js";

const samples = { count: 3, source: "photos", nameOf: (at: number) => `photos/${["a", "b", "c"][at]}.png` };
const parse = (name: string, content: string | Uint8Array) =>
  parseLabels(typeof content === "string" ? new TextEncoder().encode(content) : content, name, samples);
const npy = (shape: readonly number[], ...values: number[]) =>
  encodeNpy({ dtype: "int64", shape, data: BigInt64Array.from(values.map(BigInt)) } satisfies Tensor);

describe("labels", () => {
  test.each<[string, string | Uint8Array, readonly Label[]]>([
    ["classes.txt", "3\r\n0\r\n12\r\n", [3, 0, 12]],
    ["texts.txt", "3\nhello world \n 5", ["3", "hello world ", " 5"]],
    ["plain.csv", "1\n2\n3\n", [1, 2, 3]],
    ["last.csv", "a.png,1\nb.png,2\nc.png,3\n", [1, 2, 3]],
    ["header.csv", "\uFEFFlabel,score\n1,0.5\n2,0.5\n3,0.5\n", [1, 2, 3]],
    ["named.csv", 'file,label\nc.png,"say ""x"", y"\nphotos/a.png,one\nb.png,\n', ["one", "", 'say "x", y']],
    ["last-column.csv", "image,cat\nb.png,2\na.png,1\nc.png,3", [1, 2, 3]],
    ["list.json", '[0, "text", [1, 2]]', [0, "text", [1, 2]]],
    ["object.json", '{"c.png": 2, "photos/b.png": 1, "a.png": 0, "other.png": 9}', [0, 1, 2]],
    ["one.npy", npy([3], 4, 5, 6), [4, 5, 6]],
    ["column.npy", npy([3, 1], 4, 5, 6), [4, 5, 6]],
    [
      "rows.npy",
      npy([3, 2], 1, 2, 3, 4, 5, 6),
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ],
  ])("of %s", (name, content, expected) => {
    expect(parse(name, content)).toEqual(expected);
  });

  test.each<[string, string | Uint8Array, RegExp]>([
    ["two.txt", "1\n2\n", /^--labels two\.txt: holds 2 labels, but there are 3 samples \(photos\); give one a sample$/],
    ["four.npy", npy([4], 1, 2, 3, 4), /holds 4 labels, but there are 3 samples/],
    ["empty.json", "[]", /holds 0 labels, but there are 3 samples/],
    ["a.json", "[1, 2", /is not JSON/],
    ["a.json", "3", /must be a list of labels, or an object from file name to label/],
    ["a.json", "[1, 2, null]", /label 3 is null; a label is a class number, a text, or a list/],
    ["a.json", "[1, 2, -1]", /label 3 is -1/],
    ["a.json", '{"a.png": 1}', /has no label for sample photos\/b\.png; it names a\.png/],
    ["a.csv", "file,label\na.png,1\n", /has no label for sample photos\/b\.png/],
    ["a.csv", 'x\n"a"b\n', /^--labels a\.csv:2: a quote that does not stand around a whole cell/],
    ["a.npy", "rubbish", /^--labels a\.npy: is not a \.npy array/],
    ["a.npy", npy([3, 1, 1], 1, 2, 3), /has 3 axes; labels have one/],
    [
      "a.npy",
      encodeNpy({ dtype: "float32", shape: [3], data: new Float32Array(3) }),
      /holds float32; classes are whole/,
    ],
    ["a.txt", Uint8Array.of(0xff, 0xfe), /^--labels a\.txt: is not UTF-8 text/],
    ["a.bin", "", /^--labels a\.bin: labels are \.txt, \.csv, \.json or \.npy files/],
  ])("of %s holding %j are refused", (name, content, message) => {
    expect(() => parse(name, content)).toThrow(message);
  });
});
