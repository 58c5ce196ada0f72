import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "@jest/globals";
import { markdownTable, textTable } from "../../src/render/table.js";

const columns = [{ header: "name" }, { header: "n", align: "right" }] as const;
const red = (text: string) => `\u001b[31m${text}\u001b[39m`;

describe("a table", () => {
  test("in plain text lines its columns up, whatever the colours", () => {
    expect(
      stripVTControlCharacters(
        textTable(columns, [
          ["a", "1"],
          [red("long name"), red("1000")],
          ["naïve", ""],
        ]),
      ),
    ).toBe("name          n\na             1\nlong name  1000\nnaïve\n");
  });

  test("in Markdown keeps its cells apart", () => {
    expect(markdownTable(columns, [["a|b", "1"], ["two\nlines"]])).toBe(
      "| name | n |\n| --- | --: |\n| a\\|b | 1 |\n| two<br>lines |  |\n",
    );
  });

  test("may be empty", () => {
    expect(textTable(columns, [])).toBe("name  n\n");
  });
});
