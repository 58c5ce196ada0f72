import { describe, expect, test } from "@jest/globals";
import { hostSpecificSwitch as rule } from "../../../src/compat/rules/host-specific-switch.js";
import { findingsOf } from "./check.js";

const ask = (url: string, model: string, options: string) =>
  `import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "${url}" });\nclient.chat.completions.create({ model: "${model}", messages, ${options} });\n`;
const [openrouter, alibaba, own, official] = [
  "https://openrouter.ai/api/v1",
  "https://dashscope.aliyuncs.com/compatible-mode/v1",
  "http://10.0.0.7:8000/v1",
  "https://api.deepseek.com",
];

describe("host-specific-switch", () => {
  test.each([
    [openrouter, "deepseek/deepseek-chat-v3.1", 'thinking: { type: "enabled" }', "reasoning: { enabled }"],
    [openrouter, "deepseek/deepseek-chat-v3.1", "chat_template_kwargs: { thinking: true }", "reasoning: { enabled }"],
    [alibaba, "deepseek-v3.1", "reasoning: { enabled: true }", "enable_thinking"],
    [own, "deepseek-ai/DeepSeek-V3.1", "enable_thinking: true", "chat_template_kwargs"],
    [own, "deepseek-ai/DeepSeek-V3.1", 'thinking: { type: "enabled" }', "chat_template_kwargs"],
    [official, "deepseek-flash", "reasoning: { enabled: false }", "thinking: { type }"],
    [official, "deepseek-flash", "think: false", "thinking: { type }"],
  ])("%s does not read it: %s, %s", async (url, model, options, switchName) => {
    for (const target of ["v3.1", "current"] as const) {
      const [finding, ...others] = await findingsOf(rule, target, ask(url, model, options));
      expect(others).toEqual([]);
      expect(finding!.manual).toContain(switchName);
      expect(finding!.fix).toBeUndefined();
    }
  });

  test("what thinking-default-on says is not said twice", async () => {
    const text = ask(official, "deepseek-flash", "enable_thinking: false");
    expect(await findingsOf(rule, "current", text)).toEqual([]);
    expect(await findingsOf(rule, "v3.1", text)).toHaveLength(1);
  });

  test.each([
    ["the host's own", ask(openrouter, "deepseek/deepseek-chat-v3.1", "reasoning: { enabled: true }")],
    ["an effort, not a switch", ask(official, "deepseek-flash", 'reasoning: { effort: "low" }')],
    [
      "switches for several hosts at once",
      ask(own, "deepseek-ai/DeepSeek-V3.1", "enable_thinking: true, chat_template_kwargs: { thinking: true }"),
    ],
    ["another model", ask(openrouter, "qwen/qwen3-235b", "enable_thinking: true /* not deepseek */")],
    [
      "a host whose switch is not known",
      ask("https://ark.cn-beijing.volces.com/api/v3", "deepseek-v3-1-250821", 'thinking: { type: "enabled" }'),
    ],
    [
      "an unknown host",
      'const r = await client.chat.completions.create({ model: "deepseek-ai/DeepSeek-V3.1", messages, enable_thinking: true });',
    ],
  ])("leaves alone: %s", async (_, code) => {
    expect(await findingsOf(rule, "v3.1", code)).toEqual([]);
  });
});
