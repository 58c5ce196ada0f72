import { describe, expect, test } from "@jest/globals";
import { retiredModelAlias } from "../../../src/compat/rules/retired-model-alias.js";
import { toolChoiceThinking as rule } from "../../../src/compat/rules/tool-choice-thinking.js";
import { ask, client, fixed, found } from "./found.js";

const flash = 'model: "deepseek-flash", messages, tools';
const named = 'tool_choice: { type: "function", function: { name: "answer" } }';
const llm = (options: string) =>
  `import { ChatDeepSeek } from "@langchain/deepseek";\nconst llm = new ChatDeepSeek({ ${options} });\n`;

describe("a forced tool choice of a model that thinks", () => {
  test.each([
    ["required", client() + ask(`${flash}, tool_choice: "required"`)],
    ["a named function", client() + ask(`${flash}, ${named}`)],
    ["the reasoner", client() + ask('model: "deepseek-reasoner", messages, tools, tool_choice: "required"')],
    ["thinking switched on", client() + ask(`${flash}, thinking: { type: "enabled" }, ${named}`)],
    [
      "the AI SDK",
      'import { deepseek } from "@ai-sdk/deepseek";\nawait generateText({ model: deepseek("deepseek-flash"), prompt, tools, toolChoice: "required" });\n',
    ],
    ["LangChain's structured output", `${llm('model: "deepseek-flash"')}llm.withStructuredOutput(Answer);\n`],
    ["LangChain's bound tools", `${llm('model: "deepseek-flash"')}llm.bindTools(tools, { tool_choice: "any" });\n`],
  ])("is an error today: %s", async (_, code) => {
    expect(await found(rule, code)).toMatchObject([{ severity: "error" }]);
    // V3.1 took it
    expect(await found(rule, code, "v3.1")).toEqual([]);
  });

  test.each([
    ["the choice left to the model", client() + ask(`${flash}, tool_choice: "auto"`)],
    ["no tools", client() + ask(`${flash}, tool_choice: "none"`)],
    ["thinking switched off", client() + ask(`${flash}, thinking: { type: "disabled" }, tool_choice: "required"`)],
    ["a choice that is not known", client() + ask(`${flash}, tool_choice: choice`)],
    [
      "chat, whose rename brings the switch along",
      client() + ask(`model: "deepseek-chat", messages, tools, tool_choice: "required"`),
    ],
    ["a choice under a condition", client() + ask(`${flash}, ...(force && { tool_choice: "required" })`)],
    [
      "another provider",
      `const name = "deepseek-flash";\n${client("https://api.openai.com/v1")}${ask('model: "gpt-5", messages, tools, tool_choice: "required"')}`,
    ],
    [
      "structured output in JSON mode",
      `${llm('model: "deepseek-flash"')}llm.withStructuredOutput(Answer, { method: "jsonMode" });\n`,
    ],
    [
      "a model made with thinking off",
      `${llm('model: "deepseek-flash", modelKwargs: { thinking: { type: "disabled" } }')}llm.withStructuredOutput(Answer);\n`,
    ],
    ["a method that is not known", `${llm('model: "deepseek-flash"')}llm.withStructuredOutput(Answer, options);\n`],
  ])("says nothing of %s", async (_, code) => {
    expect(await found(rule, code)).toEqual([]);
  });

  test("chat renamed together with its switch is served", async () => {
    const code = client() + ask('model: "deepseek-chat", messages, tools, tool_choice: "required"');
    const renamed = await fixed(retiredModelAlias, code, "safe");
    expect(renamed).toContain('"deepseek-flash"');
    expect(await found(rule, renamed)).toEqual([]);
  });

  test("thinking that is asked for is never switched off", async () => {
    for (const body of [
      `${flash}, thinking: { type: "enabled" }, ${named}`,
      'model: "deepseek-reasoner", messages, tools, tool_choice: "required"',
    ]) {
      expect(await fixed(rule, client() + ask(body), "suggested")).toBe(client() + ask(body));
    }
  });

  test('"any" is not read in any mode', async () => {
    const code =
      client() + ask('model: "deepseek-flash", messages, tools, thinking: { type: "disabled" }, tool_choice: "any"');
    expect(await found(rule, code)).toMatchObject([{ severity: "error", manual: 'write "required"' }]);
  });
});

test("structured output of a ChatDeepSeek that initChatModel makes is forced too", async () => {
  const code = (id: string) =>
    `import { initChatModel } from "langchain";\nconst llm = await initChatModel("${id}", { temperature: 0 });\nllm.withStructuredOutput(Answer);\n`;
  expect(await found(rule, code("deepseek:deepseek-flash"))).toHaveLength(1);
  expect(await found(rule, code("openai:deepseek-flash"))).toEqual([]);
});
