import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import type { Host } from "../../src/cli.js";
import { indexLines, mayBeList } from "../../src/commands/sample-files.js";
import fc from "../property.js";

const cwd = mkdtempSync(join(tmpdir(), "lines-"));
afterAll(() => rmSync(cwd, { recursive: true }));
const host = { cwd } as Host;

test("lines are found as splitting the text finds them, blank ones left out", () => {
  const line = fc.oneof(
    fc.constantFrom("", " ", "\t"),
    fc.string({ unit: "grapheme" }).map((text) => text.replace(/[\r\n]/g, "")),
  );
  fc.assert(
    fc.property(fc.array(line), fc.constantFrom("\n", "\r\n"), fc.boolean(), (lines, end, last) => {
      writeFileSync(join(cwd, "a.txt"), lines.join(end) + (last ? end : ""));
      const expected = lines
        .map((text, at) => ({ text, number: at + 1 }))
        .filter(({ text }) => /[^ \t]/.test(text))
        .map(({ text, number }) => ({ text: text.replace(/^\uFEFF/, ""), number }));
      const found = indexLines(host, "a.txt");
      const all = Array.from({ length: found.count }, (_, at) => ({
        text: found.read(at),
        number: found.numberOf(at),
      }));
      expect(all).toEqual(expected);
    }),
  );
});

test("lines longer than what is read at once are whole", () => {
  const lines = ["a".repeat(1_048_570), "b".repeat(12), "c".repeat(2_500_000), "d"];
  writeFileSync(join(cwd, "long.txt"), lines.join("\n"));
  const found = indexLines(host, "long.txt");
  expect(lines.map((line, at) => found.read(at) === line)).toEqual([true, true, true, true]);
});

test("text that is no UTF-8 is named by its line", () => {
  writeFileSync(join(cwd, "latin.txt"), Buffer.from("one\ncaf\xe9\n", "latin1"));
  const found = indexLines(host, "latin.txt");
  expect(() => found.read(1)).toThrow("latin.txt:2: is not UTF-8 text");
});

test("lists in .json files are told from objects by their start", () => {
  const isList = (text: string) => {
    writeFileSync(join(cwd, "a.json"), text);
    return mayBeList(host, "a.json");
  };
  expect([isList("\uFEFF\r\n [1]"), isList(`${" ".repeat(5000)}[1]`), isList("")]).toEqual([true, true, true]);
  expect([isList('{"x": [1]}'), isList('\t{"x": [1]}'), isList("7")]).toEqual([false, false, false]);
});
