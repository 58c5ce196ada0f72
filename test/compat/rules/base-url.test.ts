import { describe, expect, test } from "@jest/globals";
import { baseUrl } from "../../../src/compat/rules/base-url.js";
import { check, fixed } from "../check.js";

describe("addresses", () => {
  test("that ended keep the rest of their path", async () => {
    const text =
      "export const BASE = 'https://api.deepseek.com/v3.1_terminus_expires_on_20251015/anthropic'; // deepseek\n";
    const [finding] = await check(baseUrl, text, "v3.1");
    expect(finding).toMatchObject({ severity: "error", message: expect.stringContaining("2025-10-15") });
    expect(await fixed(baseUrl, text, "suggested")).toBe(
      "export const BASE = 'https://api.deepseek.com/anthropic'; // deepseek\n",
    );
  });

  test("with a template's hole are rewritten at the path alone", async () => {
    const text = `const url = \`https://api.deepseek.com/v3.2_speciale_expires_on_20251215/\${path}\`;\n`;
    expect(await fixed(baseUrl, text, "suggested")).toBe(`const url = \`https://api.deepseek.com/\${path}\`;\n`);
  });

  test("in a sentence are told of and left", async () => {
    const text =
      'const help = "Use https://api.deepseek.com/v3.2_speciale_expires_on_20251215 until it ends"; // deepseek\n';
    const [finding] = await check(baseUrl, text);
    expect(finding).toMatchObject({ severity: "warning" });
    expect(finding!.fix).toBeUndefined();
  });

  test("/v1 is noted today, never changed", async () => {
    const text = 'const client = new OpenAI({ baseURL: "https://api.deepseek.com/v1" });\n';
    const [finding, ...others] = await check(baseUrl, text);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ severity: "info" });
    expect(finding!.fix).toBeUndefined();
    expect(await check(baseUrl, text, "v3.1")).toEqual([]);
  });

  test("one in JSON is told of once, in documentation too", async () => {
    const json = '{\n  "baseUrl": "https://api.deepseek.com/v1"\n}\n';
    expect(await check(baseUrl, { "llm.json": json })).toHaveLength(1);
    expect(await check(baseUrl, { "README.md": `\`\`\`json\n${json}\`\`\`\n` })).toHaveLength(1);
  });

  test("the documentation's old one is noted", async () => {
    const text = 'const link = "https://platform.deepseek.com/api-docs/pricing";\n';
    expect(await check(baseUrl, text)).toMatchObject([{ severity: "info" }]);
  });

  test.each([
    ["the documented base URL", 'const u = "https://api.deepseek.com";'],
    ["the beta's", 'const u = "https://api.deepseek.com/beta";'],
    ["another host's /v1", 'const u = "https://api.openai.com/v1"; // not deepseek'],
    ["a look-alike's /v1", 'const u = "https://api.deepseek.com.evil.example/v1";'],
    ["a test of the address", 'if (url === "https://api.deepseek.com/v1") warn();'],
    ["what a test expects", 'expect(url).toBe("https://api.deepseek.com/v1");'],
    ["the platform itself", 'const u = "https://platform.deepseek.com/api_keys";'],
    ["a pattern", "const old = /api\\.deepseek\\.com\\/v1/;"],
  ])("%s is no finding", async (_, text) => {
    expect(await check(baseUrl, `${text}\n`)).toEqual([]);
  });
});
