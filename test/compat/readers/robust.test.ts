// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the holes of other languages
import { describe, expect, test } from "@jest/globals";
import { applyFixes } from "../../../src/compat/fix/fix.js";
import fc from "../../property.js";
import { memorySources } from "../memory.js";
import { errorsIn, readText, spansIn } from "./read.js";

/** A sample of every kind of file, each with something to find. */
const samples: Readonly<Record<string, string>> = {
  ".env": 'export DEEPSEEK_MODEL="deepseek-chat" # why\nMULTI="a\nb"\nX=${DEEPSEEK_MODEL:-deepseek-reasoner}\n',
  "a.yaml":
    'base: &b { model: deepseek-chat, api_base: "https://api.deepseek.com" }\nuse:\n  <<: *b\n  max_tokens: 8000\nrun: |\n  curl https://api.deepseek.com -d \'{"model": "deepseek-chat", "messages": []}\'\nlist:\n  - DEEPSEEK_MODEL=deepseek-reasoner\n---\nkind: ConfigMap\ndata: { A_B: "x" }\n',
  "a.json": '{ "model": "deepseek-chat", "messages": [{ "role": "user" }], "max_tokens": 8e3, // no\n "on": true, }\n',
  "package.json": '{ "scripts": { "ask": "curl https://api.deepseek.com -d \\"{\\\\\\"model\\\\\\": 1}\\"" } }\n',
  "a.jsonl": '{"body": {"model": "deepseek-chat", "messages": []}}\n{"a": 1}\n',
  "a.toml": '[llm]\nmodel = "deepseek-chat"\nlimits.max = 8_000\ntext = """\na"b\n"""\n[[m]]\no = { a = [1, \'x\'] }\n',
  "a.sh":
    'MODEL=${1:-deepseek-chat}\nR=$(curl "https://api.deepseek.com" -d "{\\"model\\": \\"$MODEL\\", \\"messages\\": []}")\ncat <<EOF | http POST x\n{"model": "deepseek-chat", "messages": []}\nEOF\nif [ x ]; then echo `date`; fi # no\n',
  "a.ps1": '$env:DEEPSEEK_MODEL = "deepseek-chat"\ncurl.exe https://api.deepseek.com `\n  -d "{}"\n',
  Makefile: 'MODEL ?= deepseek-chat\nrun:\n\t@curl $(URL) -d \'{"model":"$(MODEL)","messages":[]}\'\n',
  Dockerfile:
    'FROM x\nARG M=deepseek-chat\nENV A=$M \\\n  # no\n  B="c"\nRUN <<E\necho\nE\nCMD ["vllm", "serve", "deepseek-ai/DeepSeek-V3"]\n',
  "a.http":
    '@host = https://api.deepseek.com\n### one\nPOST {{host}}/chat\nA: b\n\n{ "model": "deepseek-chat", "messages": ["{{x}}", {{y}}] }\n',
  "a.md":
    '# deepseek\n```sh\n$ curl https://api.deepseek.com -d \'{"model": "deepseek-chat", "messages": []}\'\nout\n```\n> ```yaml\n> model: deepseek-chat\n> ```\n',
};
const kinds = Object.keys(samples);

async function check(file: string, text: string): Promise<void> {
  const facts = await readText(file, text);
  expect(facts.text).toBe(text);
  const outside = spansIn({ ...facts, text: undefined }).filter(
    ({ start, end }) => start < 0 || start > end || end > text.length,
  );
  expect(outside).toEqual([]);
  expect(await errorsIn(file, text)).toBeGreaterThanOrEqual(0);
}

/** What breaks parsers: their own signs, line ends, and signs outside the first plane. */
const rubbish = fc
  .array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.constantFrom(..."{}[]()<>\"'`$#\\:,=-|&;@!*%~?/.\n\r\t \uFEFF\u0000\uD83D…".split("")),
      },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          "deepseek-chat",
          "model",
          "curl ",
          "-d ",
          "<<EOF",
          "${",
          "$(",
          "{{",
          "```",
          "###",
          "ENV ",
          "RUN ",
          "---\n",
          "&a ",
          "*a",
          "[[",
          "'''",
          '"""',
        ),
      },
      fc.string({ unit: "binary", maxLength: 5 }),
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""));

describe.each(kinds)("%s", (file) => {
  test("rubbish is read without an exception, and all places lie in the text", async () => {
    await fc.assert(
      fc.asyncProperty(rubbish, (text) => check(file, text)),
      { numRuns: 150 },
    );
  });

  test("the sample, cut off, damaged, with other line ends or a byte order mark", async () => {
    const text = samples[file]!;
    await check(file, text);
    await check(file, `\uFEFF${text}`);
    await check(file, text.replaceAll("\n", "\r\n"));
    await check(file, text.replace(/[aeiou]/g, "\uFFFD"));
    for (let length = 0; length < text.length; length += 3) await check(file, text.slice(0, length));
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length), fc.nat(10), rubbish, (start, count, put) =>
        check(file, text.slice(0, start) + put + text.slice(start + count)),
      ),
      { numRuns: 60 },
    );
  });

  test("nesting beyond measure and lines of 20 MB do no harm", async () => {
    for (const one of ["[", "{", '{"a":', "- ", "a:\n ", "(", "$(", '"$(', "${", "`", "<<E\n", "a.", "{{", "> "]) {
      await check(file, one.repeat(20_000));
    }
    await check(file, `deepseek-chat ${"x".repeat(20_000_000)}`);
  });

  test("fixes change their own characters only, and a second run changes nothing", async () => {
    const text = samples[file]!;
    const options = { target: "current" } as const;
    const { changed } = await applyFixes(memorySources({ [file]: text }), options, "suggested");
    const fixed = changed.get(file) ?? text;
    expect(fixed.split("\n").length).toBeGreaterThanOrEqual(text.split("\n").length);
    const again = await applyFixes(memorySources({ [file]: fixed }), options, "suggested");
    expect(again.changed.size).toBe(0);
    expect(await errorsIn(file, fixed)).toBeLessThanOrEqual(await errorsIn(file, text));
  });
});

test.each(["a.json", "a.jsonl"])("the error of an unclosed comment ends with the text: %s", async (file) => {
  await check(file, "/*");
});
