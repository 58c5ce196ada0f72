import { describe, expect, test } from "@jest/globals";
import { priceTable } from "../../../src/compat/rules/price-table.js";
import { check } from "../check.js";

const table = (owner: string, body: string) => `export const models = { "${owner}": { ${body} } };\n`;

describe("a table of prices", () => {
  test.each([
    [
      "V3.0's",
      table("deepseek-chat", "inputPrice: 0.27, outputPrice: 1.1, cacheReadsPrice: 0.07, cacheWritesPrice: 0.27"),
      "2025-02-08",
    ],
    ["V3.0's before February", table("deepseek-chat", "cacheHit: 0.014, input: 0.14, output: 0.28"), "2024-12-26"],
    ["R1's", table("deepseek-reasoner", "input: 0.55, output: 2.19"), "2025-01-20"],
    ["V3.1's", table("deepseek-reasoner", "input: 0.56, output: 1.68"), "2025-09-05"],
    ["per token", table("deepseek-chat", "input_cost_per_token: 2.7e-7, output_cost_per_token: 1.1e-06"), "2025-02-08"],
    [
      "of litellm",
      table(
        "deepseek/deepseek-chat",
        'litellm_provider: "deepseek", input_cost_per_token: 2.7e-7, output_cost_per_token: 1.1e-6',
      ),
      "2025-02-08",
    ],
    ["as quotients", table("deepseek-chat", "input: 0.27 / 1_000_000, output: 1.1 / 1_000_000"), "2025-02-08"],
    ["in constants", "const DEEPSEEK_INPUT_PRICE = 0.27;\nconst DEEPSEEK_OUTPUT_PRICE = 1.1;\n", "2025-02-08"],
    ["of V4 Flash at its launch", table("deepseek-flash", "cacheHit: 0.0028, input: 0.14, output: 0.28"), "2026-04-24"],
  ])("%s is found once, with its date", async (_, text, date) => {
    for (const target of ["v3.1", "current"] as const) {
      const findings = await check(priceTable, text, target);
      expect(findings).toHaveLength(1);
      expect(findings[0]).toMatchObject({ severity: "warning", effect: "cost" });
      expect(findings[0]!.message).toContain(`those of ${date}`);
      expect(findings[0]!.fix).toBeUndefined();
    }
  });

  test("names today's price for today's API, and none for another host", async () => {
    const text = table("deepseek-chat", "input: 0.27, output: 1.1");
    expect((await check(priceTable, text))[0]!.message).toContain("deepseek-flash costs 0.003, 0.15, 0.6");
    expect((await check(priceTable, text, "v3.1"))[0]!.message).not.toContain("0.003");
  });

  test("each of two models is found by itself", async () => {
    const text = `export const p = { "deepseek-chat": { input: 0.27, output: 1.1 }, "deepseek-reasoner": { input: 0.55, output: 2.19 } };\n`;
    expect((await check(priceTable, text)).map(({ message }) => message.slice(0, 40))).toEqual([
      'the prices of "deepseek-chat" (input 0.2',
      'the prices of "deepseek-reasoner" (input',
    ]);
  });

  test("of V3.1 is right for code that was written for V3.1 and stays there", async () => {
    const text = table("deepseek-chat", "input: 0.56, output: 1.68");
    expect(await check(priceTable, text, "v3.1", "v3.1")).toEqual([]);
    expect(await check(priceTable, text, "current", "v3.1")).toHaveLength(1);
  });

  test.each([
    ["today's price", table("deepseek-flash", "cacheHit: 0.003, input: 0.15, output: 0.6")],
    ["today's price of the other model", table("deepseek-v4-pro", "input: 0.66, output: 1.98")],
    ["another host's copy", table("deepseek/deepseek-chat", "input: 0.27, output: 1.1")],
    [
      "another host's copy in litellm's table",
      table(
        "openrouter/deepseek/deepseek-chat",
        'litellm_provider: "openrouter", input_cost_per_token: 2.7e-7, output_cost_per_token: 1.1e-6',
      ),
    ],
    [
      "another provider's price for the same name",
      table("deepseek-v4-flash", 'provider: "opencode-go", cost: { input: 0.14, output: 0.28 }'),
    ],
    [
      "another address's price for the same name",
      table("deepseek-chat", 'baseUrl: "https://opencode.ai/zen/v1", input: 0.27, output: 1.1'),
    ],
    ["a distillation", table("deepseek-r1-distill-llama-70b", "input: 0.27, output: 1.1")],
    ["another model", `${table("gpt-4o-mini", "input: 0.14, output: 0.28")}// deepseek`],
    ["one number alone", table("deepseek-chat", "inputPrice: 0.27")],
    ["sampling parameters", table("deepseek-chat", "temperature: 0.27, top_p: 0.55, penalty: 1.1")],
    ["free models", table("deepseek-chat", "input: 0, output: 0")],
  ])("%s is no finding", async (_, text) => {
    expect(await check(priceTable, text)).toEqual([]);
  });
});

describe("off-peak hours", () => {
  const key = "const apiKey = process.env.DEEPSEEK_API_KEY;\n";
  test("of 2025 are found as times and as numbers", async () => {
    expect(await check(priceTable, `${key}const discount = { from: "16:30", to: "00:30" };\n`)).toHaveLength(1);
    expect(await check(priceTable, `${key}const OFF_PEAK_START = 16.5;\n`)).toHaveLength(1);
  });

  test.each([
    ["other times", `${key}const discount = { from: "17:00", to: "08:00" };`],
    ["a timetable without discounts", `${key}const lunch = { from: "16:30", to: "00:30" };`],
    ["a discount of something else", 'const deepseek = 1;\nconst discount = { from: "16:30", to: "00:30" };'],
  ])("%s are none", async (_, text) => {
    expect(await check(priceTable, `${text}\n`)).toEqual([]);
  });
});
