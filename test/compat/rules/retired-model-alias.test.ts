import { describe, expect, test } from "@jest/globals";
import { emptyFacts, type Facts, type HostVerdict, type Mention } from "../../../src/compat/facts.js";
import { applyEdits } from "../../../src/compat/fix/fix.js";
import { ambiguousHostId } from "../../../src/compat/rules/ambiguous-host-id.js";
import { retiredModelAlias } from "../../../src/compat/rules/retired-model-alias.js";
import { ask, client, fixed, found } from "./found.js";

const key = "const key = process.env.DEEPSEEK_API_KEY;\n";
const registry =
  'import { createProviderRegistry } from "ai";\nimport { deepseek } from "@ai-sdk/deepseek";\nconst registry = createProviderRegistry({ deepseek });\n';

describe("names behind a framework's prefix", () => {
  test("deepseek: always means the official API", async () => {
    const code = `${registry}generateText({ model: registry.languageModel("deepseek:deepseek-reasoner"), prompt });\n`;
    const [one] = await found(retiredModelAlias, code);
    expect(one).toMatchObject({ severity: "error", host: { host: "official" } });
    expect(one!.message).toContain('"deepseek:deepseek-reasoner"');
    expect(await found(ambiguousHostId, code)).toEqual([]);
  });

  test("deepseek/ means it where the host is official", async () => {
    const code = `${key}export const agent = new Agent({ model: "deepseek/deepseek-chat" });\n`;
    expect(await found(retiredModelAlias, code)).toHaveLength(1);
    expect(await found(ambiguousHostId, code)).toEqual([]);
  });

  test("deepseek/ is ambiguous where nothing says which host is asked", async () => {
    const code = 'export const agent = new Agent({ model: "deepseek/deepseek-chat" });\n';
    expect(await found(retiredModelAlias, code)).toEqual([]);
    const [one] = await found(ambiguousHostId, code);
    expect(one).toMatchObject({ code: "R41", severity: "warning" });
    expect(one!.fix).toBeUndefined();
  });

  test("a request whose host is not known is reported once", async () => {
    const code = `import OpenAI from "openai";\nconst client = new OpenAI(settings);\n${ask('model: "deepseek/deepseek-chat", messages')}`;
    expect(await found(ambiguousHostId, code)).toHaveLength(1);
    expect(await found(retiredModelAlias, code)).toEqual([]);
  });

  test("a client that sends names as they are gets no new name behind a prefix", async () => {
    const code = client() + ask('model: "deepseek/deepseek-chat", messages');
    const [one] = await found(retiredModelAlias, code);
    expect(one).toMatchObject({ severity: "error", manual: expect.stringContaining("which host is meant") });
    expect(await fixed(retiredModelAlias, code, "suggested")).toBe(code);
  });

  test.each([
    [
      "OpenRouter's base URL",
      client("https://openrouter.ai/api/v1") + ask('model: "deepseek/deepseek-chat", messages'),
    ],
    ["OpenRouter's key", 'const key = process.env.OPENROUTER_API_KEY;\nconst model = "deepseek/deepseek-chat";\n'],
    ["OpenRouter's prefix", 'const model = "openrouter/deepseek/deepseek-chat";\n'],
    ["another model of that host", 'const model = "deepseek/deepseek-chat-v3-0324";\n'],
    [
      "a table of models",
      'export const prices = { "deepseek/deepseek-chat": 1 };\nconst all = ["deepseek/deepseek-chat"];\n',
    ],
  ])("leaves %s alone", async (_, code) => {
    expect(await found(retiredModelAlias, code)).toEqual([]);
    expect(await found(ambiguousHostId, code)).toEqual([]);
  });
});

