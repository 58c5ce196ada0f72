import { describe, expect, test } from "@jest/globals";
import type { DeclaredInput } from "../../src/data/batch.js";
import { prepareText } from "../../src/data/text.js";
import { numbersOf } from "../../src/tensor/numbers.js";
import { tokenizer } from "../tokenizer.js";

const input = (
  name: string,
  length: number | string = "length",
  dtype: "int64" | "int32" = "int64",
): DeclaredInput => ({
  name,
  dtype,
  shape: ["batch", length],
});
const prepare = (
  inputs: readonly DeclaredInput[],
  maxLength?: number,
  changes: object = {},
  config: string | null = null,
) =>
  prepareText(
    JSON.stringify({ ...tokenizer, ...changes }),
    config,
    inputs,
    maxLength === undefined ? {} : { maxLength },
    "t.json",
  );
const ids = (sample: ReadonlyMap<string, Parameters<typeof numbersOf>[0]>, name = "input_ids") =>
  Array.from(numbersOf(sample.get(name)!));

describe("text as samples", () => {
  test("gives what the model asks for, as long as the text where its axis is dynamic", async () => {
    const names = ["input_ids", "attention_mask", "token_type_ids", "position_ids"];
    const text = await prepare([
      ...names.map((name) => input(name)).slice(0, 3),
      input("position_ids", "length", "int32"),
    ]);
    expect(text.words).toBe("one text a line, cut at 128 tokens, not padded");
    const sample = text.encode("Hello worlds");
    expect([...sample].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ["input_ids", "int64", [1, 5]],
      ["attention_mask", "int64", [1, 5]],
      ["token_type_ids", "int64", [1, 5]],
      ["position_ids", "int32", [1, 5]],
    ]);
    expect(names.map((name) => ids(sample, name))).toEqual([
      [2, 4, 5, 6, 3],
      [1, 1, 1, 1, 1],
      [0, 0, 0, 0, 0],
      [0, 1, 2, 3, 4],
    ]);
  });

  test("cuts the text and keeps the special tokens around it", async () => {
    const text = await prepare([input("input_ids")], 4);
    expect(ids(text.encode("hello world hello"))).toEqual([2, 4, 5, 3]);
    const declared = await prepare([input("input_ids")], undefined, { truncation: { max_length: 3 } });
    expect(ids(declared.encode("hello world hello"))).toEqual([2, 4, 3]);
    expect(declared.words).toMatch(/cut at 3 tokens/);
  });

  test.each<[string, object, string | null, number]>([
    ["tokenizer.json", { padding: { pad_id: 9 } }, null, 9],
    ["the configuration", {}, '{"pad_token": {"content": "[SEP]"}}', 3],
    ["a usual name", {}, null, 0],
  ])("pads with the token of %s", async (_, changes, config, id) => {
    const text = await prepare([input("input_ids", 4), input("attention_mask", 4)], undefined, changes, config);
    expect(ids(text.encode("hello"))).toEqual([2, 4, 3, id]);
    expect(ids(text.encode("hello"), "attention_mask")).toEqual([1, 1, 1, 0]);
    expect(text.words).toBe(`one text a line, cut at 4 tokens, padded to 4 with token ${id}`);
  });

  test.each<[string, readonly DeclaredInput[], number | undefined, RegExp]>([
    [
      "an input of something else",
      [input("input_ids"), input("pixels")],
      undefined,
      /input "pixels" \(int64 batchxlength\) is not made of text; known are input_ids/,
    ],
    ["no token ids", [input("attention_mask")], undefined, /the model has no input "input_ids"/],
    [
      "floats",
      [{ name: "input_ids", dtype: "float32", shape: [1, 4] }],
      undefined,
      /does not take one row of token ids/,
    ],
    ["many rows", [{ name: "input_ids", dtype: "int64", shape: [8, 4] }], undefined, /does not take one row/],
    ["two lengths", [input("input_ids", 4), input("attention_mask", 5)], undefined, /have different lengths: 4, 5/],
    ["more tokens than the model takes", [input("input_ids", 4)], 5, /^--max-length 5: the model takes 4 tokens/],
    ["no room for text", [input("input_ids")], 2, /^--max-length 2: leaves no room beside 2 special tokens/],
  ])("with %s is refused", async (_, inputs, maxLength, message) => {
    await expect(prepare(inputs, maxLength)).rejects.toMatchObject({
      name: "UserError",
      message: expect.stringMatching(message),
    });
  });

  test.each(["", "[]", "{}", "null", '{"model": 3, "decoder": null}', '{"model": {"type": "BPE"}}'])(
    "%j is no tokenizer",
    async (content) => {
      await expect(prepareText(content, null, [input("input_ids")], {}, "t.json")).rejects.toMatchObject({
        name: "UserError",
        message: expect.stringMatching(/^t\.json: (is|cannot)/),
      });
    },
  );
});
