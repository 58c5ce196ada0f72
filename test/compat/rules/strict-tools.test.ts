import { describe, expect, test } from "@jest/globals";
import { strictTools as rule } from "../../../src/compat/rules/strict-tools.js";
import { ask, client, found } from "./found.js";

const beta = "https://api.deepseek.com/beta";
const good =
  '{ type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false }';
const tool = (parameters: string, strict = "strict: true, ") =>
  `{ type: "function", function: { name: "f", ${strict}parameters: ${parameters} } }`;
const request = (tools: string, url = beta) =>
  client(url) + ask(`model: "deepseek-flash", messages, tools: [${tools}]`);
const messages = async (code: string) => (await found(rule, code)).map(({ message }) => message);

describe("strict-tools", () => {
  test("strict without the beta's URL is reported, for constants too", async () => {
    expect(await found(rule, request(tool(good), "https://api.deepseek.com"))).toMatchObject([{ severity: "warning" }]);
    const away = `const tools = [${tool(good)}];\n${client("https://api.deepseek.com/v1")}${ask('model: "deepseek-chat", messages, tools')}`;
    expect(await messages(away)).toEqual([expect.stringContaining("/beta only")]);
    const http = `fetch("https://api.deepseek.com/chat/completions", { body: JSON.stringify({ model: "deepseek-chat", messages, tools: [${tool(good)}] }) });\n`;
    expect(await found(rule, http)).toHaveLength(1);
    expect(await found(rule, http.replace(".com/", ".com/beta/"))).toEqual([]);
  });

  test("strict on some functions only", async () => {
    expect(await messages(request(`${tool(good)}, ${tool(good, "")}`))).toEqual([
      expect.stringContaining("some functions only"),
    ]);
  });

  test.each([
    ["an optional property", good.replace('["city"]', "[]"), "the optional property city"],
    ["more properties", good.replace(", additionalProperties: false", ""), "additionalProperties left open"],
    ["a length", good.replace('"string"', '"string", minLength: 1'), "minLength"],
    [
      "a nested object",
      good.replace('{ type: "string" }', '{ type: "object", properties: { a: {} } }'),
      "the optional property a",
    ],
    ["items of a list", good.replace('{ type: "string" }', '{ type: "array", maxItems: 3 }'), "maxItems"],
  ])("a schema with %s", async (_, schema, words) => {
    expect(await messages(request(tool(schema)))).toEqual([expect.stringContaining(words)]);
  });

  test("LangChain's strict tools need the beta's URL too", async () => {
    const llm = (options: string) =>
      `import { ChatDeepSeek } from "@langchain/deepseek";\nconst llm = new ChatDeepSeek({ model: "deepseek-chat"${options} });\nllm.bindTools(tools, { strict: true });\n`;
    expect(await found(rule, llm(""))).toHaveLength(1);
    expect(await found(rule, llm(`, configuration: { baseURL: "${beta}" }`))).toEqual([]);
  });

  test("mended arguments are an opportunity for code of V3.0 only", async () => {
    const code = `import { jsonrepair } from "jsonrepair";\n${client()}const args = JSON.parse(jsonrepair(call.function.arguments));\n`;
    expect(await found(rule, code, "v3.1")).toMatchObject([{ severity: "info" }]);
    expect(await found(rule, code, "v3.1", "v3.1")).toEqual([]);
    expect(await found(rule, code.replace("call.function.arguments", "text"))).toEqual([]);
  });

  test.each([
    ["strict as it should be", request(tool(good))],
    [
      "no strict",
      request(tool('{ type: "object", properties: { a: { minLength: 1 } } }', ""), "https://api.deepseek.com"),
    ],
    ["strict switched off", request(tool(good, "strict: false, "), "https://api.deepseek.com")],
    [
      "a URL that is not known",
      `${client().replace('"https://api.deepseek.com"', "process.env.DEEPSEEK_BASE_URL")}${ask(`model: "deepseek-chat", messages, tools: [${tool(good)}]`)}`,
    ],
    ["a schema that is not known", request(tool("schema"))],
    [
      "OpenAI's strict tools",
      `// not deepseek\n${client("https://api.openai.com/v1")}${ask(`model: "gpt-5", messages, tools: [${tool(good)}]`)}`,
    ],
  ])("says nothing of %s", async (_, code) => {
    expect(await found(rule, code)).toEqual([]);
  });
});
