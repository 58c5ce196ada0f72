import { describe, expect, test } from "@jest/globals";
import { generationOf, hostModels, successorOf } from "../../src/compat/host-models.js";

describe("the generation of weights", () => {
  test.each([
    ["deepseek-ai/DeepSeek-V3", "v3"],
    ["deepseek-ai/DeepSeek-V3-Base", "v3"],
    ["deepseek-ai/DeepSeek-V3-0324", "v3-0324"],
    ["deepseek/deepseek-chat-v3-0324:free", "v3-0324"],
    ["deepseek-ai/DeepSeek-V3.1-Terminus", "v3.1"],
    ["/models/deepseek-v31-awq", "v3.1"],
    ["accounts/fireworks/models/deepseek-v3p1", "v3.1"],
    ["deepseek-v3.1:671b-cloud", "v3.1"],
    ["deepseek-v3-1-250821", "v3.1"],
    ["us.deepseek.v3-v1:0", "v3.1"],
    ["us.deepseek.r1-v1:0", "r1"],
    ["deepseek-ai/DeepSeek-V3.2-Exp", "v3.2"],
    ["deepseek-v4-flash", "v4"],
    ["deepseek-ai/DeepSeek-R1-0528", "r1"],
    ["deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", undefined],
    ["deepseek-chat", undefined],
    ["gpt-4-v3.1", undefined],
  ])("%s: %s", (id, generation) => {
    expect(generationOf(id)).toBe(generation);
  });
});

test("the table: unique ids that name their generation, and successors of the same host", () => {
  for (const { host, models } of hostModels) {
    expect(new Set(models.map(({ id }) => id)).size).toBe(models.length);
    for (const model of models) {
      if (model.ending) expect(model.ending.date).toMatch(/^20\d\d(-\d\d)?(-\d\d)?$/);
      const next = successorOf(host, model);
      if (next) expect(models).toContain(next);
    }
  }
});
