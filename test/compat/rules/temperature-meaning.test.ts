import { expect, test } from "@jest/globals";
import { temperatureMeaning } from "../../../src/compat/rules/temperature-meaning.js";
import { check } from "../check.js";

const ask = (url: string, model: string, temperature: string) => `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "${url}" });
client.chat.completions.create({ model: "${model}", temperature: ${temperature}, messages });
`;
const local = "http://localhost:8000/v1";

test.each([
  [local, "deepseek-ai/DeepSeek-V3-0324", "1.0", "0.3"],
  [local, "deepseek-ai/DeepSeek-V3.1", "1.5", "0.8"],
  ["https://api.together.xyz/v1", "deepseek-ai/DeepSeek-V3", "1.3", "0.6"],
  ["http://localhost:11434/v1", "deepseek-v3.1:671b", "1.3", "0.6"],
  ["https://openrouter.ai/api/v1", "deepseek/deepseek-chat", "1.3", "0.6"],
])("%s %s at %s ran at %s before", async (url, model, temperature, before) => {
  const [finding] = await check(temperatureMeaning, ask(url, model, temperature), "v3.1");
  expect(finding).toMatchObject({ severity: "warning" });
  expect(finding!.message).toContain(before);
  expect(finding!.fix).toBeUndefined();
  expect(await check(temperatureMeaning, ask(url, model, temperature), "current")).toMatchObject([
    { severity: "info" },
  ]);
});

test.each([
  ["the official API", ask("https://api.deepseek.com", "deepseek-chat", "1.3")],
  ["a host that is not known", ask("https://llm.example.com/v1", "deepseek-ai/DeepSeek-V3.1", "1.3")],
  ["a usual temperature", ask(local, "deepseek-ai/DeepSeek-V3-0324", "0.3")],
  ["V3.1 at 1.0, which may be right", ask(local, "deepseek-ai/DeepSeek-V3.1", "1.0")],
  ["R1", ask(local, "deepseek-ai/DeepSeek-R1", "1.3")],
  ["a distillation", ask(local, "deepseek-r1-distill-qwen-32b", "1.3")],
  ["another model", ask(local, "Qwen/Qwen3-32B", "1.3")],
])("%s is no finding", async (_, text) => {
  expect(await check(temperatureMeaning, `// deepseek\n${text}`, "v3.1")).toEqual([]);
});
