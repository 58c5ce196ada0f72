import { describe, expect, test } from "@jest/globals";
import { hostOfEnvironment, hostOfModel, hostOfPackage, hostOfUrl } from "../../src/compat/host.js";
import { onlyRequest } from "./memory.js";

describe("hosts by URL", () => {
  test.each([
    ["https://api.deepseek.com", "official"],
    ["https://api.deepseek.com/v1", "official"],
    ["https://api.deepseek.com/beta/completions", "official"],
    ["https://api.deepseek.com.example.org/v1", "other"],
    ["https://my-api.deepseek.com.proxy.dev", "other"],
    ["https://openrouter.ai/api/v1", "openrouter"],
    ["https://api.together.xyz/v1", "together"],
    ["https://api.fireworks.ai/inference/v1", "fireworks"],
    ["https://api.siliconflow.cn/v1", "siliconflow"],
    ["https://api.novita.ai/v3/openai", "novita"],
    ["https://api.studio.nebius.ai/v1/", "nebius"],
    ["https://router.huggingface.co/v1", "huggingface"],
    ["https://api.groq.com/openai/v1", "groq"],
    ["https://me.services.ai.azure.com/models", "azure"],
    ["https://models.inference.ai.azure.com", "github-models"],
    ["https://models.github.ai/inference", "github-models"],
    ["https://bedrock-runtime.us-east-1.amazonaws.com", "bedrock"],
    ["https://us-central1-aiplatform.googleapis.com/v1", "vertex"],
    ["https://dashscope.aliyuncs.com/compatible-mode/v1", "alibaba"],
    ["https://qianfan.baidubce.com/v2", "baidu"],
    ["https://ark.cn-beijing.volces.com/api/v3", "volcengine"],
    ["http://localhost:11434/v1", "ollama"],
    ["http://127.0.0.1:8000/v1", "self-hosted"],
    ["http://192.168.1.7:8000/v1", "self-hosted"],
    ["http://gpu-01:8000/v1", "self-hosted"],
    ["http://vllm.models.svc.cluster.local/v1", "self-hosted"],
    ["https://vllm.internal", "self-hosted"],
    ["https://llm.example.com/v1", "other"],
    ["/chat/completions", "unknown"],
  ])("%s: %s", (url, host) => expect(hostOfUrl(url)).toBe(host));
});

test.each([
  ["accounts/fireworks/models/deepseek-v3", "fireworks"],
  ["Pro/deepseek-ai/DeepSeek-V3", "siliconflow"],
  ["deepseek.v3-v1:0", "bedrock"],
  ["deepseek-v3.1-maas", "vertex"],
  ["deepseek-chat", undefined],
])("hosts by model id: %s", (id, host) => expect(hostOfModel(id)).toBe(host));

test("hosts by package and by environment variable", () => {
  expect(hostOfPackage("@ai-sdk/deepseek")).toBe("official");
  expect(hostOfPackage("openai")).toBeUndefined();
  expect(hostOfPackage("constructor")).toBeUndefined();
  expect(hostOfEnvironment("DEEPSEEK_API_KEY")).toBe("official");
  expect(hostOfEnvironment("NEXT_PUBLIC_DEEPSEEK_BASE_URL")).toBe("official");
  expect(hostOfEnvironment("DEEPSEEK_MODEL")).toBeUndefined();
  expect(hostOfEnvironment("OPENROUTER_API_KEY")).toBe("openrouter");
});

const create = (client: string) => `${client}.chat.completions.create({ model: "deepseek-chat", messages });`;

