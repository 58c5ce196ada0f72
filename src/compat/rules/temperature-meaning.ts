import type { HostName, Parameter, Request } from "../facts.js";
import { isDeepSeekId } from "../models.js";
import type { Problem, Rule } from "../rule.js";
import { parameterAt } from "../thinking.js";

/** Hosts behind which DeepSeek's own API does not answer; OpenRouter's V3 ids are others' too since it serves V4 only. */
const foreign: readonly HostName[] = [
  "self-hosted",
  "ollama",
  "openrouter",
  "together",
  "fireworks",
  "siliconflow",
  "novita",
  "nebius",
  "groq",
  "azure",
  "github-models",
  "bedrock",
  "vertex",
  "alibaba",
  "baidu",
  "volcengine",
];

export const temperatureMeaning: Rule = {
  id: "temperature-meaning",
  code: "R22",
  title: "A temperature of the official API's scale on another host",
  severity: { "v3.1": "warning", current: "info" },
  effect: "silent change",
  explanation:
    "The advice for the official API up to V3.2 was temperature 0 for code, 1.0 for data, 1.3 for chat and translation, 1.5 for writing. But with V3-0324 that API maps what it is sent: 0.3 times the value up to 1, the value minus 0.7 above. A server of one's own, or another host, takes the number as it is, so code that moves there with 1.3 samples far more wildly than before; its model card recommends 0.3. Whether the API kept the mapping with V3.1 is not documented, nor does V3.1's card name a temperature, so for V3.1 only the values above 1 are reported.",
  examples: [
    {
      target: "v3.1",
      language: "ts",
      by: "none",
      before: `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "http://localhost:8000/v1", apiKey: "none" });
const reply = await client.chat.completions.create({
  model: "deepseek-ai/DeepSeek-V3.1",
  temperature: 1.3,
  messages: [{ role: "user", content: "Hello" }],
});
`,
      after: `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "http://localhost:8000/v1", apiKey: "none" });
const reply = await client.chat.completions.create({
  model: "deepseek-ai/DeepSeek-V3.1",
  temperature: 0.6,
  messages: [{ role: "user", content: "Hello" }],
});
`,
    },
    {
      target: "v3.1",
      language: "py",
      by: "none",
      before: `from openai import OpenAI
client = OpenAI(base_url="http://localhost:8000/v1")
client.chat.completions.create(model="deepseek-ai/DeepSeek-V3.1", messages=messages, temperature=1.3)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="http://localhost:8000/v1")
client.chat.completions.create(model="deepseek-ai/DeepSeek-V3.1", messages=messages, temperature=0.6)
`,
    },
  ],
  source: {
    urls: [
      "https://huggingface.co/deepseek-ai/DeepSeek-V3-0324",
      "https://api-docs.deepseek.com/quick_start/parameter_settings",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts) {
    for (const request of facts.files.flatMap((file) => file.requests)) {
      if (!foreign.includes(request.host.host)) continue;
      for (const path of [["temperature"], ["options", "temperature"], ["modelKwargs", "temperature"]]) {
        const temperature = parameterAt(request.parameters, path);
        const problem = temperature && ofTemperature(request, temperature);
        if (problem) yield problem;
      }
    }
  },
};

function ofTemperature(request: Request, temperature: Parameter): Problem | undefined {
  const ids = (request.model?.candidates ?? []).map(({ value }) => String(value));
  // OpenRouter's deepseek/deepseek-chat is its copy of V3
  const isCopy = (id: string) =>
    request.host.host === "openrouter" && /(^|\/)deepseek\/deepseek-chat(:free)?$/.test(id);
  if (ids.length === 0 || !ids.every((id) => isOfSeries(id) || isCopy(id))) return undefined;
  const isFirst = ids.every((id) => isCopy(id) || /v3(-base|-0324)?(?![\w.-])|v3(-0324)?:|v3-v1:/i.test(id));
  const suspect = temperature.value.candidates.find(
    ({ value }) => value === 1.3 || value === 1.5 || (value === 1 && isFirst),
  );
  if (!suspect) return undefined;
  const value = Number(suspect.value);
  const mapped = value <= 1 ? 0.3 * value : value - 0.7;
  return {
    message: `temperature ${value} comes from the official API's scale, where V3-0324 ran at ${mapped.toFixed(1)}; ${request.host.host} takes it as it is`,
    place: temperature.place,
    host: request.host,
    path: suspect.path,
    manual: `try ${mapped.toFixed(1)} and compare; whether the API mapped temperatures for V3.1 too is not documented`,
  };
}

/** V3 to V3.2; R1 and what is distilled from it have another scale of their own. */
function isOfSeries(id: string): boolean {
  return isDeepSeekId(id) && /\bv3(?!\d)/i.test(id) && !/distill|speciale|coder|r1/i.test(id);
}
