import { describe, expect, test } from "@jest/globals";
import { guideParameters } from "../../../src/compat/rules/guide-parameters.js";
import { check, fixed } from "../check.js";

const client = (url = "https://api.deepseek.com") =>
  `import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "${url}" });\n`;
const ask = (body: string) => `client.chat.completions.create({ model: "deepseek-flash", messages, ${body} });\n`;

describe("stop_sequence", () => {
  test.each([
    ['stop_sequence: "END"', 'stop: "END"'],
    ['"stop_sequence": ["END"]', '"stop": ["END"]'],
    ["stop_sequences: words", "stop: words"],
    ["stop_sequence", "stop: stop_sequence"],
  ])("%s becomes %s, by a person's decision", async (before, after) => {
    const text = client() + ask(before);
    expect(await fixed(guideParameters, text, "safe")).toBe(text);
    expect(await fixed(guideParameters, text, "suggested")).toBe(client() + ask(after));
  });

  test("beside stop is left to a person", async () => {
    const [finding, ...others] = await check(guideParameters, client() + ask('stop: "A", stop_sequence: "B"'));
    expect(others).toEqual([]);
    expect(finding!.fix).toBeUndefined();
  });

  test("is told of but not fixed where only the name of the model speaks of DeepSeek", async () => {
    const text = `export const ask = (client) => client.chat.completions.create({ model: "deepseek-chat", messages, stop_sequence: "END" });\n`;
    const [finding] = await check(guideParameters, text);
    expect(finding!.fix).toBeUndefined();
    expect(finding!.message).toContain("stop");
  });
});

describe("parameters without a counterpart", () => {
  test.each(["chunk_size: 4096", "dynamic_attention_window: true", "dynamicAttentionWindow: 8"])("%s", async (body) => {
    const findings = await check(guideParameters, client() + ask(body), "v3.1");
    expect(findings).toHaveLength(1);
    expect(findings[0]!.manual).toContain("no such parameter");
    expect(await fixed(guideParameters, client() + ask(body), "suggested")).toBe(
      `${client()}client.chat.completions.create({ model: "deepseek-flash", messages });\n`,
    );
  });

  test("in extra_body is found and taken out there", async () => {
    const text = client() + ask("extra_body: { chunk_size: 1, thinking: { type: 'disabled' } }");
    expect(await fixed(guideParameters, text, "suggested")).toBe(
      client() + ask("extra_body: { thinking: { type: 'disabled' } }"),
    );
  });

  test("summary_generation is answered with an ordinary completion", async () => {
    for (const text of [
      ask("summary_generation: true"),
      `client.summary_generation({ text });\n`,
      `const job = { task: "summary_generation", text };\n${ask("temperature: 0")}`,
    ]) {
      const [finding, ...others] = await check(guideParameters, client() + text);
      expect(others).toEqual([]);
      expect(finding!.manual).toContain("ordinary chat completion");
      expect(finding!.fix).toBeUndefined();
    }
  });
});

describe("client.generate()", () => {
  test("of openai is an error that names the call to make", async () => {
    const text = `${client()}client.generate({ prompt, stop_sequence: "END", chunk_size: 2 });\n`;
    const [finding, ...others] = await check(guideParameters, text);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ severity: "error" });
    expect(finding!.manual).toContain("chat.completions.create");
    expect(finding!.manual).toContain("stop_sequence is named stop");
    expect(finding!.manual).toContain("chunk_size");
  });

  test("of a package that calls itself DeepSeek's is doubted only", async () => {
    const text = `import { DeepSeek } from "deepseek-client";\nconst client = new DeepSeek({ apiKey: process.env.DEEPSEEK_API_KEY });\nclient.generate({ prompt });\n`;
    expect(await check(guideParameters, text)).toMatchObject([{ severity: "info" }]);
  });

  test("addresses that never were", async () => {
    const text = 'fetch("https://api.deepseek.com/v1/generate", { method: "POST", body });\n';
    expect(await check(guideParameters, text)).toMatchObject([{ severity: "error" }]);
  });
});

test.each([
  [
    "stop_sequences of Anthropic's SDK",
    'import Anthropic from "@anthropic-ai/sdk";\nconst client = new Anthropic({ baseURL: "https://api.deepseek.com/anthropic" });\nclient.messages.create({ model: "deepseek-flash", max_tokens: 9, messages, stop_sequences: ["A"] });',
  ],
  [
    "stopSequences of the AI SDK",
    'import { deepseek } from "@ai-sdk/deepseek";\nimport { generateText } from "ai";\ngenerateText({ model: deepseek("deepseek-flash"), prompt, stopSequences: ["A"] });',
  ],
  [
    "stop_sequence at another host",
    `${client("https://api.openai.com/v1")}client.chat.completions.create({ model: "gpt-5", messages, stop_sequence: "A" }); // deepseek`,
  ],
  [
    "chunkSize of a text splitter",
    `${client()}new RecursiveCharacterTextSplitter({ chunkSize: 1000, chunk_size: 1000 });`,
  ],
  [
    "generate() of LangChain",
    'import { ChatDeepSeek } from "@langchain/deepseek";\nconst llm = new ChatDeepSeek({ model: "deepseek-flash" });\nllm.generate([[message]]);',
  ],
  [
    "generate() of a class of one's own",
    `class DeepSeekService { generate(p) { return p; } }\nconst service = new DeepSeekService();\nservice.generate("https://api.deepseek.com");`,
  ],
  ["generate() of something else in the file", `${client()}const id = uuid.generate();\nimages.generate({ prompt });`],
  [
    "images.generate() of openai",
    'import OpenAI from "openai";\nconst client = new OpenAI();\nclient.images.generate({ prompt: "deepseek" });',
  ],
  ["stop", client() + ask('stop: ["A"]')],
])("%s is no finding", async (_, text) => {
  expect(await check(guideParameters, `${text}\n`)).toEqual([]);
});