describe("names in configuration", () => {
  const official: HostVerdict = {
    host: "official",
    certainty: "possible",
    evidence: "DEEPSEEK_API_KEY in the same file",
  };
  const setting = (text: string, id: string, name: string, host = official): Facts => {
    const start = text.indexOf(id);
    const mention: Mention = {
      id,
      kind: "setting",
      name,
      host,
      onlyRequests: false,
      place: { file: "a.yaml", start, end: start + id.length },
    };
    return { files: [{ ...emptyFacts("a.yaml", "yaml", text), mentions: [mention] }] };
  };
  const renamed = (text: string, facts: Facts): string => {
    const [one] = retiredModelAlias.check(facts, "current", "v3.0");
    expect(one!.fix?.applicability).toBe("suggested");
    return applyEdits(text, one!.fix!.edits);
  };

  test("are renamed on demand, and the note speaks of the switch", () => {
    const text = "model: deepseek-chat # cheap\n";
    expect(renamed(text, setting(text, "deepseek-chat", "model"))).toBe("model: deepseek-flash # cheap\n");
    const [one] = retiredModelAlias.check(setting(text, "deepseek-chat", "model"), "current", "v3.0");
    expect(one!.manual).toContain("have to say thinking disabled");
  });

  test("keep their prefix", () => {
    const text = "weak_model_name: deepseek/deepseek-chat\n";
    expect(renamed(text, setting(text, "deepseek/deepseek-chat", "weak_model_name"))).toBe(
      "weak_model_name: deepseek/deepseek-flash\n",
    );
  });

  test("are reported only where the host is not known, or the key names no model", () => {
    const text = "title: deepseek-chat\n";
    const unknown: HostVerdict = { host: "unknown", certainty: "unknown", evidence: "" };
    const checked = (facts: Facts) => [...retiredModelAlias.check(facts, "current", "v3.0")];
    expect(checked(setting(text, "deepseek-chat", "model", unknown))).toMatchObject([{ severity: "warning" }]);
    expect(checked(setting(text, "deepseek-chat", "model", unknown))[0]!.fix).toBeUndefined();
    expect(checked(setting(text, "deepseek-chat", "title"))).toMatchObject([{ severity: "warning" }]);
    expect(checked(setting(text, "deepseek-chat", "title"))[0]!.fix).toBeUndefined();
    // mapped by the Anthropic endpoint, and another rule's
    expect(checked(setting(text, "deepseek-chat", "ANTHROPIC_MODEL"))).toEqual([]);
    expect(
      [...retiredModelAlias.check(setting(text, "deepseek-chat", "model"), "v3.1", "v3.0")][0]!.fix,
    ).toBeUndefined();
  });
});

describe("endpoints that have rules of their own", () => {
  test.each([
    [
      "a completion with a suffix",
      `${client("https://api.deepseek.com/beta")}await client.completions.create({ model: "deepseek-chat", prompt, suffix });\n`,
    ],
    [
      "one that is sent by fetch",
      'await fetch("https://api.deepseek.com/beta/completions", { method: "POST", body: JSON.stringify({ model: "deepseek-coder", prompt, suffix }) });\n',
    ],
    [
      "the Anthropic endpoint, which maps the name instead of refusing it",
      'import Anthropic from "@anthropic-ai/sdk";\nconst client = new Anthropic({ baseURL: "https://api.deepseek.com/anthropic" });\nawait client.messages.create({ model: "deepseek-chat", max_tokens: 100, messages });\n',
    ],
  ])("%s gets no mapping of chats", async (_, code) => {
    expect(await found(retiredModelAlias, code)).toEqual([]);
    expect(await fixed(retiredModelAlias, code, "suggested")).toBe(code);
  });

  test("a name that a chat uses as well is not renamed for it alone", async () => {
    const code = `const model = "deepseek-chat";\n${client()}${ask("model, messages")}await client.completions.create({ model, prompt, suffix });\n`;
    expect(await fixed(retiredModelAlias, code, "suggested")).toBe(code);
  });
});

test("a row of a table of providers speaks of the host whose URL stands in it", async () => {
  const code = `export const providers = {
  own: { baseURL: "https://api.deepseek.com", defaultModel: "deepseek-chat", models: ["deepseek-reasoner"] },
  router: { baseURL: "https://openrouter.ai/api/v1", defaultModel: "deepseek/deepseek-chat" },
  mine: { baseURL: process.env.URL, defaultModel: "deepseek-chat" },
};
`;
  const all = [...(await found(retiredModelAlias, code)), ...(await found(ambiguousHostId, code))];
  expect(all.map(({ line, host, severity }) => [line, host?.host, host?.certainty, severity])).toEqual([
    [2, "official", "possible", "error"],
    [2, "official", "possible", "warning"],
    [4, "unknown", "unknown", "warning"],
  ]);
});

test("a table that leads from the old names to today's is the migration itself", async () => {
  const table = 'const now = { "deepseek-chat": "deepseek-flash", "deepseek-reasoner": "deepseek-v4-pro" };\n';
  expect(await found(retiredModelAlias, key + table)).toEqual([]);
  expect(await found(retiredModelAlias, `${key}const names = { "deepseek-chat": "DeepSeek Chat" };\n`)).toHaveLength(1);
});
