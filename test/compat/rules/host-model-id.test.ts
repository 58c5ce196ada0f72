import { describe, expect, test } from "@jest/globals";
import { hostModelId as rule } from "../../../src/compat/rules/host-model-id.js";
import { findingsOf, fixedBy } from "./check.js";

const ask = (url: string, model: string) =>
  `import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "${url}" });\nclient.chat.completions.create({ model: "${model}", messages });\n`;

describe("host-model-id", () => {
  test.each([
    ["https://openrouter.ai/api/v1", "deepseek/deepseek-chat", "deepseek/deepseek-chat-v3.1"],
    ["https://dashscope.aliyuncs.com/compatible-mode/v1", "deepseek-v3", "deepseek-v3.1"],
    ["https://qianfan.baidubce.com/v2", "deepseek-v3", "deepseek-v3.1-250821"],
    ["http://localhost:11434/v1", "deepseek-v3:671b", "deepseek-v3.1:671b"],
    ["https://router.huggingface.co/v1", "deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V3.1"],
    ["https://ai-gateway.vercel.sh/v1", "deepseek/deepseek-v3", "deepseek/deepseek-v3.1"],
    ["https://inference.baseten.co/v1", "deepseek-ai/DeepSeek-V3-0324", "deepseek-ai/DeepSeek-V3.1"],
  ])("%s: %s becomes %s", async (url, before, after) => {
    expect(await fixedBy(rule, "v3.1", ask(url, before))).toBe(ask(url, after));
  });

  test.each([
    [
      "https://api.fireworks.ai/inference/v1",
      "accounts/fireworks/models/deepseek-v3",
      "accounts/fireworks/models/deepseek-v3p1",
    ],
    ["https://api.siliconflow.cn/v1", "deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V3.1"],
  ])("%s: %s only as a suggestion, with the doubt", async (url, before, after) => {
    expect(await fixedBy(rule, "v3.1", ask(url, before))).toBe(ask(url, before));
    expect(await fixedBy(rule, "v3.1", ask(url, before), "suggested")).toBe(ask(url, after));
  });

  test.each([
    ["https://x.services.ai.azure.com/openai/v1", "DeepSeek-V3", "2026-07-13"],
    ["https://api.together.xyz/v1", "deepseek-ai/DeepSeek-V3", "2026-07"],
    ["https://api.studio.nebius.com/v1", "deepseek-ai/DeepSeek-V3", "2026"],
    ["https://models.github.ai/inference", "deepseek/DeepSeek-V3", "no id of V3.1"],
  ])("%s: %s has no way to V3.1, and says why", async (url, model, word) => {
    for (const level of ["safe", "suggested"] as const) {
      expect(await fixedBy(rule, "v3.1", ask(url, model), level)).toBe(ask(url, model));
    }
    const [finding] = await findingsOf(rule, "v3.1", ask(url, model));
    expect(`${finding!.message} ${finding!.manual}`).toContain(word);
  });

  test("for today's API only ids that are gone matter, whatever their age", async () => {
    const removed = await findingsOf(rule, "current", ask("https://x.services.ai.azure.com/v1", "DeepSeek-V3.1"));
    expect(removed.map(({ severity, fix }) => [severity, fix])).toEqual([["error", undefined]]);
    expect(await findingsOf(rule, "current", ask("https://openrouter.ai/api/v1", "deepseek/deepseek-chat"))).toEqual(
      [],
    );
  });

  test("a name that others read too, and a table, are not rewritten unasked", async () => {
    const head =
      'import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "https://openrouter.ai/api/v1" });\n';
    const shared = `${head}export const MODEL = "deepseek/deepseek-chat";\nlog(MODEL);\nclient.chat.completions.create({ model: MODEL, messages });\n`;
    expect(await fixedBy(rule, "v3.1", shared)).toBe(shared);
    const table = `${head}const names = { "deepseek/deepseek-chat": "V3" };\nclient.chat.completions.create({ model, messages });\n`;
    expect(await fixedBy(rule, "v3.1", table, "suggested")).toBe(table);
    expect((await findingsOf(rule, "v3.1", table)).map(({ severity }) => severity)).toEqual(["info"]);
  });

  test.each([
    ["the same id with the official API's router", 'const m = "deepseek/deepseek-chat";'],
    ["another host's id", ask("https://openrouter.ai/api/v1", "deepseek-ai/DeepSeek-V3")],
    ["an edition that is not in the table", ask("https://openrouter.ai/api/v1", "deepseek/deepseek-chat-v3-0324:free")],
    [
      "V3.1 under Bedrock's old name",
      'import { BedrockRuntimeClient } from "@aws-sdk/client-bedrock-runtime";\nconst modelId = "deepseek.v3-v1:0";',
    ],
    ["the new id", ask("https://openrouter.ai/api/v1", "deepseek/deepseek-chat-v3.1")],
    ["weights on a server of one's own", ask("http://localhost:8000/v1", "deepseek-ai/DeepSeek-V3")],
  ])("leaves alone: %s", async (_, code) => {
    expect(await findingsOf(rule, "v3.1", code)).toEqual([]);
  });

  test("litellm's prefix says the host and stays", async () => {
    const text = 'const model = "openrouter/deepseek/deepseek-chat-v3-0324";\n';
    expect(await fixedBy(rule, "v3.1", text)).toBe(text);
    expect(await fixedBy(rule, "v3.1", text, "suggested")).toBe(
      'const model = "openrouter/deepseek/deepseek-chat-v3.1";\n',
    );
    expect(await findingsOf(rule, "v3.1", 'const model = "openrouter/deepseek/deepseek-r1";\n')).toEqual([]);
  });

  test("code written for V3.1 is not moved to V3.1", async () => {
    const text = ask("https://openrouter.ai/api/v1", "deepseek/deepseek-chat");
    expect(await findingsOf(rule, "v3.1", text, "v3.1")).toEqual([]);
  });
});
