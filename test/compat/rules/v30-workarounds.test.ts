import { describe, expect, test } from "@jest/globals";
import { reasonerMessageOrder } from "../../../src/compat/rules/reasoner-message-order.js";
import { v30ToolWorkarounds } from "../../../src/compat/rules/v30-tool-workarounds.js";
import { ask, client, found } from "./found.js";

const chat = ask('model: "deepseek-chat", messages, tools');
const prompt = (text: string) =>
  client() + ask(`model: "deepseek-chat", messages: [{ role: "system", content: "${text}" }]`);

describe("workarounds for the tool calls of V3.0", () => {
  test.each([
    ["a flag", 'const models = { "deepseek-chat": { supports_function_calling: false } };\n'],
    ["a counter", `${client()}const DEEPSEEK_MAX_TOOL_CALLS = 3;\n${chat}`],
    ["a prompt", prompt("Never call the same tool twice.")],
    ["tools as XML", prompt("Answer with <tool_call>name</tool_call>")],
  ])("%s", async (_, code) => {
    for (const target of ["v3.1", "current"] as const) {
      const findings = await found(v30ToolWorkarounds, code, target);
      expect(findings).toMatchObject([{ severity: "info" }]);
      expect(findings[0]!.fix).toBeUndefined();
    }
    // code written for V3.1 has other reasons
    expect(await found(v30ToolWorkarounds, code, "current", "v3.1")).toEqual([]);
  });

  test.each([
    [
      "flags of other models",
      'const models = { "deepseek-ai/DeepSeek-R1": { supportsTools: false }, "deepseek-reasoner": { supportsTools: false } };\n',
    ],
    ["a counter for all models", `${client()}const MAX_TOOL_CALLS = 3;\n${chat}`],
    ["a prompt that means something else", prompt("Use the tool once you know the city.")],
    [
      "a prompt for several providers",
      `${prompt("Call each tool only once.")}${client("https://api.openai.com/v1", "other")}${ask('model: "gpt-5", messages', "other").replace("reply", "second")}`,
    ],
    [
      "a prompt for another provider",
      `// deepseek\n${client("https://api.openai.com/v1")}${ask('model: "gpt-5", messages: [{ role: "system", content: "Call each tool only once." }]')}`,
    ],
  ])("says nothing of %s", async (_, code) => {
    expect(await found(v30ToolWorkarounds, code)).toEqual([]);
  });
});

describe("workarounds for the message order of R1", () => {
  const reasoner = ask('model: "deepseek-reasoner", messages: mergeConsecutiveMessages(history)');

  test.each([
    ["a conversion", `${client()}${ask('model: "deepseek-reasoner", messages: convertToR1Format(history)')}`],
    ["merging for the reasoner", client() + reasoner],
    [
      "the words of the refusal",
      "if (/does not support successive user or assistant messages/.test(e.message)) merge(); // deepseek\n",
    ],
  ])("%s", async (_, code) => {
    expect(await found(reasonerMessageOrder, code, "v3.1")).toMatchObject([{ severity: "info" }]);
    expect(await found(reasonerMessageOrder, code, "current")).toHaveLength(1);
    expect(await found(reasonerMessageOrder, code, "v3.1", "v3.1")).toEqual([]);
  });

  test.each([
    ["merging for chat", client() + ask('model: "deepseek-chat", messages: mergeConsecutiveMessages(history)')],
    [
      "merging beside another provider",
      `${client()}${reasoner}${client("https://api.anthropic.com/v1", "other")}${ask('model: "claude-x", messages', "other").replace("reply", "second")}`,
    ],
    ["another conversion", `${client()}${ask('model: "deepseek-reasoner", messages: convertMessages(history)')}`],
  ])("says nothing of %s", async (_, code) => {
    expect(await found(reasonerMessageOrder, code)).toEqual([]);
  });
});
