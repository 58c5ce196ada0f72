import { describe, expect, test } from "@jest/globals";
import { unsupportedMessageForms } from "../../../src/compat/rules/unsupported-message-forms.js";
import { check, fixed } from "../check.js";

const client = (url = '"https://api.deepseek.com"') =>
  `import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: ${url} });\n`;
const ask = (body: string, model = "deepseek-flash") =>
  `client.chat.completions.create({ model: "${model}", ${body} });\n`;
const say = (messages: string, model?: string) => client() + ask(`messages: [${messages}]`, model);
const user = '{ role: "user", content: "x" }';

describe("the role developer", () => {
  const messages = `messages: [{ role: 'developer', content: "x" }]`;

  test("keeps its quotes and waits for a person where the host is only likely", async () => {
    const certain = client() + ask(messages);
    expect(await fixed(unsupportedMessageForms, certain, "safe")).toBe(certain.replace("'developer'", "'system'"));
    const likely = client("process.env.DEEPSEEK_BASE_URL") + ask(messages);
    expect(await fixed(unsupportedMessageForms, likely, "safe")).toBe(likely);
    expect(await fixed(unsupportedMessageForms, likely, "suggested")).toContain("'system'");
  });

  test("is never changed for an unknown host", async () => {
    const text = `export const run = (client) => ${ask(messages, "deepseek-chat")}`;
    const [finding] = await check(unsupportedMessageForms, text);
    expect(finding).toMatchObject({ severity: "warning" });
    expect(finding!.fix).toBeUndefined();
  });

  test("in a message built elsewhere is a suggestion, in a test of roles none", async () => {
    const text = `${client()}const list: any[] = load();
list.push({ role: "developer", content: "x" });
if (list[0].role === "developer") list.shift();
${ask("messages: list")}`;
    expect(await check(unsupportedMessageForms, text)).toMatchObject([{ line: 4, severity: "warning" }]);
    expect(await fixed(unsupportedMessageForms, text, "safe")).toBe(text);
  });

  test("in a shared constant is left where it is", async () => {
    const text = `${client()}const ROLE = "developer";\n${ask('messages: [{ role: ROLE, content: "x" }]')}`;
    const [finding] = await check(unsupportedMessageForms, text);
    expect(finding!.fix).toBeUndefined();
  });
});

describe("content that is an array", () => {
  test("with one text becomes that text", async () => {
    const text = say(`${user}, { role: "tool", tool_call_id: "1", content: [{ type: "text", text: 'a' + b }] }`);
    const [finding] = await check(unsupportedMessageForms, text);
    expect(finding!.fix).toBeUndefined();
    const literal = text.replace("'a' + b", "'a'");
    expect(await fixed(unsupportedMessageForms, literal, "safe")).toBe(
      literal.replace("[{ type: \"text\", text: 'a' }]", "'a'"),
    );
  });

  test.each([
    ["several texts", 'content: [{ type: "text", text: "a" }, { type: "text", text: "b" }]'],
    ["a cache mark", 'content: [{ type: "text", text: "a", cache_control: { type: "ephemeral" } }]'],
    ["a comment", 'content: [/* kept */ { type: "text", text: "a" }]'],
  ])("with %s is told of and left", async (_, content) => {
    const text = say(`${user}, { role: "assistant", ${content} }`);
    expect(await check(unsupportedMessageForms, text)).toHaveLength(1);
    expect(await fixed(unsupportedMessageForms, text, "suggested")).toBe(text);
  });

  test("of a user is allowed", async () => {
    expect(
      await check(unsupportedMessageForms, say('{ role: "user", content: [{ type: "text", text: "a" }] }')),
    ).toEqual([]);
  });
});

describe("an image", () => {
  const image = '{ role: "user", content: [{ type: "image_url", image_url: { url } }] }';
  test.each([
    ["deepseek-chat", "current", 1],
    ["deepseek-v4-pro", "current", 1],
    ["deepseek-flash", "current", 0],
    ["deepseek-v4-flash-vision-exp", "current", 0],
    ["deepseek-chat", "v3.1", 1],
  ] as const)("with %s for %s: %i", async (model, target, count) => {
    expect(await check(unsupportedMessageForms, say(image, model), target)).toHaveLength(count);
  });
});

describe("tools", () => {
  test("of another type, too many, or with flat calls are refused", async () => {
    const tools = (list: string) => client() + ask(`messages, tools: [${list}]`);
    expect(await check(unsupportedMessageForms, tools('{ type: "web_search" }'))).toHaveLength(1);
    const one = '{ type: "function", function: { name: "f" } },';
    expect(await check(unsupportedMessageForms, tools(one.repeat(128)))).toEqual([]);
    expect(await check(unsupportedMessageForms, tools(one.repeat(129)))).toHaveLength(1);
    const call = (inner: string) =>
      say(`${user}, { role: "assistant", content: "", tool_calls: [{ id: "1", ${inner} }] }`);
    expect(await check(unsupportedMessageForms, call('name: "f", arguments: "{}"'))).toHaveLength(1);
    expect(
      await check(unsupportedMessageForms, call('type: "function", function: { name: "f", arguments: "{}" }')),
    ).toEqual([]);
  });

  test("an effort that is no word of the API's", async () => {
    const effort = (value: string) => client() + ask(`messages, reasoning_effort: ${value}`);
    expect(await check(unsupportedMessageForms, effort('"extreme"'))).toHaveLength(1);
    expect(await check(unsupportedMessageForms, effort('"medium"'))).toEqual([]);
    expect(await check(unsupportedMessageForms, effort('process.env.EFFORT ?? "extreme"'))).toEqual([]);
  });
});

test.each([
  [
    "another host",
    client('"https://api.openai.com/v1"') + ask('messages: [{ role: "developer", content: "x" }]', "gpt-5"),
  ],
  [
    "the Responses API",
    `${client()}client.responses.create({ model: "deepseek-flash", input: [{ role: "developer", content: "x" }], tools: [{ type: "web_search" }] });`,
  ],
  [
    "a client of two hosts",
    `${client()}const other = new OpenAI();\nconst list = [];\nlist.push({ role: "developer", content: "x" });\n${ask("messages: list")}other.chat.completions.create({ model: "gpt-5", messages: list });`,
  ],
  [
    "the AI SDK",
    'import { deepseek } from "@ai-sdk/deepseek";\nimport { generateText } from "ai";\ngenerateText({ model: deepseek("deepseek-flash"), messages: [{ role: "assistant", content: [{ type: "text", text: "a" }] }] });',
  ],
])("%s is no finding", async (_, text) => {
  expect(await check(unsupportedMessageForms, `// deepseek\n${text}\n`)).toEqual([]);
});
