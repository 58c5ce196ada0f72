import { describe, expect, test } from "@jest/globals";
import { reasoningContentRoundtrip as rule } from "../../../src/compat/rules/reasoning-content-roundtrip.js";
import { ask, client, fixed, found } from "./found.js";

const reasoner = 'model: "deepseek-reasoner", messages';
const whole = "messages.push(reply.choices[0].message);\n";
const rebuilt = 'messages.push({ role: "assistant", content: reply.choices[0].message.content });\n';

describe("reasoning-content-roundtrip turns round", () => {
  test.each([
    ["a whole answer of the reasoner", ask(reasoner) + whole, 1, 0],
    ["a whole answer of the reasoner with tools", ask(`${reasoner}, tools`) + whole, 1, 0],
    ["a rebuilt answer with tools", ask(`${reasoner}, tools`) + rebuilt, 0, 1],
    ["a rebuilt answer without tools", ask(reasoner) + rebuilt, 0, 0],
    [
      "a rebuilt answer that keeps its reasoning",
      ask(`${reasoner}, tools`) + rebuilt.replace(" });", ", reasoning_content });"),
      1,
      0,
    ],
    [
      "reasoning taken out, with tools",
      `messages.forEach((m) => {\n  delete m.reasoning_content;\n});\n${ask(`${reasoner}, tools`)}`,
      0,
      1,
    ],
    [
      "reasoning taken out by a pattern, with tools",
      `const { reasoning_content, ...clean } = reply.message;\n${ask(`${reasoner}, tools`)}`,
      0,
      1,
    ],
    ["reasoning taken out, without tools", `delete m.reasoning_content;\n${ask(reasoner)}`, 0, 0],
    ["chat, whose answers have none", ask('model: "deepseek-chat", messages, tools') + whole + rebuilt, 0, 0],
    ["a model that thinks by default, rebuilt", ask('model: "deepseek-flash", messages, tools') + rebuilt, 0, 1],
    [
      "a model with thinking switched off",
      ask('model: "deepseek-flash", messages, tools, thinking: { type: "disabled" }') + rebuilt,
      0,
      0,
    ],
    [
      "thinking switched on, whole",
      ask('model: "deepseek-chat", messages, thinking: { type: "enabled" }') + whole,
      1,
      0,
    ],
    [
      "a message written with its reasoning",
      ask('model: "deepseek-reasoner", messages: [{ role: "assistant", content: "a", reasoning_content: "b" }]'),
      1,
      0,
    ],
  ])("%s", async (_, code, old, now) => {
    expect(await found(rule, client() + code, "v3.1")).toHaveLength(old);
    expect(await found(rule, client() + code, "current")).toHaveLength(now);
  });

  test("it holds for code written for V3.1 too", async () => {
    expect(await found(rule, client() + ask(reasoner) + whole, "v3.1", "v3.1")).toHaveLength(1);
    expect(await found(rule, client() + ask(`${reasoner}, tools`) + rebuilt, "current", "v3.1")).toHaveLength(1);
  });
});

describe("what is cut down for V3.1", () => {
  test("safely where there are no tools and the answer is the request's", async () => {
    const code = client() + ask(reasoner) + whole;
    expect(await fixed(rule, code, "safe", "v3.1")).toBe(client() + ask(reasoner) + rebuilt);
  });

  test.each([
    [
      "a likely host",
      client().replace('"https://api.deepseek.com"', 'process.env.LLM_URL ?? "https://api.deepseek.com"') +
        ask(reasoner) +
        whole,
    ],
    ["a model from outside", client() + ask('model: process.env.MODEL ?? "deepseek-reasoner", messages') + whole],
    ["a spread that may hold tools", client() + ask(`${reasoner}, ...options`) + whole],
    [
      "reasoning that is read from the list later",
      `${client()}${ask(reasoner)}${whole}show(messages.at(-1).reasoning_content);\n`,
    ],
    [
      "a list of whole messages",
      `${client()}const messages: OpenAI.ChatCompletionMessage[] = [];\n${ask(reasoner)}${whole}`,
    ],
  ])("on demand only: %s", async (_, code) => {
    expect(await fixed(rule, code, "safe", "v3.1")).toBe(code);
    expect(await fixed(rule, code, "suggested", "v3.1")).toContain("content: reply.choices[0].message.content }");
  });

  test("never with tools, whose calls would be lost", async () => {
    const code = client() + ask(`${reasoner}, tools`) + whole;
    expect(await fixed(rule, code, "suggested", "v3.1")).toBe(code);
  });

  test("a copy of the list counts as well", async () => {
    const code = `${client()}${ask(reasoner)}const next = [...messages, reply.choices[0].message, question];\n`;
    expect(await fixed(rule, code, "safe", "v3.1")).toContain(
      '{ role: "assistant", content: reply.choices[0].message.content }, question',
    );
  });
});

