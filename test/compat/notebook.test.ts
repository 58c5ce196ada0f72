import { describe, expect, test } from "@jest/globals";
import { applyFixes } from "../../src/compat/fix/fix.js";
import { notebookView } from "../../src/compat/readers/notebook.js";
import { scan } from "../../src/compat/scan.js";
import fc from "../property.js";
import { memorySources } from "./memory.js";
import { factsOf } from "./python.js";

const setUp = ["from openai import OpenAI\n", 'client = OpenAI(base_url="https://api.deepseek.com")'];
const call = [
  "%time\n",
  "r = client.chat.completions.create(\n",
  '    model="deepseek-chat",\n',
  "    messages=[],\n",
  ")",
];

const notebook = (
  cells: readonly (readonly string[] | string)[],
  language = "python",
  indent: number | string = 1,
): string =>
  `${JSON.stringify(
    {
      cells: [
        { cell_type: "markdown", metadata: {}, source: ["# deepseek-chat"] },
        ...cells.map((source, index) => ({
          cell_type: "code",
          execution_count: index,
          metadata: {},
          outputs: [{ name: "stdout", output_type: "stream", text: ["model: deepseek-chat ü\n"] }],
          source,
        })),
      ],
      metadata: { kernelspec: { language, name: `${language}3` }, language_info: { name: language } },
      nbformat: 4,
      nbformat_minor: 5,
    },
    undefined,
    indent,
  )}\n`;

const sourceOf = (text: string, cell: number): string => {
  const { source } = (JSON.parse(text) as { cells: { source: string[] | string }[] }).cells[cell]!;
  return typeof source === "string" ? source : source.join("");
};

