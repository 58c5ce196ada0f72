import { describe, expect, test } from "@jest/globals";
import { transformersTemplateKwargs as rule } from "../../../src/compat/rules/transformers-template-kwargs.js";
import { findingsOf, fixedBy } from "./check.js";

const load = (id: string) =>
  `import { AutoTokenizer } from "@huggingface/transformers";\nconst t = await AutoTokenizer.from_pretrained("${id}");\n`;
const ask = (url: string, model: string) =>
  `import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: ${url} });\nclient.chat.completions.create({ model: "${model}", messages, chat_template_kwargs: { enable_thinking: true } });\n`;

describe("transformers-template-kwargs", () => {
  test("a request to a server of V3.1's weights", async () => {
    const text = ask('"http://localhost:8000/v1"', "deepseek-ai/DeepSeek-V3.1");
    expect(await fixedBy(rule, "v3.1", text)).toBe(text.replace("enable_thinking", "thinking"));
  });

  test("quotes around the name stay", async () => {
    const text = `${load("deepseek-ai/DeepSeek-V3.1")}t.apply_chat_template(messages, { 'enable_thinking': true });\n`;
    expect(await fixedBy(rule, "v3.1", text)).toContain("{ 'thinking': true }");
  });

  test("V3.0's weights know neither name: a suggestion", async () => {
    const text = `${load("deepseek-ai/DeepSeek-V3")}t.apply_chat_template(messages, { enable_thinking: true });\n`;
    expect(await fixedBy(rule, "v3.1", text)).toBe(text);
    expect(await fixedBy(rule, "v3.1", text, "suggested")).toContain("{ thinking: true }");
  });

  test("an unknown host is reported, never fixed", async () => {
    const [finding] = await findingsOf(rule, "v3.1", ask("options.url", "deepseek-ai/DeepSeek-V3.1"));
    expect(finding!.fix).toBeUndefined();
  });

  test.each([
    ["the right name", `${load("deepseek-ai/DeepSeek-V3.1")}t.apply_chat_template(messages, { thinking: true });`],
    [
      "Qwen's tokenizer beside DeepSeek's",
      `${load("Qwen/Qwen3-8B")}const other = "deepseek-ai/DeepSeek-V3.1";\nt.apply_chat_template(messages, { enable_thinking: true });`,
    ],
    [
      "R1, which always thinks",
      `${load("deepseek-ai/DeepSeek-R1")}t.apply_chat_template(messages, { enable_thinking: true });`,
    ],
    [
      "a distilled model",
      `${load("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B")}t.apply_chat_template(messages, { enable_thinking: true });`,
    ],
    ["a host whose switch it is", ask('"https://dashscope.aliyuncs.com/compatible-mode/v1"', "deepseek-v3.1")],
  ])("leaves alone: %s", async (_, code) => {
    expect(await findingsOf(rule, "v3.1", code)).toEqual([]);
  });
});