describe("what is kept whole today", () => {
  test("an answer rebuilt from its parts, on demand", async () => {
    const code = `${client()}${ask(`${reasoner}, tools`)}const msg = reply.choices[0].message;\nmessages.push({ role: "assistant", content: msg.content ?? "", tool_calls: msg.tool_calls });\n`;
    expect(await fixed(rule, code, "suggested")).toContain("messages.push(msg);");
    expect(await fixed(rule, code, "safe")).toBe(code);
  });

  test("text put together from a stream is reported only", async () => {
    const code = `${client()}${ask(`${reasoner}, tools, stream: true`)}messages.push({ role: "assistant", content: text });\n`;
    const [one] = await found(rule, code);
    expect(one!.severity).toBe("error");
    expect(one!.fix).toBeUndefined();
  });

  test("a statement that is a branch of its own stays", async () => {
    const code = `${client()}for (const m of messages)\n  delete m.reasoning_content;\n${ask(`${reasoner}, tools`)}`;
    expect(await found(rule, code)).toHaveLength(1);
    expect(await fixed(rule, code, "suggested")).toBe(code);
  });

  test("reasoning taken out in another file is a warning", async () => {
    const files = {
      "src/strip.ts": "export const strip = ({ reasoning_content, ...m }) => m; // deepseek\n",
      "src/app.ts": client() + ask(`${reasoner}, tools`),
    };
    const findings = await found(rule, files);
    expect(findings).toMatchObject([{ severity: "warning", place: { file: "src/strip.ts" } }]);
  });
});

describe("says nothing of", () => {
  test.each([
    [
      "another host",
      client("https://openrouter.ai/api/v1") + ask('model: "deepseek/deepseek-r1", messages, tools') + whole + rebuilt,
    ],
    [
      "another provider beside DeepSeek",
      `${client()}${client("https://api.openai.com/v1", "other")}const reply = await other.chat.completions.create({ model: "gpt-5", messages, tools });\n${whole}${rebuilt}`,
    ],
    [
      "a list that no such request sends",
      `${client()}${ask('model: "deepseek-reasoner", messages: prompts, tools')}chatLog.push({ role: "assistant", content: text });\n`,
    ],
    [
      "pieces of a stream",
      `${client()}${ask(`${reasoner}, tools, stream: true`)}for await (const chunk of reply) {\n  const { reasoning_content, ...rest } = chunk.choices[0].delta;\n}\n`,
    ],
    [
      "the AI SDK, which keeps the history itself",
      'import { deepseek } from "@ai-sdk/deepseek";\nconst reply = await generateText({ model: deepseek("deepseek-reasoner"), messages, tools });\nmessages.push({ role: "assistant", content: reply.text });\n',
    ],
  ])("%s", async (_, code) => {
    expect(await found(rule, code, "v3.1")).toEqual([]);
    expect(await found(rule, code, "current")).toEqual([]);
  });
});

describe("an answer in a variable that is given twice", () => {
  const create = (model: string) => `await client.chat.completions.create({ model: "${model}", messages })`;
  test.each([
    [
      "the reasoner's before, chat's now",
      `let reply = ${create("deepseek-reasoner")};\nreply = ${create("deepseek-chat")};\n${whole}`,
      0,
    ],
    [
      "chat's before, the reasoner's now",
      `let reply = ${create("deepseek-chat")};\nreply = ${create("deepseek-reasoner")};\n${whole}`,
      1,
    ],
    [
      "either, by a condition",
      `let reply = ${create("deepseek-reasoner")};\nif (quick) {\n  reply = ${create("deepseek-chat")};\n}\n${whole}`,
      0,
    ],
    [
      "either, in a loop",
      `let reply = ${create("deepseek-reasoner")};\nfor (;;) {\n  ${whole}  reply = ${create("deepseek-chat")};\n}\n`,
      0,
    ],
  ])("%s", async (_, code, count) => {
    expect(await found(rule, client() + code, "v3.1")).toHaveLength(count);
  });
});
