import { describe, expect, test } from "@jest/globals";
import { emptyFacts, type FileFacts } from "../../../src/compat/facts.js";
import { applyEdits } from "../../../src/compat/fix/fix.js";
import { httpErrors } from "../../../src/compat/rules/http-errors.js";
import { check, fixed } from "../check.js";

const open = (url = "https://api.deepseek.com", more = "") =>
  `import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "${url}"${more} });\nclient.chat.completions.create({ model: "deepseek-flash", messages });\n`;
const post =
  'const response = await fetch("https://api.deepseek.com/chat/completions", { method: "POST", body: JSON.stringify({ model: "deepseek-flash", messages, stream: true }) });\n';

describe("422", () => {
  test.each([
    ["if (error.status === 422) fix();", "if ((error.status === 400 || error.status === 422)) fix();"],
    ["if (e.response.status == 422) fix();", "if ((e.response.status == 400 || e.response.status == 422)) fix();"],
  ])("%s takes 400 in as well", async (before, after) => {
    expect(await fixed(httpErrors, open() + before, "safe")).toBe(open() + before);
    expect(await fixed(httpErrors, open() + before, "suggested")).toBe(open() + after);
  });

  test("in Python is written with in", () => {
    const text = "# api.deepseek.com, DEEPSEEK_API_KEY\nif e.status_code == 422:\n";
    const start = text.indexOf("e.status");
    const file: FileFacts = {
      ...emptyFacts("a.py", "python", text),
      comparisons: [
        {
          subject: "e.status_code",
          value: 422,
          operator: "equals",
          place: { file: "a.py", start, end: text.indexOf(":\n", start) },
        },
      ],
    };
    const [problem] = [...httpErrors.check({ files: [file] }, "current", "v3.0")];
    expect(applyEdits(text, problem!.fix!.edits)).toContain("if e.status_code in (400, 422):");
  });

  test.each([
    ["a case", "switch (error.status) { case 422: fix(); }"],
    ["a class", "if (error instanceof OpenAI.UnprocessableEntityError) fix();"],
    ["a computed status", "if (statusOf(error).status === 422) fix();"],
  ])("as %s is told of only", async (_, text) => {
    const [finding, ...others] = await check(httpErrors, open() + text);
    expect(others).toEqual([]);
    expect(finding!.fix).toBeUndefined();
    expect(await check(httpErrors, open() + text, "v3.1")).toMatchObject([{ severity: "info" }]);
  });

  test.each([
    ["beside 400", `${open()}if (error.status === 400 || error.status === 422) fix();`],
    ["beside a case of 400", `${open()}switch (error.status) { case 400: case 422: fix(); }`],
    [
      "beside the other class",
      `${open()}if (e instanceof OpenAI.BadRequestError || e instanceof OpenAI.UnprocessableEntityError) fix();`,
    ],
    ["that is no status", `${open()}if (width === 422) fix();`],
    ["at another host", `${open("https://api.openai.com/v1")}if (error.status === 422) fix();`],
    ["in a file that asks nobody", 'const provider = "deepseek";\nif (error.status === 422) fix();'],
  ])("%s is no finding", async (_, text) => {
    expect(await check(httpErrors, `${text}\n`)).toEqual([]);
  });
});

describe("a reader of the stream", () => {
  test.each(["line.slice(6)", 'line.replace("data: ", "")', "line.replace(/^data: /, '').trim()", "line.substring(5)"])(
    "JSON.parse(%s) without a look at the line is found, for both targets",
    async (argument) => {
      const text = `${post}for (const line of lines) {\n  emit(JSON.parse(${argument}));\n}\n`;
      for (const target of ["v3.1", "current"] as const) {
        expect(await check(httpErrors, text, target)).toMatchObject([{ severity: "warning", line: 3 }]);
      }
    },
  );

  test.each([
    ["that chooses data lines", 'if (!line.startsWith("data:")) continue;\nemit(JSON.parse(line.slice(6)));'],
    ["that tries", "try { emit(JSON.parse(line.slice(6))); } catch {}"],
    ["that asks first", "if (line.trim()) emit(JSON.parse(line.slice(6)));"],
    ["of other texts", "emit(JSON.parse(body)); emit(JSON.parse(text.slice(0, 100)));"],
  ])("%s is none", async (_, text) => {
    expect(await check(httpErrors, post + text)).toEqual([]);
  });
});

describe("429", () => {
  const retry = "for (let attempt = 0; attempt < 3; attempt += 1) { if (e.status === 503) await sleep(1); }\n";

  test("is missed by retries of 503 and by a client that never retries, today only", async () => {
    for (const text of [open() + retry, open("https://api.deepseek.com", ", maxRetries: 0")]) {
      expect(await check(httpErrors, text)).toMatchObject([{ severity: "info" }]);
      expect(await check(httpErrors, text, "v3.1")).toEqual([]);
    }
  });

  test("is known", async () => {
    for (const text of [
      open() + retry.replace("503", "503 || e.status === 429"),
      `${open("https://api.deepseek.com", ", maxRetries: 0")}if (e instanceof OpenAI.RateLimitError) wait();\n`,
      open("https://api.deepseek.com", ", maxRetries: 2"),
      `${open()}if (e.status === 503) show("busy");\n`,
    ]) {
      expect(await check(httpErrors, text)).toEqual([]);
    }
  });
});
