import { describe, expect, test } from "@jest/globals";
import { applyEdits, applyFixes } from "../../../src/compat/fix/fix.js";
import type { Rule } from "../../../src/compat/rule.js";
import { rules } from "../../../src/compat/rules/index.js";
import { scan } from "../../../src/compat/scan.js";
import fc from "../../property.js";
import { memorySources } from "../memory.js";

const current = { target: "current" } as const;

async function fixed(files: Readonly<Record<string, string>>, level: "safe" | "suggested" = "safe") {
  const { changed } = await applyFixes(memorySources(files), current, level);
  return { ...files, ...Object.fromEntries(changed) };
}

const client = 'import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "https://api.deepseek.com" });\n';

describe("edits", () => {
  test("every character outside the edits stays, in order", () => {
    const pieces = fc.array(fc.record({ kept: fc.string({ unit: "binary" }), old: fc.string(), next: fc.string() }));
    fc.assert(
      fc.property(pieces, fc.string(), (parts, tail) => {
        let before = "";
        const edits = parts.map(({ kept, old, next }) => {
          const start = before.length + kept.length;
          before += kept + old;
          return { start, end: start + old.length, text: next };
        });
        // the order in which edits come does not matter, as long as none inserts at the place of another
        const sorted = edits.every((edit, at) => at === 0 || edits[at - 1]!.end < edit.start);
        fc.pre(sorted);
        const after = parts.map(({ kept, next }) => kept + next).join("") + tail;
        expect(applyEdits(before + tail, [...edits].reverse())).toBe(after);
      }),
    );
  });
});

/** Requests in many layouts: order of properties, one line or many, trailing commas, comments, quotes, line breaks. */
const layouts = fc
  .record({
    alias: fc.constantFrom("deepseek-chat", "deepseek-reasoner", "deepseek-coder"),
    properties: fc.shuffledSubarray(
      [
        "messages: [{ role: 'user', content: 'Hi' }]",
        "temperature: 0.5",
        "top_p: 0.9",
        "presence_penalty: 0.1",
        "stream: true",
        "max_completion_tokens: 100",
        "tools: [\n  { type: 'function' },\n]",
        "extra_body: { thinking: { type: 'disabled' } }",
      ],
      { minLength: 0 },
    ),
    at: fc.nat(8),
    lines: fc.boolean(),
    trailing: fc.boolean(),
    comment: fc.constantFrom("", " // why", " /* why */"),
    quote: fc.constantFrom('"', "'"),
    eol: fc.constantFrom("\n", "\r\n"),
    mark: fc.constantFrom("", "\uFEFF"),
    indent: fc.constantFrom("  ", "    ", "\t"),
    language: fc.constantFrom("ts", "js"),
  })
  .map(({ alias, properties, at, lines, trailing, comment, quote, eol, mark, indent, language }) => {
    const all = [...properties];
    all.splice(Math.min(at, all.length), 0, `model: ${quote}${alias}${quote}`);
    const body = lines
      ? `{\n${all.map((one, index) => `${indent}${one}${index < all.length - 1 || trailing ? "," : ""}${comment}\n`).join("")}}`
      : `{ ${all.join(", ")}${trailing ? "," : ""} }`;
    const text = `${mark}${client}const reply = client.chat.completions.create(${body});\n// the end ✓\n`;
    return { file: `a.${language}`, alias, text: text.replaceAll("\n", eol), eol, mark };
  });