describe("the host of a request", () => {
  test.each([
    [
      "the client's base URL",
      `const c = new OpenAI({ baseURL: "https://api.deepseek.com" });\n${create("c")}`,
      "official certain",
    ],
    [
      "the base URL before the key",
      `const c = new OpenAI({ baseURL: "https://openrouter.ai/api/v1", apiKey: process.env.DEEPSEEK_API_KEY });\n${create("c")}`,
      "openrouter certain",
    ],
    [
      "a default that a variable of the same host replaces",
      `const c = new OpenAI({ baseURL: process.env.DEEPSEEK_BASE_URL ?? "https://api.deepseek.com" });\n${create("c")}`,
      "official certain",
    ],
    [
      "a default that any variable replaces",
      `const c = new OpenAI({ baseURL: process.env.LLM_URL || "https://api.deepseek.com" });\n${create("c")}`,
      "official possible",
    ],
    [
      "a variable's name alone",
      `const c = new OpenAI({ baseURL: process.env.DEEPSEEK_BASE_URL });\n${create("c")}`,
      "official possible",
    ],
    [
      "the key's variable where there is no URL",
      `const c = new OpenAI({ apiKey: process.env.DEEPSEEK_API_KEY });\n${create("c")}`,
      "official possible",
    ],
    ["no URL at all", `const c = new OpenAI();\n${create("c")}`, "unknown unknown"],
    [
      "two hosts to choose from",
      `const c = new OpenAI({ baseURL: far ? "https://api.deepseek.com" : "http://localhost:8000" });\n${create("c")}`,
      "unknown unknown",
    ],
    [
      "a client in a class field",
      `class A { client = new OpenAI({ baseURL: "https://api.deepseek.com" }); run() { ${create("this.client")} } }`,
      "official certain",
    ],
    [
      "a client set by the constructor",
      `class A { constructor() { this.client = new OpenAI({ baseURL: "https://api.deepseek.com" }); } run() { ${create("this.client")} } }`,
      "official certain",
    ],
    [
      "a client a function makes",
      `function make(url) { return new OpenAI({ baseURL: url }); }\n${create('make("https://api.deepseek.com")')}`,
      "official certain",
    ],
    [
      "a wrapped client",
      `const c = observe(new OpenAI({ baseURL: "https://api.deepseek.com" }));\n${create("c")}`,
      "official certain",
    ],
    [
      "a client from the caller",
      `async function ask(c: OpenAI) { ${create("c")} }\nask(new OpenAI({ baseURL: "https://api.deepseek.com" }));`,
      "official possible",
    ],
    [
      "a client made when it is first asked for",
      `let c: OpenAI | undefined;\nfunction get() { c ??= new OpenAI({ baseURL: "https://api.deepseek.com" }); return c; }\n${create("get()")}`,
      "official certain",
    ],
    [
      "a class of the project's own",
      `class OpenAI {}\nconst c = new OpenAI({ baseURL: "https://api.deepseek.com" });\n${create("c")}`,
      "official possible",
    ],
    [
      "two clients to choose from",
      `const a = new OpenAI({ baseURL: "https://api.deepseek.com" });\nconst b = new OpenAI({ baseURL: "https://openrouter.ai/api/v1" });\n${create("(far ? b : a)")}`,
      "unknown unknown",
    ],
    ["Azure's own class", `const c = new AzureOpenAI({ deployment: "d" });\n${create("c")}`, "azure certain"],
    [
      "a URL in a fetch",
      'fetch("https://api.deepseek.com/chat/completions", { body: JSON.stringify({ model: "deepseek-chat", messages }) });',
      "official certain",
    ],
    [
      "a URL put together",
      `const BASE = "https://api.deepseek.com";\nfetch(\`\${BASE}/chat/completions\`, { body: JSON.stringify({ model: "deepseek-chat", messages }) });`,
      "official certain",
    ],
    [
      "new URL()",
      'fetch(new URL("beta/completions", "https://api.deepseek.com/"), { body: JSON.stringify({ model: "deepseek-chat", messages }) });',
      "official certain",
    ],
    [
      "axios.post",
      'axios.post("https://api.deepseek.com/chat/completions", { model: "deepseek-chat", messages }, { headers });',
      "official certain",
    ],
    [
      "an axios instance",
      'const api = axios.create({ baseURL: "https://api.deepseek.com" });\napi.post("/chat/completions", { model: "deepseek-chat", messages });',
      "official certain",
    ],
    [
      "axios with one object",
      'axios({ method: "post", url: "https://api.deepseek.com/chat/completions", data: { model: "deepseek-chat", messages } });',
      "official certain",
    ],
    [
      "createDeepSeek",
      'import { createDeepSeek } from "@ai-sdk/deepseek";\nconst p = createDeepSeek({ apiKey });\ngenerateText({ model: p("deepseek-chat"), prompt });',
      "official certain",
    ],
    [
      "createDeepSeek with another URL",
      'import { createDeepSeek } from "@ai-sdk/deepseek";\nconst p = createDeepSeek({ baseURL: "https://openrouter.ai/api/v1" });\ngenerateText({ model: p("deepseek-chat"), prompt });',
      "openrouter certain",
    ],
    [
      "createOpenAI with a URL",
      'import { createOpenAI } from "@ai-sdk/openai";\nconst p = createOpenAI({ baseURL: "https://api.deepseek.com/v1" });\nstreamText({ model: p.chat("deepseek-chat"), messages });',
      "official certain",
    ],
    [
      "createOpenAICompatible",
      'import { createOpenAICompatible } from "@ai-sdk/openai-compatible";\nconst p = createOpenAICompatible({ name: "deepseek", baseURL: "https://api.deepseek.com" });\nstreamText({ model: p.chatModel("deepseek-chat"), messages });',
      "official certain",
    ],
    [
      "ChatOpenAI",
      'import { ChatOpenAI } from "@langchain/openai";\nnew ChatOpenAI({ model: "deepseek-chat", configuration: { baseURL: "https://api.deepseek.com" } });',
      "official certain",
    ],
    [
      "ChatDeepSeek",
      'import { ChatDeepSeek } from "@langchain/deepseek";\nnew ChatDeepSeek({ model: "deepseek-chat" });',
      "official certain",
    ],
  ])("%s", (_, text, verdict) => {
    const { host } = onlyRequest({ "a.ts": text });
    expect(`${host.host} ${host.certainty}`).toBe(verdict);
  });

  test("base URL, client and model in three files", () => {
    const { host, model } = onlyRequest({
      "config.ts": 'export const config = { baseUrl: process.env.DEEPSEEK_API_BASE ?? "https://api.deepseek.com" };',
      "client.ts":
        'import { config } from "./config.js";\nexport const client = new OpenAI({ baseURL: config.baseUrl });',
      "models.ts": 'export const MODEL = "deepseek-chat";',
      "a.ts": `import { client } from "./client.js";\nimport { MODEL } from "./models.js";\nclient.chat.completions.create({ model: MODEL, messages });`,
    });
    expect(host).toEqual({
      host: "official",
      certainty: "certain",
      evidence: 'baseURL "https://api.deepseek.com" (baseUrl, config.ts:1 -> process.env.DEEPSEEK_API_BASE ?? default)',
    });
    expect(model?.candidates[0]?.path).toEqual(["MODEL, models.ts:1"]);
  });
});

