import { describe, expect, test } from "@jest/globals";
import { emptyFacts } from "../../../src/compat/facts.js";
import { applyEdits } from "../../../src/compat/fix/fix.js";
import { implicitDefaultModel as rule } from "../../../src/compat/rules/implicit-default-model.js";
import { findingsOf, fixedBy, problemsIn, settingsFile } from "./check.js";

const llama = 'import { DeepSeekLLM, deepseek } from "@llamaindex/deepseek";\n';
const memory = 'import { Memory } from "mem0ai/oss";\n';

describe("implicit-default-model", () => {
  test.each([
    [`${llama}const llm = new DeepSeekLLM();\n`, `${llama}const llm = new DeepSeekLLM({ model: "deepseek-flash" });\n`],
    [`${llama}const llm = deepseek({});\n`, `${llama}const llm = deepseek({ model: "deepseek-flash" });\n`],
    [
      `${memory}const m = new Memory({ llm: { provider: "deepseek" } });\n`,
      `${memory}const m = new Memory({ llm: { provider: "deepseek", config: { model: "deepseek-flash" } } });\n`,
    ],
  ])("names the model as a suggestion: %#", async (before, after) => {
    expect(await fixedBy(rule, "current", before)).toBe(before);
    expect(await fixedBy(rule, "current", before, "suggested")).toBe(after);
  });

  test("a move to V3.1 means another host, so nothing is written", async () => {
    const [finding] = await findingsOf(rule, "v3.1", `${llama}const llm = new DeepSeekLLM();\n`);
    expect(finding).toMatchObject({ severity: "info" });
    expect(finding!.fix).toBeUndefined();
  });

  test("Continue's configuration, in its own files only", () => {
    const lines = [
      ["models.0.title", "DeepSeek"],
      ["models.0.provider", "deepseek"],
    ] as const;
    expect(problemsIn(rule, "current", [settingsFile("home/.continue/config.json", lines)])).toHaveLength(1);
    expect(problemsIn(rule, "current", [settingsFile("deploy/providers.yaml", lines)])).toEqual([]);
    const named = [...lines, ["models.0.model", "deepseek-coder"]] as const;
    expect(problemsIn(rule, "current", [settingsFile(".continue/config.json", named)])).toEqual([]);
  });

  test.each([
    [
      ".continue/config.yaml",
      "models:\n  - provider: deepseek\n    name: DS\n",
      "models:\n  - provider: deepseek\n    model: deepseek-flash\n    name: DS\n",
    ],
    [
      ".continue/config.json",
      '{ "models": [{ "provider": "deepseek", "title": "DS" }] }',
      '{ "models": [{ "provider": "deepseek", "model": "deepseek-flash", "title": "DS" }] }',
    ],
    [".continue/config.yaml", "models: [{ provider: deepseek }]\n", undefined],
  ])("the model beside Continue's provider in %s", (file, text, after) => {
    const at = (word: string) => ({ file, start: text.indexOf(word), end: text.indexOf(word) + word.length });
    const path = ["models", "0", "provider"];
    const setting = { name: "provider", path, value: "deepseek", place: at("deepseek"), namePlace: at("provider") };
    const facts = {
      ...emptyFacts(file, "yaml", text),
      settings: [{ ...setting, isEnvironment: false, isSecret: false }],
    };
    const [problem] = problemsIn(rule, "current", [facts]);
    expect(problem!.fix && applyEdits(text, problem!.fix.edits)).toBe(after);
  });

  test.each([
    ["a model is named", `${llama}const llm = new DeepSeekLLM({ model: "deepseek-flash" });`],
    ["options from elsewhere", `${llama}const llm = new DeepSeekLLM(options);`],
    ["a spread may name one", `${llama}const llm = new DeepSeekLLM({ ...options, apiKey });`],
    [
      "a class that demands a model",
      'import { ChatDeepSeek } from "@langchain/deepseek";\nconst llm = new ChatDeepSeek({ apiKey });',
    ],
    ["a class of one's own", "class DeepSeekLLM {}\nconst llm = new DeepSeekLLM();"],
    ["another provider", `${memory}const m = new Memory({ llm: { provider: "openai", config: {} } }); // deepseek`],
    [
      "a model in mem0's config",
      `${memory}const m = new Memory({ llm: { provider: "deepseek", config: { model: "deepseek-flash" } } });`,
    ],
    [
      "mem0's config from elsewhere",
      `${memory}const m = new Memory({ llm: { provider: "deepseek", config: settings.llm } });`,
    ],
    ["only the type", `${llama}let llm: DeepSeekLLM;`],
  ])("leaves alone: %s", async (_, code) => {
    expect(await findingsOf(rule, "current", code)).toEqual([]);
  });
});
