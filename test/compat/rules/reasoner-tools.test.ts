import { describe, expect, test } from "@jest/globals";
import { reasonerTools as rule } from "../../../src/compat/rules/reasoner-tools.js";
import { ask, client, fixed, found } from "./found.js";

const reasoner = 'model: "deepseek-reasoner", messages';
const llm =
  'import { ChatDeepSeek } from "@langchain/deepseek";\nconst llm = new ChatDeepSeek({ model: "deepseek-reasoner" });\n';

describe("the reasoner with tools, for V3.1", () => {
  test.each([
    ["a request", client() + ask(`${reasoner}, tools`)],
    ["old functions", client() + ask(`${reasoner}, functions: [f]`)],
    [
      "the AI SDK",
      'import { deepseek } from "@ai-sdk/deepseek";\nawait generateText({ model: deepseek("deepseek-reasoner"), prompt, tools: { weather } });\n',
    ],
    ["tools bound to a model", `${llm}const bound = llm.bindTools([weather]);\n`],
    ["structured output by a tool", `${llm}const bound = llm.withStructuredOutput(Answer);\n`],
    ["an agent of the only model", `${llm}const agent = createReactAgent({ llm, tools });\n`],
  ])("%s loses its reasoning", async (_, code) => {
    const findings = await found(rule, code, "v3.1");
    expect(findings).toMatchObject([{ severity: "warning" }]);
    expect(findings[0]!.message).toContain("no reasoning_content");
    // the model of today thinks with tools, and code for V3.1 knows it already
    expect(await found(rule, code, "current")).toEqual([]);
    expect(await found(rule, code, "v3.1", "v3.1")).toEqual([]);
  });

  test("the tools stay, whatever is fixed", async () => {
    const code = client() + ask(`${reasoner}, tools`);
    expect(await fixed(rule, code, "suggested", "v3.1")).toBe(
      client() + ask('model: "deepseek-chat", messages, tools'),
    );
    expect(await fixed(rule, code, "safe", "v3.1")).toBe(code);
    const away = `const model = "deepseek-reasoner";\n${client()}${ask("model, messages, tools")}`;
    expect(await found(rule, away, "v3.1")).toHaveLength(1);
    expect(await fixed(rule, away, "suggested", "v3.1")).toBe(away);
  });

  test.each([
    ["chat with tools", client() + ask('model: "deepseek-chat", messages, tools')],
    ["the reasoner without tools", client() + ask(reasoner)],
    ["a choice of models", client() + ask('model: deep ? "deepseek-reasoner" : "deepseek-chat", messages, tools')],
    [
      "another host's copy",
      client("https://openrouter.ai/api/v1") + ask('model: "deepseek/deepseek-r1", messages, tools'),
    ],
    ["JSON mode", `${llm}llm.withStructuredOutput(Answer, { method: "jsonMode" });\n`],
    [
      "an agent beside other models",
      `${llm}import { ChatOpenAI } from "@langchain/openai";\nconst gpt = new ChatOpenAI({ model: "gpt-5" });\ncreateReactAgent({ llm: gpt, tools });\n`,
    ],
  ])("says nothing of %s", async (_, code) => {
    expect(await found(rule, code, "v3.1")).toEqual([]);
  });
});

describe("guards that keep tools from the reasoner, today", () => {
  test.each([
    ["a flag", 'export const models = { "deepseek-reasoner": { functionCall: false } };\n'],
    ["tools deleted", `${client()}if (model.includes("reasoner")) delete params.tools;\n${ask("model, messages")}`],
    ["tools deleted in a block", `${client()}if (model === "deepseek-reasoner") {\n  delete body.tools;\n}\n`],
    ["tools under a condition", 'const options = { tools: model === "deepseek-reasoner" ? undefined : tools };\n'],
    [
      "raw tool calls",
      'const model = "deepseek-reasoner";\nconst agent = new Agent({ model, toolCallingMethod: "raw" });\n',
    ],
  ])("%s", async (_, code) => {
    expect(await found(rule, code)).toMatchObject([{ severity: "info" }]);
    expect((await found(rule, code))[0]!.fix).toBeUndefined();
    // right for V3.1
    expect(await found(rule, code, "v3.1")).toEqual([]);
  });

  test.each([
    [
      "other models' flags",
      'export const models = { "deepseek-ai/DeepSeek-R1": { functionCall: false }, "gpt-3": { functionCall: false } };\n',
    ],
    ["a flag that is on", 'export const models = { "deepseek-reasoner": { functionCall: true } };\n'],
    [
      "a test for something else",
      'const temperature = model === "deepseek-reasoner" ? undefined : 0.7;\nconst tools = [];\n',
    ],
  ])("says nothing of %s", async (_, code) => {
    expect(await found(rule, code)).toEqual([]);
  });
});