describe("notebooks", () => {
  test("the cells are one program, and a finding names its cell and line", async () => {
    const text = notebook([setUp, call]);
    const result = await scan(memorySources({ "a.ipynb": text }), { target: "current" });
    const [finding] = result.findings;
    expect(finding).toMatchObject({ code: "R01", cell: 3, cellLine: 3 });
    const line = text.split("\n")[finding!.line - 1]!;
    expect(line.slice(finding!.column - 1)).toMatch(/^\\"deepseek-chat/);
    expect(result.broken).toEqual([]);
    expect(result.facts.files[0]!.symbols.map(({ name }) => name)).toEqual(["cell 2", "cell 3"]);
  });

  test("a fix changes the cell and nothing else, and each new line is an element of its own", async () => {
    for (const [indent, eol] of [
      [1, "\n"],
      [2, "\r\n"],
      ["\t", "\n"],
    ] as const) {
      const text = notebook([setUp, call], "python", indent).replaceAll("\n", eol);
      const { changed } = await applyFixes(memorySources({ "a.ipynb": text }), { target: "current" }, "safe");
      const after = changed.get("a.ipynb")!;
      expect(sourceOf(after, 2)).toBe(
        '%time\nr = client.chat.completions.create(\n    model="deepseek-flash",\n    extra_body={"thinking": {"type": "disabled"}},\n    messages=[],\n)',
      );
      const kept = after.split(eol).filter((line) => !/extra_body|deepseek-flash/.test(line));
      expect(text.split(eol).filter((line) => !/model=/.test(line))).toEqual(kept);
      const lines = (JSON.parse(after) as { cells: { source: string[] }[] }).cells[2]!.source;
      expect(lines.slice(0, -1).every((line) => /^[^\n]*\n$/.test(line))).toBe(true);
      expect((await applyFixes(memorySources({ "a.ipynb": after }), { target: "current" }, "safe")).changed.size).toBe(
        0,
      );
    }
  });

  test("a cell whose source is one string is changed in place", async () => {
    const text = notebook([setUp.join(""), call.join("")], "python", 0).trimEnd();
    const { changed } = await applyFixes(memorySources({ "a.ipynb": text }), { target: "current" }, "safe");
    const after = changed.get("a.ipynb")!;
    expect(sourceOf(after, 2)).toContain('    extra_body={"thinking": {"type": "disabled"}},\n    messages');
    expect(after.length - text.length).toBe(
      '    extra_body={\\"thinking\\": {\\"type\\": \\"disabled\\"}},\\n'.length + "flash".length - "chat".length,
    );
  });

  test("magics are no errors, other kernels say nothing, broken JSON is an error", async () => {
    const magics = [
      "!pip install -q openai\n",
      "%matplotlib inline\n",
      "files = !ls\n",
      "if x:\n",
      "    !echo hello\n",
      "len?\n",
      "?len\n",
      "!a \\\n",
      "  b\n",
      "y = 5 % z",
    ];
    const facts = await factsOf(notebook([magics, ["%%bash\n", "echo $(x)\n"], ["%%time\n", "f(1)"]]), "a.ipynb");
    expect(facts.syntaxErrors).toEqual([]);
    expect(facts.calls.map(({ callee }) => callee)).toEqual(["f"]);
    expect((await factsOf(notebook([call], "julia"), "a.ipynb")).mentions).toEqual([]);
    for (const text of [
      "",
      "{",
      "[]",
      "null",
      '{"cells": 5}',
      '{"cells": [1, {"cell_type": "code", "source": [5]}]}',
    ]) {
      const { requests, syntaxErrors } = await factsOf(text, "a.ipynb");
      expect(requests).toEqual([]);
      expect(syntaxErrors.length).toBe(text === "" || text === "{" ? 1 : 0);
    }
    const deep = `${"[".repeat(200_000)}`;
    expect((await factsOf(deep, "a.ipynb")).syntaxErrors).toHaveLength(1);
  });

  const strings = fc.array(fc.string({ unit: fc.constantFrom("a", "é", '"', "\\", "😀", "\t", "#", "%") }), {
    minLength: 1,
  });

  test("whatever is replaced in the view is replaced in the cells, and nothing else", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ lines: strings, whole: fc.boolean() }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(12), fc.string({ unit: fc.constantFrom("x", "\n", '"', "ü") })), {
          maxLength: 4,
        }),
        fc.constantFrom(0, 1, 4),
        (cells, wanted, indent) => {
          const sources = cells.map(({ lines, whole }) => {
            const all = lines.map((line, index) => (index < lines.length - 1 ? `${line}\n` : line));
            return whole ? all.join("") : all;
          });
          const text = notebook(sources, "python", indent);
          const { view } = notebookView(text);
          const joined = sources.map((one) => (typeof one === "string" ? one : one.join("")));
          // edits that stay inside a cell
          let start = 0;
          const borders = joined.map((one) => {
            const border = { start, end: start + one.length };
            start = border.end + 1;
            return border;
          });
          const edits = wanted
            .map(([at, length, added]) => {
              const border = borders[at % borders.length]!;
              const from = border.start + (at % (border.end - border.start + 1));
              return { start: from, end: Math.min(from + length, border.end), text: added };
            })
            .sort((a, b) => a.start - b.start)
            .reduce<{ start: number; end: number; text: string }[]>((kept, edit) => {
              if (kept.length === 0 || kept.at(-1)!.end < edit.start) kept.push(edit);
              return kept;
            }, []);
          const after = JSON.parse(view.apply(edits)) as { cells: { source: string[] | string }[] };
          const expected = joined.map((one, index) => {
            let result = one;
            for (const edit of [...edits].reverse()) {
              const { start: from, end } = borders[index]!;
              if (edit.start < from || edit.start > end || edit.end > end) continue;
              result = result.slice(0, edit.start - from) + edit.text + result.slice(edit.end - from);
            }
            return result;
          });
          expect(
            after.cells.slice(1).map(({ source }) => (typeof source === "string" ? source : source.join(""))),
          ).toEqual(expected);
          expect(view.apply([])).toBe(text);
        },
      ),
    );
  });
});
