import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { afterAll, describe, expect, test } from "@jest/globals";
import { TensorProtoSchema } from "onnx-buf";
import sharp from "sharp";
import type { Host } from "../../src/cli.js";
import { readLabels, readSamples } from "../../src/commands/samples.js";
import type { DeclaredInput, SampleSet } from "../../src/data/batch.js";
import { encodeNpy } from "../../src/formats/npy.js";
import { encodeNpz } from "../../src/formats/npz.js";
import { makeTensor } from "../../src/formats/onnx.js";
import { numbersOf } from "../../src/tensor/numbers.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { tokenizer } from "../tokenizer.js";

const cwd = mkdtempSync(join(tmpdir(), "samples-"));
afterAll(() => rmSync(cwd, { recursive: true }));
const host = { cwd } as Host;

const write = (path: string, content: string | Uint8Array) => {
  mkdirSync(join(cwd, path, ".."), { recursive: true });
  writeFileSync(join(cwd, path), content);
};
const tensor = (values: readonly number[], shape: readonly number[] = [1, 2]): Tensor => ({
  dtype: "float32",
  shape,
  data: Float32Array.from(values),
});
const npz = (value: number, dtype: "float32" | "float64" = "float32") => {
  const data = dtype === "float32" ? Float32Array.of(value, 0) : Float64Array.of(value, 0);
  return encodeNpz(new Map<string, Tensor>([["x", { dtype, shape: [1, 2], data }]]));
};
const pb = (name: string, values: Tensor) => toBinary(TensorProtoSchema, makeTensor(name, values));

for (const n of [10, 9, 1]) write(`many/line-${n}.npz`, npz(n, n === 9 ? "float64" : "float32"));
write("many/labels.txt", "not a sample");
write("many/labels.npy", encodeNpy(tensor([1, 2])));
mkdirSync(join(cwd, "empty"));
write("one.npz", npz(5));
write("bad.npz", "no zip");
write("late/1.npz", npz(1));
write("late/2.npz", "no zip");
write("mixed/1.npz", npz(5));
write("mixed/1.npy", encodeNpy(tensor([1, 2])));
write("one.npy", encodeNpy(tensor([3, 4])));
write("rows.npy", encodeNpy(tensor([1, 2, 3, 4, 5, 6], [3, 2])));
write("lines.txt", "one\ntwo\n");
write("a.bin", "");

const inputs: readonly DeclaredInput[] = [{ name: "x", dtype: "float32", shape: ["n", 2] }];
const single: readonly DeclaredInput[] = [{ name: "x", dtype: "float32", shape: [1, 2] }];
const two: readonly DeclaredInput[] = [
  { name: "x", dtype: "float32", shape: ["n", 2] },
  { name: "ids", dtype: "int64", shape: [1] },
];
const synthetic = { shapes: new Map<string, readonly number[]>(), count: 3, seed: 4 };

/** Input x of every sample. */
async function values(set: SampleSet, name = "x"): Promise<number[][]> {
  const all: number[][] = [];
  for (let at = 0; at < set.count; at++) all.push(Array.from(numbersOf((await set.read(at)).get(name)!)));
  return all;
}