describe("initChatModel of LangChain", () => {
  const made = (args: string) =>
    onlyRequest({ "a.ts": `import { initChatModel } from "langchain";\nconst llm = await initChatModel(${args});` });
  test.each([
    ['"deepseek:deepseek-chat", { temperature: 0 }', "official", "certain"],
    ['"deepseek-chat", { modelProvider: "deepseek" }', "official", "certain"],
    [
      '"deepseek-chat", { modelProvider: "openai", configuration: { baseURL: "https://api.deepseek.com" } }',
      "official",
      "certain",
    ],
    ['process.env.MODEL ?? "deepseek:deepseek-chat"', "official", "possible"],
    ['"openai:gpt-5", { maxTokens: 9 }', "other", "certain"],
    ['"together:deepseek-ai/DeepSeek-V3"', "together", "certain"],
    ['"deepseek-chat"', "unknown", "unknown"],
    ["name", "unknown", "unknown"],
  ])("%s", (args, host, certainty) => {
    expect(made(args)).toMatchObject({ client: "langchain", host: { host, certainty } });
  });

  test("its options are the request's", () => {
    const { model, parameters, object } = made('"deepseek:deepseek-chat", { temperature: 0 }');
    expect(model?.candidates[0]?.value).toBe("deepseek:deepseek-chat");
    expect(parameters.map(({ name }) => name)).toEqual(["temperature"]);
    expect(object).toBeDefined();
  });
});

describe("models and clients in a wrapping", () => {
  const sdk =
    'import { generateText, ToolLoopAgent, wrapLanguageModel } from "ai";\nimport { deepseek } from "@ai-sdk/deepseek";\n';
  test.each([
    [
      "a model with a middleware",
      `${sdk}const model = wrapLanguageModel({ model: deepseek("deepseek-reasoner"), middleware });\ngenerateText({ model, prompt });`,
    ],
    [
      "the model of an agent",
      `${sdk}const agent = new ToolLoopAgent({ model: deepseek("deepseek-reasoner"), tools });`,
    ],
    [
      "a client among options",
      'import OpenAI from "openai";\nconst oai = new OpenAI({ baseURL: "https://api.deepseek.com" });\nconst client = Instructor({ client: oai, mode: "TOOLS" });\nclient.chat.completions.create({ model: "deepseek-reasoner", messages });',
    ],
  ])("%s", (_, code) => {
    const { host, model } = onlyRequest({ "a.ts": code });
    expect(host).toMatchObject({ host: "official", certainty: "certain" });
    expect(model?.candidates[0]?.value).toBe("deepseek-reasoner");
  });

  test("an agent of another library is none of the AI SDK's", () => {
    const code =
      'import { Agent } from "@mastra/core/agent";\nimport { deepseek } from "@ai-sdk/deepseek";\nnew Agent({ model: deepseek("deepseek-chat") });';
    expect(() => onlyRequest({ "a.ts": code })).toThrow("0 requests");
  });
});

test("a configuration service reads the environment", () => {
  const made = (args: string) =>
    onlyRequest({
      "a.ts": `import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: this.config.get<string>(${args}) });\nclient.chat.completions.create({ model: "m", messages });`,
    }).host;
  expect(made('"DEEPSEEK_BASE_URL", "https://api.deepseek.com"')).toMatchObject({
    host: "official",
    certainty: "certain",
  });
  expect(made('"DEEPSEEK_BASE_URL"')).toMatchObject({ host: "official", certainty: "possible" });
  expect(made('"LLM_URL", "https://api.deepseek.com"')).toMatchObject({ host: "official", certainty: "possible" });
});
