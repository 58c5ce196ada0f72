import { describe, expect, test } from "@jest/globals";
import { betaEndpoints } from "../../../src/compat/rules/beta-endpoints.js";
import { rules } from "../../../src/compat/rules/index.js";
import { retiredModelAlias } from "../../../src/compat/rules/retired-model-alias.js";
import { check } from "../check.js";

const client = (url: string) => `import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: ${url} });\n`;
const prefixed = 'messages: [{ role: "user", content: "x" }, { role: "assistant", content: "{", prefix: true }]';
const chat = `client.chat.completions.create({ model: "deepseek-flash", ${prefixed} });\n`;
const plain = '"https://api.deepseek.com"';
const beta = '"https://api.deepseek.com/beta"';

describe("a prefix", () => {
  test.each([
    ["the base URL", client(plain) + chat],
    ["/v1", client('"https://api.deepseek.com/v1"') + chat],
    [
      "fetch",
      `fetch("https://api.deepseek.com/chat/completions", { method: "POST", body: JSON.stringify({ model: "deepseek-chat", ${prefixed} }) });`,
    ],
  ])("is found with %s, for both targets", async (_, text) => {
    for (const target of ["v3.1", "current"] as const) {
      const findings = await check(betaEndpoints, text, target);
      expect(findings).toHaveLength(1);
      expect(findings[0]).toMatchObject({ code: "R16", severity: "error" });
      expect(findings[0]!.fix).toBeUndefined();
    }
  });

  test("built away from the call is found once", async () => {
    const text = `${client(plain)}const messages = load();\nmessages.push({ role: "assistant", content: "{", prefix: true });\nclient.chat.completions.create({ model: "deepseek-flash", messages });\n`;
    expect(await check(betaEndpoints, text)).toHaveLength(1);
  });

  test.each([
    ["at the beta endpoint", client(beta) + chat],
    ["at the beta endpoint with a slash", client('"https://api.deepseek.com/beta/"') + chat],
    ["where the environment names the URL", client(`process.env.DEEPSEEK_BASE_URL ?? ${plain}`) + chat],
    ["that is false", client(plain) + chat.replace("prefix: true", "prefix: false")],
    ["at another host", client('"https://api.mistral.ai/v1"') + chat],
    [
      "of something else in the same file",
      `${client(plain)}client.chat.completions.create({ model: "deepseek-flash", messages });\nconst options = { prefix: true, name: "x" };\n`,
    ],
  ])("%s is none", async (_, text) => {
    expect(await check(betaEndpoints, text)).toEqual([]);
  });
});

describe("completion in the middle", () => {
  const middle = (model: string) => `client.completions.create({ model: "${model}", prompt: "a", suffix: "b" });\n`;

  test("away from the beta endpoint is an error for both targets", async () => {
    for (const target of ["v3.1", "current"] as const) {
      expect(await check(betaEndpoints, client(plain) + middle("deepseek-v4-pro"), target)).toHaveLength(1);
    }
  });

  test("with a retired name is an error today only, with the reasoner always", async () => {
    expect(await check(betaEndpoints, client(beta) + middle("deepseek-chat"), "v3.1")).toEqual([]);
    expect(await check(betaEndpoints, client(beta) + middle("deepseek-chat"), "current")).toHaveLength(1);
    expect(await check(betaEndpoints, client(beta) + middle("deepseek-reasoner"), "v3.1")).toHaveLength(1);
  });

  test("is no matter for the rules about chats and thinking", async () => {
    const others = rules.filter(({ code }) => code !== "R16");
    for (const model of ["deepseek-chat", "deepseek-v4-pro"]) {
      expect((await Promise.all(others.map((rule) => check(rule, client(beta) + middle(model))))).flat()).toEqual([]);
    }
    // away from V3.1's own host the name is gone all the same
    expect(await check(retiredModelAlias, client(beta) + middle("deepseek-chat"), "v3.1")).toHaveLength(1);
  });

  test("with a shared constant is not rewritten", async () => {
    const text = `${client(beta)}const MODEL = "deepseek-chat";\nclient.completions.create({ model: MODEL, prompt: "a", suffix: "b" });\n`;
    const [finding] = await check(betaEndpoints, text);
    expect(finding!.fix).toBeUndefined();
    expect(finding!.manual).toContain("away from the call");
  });

  test("by fetch is told from a chat", async () => {
    const post = (path: string, body: string) =>
      `fetch("https://api.deepseek.com${path}", { method: "POST", body: JSON.stringify({ model: "deepseek-v4-pro", ${body} }) });`;
    expect(await check(betaEndpoints, post("/completions", 'prompt: "a", suffix: "b"'))).toHaveLength(1);
    expect(await check(betaEndpoints, post("/beta/completions", 'prompt: "a", suffix: "b"'))).toEqual([]);
    expect(await check(betaEndpoints, post("/chat/completions", "messages"))).toEqual([]);
  });

  test.each([
    ["beta/completions", "https://api.deepseek.com/", 0],
    ["/beta/completions", "https://api.deepseek.com/v1", 0],
    ["completions", "https://api.deepseek.com/beta/", 0],
    ["completions", "https://api.deepseek.com/beta", 1],
  ])("at %s of %s, as new URL() reads it", async (path, base, count) => {
    const text = `fetch(new URL("${path}", "${base}"), { body: JSON.stringify({ model: "deepseek-v4-pro", prompt, suffix }) });`;
    expect(await check(betaEndpoints, text)).toHaveLength(count);
  });

  test("in a class that joins the path itself is told of its default model", async () => {
    const text = `class DeepSeek {
  static defaultOptions = { apiBase: "https://api.deepseek.com/", model: "deepseek-coder" };
  endpoint() { return new URL("beta/completions", this.apiBase); }
}
`;
    expect(await check(betaEndpoints, text)).toMatchObject([{ severity: "warning", line: 3 }]);
    expect(await check(betaEndpoints, text.replace("deepseek-coder", "deepseek-v4-pro"))).toEqual([]);
  });

  test("at another host is none", async () => {
    expect(await check(betaEndpoints, client('"https://api.openai.com/v1"') + middle("deepseek-chat"))).toEqual([]);
  });
});