describe("samples", () => {
  test("of a folder come in the order people count, conversions noted", async () => {
    const set = await readSamples(host, "many", inputs, synthetic);
    expect(await values(set)).toEqual([
      [1, 0],
      [9, 0],
      [10, 0],
    ]);
    // again, in any order
    expect(numbersOf((await set.read(1)).get("x")!)[0]).toBe(9);
    expect([set.source, set.synthetic]).toEqual(["many", false]);
    expect(set.notes).toEqual([`${join("many", "line-9.npz")}: array "x" converted from float64 to float32`]);
  });

  test("of one file are one", async () => {
    expect((await readSamples(host, "one.npz", inputs, synthetic)).count).toBe(1);
    expect(await values(await readSamples(host, "one.npy", inputs, synthetic))).toEqual([[3, 4]]);
  });

  test("of one file are one a row where the model takes one row, or where asked", async () => {
    const rows = [
      [1, 2],
      [3, 4],
      [5, 6],
    ];
    const set = await readSamples(host, "rows.npy", single, synthetic);
    expect(await values(set)).toEqual(rows);
    expect([set.source, set.nameOf(2)]).toEqual(["rows.npy (3 samples of one row)", "rows.npy[2]"]);
    expect((await readSamples(host, "rows.npy", inputs, synthetic)).count).toBe(1);
    expect(await values(await readSamples(host, "rows.npy", inputs, { ...synthetic, rows: true }))).toEqual(rows);
  });

  test("of test data have inputs by name or number, and expected outputs", async () => {
    const ids: Tensor = { dtype: "int64", shape: [1], data: BigInt64Array.of(7n) };
    write("set/test_data_set_0/input_0.pb", pb("", tensor([1, 2])));
    write("set/test_data_set_0/input_1.pb", pb("", ids));
    write("set/test_data_set_0/output_0.pb", pb("", tensor([3], [1])));
    // named, and in another order
    write("set/test_data_set_10/input_0.pb", pb("ids", ids));
    write("set/test_data_set_10/input_1.pb", pb("x", tensor([5, 6])));
    write("set/test_data_set_2/input_0.pb", pb("x", tensor([3, 4])));
    write("set/test_data_set_2/input_1.pb", pb("ids", ids));
    write("set/model.onnx", "");
    const set = await readSamples(host, "set", two, synthetic, [{ name: "y" }]);
    expect(await values(set)).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect((await set.expected!(0))!.get("y")!.data).toEqual(Float32Array.of(3));
    expect(await set.expected!(1)).toBeUndefined();
    const folder = await readSamples(host, "set/test_data_set_2", two, synthetic);
    expect(await values(folder)).toEqual([[3, 4]]);
    const file = await readSamples(host, "set/test_data_set_2/input_0.pb", inputs, synthetic);
    expect(await values(file)).toEqual([[3, 4]]);
  });

  test("of JSON lines are named by file and line", async () => {
    write(
      "a.jsonl",
      '\uFEFF{"x": [[1, 2]]}\r\n\n  \n{"x": {"dtype": "float64", "shape": [1, 2], "data": [3, 4]}}\n[[5, 6]]',
    );
    const set = await readSamples(host, "a.jsonl", inputs, synthetic);
    expect(await values(set)).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(set.nameOf(1)).toBe("a.jsonl:4");
    expect(set.notes).toEqual(['a.jsonl:4: array "x" converted from float64 to float32']);
  });

  test("of JSON files are one a file, or one an object of its list", async () => {
    write("json/part-10.json", "[[7, 8]]");
    write(
      "json/part-2.json",
      '\uFEFF\n [{"x": [[3, 4]]},\n{"x": {"dtype": "float64", "shape": [1, 2], "data": [5, 6]}}]',
    );
    write("json/part-1.JSON", '{"x":\n [[1, 2]]}');
    write("json/part-3.json", "[]");
    write("json/labels.json", "[0, 1, 2, 3]");
    const set = await readSamples(host, "json", inputs, synthetic);
    const names = ["part-1.JSON", "part-2.json[0]", "part-2.json[1]", "part-10.json"];
    expect(Array.from({ length: set.count }, (_, at) => set.nameOf(at))).toEqual(
      names.map((name) => join("json", name)),
    );
    const expected = [
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
    ];
    expect(await values(set)).toEqual(expected);
    expect(numbersOf((await set.read(1)).get("x")!)[0]).toBe(3);
    expect(set.notes).toEqual([`${join("json", "part-2.json[1]")}: array "x" converted from float64 to float32`]);
    expect(await readLabels(host, "json/labels.json", set)).toEqual([0, 1, 2, 3]);
    write("two.json", '{"x": [[1, 2]], "ids": [7]}');
    expect(await values(await readSamples(host, "two.json", two, synthetic), "ids")).toEqual([[7]]);
  });

  test("of images are read as the settings say, and say how", async () => {
    const red = await sharp({ create: { width: 4, height: 2, channels: 3, background: { r: 255, g: 51, b: 0 } } });
    for (const form of ["png", "jpeg", "webp"] as const) {
      write(
        `photos/${form === "png" ? "a" : form}.${form}`,
        await red.clone().toFormat(form, { quality: 100 }).toBuffer(),
      );
    }
    const input: DeclaredInput[] = [{ name: "x", dtype: "float32", shape: ["n", 3, "h", "w"] }];
    const image = { size: { width: 3, height: 2 }, mean: [0.5], std: [0.25, 0.5, 1], channels: "bgr" } as const;
    const set = await readSamples(host, "photos", input, { ...synthetic, image });
    expect(set.count).toBe(3);
    const { shape } = (await set.read(0)).get("x")!;
    expect(shape).toEqual([1, 3, 2, 3]);
    for (const pixels of await values(set)) {
      // blue 0, green 0.2, red 1
      [-2, -0.6, 0.5].forEach((value, channel) => {
        for (const found of pixels.slice(channel * 6, channel * 6 + 6)) expect(found).toBeCloseTo(value, 1);
      });
    }
    expect(set.source).toBe(
      "photos (images: stretched to 3 x 2 (width x height, bilinear), BGR, (pixel / 255 - 0.5) / [0.25, 0.5, 1], NCHW)",
    );
  });

  test("of images may lie in a folder for each class", async () => {
    const grey = await sharp({ create: { width: 2, height: 2, channels: 3, background: "#808080" } })
      .png()
      .toBuffer();
    for (const name of ["cat/1.png", "cat/2.png", "dog/1.png"]) write(`classes/${name}`, grey);
    const input: DeclaredInput[] = [{ name: "x", dtype: "uint8", shape: [1, 2, 2, 1] }];
    const set = await readSamples(host, "classes", input, synthetic);
    expect(await values(set)).toEqual(Array(3).fill([128, 128, 128, 128]));
    expect(set.nameOf(2)).toBe(join("classes", "dog", "1.png"));
    write("classes.json", '{"cat/1.png": 0, "cat/2.png": 0, "classes/dog/1.png": 1}');
    expect(await readLabels(host, "classes.json", set)).toEqual([0, 0, 1]);
  });

  test("of text are the tokens of each line, and say how they are cut and padded", async () => {
    write("tokenizer.json", JSON.stringify(tokenizer));
    write("reviews.txt", "Hello worlds\n\nworld foo hello hello hello\n");
    const ids: readonly DeclaredInput[] = ["input_ids", "attention_mask"].map((name) => ({
      name,
      dtype: "int64",
      shape: ["n", 6],
    }));
    const set = await readSamples(host, "reviews.txt", ids, { ...synthetic, tokenizer: "tokenizer.json" });
    expect(await values(set, "input_ids")).toEqual([
      [2, 4, 5, 6, 3, 0],
      [2, 5, 1, 4, 4, 3],
    ]);
    expect(await values(set, "attention_mask")).toEqual([
      [1, 1, 1, 1, 1, 0],
      [1, 1, 1, 1, 1, 1],
    ]);
    expect(set.source).toBe("reviews.txt (text: one text a line, cut at 6 tokens, padded to 6 with token 0)");
    expect(set.nameOf(1)).toBe("reviews.txt:3");
  });

  test("are made up where there are none", async () => {
    const shapes = new Map([["x", [7, 2]]]);
    const samples = await readSamples(host, undefined, inputs, { ...synthetic, shapes });
    expect(samples.count).toBe(3);
    expect((await samples.read(2)).get("x")!.shape).toEqual([7, 2]);
    expect(samples).toMatchObject({ synthetic: true, source: "synthetic, seed 4" });
  });

  write("truncated/input_0.pb", pb("x", tensor([1, 2])).subarray(0, 12));
  write("lying/input_0.pb", pb("x", { ...tensor([1, 2]), shape: [2 ** 20, 2 ** 19] }));
  write("random.pb", Uint8Array.of(1, 2, 3, 4));
  write("broken.png", "no image");
  write("bad.jsonl", '{"x": [[1, 2]]}\n{"x": [[1');
  write("blank.jsonl", "\n\n");
  write("bad.json", '{"x": [[1');
  write("list.json", '[{"x": [[1, 2]]}, {"x": [[1, 2, 3]]}, [[1, 2]], {"x": ["a"]}]');
  write("names.json", '["cat", "dog"]');
  write("no.json", " [ ]");
  write("latin.json", Buffer.from('{"caf\xe9": 1}', "latin1"));
  write("huge.json", "{");
  truncateSync(join(cwd, "huge.json"), 2 ** 28 + 1);
  write("beside/1.json", '{"x": [[1, 2]]}');
  write("beside/1.png", "");
  write("above/classes.json", '["cat"]');
  write("above/cat/1.png", "");
  test.each<[string, RegExp]>([
    ["bad.json", /^bad\.json: is not JSON/],
    ["names.json", /^names\.json: "x": "cat" is no float32$/],
    ["no.json", /^--data no\.json: holds no samples$/],
    ["latin.json", /^latin\.json: is not UTF-8 text$/],
    ["huge.json", /^huge\.json: is longer than 256 MB; give a \.jsonl file with a sample a line$/],
    // a .json file beside others is no sample
    ["beside", /takes no images/],
    ["above", /takes no images/],
    ["nope", /^--data nope: no such file or folder$/],
    ["empty", /^--data empty: the folder holds no samples/],
    ["a.bin", /^--data a\.bin: samples are an \.npz, \.npy, \.pb, \.jsonl or \.json file/],
    ["lines.txt", /^--data lines\.txt: lines of text need --tokenizer/],
    ["mixed", /^--data mixed: the folder holds \.npz files and \.npy files; give a folder of one form$/],
    ["bad.npz", /^bad\.npz: is not a whole \.npz/],
    ["truncated", /input_0\.pb: is no ONNX tensor, or is cut off/],
    ["lying", /input_0\.pb: tensor x needs 2199023255552 bytes, the file has 8; it is damaged$/],
    ["random.pb", /^random\.pb: is no ONNX tensor/],
    ["blank.jsonl", /^--data blank\.jsonl: holds no samples$/],
    ["broken.png", /^--data: input "x" \(float32 nx2\) takes no images/],
  ])("--data %s is refused", async (path, message) => {
    await expect(readSamples(host, path, inputs, synthetic)).rejects.toMatchObject({
      name: expect.stringMatching(/UserError|FormatError/),
      message: expect.stringMatching(message),
    });
  });

  test("that are broken later are named when they are read", async () => {
    const late = await readSamples(host, "late", inputs, synthetic);
    await expect(late.read(1)).rejects.toThrow(/2\.npz: is not a whole \.npz/);
    const lines = await readSamples(host, "bad.jsonl", inputs, synthetic);
    await expect(lines.read(1)).rejects.toThrow(/^bad\.jsonl:2: is not JSON/);
    const list = await readSamples(host, "list.json", inputs, synthetic);
    expect(list.count).toBe(4);
    await expect(list.read(1)).rejects.toThrow(/^list\.json\[1\]: .*"x"/);
    await expect(list.read(2)).rejects.toThrow(/^list\.json\[2\]: is no object of input names and values/);
    await expect(list.read(3)).rejects.toThrow(/^list\.json\[3\]: "x": "a" is no float32$/);
    const image: DeclaredInput[] = [{ name: "x", dtype: "uint8", shape: [1, 2, 2, 1] }];
    await expect(readSamples(host, "broken.png", image, synthetic)).rejects.toThrow(
      /^broken\.png: cannot be read as an image: /,
    );
  });

  test.each<[string, Partial<Parameters<typeof readSamples>[3]>, RegExp]>([
    ["one.npz", { shapes: new Map([["x", [1, 2]]]) }, /^--shape: leave it out with --data/],
    ["one.npz", { image: { pad: 3 } }, /^--image-\.\.\.: the samples of --data one\.npz are no images/],
    ["one.npz", { maxLength: 3 }, /^--max-length: is for text/],
    ["a.jsonl", { rows: true }, /^--rows: is for \.npz and \.npy samples$/],
    ["lines.txt", { tokenizer: "nope.json" }, /^nope\.json: cannot read the tokenizer: no such file/],
    ["lines.txt", { tokenizer: "lines.txt" }, /^--tokenizer: input "x" \(float32 nx2\) is not made of text/],
  ])("%s with %j is refused", async (path, settings, message) => {
    await expect(readSamples(host, path, inputs, { ...synthetic, ...settings })).rejects.toThrow(message);
  });

  test("without names suit models of one input only", async () => {
    await expect(readSamples(host, "one.npy", two, synthetic)).rejects.toThrow(
      "--data one.npy: .npy files hold one input each, but the model takes x, ids; give .npz files",
    );
  });

  test("and labels must be as many", async () => {
    const set = await readSamples(host, "many", inputs, synthetic);
    write("labels.txt", "3\n1\n2\n");
    expect(await readLabels(host, "labels.txt", set)).toEqual([3, 1, 2]);
    write("labels.txt", "3\n1\n");
    await expect(readLabels(host, "labels.txt", set)).rejects.toThrow(
      "--labels labels.txt: holds 2 labels, but there are 3 samples (many); give one a sample",
    );
  });
});