describe("fixing", () => {
  test("converges in any layout: valid, no retired name left, line breaks and the rest of the file kept", async () => {
    await fc.assert(
      fc.asyncProperty(layouts, async ({ file, alias, text, eol, mark }) => {
        // a contradiction, and a risk, that only a person can settle
        fc.pre(alias !== "deepseek-reasoner" || !/extra_body|tools/.test(text));
        const sources = memorySources({ [file]: text });
        const { changed, remaining, withdrawn } = await applyFixes(sources, current, "safe");
        const after = changed.get(file)!;
        expect(withdrawn).toEqual([]);
        expect(remaining.broken).toEqual([]);
        expect(after).toMatch(/model: (["'])deepseek-flash\1/);
        expect(after.match(/thinking:/g)).toHaveLength(1);
        expect(after.startsWith(`${mark}${client.replaceAll("\n", eol)}`)).toBe(true);
        expect(after.endsWith(`);${eol}// the end ✓${eol}`)).toBe(true);
        if (eol === "\r\n") expect(after.replaceAll("\r\n", "")).not.toContain("\n");
        // comments are never lost with a property that stays
        if (text.includes("messages:") && text.includes("// why")) expect(after).toContain("// why");
        // the second run has nothing safe to do
        const again = await applyFixes(memorySources({ [file]: after }), current, "safe");
        expect(again.changed.size).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test("overlapping fixes wait for the next round", async () => {
    const text = `${client}client.chat.completions.create({ model: "deepseek-reasoner", messages, temperature: 0, top_p: 1, presence_penalty: 1 });\n`;
    expect((await fixed({ "a.js": text }))["a.js"]).toBe(
      `${client}client.chat.completions.create({ model: "deepseek-flash", thinking: { type: "enabled" }, messages });\n`,
    );
  });

  test("a constant in another file is renamed together with the switch in each request, as a suggestion", async () => {
    const files = {
      "models.ts": "export const MODEL = 'deepseek-chat';\n",
      "a.ts": `import { MODEL } from "./models.js";\n${client}client.chat.completions.create({ model: MODEL, messages });\n`,
      "b.js": `import { MODEL } from "./models.js";\nfetch("https://api.deepseek.com/chat/completions", { body: JSON.stringify({ messages, model: MODEL }) });\n`,
    };
    expect(await fixed(files)).toEqual(files);
    const after = await fixed(files, "suggested");
    expect(after["models.ts"]).toBe("export const MODEL = 'deepseek-flash';\n");
    expect(after["a.ts"]).toContain('  thinking: { type: "disabled" },\n  messages,\n});');
    expect(after["b.js"]).toContain("{ messages, model: MODEL, thinking: { type:");
  });

  test.each([
    [
      "an exported constant that is used elsewhere too",
      `export const M = "deepseek-chat";\nlog(M);\n${client}client.chat.completions.create({ model: M, messages });`,
    ],
    ["an unknown spread", `${client}client.chat.completions.create({ model: "deepseek-chat", messages, ...options });`],
    [
      "an object that others use",
      `${client}const body = { model: "deepseek-chat", messages };\nlog(body);\nclient.chat.completions.create(body);`,
    ],
    [
      "a thinking switch under a condition",
      `${client}client.chat.completions.create({ model: "deepseek-chat", messages, ...(deep && { thinking: { type: "enabled" } }) });`,
    ],
    [
      "a choice between models",
      `${client}client.chat.completions.create({ model: deep ? "deepseek-reasoner" : "deepseek-chat", messages });`,
    ],
    [
      "an unknown host",
      'const client = new OpenAI();\nclient.chat.completions.create({ model: "deepseek-chat", messages });',
    ],
    ["a comparison", `${client}if (model === "deepseek-chat") run();`],
    ["a switch case", `${client}switch (model) { case "deepseek-reasoner": run(); }`],
    ["a table key", `${client}const prices = { "deepseek-chat": 1 };`],
    ["a type", `${client}type Model = "deepseek-chat" | "deepseek-reasoner";`],
    ["a text test", `${client}if (model.includes("deepseek-reasoner")) run();`],
    [
      "a request that names a reasoning effort",
      `${client}client.chat.completions.create({ model: "deepseek-chat", messages, reasoning_effort: "low" });`,
    ],
    [
      "a reasoner told not to think",
      `${client}client.chat.completions.create({ model: "deepseek-reasoner", messages, thinking: { type: "disabled" } });`,
    ],
    [
      "an object with commas at the start of lines",
      `${client}client.chat.completions.create({\n    model: "deepseek-chat"\n  , messages\n});`,
    ],
  ])("%s is reported with a reason and never fixed", async (_, text) => {
    const { findings } = await scan(memorySources({ "a.ts": text }), current);
    const own = findings.filter(({ code }) => code === "R01");
    expect(own.length).toBeGreaterThan(0);
    for (const { fix, manual } of own) {
      expect(fix).toBeUndefined();
      expect(manual).toBeTruthy();
    }
    expect(await fixed({ "a.ts": text }, "safe")).toEqual({ "a.ts": text });
  });

  test.each([
    [
      "an environment fallback in the call",
      `${client}client.chat.completions.create({ model: process.env.M ?? "deepseek-chat", messages });`,
    ],
    [
      "a likely host",
      'const c = new OpenAI({ baseURL: process.env.URL ?? "https://api.deepseek.com" });\nc.chat.completions.create({ model: "deepseek-chat", messages });',
    ],
    ["LangChain", 'import { ChatDeepSeek } from "@langchain/deepseek";\nnew ChatDeepSeek({ model: "deepseek-chat" });'],
    [
      "an object with compiler directives",
      `${client}client.chat.completions.create({\n  model: "deepseek-chat",\n  // @ts-ignore\n  top_k: 3,\n  messages,\n});`,
    ],
  ])("%s is only a suggestion", async (_, text) => {
    expect(await fixed({ "a.ts": text })).toEqual({ "a.ts": text });
    expect((await fixed({ "a.ts": text }, "suggested"))["a.ts"]).toContain("deepseek-flash");
  });

  const aiSdk = (version: string | undefined) => ({
    ...(version ? { "package.json": JSON.stringify({ dependencies: { "@ai-sdk/deepseek": version } }) } : {}),
    "src/a.js": `import { deepseek } from '@ai-sdk/deepseek';\nimport { generateText } from 'ai';\ngenerateText({ model: deepseek('deepseek-chat'), prompt, providerOptions: { openai: { user: 'x' } } });\n`,
  });

  test.each([
    ["^2.0.64", "safe", "deepseek-flash"],
    ["~1.0.57", "safe", "deepseek-flash"],
    ["3.0.44", "safe", "deepseek-flash"],
    ["^2.0.30", "suggested", "deepseek-v4-flash"],
    ["^3.0.0", "suggested", "deepseek-v4-flash"],
    ["^1.0.10", "none", ""],
    ["^0.2.1", "none", ""],
    ["latest", "suggested", "deepseek-flash"],
    [undefined, "suggested", "deepseek-flash"],
  ])("the AI SDK's provider %s: %s %s", async (version, applicability, id) => {
    const files = aiSdk(version);
    const { findings } = await scan(memorySources(files), current);
    expect(findings.find(({ code }) => code === "R01")?.fix?.applicability ?? "none").toBe(applicability);
    if (!id) return;
    expect((await fixed(files, "suggested"))["src/a.js"]).toContain(
      `deepseek('${id}'), prompt, providerOptions: { openai: { user: 'x' }, deepseek: { thinking: { type: 'disabled' } } } }`,
    );
  });

  test("existing provider options are extended", async () => {
    const files = {
      "package.json": '{"dependencies":{"@ai-sdk/deepseek":"^2.0.69"}}',
      "a.js": `import { deepseek } from "@ai-sdk/deepseek";\nstreamText({ model: deepseek("deepseek-reasoner"), providerOptions: { deepseek: { logprobs: 1 } } });\n`,
    };
    expect((await fixed(files))["a.js"]).toContain(
      'model: deepseek("deepseek-flash"), providerOptions: { deepseek: { logprobs: 1, thinking: { type: "enabled" } } } }',
    );
  });

  test("a request that says thinking already keeps it", async () => {
    const text = `${client}client.chat.completions.create({ model: "deepseek-chat", messages, thinking: { type: "enabled" } });\n`;
    expect((await fixed({ "a.js": text }))["a.js"]).toBe(text.replace("deepseek-chat", "deepseek-flash"));
  });

  test("a file with a syntax error is said to be broken, and others are fixed", async () => {
    const good = `${client}client.chat.completions.create({ model: "deepseek-chat", messages });\n`;
    const { changed, remaining } = await applyFixes(
      memorySources({ "bad.ts": 'const a = "deepseek" +;\n', "good.js": good }),
      current,
      "safe",
    );
    expect([...changed.keys()]).toEqual(["good.js"]);
    expect(remaining.broken).toEqual([{ file: "bad.ts", line: 1, message: "Expression expected." }]);
  });

  test("a fix that breaks a file is withdrawn, and the other files are fixed all the same", async () => {
    const rule: Rule = {
      ...rules[0]!,
      *check({ files }) {
        for (const { file, text } of files) {
          const start = text.indexOf("old");
          if (start < 0) continue;
          const place = { file, start, end: start + 3 };
          const edits = [{ ...place, text: file === "a.ts" ? "(" : "new_" }];
          yield { message: "old", place, fix: { applicability: "safe", description: "renew", edits } };
        }
      },
    };
    const files = { "a.ts": "// deepseek\nconst a = old;\n", "b.ts": "// deepseek\nconst b = old;\n" };
    const { changed, withdrawn, applied } = await applyFixes(
      memorySources(files),
      { target: "current", rules: [rule] },
      "safe",
    );
    expect([...changed]).toEqual([["b.ts", "// deepseek\nconst b = new_;\n"]]);
    expect(withdrawn).toEqual([
      { file: "a.ts", rule: rule.id, description: "renew", reason: "would break the syntax of its file" },
    ]);
    expect(applied.map(({ file }) => file)).toEqual(["b.ts"]);
  });

  test.each([
    ["a chat", 'model: "deepseek-chat", messages, max_completion_tokens: 9', "safe"],
    ["a reasoner", 'model: "deepseek-reasoner", messages, max_completion_tokens: 9', "suggested"],
    ["a reasoner with room", 'model: "deepseek-reasoner", messages, max_completion_tokens: 40_000', "safe"],
    ["an unknown model", "model, messages, max_completion_tokens: 9", "suggested"],
    ["an unknown spread", 'model: "deepseek-chat", messages, ...more, max_completion_tokens: 9', "suggested"],
    ["both names", 'model: "deepseek-chat", messages, max_tokens: 9, max_completion_tokens: 9', "none"],
  ])("the limit of %s", async (_, body, applicability) => {
    const sources = memorySources({ "a.js": `${client}client.chat.completions.create({ ${body} });\n` });
    const { findings } = await scan(sources, current);
    expect(findings.find(({ code }) => code === "R05")?.fix?.applicability ?? "none").toBe(applicability);
  });
});
