import { describe, expect, test } from "@jest/globals";
import { Chalk } from "chalk";
import { rules } from "../../src/compat/rules/index.js";
import { rulesMarkdown } from "../../src/render/rules.js";
import { scanForms, unifiedDiff } from "../../src/render/scan.js";
import { reportOf } from "./report.js";

const plain = new Chalk({ level: 0 });

async function formsOf(text: string) {
  const { report, surroundings } = await reportOf({ "a.ts": text });
  return scanForms(report, surroundings);
}

const client = 'const MODEL = "deepseek-chat";\nconst client = new OpenAI({ baseURL: "https://api.deepseek.com" });\n';

describe("the text form", () => {
  test("a finding shows its line, how the value and the host were found, and the fix", async () => {
    const forms = await formsOf(`${client}client.chat.completions.create({ model: MODEL, messages });\n`);
    expect(forms.text(plain, 100)).toContain(`a.ts

  1:15  error  "deepseek-chat" is refused with HTTP 400 since 2026-07-24; "deepseek-flash" with thinking disabled behaves the same  R01 retired-model-alias
    > 1 | const MODEL = "deepseek-chat";
        |               ^^^^^^^^^^^^^^^
      2 | const client = new OpenAI({ baseURL: "https://api.deepseek.com" });
      value MODEL, a.ts:1
      host  official: baseURL "https://api.deepseek.com"
      fix   suggested: rename to deepseek-flash and set thinking disabled
      note  the name stands away from the call
`);
  });

  test("a long line is cut around the place, and tabs keep the underline in place", async () => {
    const forms = await formsOf(
      `${client}\t/* ${"x".repeat(300)} */ client.chat.completions.create({ model: "deepseek-chat", ...rest });\n`,
    );
    const lines = forms.text(plain, 80).split("\n");
    const at = lines.findIndex((line) => line.includes("> 3 |"));
    expect(lines[at]!.length).toBeLessThanOrEqual(80);
    expect(lines[at]!.indexOf('"deepseek-chat"')).toBe(lines[at + 1]!.indexOf("^"));
  });

  test("what could not be judged is counted and named", async () => {
    const forms = await formsOf(`${client}client.chat.completions.create({ ...request });\nconst { SECRET } = keys;\n`);
    const text = forms.text(plain, 100);
    expect(text).toContain("1 request could not be judged in full:");
    expect(text).toContain(
      "a.ts:3: the model and a part of the request's object of client.chat.completions.create is not known",
    );
  });

  test("nothing found is said in words", async () => {
    expect((await formsOf("const a = 1; // deepseek\n")).text(plain, 80)).toMatch(/^nothing found, target current/);
  });
});

test("a diff of CRLF text and of a file without a last line break is one that patch takes", () => {
  const diff = unifiedDiff([
    { file: "src/a.ts", before: "a\r\nb\r\n", after: "a\r\nc\r\n" },
    { file: "b.ts", before: "x", after: "y" },
  ]);
  expect(diff).toBe(
    "--- a/src/a.ts\n+++ b/src/a.ts\n@@ -1,2 +1,2 @@\n a\r\n-b\r\n+c\r\n--- a/b.ts\n+++ b/b.ts\n@@ -1,1 +1,1 @@\n-x\n\\ No newline at end of file\n+y\n\\ No newline at end of file\n",
  );
});

test("the page of rules has every rule with its examples and sources", () => {
  const page = rulesMarkdown(rules);
  for (const { id, examples, source } of rules) {
    expect(page).toContain(`## ${id}\n`);
    for (const { before } of examples) expect(page).toContain(before.trimEnd());
    for (const url of source.urls) expect(page).toContain(url);
  }
});
