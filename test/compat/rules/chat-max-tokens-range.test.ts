import { describe, expect, test } from "@jest/globals";
import { chatMaxTokensRange as rule } from "../../../src/compat/rules/chat-max-tokens-range.js";
import { ask, client, fixed, found } from "./found.js";

const chat = (limit: string, model = "deepseek-chat") =>
  client() + ask(`model: "${model}", messages, max_tokens: ${limit}`);

describe("chat-max-tokens-range", () => {
  test.each([
    ["8192 is the most of chat in V3.1", chat("8192"), 0, 0],
    ["more is refused there, and taken today", chat("8193"), 1, 0],
    ["the reasoner of V3.1 takes 65536", chat("64_000", "deepseek-reasoner"), 0, 0],
    ["and no more", chat("100_000", "deepseek-reasoner"), 1, 0],
    ["today 393216 is the most", chat("393_216", "deepseek-flash"), 0, 0],
    ["and no more today", chat("400_000", "deepseek-flash"), 0, 1],
    ["nothing is never taken", chat("0"), 1, 1],
    [
      "a choice between models is left alone for V3.1",
      client() + ask('model: fast ? "deepseek-chat" : "deepseek-reasoner", messages, max_tokens: 16000'),
      0,
      0,
    ],
    [
      "completions of a prompt take 4096",
      `${client("https://api.deepseek.com/beta")}client.completions.create({ model: "deepseek-chat", prompt, suffix, max_tokens: 8000 });\n`,
      1,
      1,
    ],
    [
      "another host has its own range",
      client("https://api.together.xyz/v1") + ask('model: "deepseek-ai/DeepSeek-V3", messages, max_tokens: 500_000'),
      0,
      0,
    ],
    ["a limit that is not known", chat("limit"), 0, 0],
    [
      "a limit under a condition",
      client() + ask('model: "deepseek-chat", messages, ...(long && { max_tokens: 16000 })'),
      0,
      0,
    ],
  ])("%s", async (_, code, old, now) => {
    expect(await found(rule, code, "v3.1")).toHaveLength(old);
    expect(await found(rule, code, "current")).toHaveLength(now);
  });

  test("clamping is a suggestion for V3.1, and raising none at all", async () => {
    expect(await fixed(rule, chat("16 * 1024"), "suggested", "v3.1")).toBe(chat("8 * 1024"));
    expect(await fixed(rule, chat("16384"), "safe", "v3.1")).toBe(chat("16384"));
    expect(await fixed(rule, chat("0"), "suggested", "v3.1")).toBe(chat("0"));
  });

  test("a limit that may be another is a warning", async () => {
    const code = `const limit = Number(process.env.LIMIT) || 16000;\n${chat("limit")}`;
    for (const { severity } of await found(rule, code, "v3.1")) expect(severity).toBe("warning");
  });

  test("clamps of the old size are no longer needed today", async () => {
    const clamp = `${client()}${ask('model: "deepseek-flash", messages, max_tokens: Math.min(settings.maxTokens, 8192)')}`;
    expect(await found(rule, clamp)).toMatchObject([{ severity: "info" }]);
    expect(await found(rule, clamp, "v3.1")).toEqual([]);
    // sizes of other things, and other providers' limits
    expect(await found(rule, `${client()}const size = Math.min(bytes, 8192);\n`)).toEqual([]);
    expect(
      await found(rule, `// deepseek\n${client("https://api.openai.com/v1")}const n = Math.min(maxTokens, 8192);\n`),
    ).toEqual([]);
  });

  test("the words of the old refusal", async () => {
    const code = 'if (error.message.includes("valid range of max_tokens is [1, 8192]")) retry(); // deepseek\n';
    expect(await found(rule, code)).toMatchObject([{ severity: "info" }]);
    expect(await found(rule, code, "v3.1")).toEqual([]);
  });
});
