import { describe, expect, test } from "@jest/globals";
import { applyFixes } from "../../src/compat/fix/fix.js";
import { memorySources, onlyRequest } from "./memory.js";

const official = '"https://api.deepseek.com"';
const local = '"http://localhost:8000/v1"';
const open = `import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: ${official} });\n`;
const create = (body: string, on = "client") => `${on}.chat.completions.create({ ${body} });\n`;
const ask = (on = "client") => create('model: "deepseek-reasoner", messages, temperature: 0.2', on);
const made = (options: string) => `const client = new OpenAI(${options});\n${ask()}`;

describe("no safe fix where the model or the host may be another", () => {
  test.each([
    [
      "a model spread in under a condition",
      `${open}${create('model: "deepseek-chat", ...(think && { model: "deepseek-reasoner" }), messages, temperature: 0.2')}`,
    ],
    ["an unknown spread after the base URL", made(`{ baseURL: ${official}, ...opts }`)],
    ["a base URL spread in under a condition", made(`{ baseURL: ${official}, ...(isLocal && { baseURL: ${local} }) }`)],
    ["one of several options", made(`isLocal ? { baseURL: ${local} } : { baseURL: ${official} }`)],
    [
      "options changed later",
      `const options = { baseURL: ${official} };\nif (LOCAL) options.baseURL = ${local};\n${made("options")}`,
    ],
    [
      "options filled later",
      `const options = { baseURL: ${official} };\nObject.assign(options, loadSettings());\n${made("options")}`,
    ],
    [
      "a client changed later",
      `${open}if (process.env.OPENROUTER) client.baseURL = "https://openrouter.ai/api/v1";\n${ask()}`,
    ],
    [
      "a field set from outside",
      `class A { client = new OpenAI({ baseURL: ${official} }); run() { ${ask("this.client")} } }\na.client = new OpenAI({ baseURL: ${local} });`,
    ],
    [
      "a row of a table that is replaced",
      `const PROVIDERS = { deepseek: ${official} };\nPROVIDERS.deepseek = process.env.PROXY ?? ${local};\n${made("{ baseURL: PROVIDERS.deepseek }")}`,
    ],
    [
      "a shared object whose model is replaced",
      `${open}const base = { model: "deepseek-reasoner" };\nif (fast) base.model = "deepseek-chat";\n${create("...base, messages, temperature: 0.2")}`,
    ],
    ["an object pattern", `let baseURL = ${official};\n({ baseURL } = loadSettings());\n${made("{ baseURL }")}`],
    [
      "an array pattern",
      `${open}let model = "deepseek-reasoner";\n[model] = process.argv.slice(2);\n${create("model, messages, temperature: 0.7")}`,
    ],
    ["a loop over urls", `let baseURL = ${official};\nfor (baseURL of o.urls) break;\n${made("{ baseURL }")}`],
    [
      "a getter that a subclass overrides",
      `class Base { get baseURL() { return ${official}; } ask() { ${made("{ baseURL: this.baseURL }")} } }\nclass Local extends Base { get baseURL() { return ${local}; } }`,
    ],
    [
      "a field that a subclass overrides",
      `${open}class Base { model = "deepseek-reasoner"; ask() { ${create("model: this.model, messages, temperature: 0.2")} } }\nclass Fast extends Base { model = "deepseek-chat"; }`,
    ],
    [
      "a replaced host",
      `fetch("https://api.deepseek.com/v1/chat/completions".replace("api.deepseek.com", "openrouter.ai/api"), { body: JSON.stringify({ model: "deepseek-reasoner", messages }) });`,
    ],
    ["a replaced model", `${open}${create('model: "deepseek-reasoner".replace("reasoner", "flash"), messages')}`],
    [
      "a spread that may name the model",
      `${open}${create('model: "deepseek-reasoner", messages, temperature: 0.2, ...overrides')}`,
    ],
    [
      "provider options from a parameter",
      'import { createDeepSeek } from "@ai-sdk/deepseek";\nexport const ask = (options) => generateText({ model: createDeepSeek(options)("deepseek-chat"), prompt });',
    ],
    [
      "provider options from a call",
      'import { createDeepSeek } from "@ai-sdk/deepseek";\ngenerateText({ model: createDeepSeek(loadConfig())("deepseek-chat"), prompt });',
    ],
    [
      "a configuration from a call",
      'import { ChatDeepSeek } from "@langchain/deepseek";\nnew ChatDeepSeek({ model: "deepseek-reasoner", temperature: 0.2, configuration: getConf() });',
    ],
    [
      "a configuration under a condition",
      `import { ChatDeepSeek } from "@langchain/deepseek";\nnew ChatDeepSeek({ model: "deepseek-reasoner", temperature: 0.2, ...(V ? { configuration: { baseURL: ${local} } } : {}) });`,
    ],
  ])("%s", async (_, text) => {
    const files = {
      "package.json": '{"dependencies":{"@ai-sdk/deepseek":"^2.0.69"}}',
      "a.js": text.includes("import ") ? text : `import OpenAI from "openai";\n${text}`,
    };
    const { changed } = await applyFixes(memorySources(files), { target: "current" }, "safe");
    expect(Object.fromEntries(changed)).toEqual({});
    expect(onlyRequest(files)).toBeDefined();
  });
});

test("a known spread after the base URL decides", () => {
  const files = {
    "a.ts": `const defaults = { baseURL: "https://openrouter.ai/api/v1" };\n${made(`{ baseURL: ${official}, ...defaults }`)}`,
  };
  expect(onlyRequest(files).host).toMatchObject({ host: "openrouter", certainty: "certain" });
});

test("slashes cut from the end of a URL leave its host certain", () => {
  const files = { "a.ts": made(`{ baseURL: ${official}.replace(/\\/+$/, "") }`) };
  expect(onlyRequest(files).host).toMatchObject({ host: "official", certainty: "certain" });
});

test.each([
  ["64_000 as const", "1_000_000 as const"],
  ["64 * 1000", "1000 * 1000"],
  ["64 * 1024", "1024 * 1024"],
])("the limit %s keeps its form", async (before, after) => {
  const text = `const url = ${official};\nexport const model = { id: "deepseek-chat", contextWindow: ${before}, url };\n`;
  const { changed } = await applyFixes(memorySources({ "a.ts": text }), { target: "current" }, "suggested");
  expect(changed.get("a.ts")).toContain(`contextWindow: ${after},`);
});
