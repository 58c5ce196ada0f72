import { describe, expect, test } from "@jest/globals";
import type { DeclaredInput } from "../../src/data/batch.js";
import { parseJsonSample } from "../../src/data/json-sample.js";
import { type DType, elementCount, type TensorData, typedArrays } from "../../src/tensor/tensor.js";
import fc from "../property.js";

const input = (dtype: DType, name = "x"): DeclaredInput => ({ name, dtype, shape: [] });
const read = (text: string, ...inputs: readonly DeclaredInput[]) =>
  parseJsonSample(text, inputs.length > 0 ? inputs : [input("float32")], "a.jsonl:3");

/** A flat list nested as a shape says. */
function nest(values: readonly unknown[], shape: readonly number[]): unknown {
  if (shape.length === 0) return values[0];
  const size = values.length / shape[0]!;
  return Array.from({ length: shape[0]! }, (_, at) => nest(values.slice(at * size, (at + 1) * size), shape.slice(1)));
}

describe("a sample in JSON", () => {
  test("is what was written, nested or described", () => {
    const dtypes = ["float32", "float64", "int8", "uint8", "int16", "int32", "uint32"] as const;
    const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 });
    fc.assert(
      fc.property(
        fc.constantFrom(...dtypes),
        shapes,
        fc.infiniteStream(fc.nat({ max: 127 })),
        (dtype, shape, stream) => {
          const values = [...stream.take(elementCount(shape))];
          const data = new typedArrays[dtype](values) as TensorData;
          const expected = new Map([["x", { dtype, shape, data }]]);
          expect(read(JSON.stringify({ x: nest(values, shape) }), input(dtype))).toEqual(expected);
          // the dtype it says, whatever the model takes
          expect(read(JSON.stringify({ x: { dtype, shape, data: values } }), input("float32"))).toEqual(expected);
        },
      ),
    );
  });

  test("may be numbers, truth, text and half precision", () => {
    const all = read(
      '{"ids": [[7, -9007199254740991]], "mask": [true, 0], "text": [["a", "b"]], "half": [1.5], "one": 2}',
      input("int64", "ids"),
      input("bool", "mask"),
      input("string", "text"),
      input("float16", "half"),
      input("float32", "one"),
    );
    expect(all.get("ids")).toEqual({ dtype: "int64", shape: [1, 2], data: BigInt64Array.of(7n, -9007199254740991n) });
    expect(all.get("mask")!.data).toEqual(Uint8Array.of(1, 0));
    expect(all.get("text")).toEqual({ dtype: "string", shape: [1, 2], data: ["a", "b"] });
    expect(all.get("half")!.data).toEqual(Uint16Array.of(0x3e00));
    expect(all.get("one")!.shape).toEqual([]);
    expect(read("[[1, 2]]").get("x")!.shape).toEqual([1, 2]);
    expect(read('{"x": [[], []]}').get("x")!.shape).toEqual([2, 0]);
  });

  test.each<[string, DType, RegExp]>([
    ["", "float32", /^a\.jsonl:3: is not JSON/],
    ["3", "float32", /^a\.jsonl:3: is no object of input names and values, such as \{"x"/],
    ["null", "float32", /is no object of input names/],
    ['{"x": [[1], [2, 3]]}', "float32", /"x": the lists of axis 1 differ: one has 1 elements, another is a list of 2/],
    ['{"x": [[1], 2]}', "float32", /axis 1 differ: one has 1 elements, another is no list/],
    ['{"x": [1, [2]]}', "float32", /"x": \[2\] is no float32/],
    ['{"x": [null]}', "float32", /"x": null is no float32/],
    ['{"x": ["1"]}', "float32", /"x": "1" is no float32/],
    ['{"x": [1.5]}', "int64", /"x": 1\.5 is no int64/],
    ['{"x": [9007199254740993]}', "int64", /is no int64/],
    ['{"x": [256]}', "uint8", /"x": 256 is no uint8/],
    ['{"x": [-1]}', "uint8", /"x": -1 is no uint8/],
    ['{"x": [2]}', "bool", /"x": 2 is no bool/],
    ['{"x": [1]}', "string", /"x": 1 is no text/],
    ['{"x": {"dtype": "float32", "shape": [3], "data": [1]}}', "float32", /shape 3 holds 3 elements, but data has 1/],
    ['{"x": {"dtype": "float32", "shape": [1e15], "data": [1]}}', "float32", /but data has 1$/],
    ['{"x": {"dtype": "float32", "shape": [-1], "data": []}}', "float32", /shape \[-1\] is not a list of sizes/],
    ['{"x": {"dtype": "float9", "shape": [1], "data": [1]}}', "float32", /dtype "float9" is not known/],
    ['{"x": {"dtype": "toString", "shape": [1], "data": [1]}}', "float32", /dtype "toString" is not known/],
    ['{"x": {"data": [1]}}', "float32", /must be nested lists of numbers, or/],
    [`{"x": ${"[".repeat(40)}1${"]".repeat(40)}}`, "float32", /is nested more than 16 deep/],
  ])("%s for %s is refused", (text, dtype, message) => {
    expect(() => read(text, input(dtype))).toThrow(message);
    expect(() => read(text, input(dtype))).toThrow(expect.objectContaining({ name: "UserError" }));
  });
});
