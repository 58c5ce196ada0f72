import { describe, expect, test } from "@jest/globals";
import { assumptionsOf, costOf } from "../../../src/compat/proof/cost.js";
import { priceOf, prices } from "../../../src/compat/proof/prices.js";
import { onlyRequest } from "../memory.js";

const request = (fields: string, url = "https://api.deepseek.com") =>
  onlyRequest({
    "a.ts": `const c = new OpenAI({ baseURL: "${url}" });\nc.chat.completions.create({ messages, ${fields} });`,
  });

describe("the price tables", () => {
  test.each<[model: string, day: string, low: number[], high: number[]]>([
    ["deepseek-chat", "2025-01-05", [0.014, 0.14, 0.28], [0.014, 0.14, 0.28]],
    ["deepseek-chat", "2025-03-01", [0.035, 0.135, 0.55], [0.07, 0.27, 1.1]],
    ["deepseek-reasoner", "2025-03-01", [0.035, 0.1375, 0.5475], [0.14, 0.55, 2.19]],
    ["deepseek-reasoner", "2025-09-10", [0.07, 0.56, 1.68], [0.07, 0.56, 1.68]],
    ["deepseek-flash", "2026-09-10", [0.003, 0.15, 0.6], [0.006, 0.3, 1.2]],
    ["deepseek-v4-pro", "2026-10-01", [0.022, 0.66, 1.98], [0.044, 1.32, 3.96]],
  ])("%s on %s", (model, day, low, high) => {
    const price = priceOf(model, day)!;
    const figures = ({ hit, miss, output }: typeof price.low) => [hit, miss, output];
    expect([figures(price.low), figures(price.high)]).toEqual([low, high]);
  });

  test("unknown stays unknown: no such model, not yet, no longer", () => {
    expect(priceOf("deepseek-pro", "2026-10-01")).toBeUndefined();
    expect(priceOf("deepseek-reasoner", "2025-01-01")).toBeUndefined();
    expect(priceOf("deepseek-chat", "2026-08-01")).toBeUndefined();
  });

  test("every row names its source, and rows of a model are in order", () => {
    for (const model of new Set(prices.map((one) => one.model))) {
      const days = prices.filter((one) => one.model === model).map(({ from }) => from);
      expect(days).toEqual([...new Set(days)].sort());
    }
    for (const { source, from } of prices)
      expect([URL.canParse(source), /^\d{4}-\d\d-\d\d$/.test(from)]).toEqual([true, true]);
  });
});

describe("costs of a call site", () => {
  test("a month before, at V3.1 and now", () => {
    const cost = costOf(request('model: "deepseek-chat"'), {
      tokensPerMonth: { input: 100e6, output: 10e6 },
      cachedShare: 0.5,
    })!;
    expect(cost.at.map(({ model, month }) => [model, month?.low.toFixed(2), month?.high.toFixed(2)])).toEqual([
      ["deepseek-chat", "28.00", "28.00"],
      ["deepseek-chat", "48.30", "48.30"],
      ["deepseek-flash", "13.65", "27.30"],
    ]);
    expect(cost.at[2]!.notes.join()).toContain("a rename alone turns it on");
  });

  test("reasoning multiplies output only where a person says by how much", () => {
    const options = { tokensPerMonth: { input: 0, output: 1e6 } };
    const plain = costOf(request('model: "deepseek-flash"'), options)!;
    expect([plain.at[2]!.month, plain.at[2]!.notes]).toEqual([
      { low: 0.6, high: 1.2 },
      [expect.stringContaining("--reasoning-factor")],
    ]);
    const given = costOf(request('model: "deepseek-flash"'), { ...options, reasoningFactor: [2, 4] })!;
    expect(given.at[2]!.month).toEqual({ low: 1.2, high: 4.8 });
    const off = costOf(request('model: "deepseek-flash", thinking: { type: "disabled" }'), {
      ...options,
      reasoningFactor: [2, 4],
    })!;
    expect([off.at[0]!.model, off.at[2]!.month]).toEqual(["deepseek-chat", { low: 0.6, high: 1.2 }]);
  });

  test("max_tokens bounds an answer; with R1 the reasoning came on top", () => {
    const { at } = costOf(request('model: "deepseek-reasoner", max_tokens: 4096'))!;
    expect(at.map(({ answer }) => answer?.high)).toEqual([
      (2.19 * (4096 + 32_768)) / 1e6,
      (1.68 * 4096) / 1e6,
      (1.2 * 4096) / 1e6,
    ]);
  });

  test("another host has no price here, nor has a model that is not known", () => {
    expect(costOf(request('model: "deepseek/deepseek-chat"', "https://openrouter.ai/api/v1"))).toBeUndefined();
    expect(costOf(request("model"))).toBeUndefined();
    const strange = costOf(request('model: "deepseek-v9"'))!;
    expect([strange.at[2]!.price, strange.sentence]).toEqual([
      undefined,
      expect.stringContaining("deepseek-v9 on 2026-09-10: not known"),
    ]);
  });

  test("assumptions are said", () => {
    expect(assumptionsOf({}).join("\n")).toContain("nothing assumed of how many tokens reasoning takes");
    expect(assumptionsOf({ reasoningFactor: [1.5, 2] }).join("\n")).toContain("1.5 to 2 (your assumption)");
  });
});
