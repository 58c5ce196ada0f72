import { describe, expect, test } from "@jest/globals";
import { servingFlags as rule } from "../../../src/compat/rules/serving-flags.js";
import { findingsOf, fixedBy, problemsIn, settingsFile } from "./check.js";

const spawn = (...words: string[]) => `spawn("vllm", ${JSON.stringify(["serve", ...words])});\n`;

describe("serving-flags", () => {
  test.each([
    [["deepseek-ai/DeepSeek-V3.1", "--tool-call-parser", "deepseek_v3"], "deepseek_v31"],
    [["--model=/models/DeepSeek-V3.1-Terminus", "--tool-call-parser=deepseek_v3"], "--tool-call-parser=deepseek_v31"],
    [["deepseek-ai/DeepSeek-V3.1", "--tool-call-parser", "deepseekv3"], "deepseekv31"],
    [["deepseek-ai/DeepSeek-V3.1", "--reasoning-parser", "deepseek_r1"], '"deepseek_v3"'],
    [["deepseek-ai/DeepSeek-V3.1", "--reasoning-parser", "deepseek-r1"], '"deepseek-v3"'],
    [["unsloth/DeepSeek-V3.1-GGUF", "--reasoning-parser", "deepseek-r1"], '"deepseek-v3"'],
  ])("renames the parser beside a V3.1 model: %j", async (words, expected) => {
    const after = await fixedBy(rule, "v3.1", spawn(...words));
    expect(after).toContain(expected);
    expect(await fixedBy(rule, "v3.1", after)).toBe(after);
  });

  test("a command line in a string is mended in place", async () => {
    const text = `execSync('vllm serve deepseek-ai/DeepSeek-V3.1 --enable-auto-tool-choice --tool-call-parser deepseek_v3 --port 8000');\n`;
    expect(await fixedBy(rule, "v3.1", text)).toBe(text.replace("deepseek_v3 ", "deepseek_v31 "));
  });

  test("settings side by side, as in vLLM's configuration file", () => {
    const file = settingsFile("vllm.yaml", [
      ["model", "deepseek-ai/DeepSeek-V3.1"],
      ["tool-call-parser", "deepseek_v3"],
    ]);
    const [problem, ...others] = problemsIn(rule, "v3.1", [file]);
    expect(others).toEqual([]);
    expect(problem!.fix).toMatchObject({ applicability: "safe", edits: [{ text: "deepseek_v31" }] });
    const { start, end } = problem!.fix!.edits[0]!;
    expect(file.text.slice(start, end)).toBe("deepseek_v3");
  });

  test("a parser below the entry that names the model, as in Helm values", () => {
    const file = settingsFile("values.yaml", [
      ["modelSpec.0.modelURL", "deepseek-ai/DeepSeek-V3.1"],
      ["modelSpec.0.vllmConfig.toolCallParser", "deepseek_v3"],
      ["modelSpec.1.modelURL", "Qwen/Qwen3-8B"],
      ["modelSpec.1.vllmConfig.toolCallParser", "hermes"],
    ]);
    expect(problemsIn(rule, "v3.1", [file]).map(({ fix }) => fix?.edits.map(({ text }) => text))).toEqual([
      ["deepseek_v31"],
    ]);
  });

  test.each([
    [
      "a V3 model keeps its parser until it is replaced",
      spawn("deepseek-ai/DeepSeek-V3", "--tool-call-parser", "deepseek_v3"),
    ],
    [
      "an unknown model",
      'spawn("vllm", ["serve", model, "--tool-call-parser", "deepseek_v3"]);\nconst x = "deepseek";\n',
    ],
  ])("%s: said, not fixed", async (_, text) => {
    const findings = await findingsOf(rule, "v3.1", text);
    expect(findings.map(({ severity, fix }) => [severity, fix])).toEqual([["info", undefined]]);
    expect(await findingsOf(rule, "v3.1", text, "v3.1")).toEqual([]);
  });

  test("V3.1's parser with V3 weights finds nothing either", async () => {
    const [finding] = await findingsOf(
      rule,
      "v3.1",
      spawn("deepseek-ai/DeepSeek-V3-0324", "--tool-call-parser", "deepseek_v31"),
    );
    expect(finding).toMatchObject({ severity: "error" });
    expect(finding!.fix).toBeUndefined();
  });

  test("the template is a file that has to be there: a suggestion", async () => {
    const text = spawn("deepseek-ai/DeepSeek-V3.1", "--chat-template", "examples/tool_chat_template_deepseekv3.jinja");
    expect(await fixedBy(rule, "v3.1", text)).toBe(text);
    expect(await fixedBy(rule, "v3.1", text, "suggested")).toContain("tool_chat_template_deepseekv31.jinja");
  });

  test.each([
    [
      "already right",
      spawn("deepseek-ai/DeepSeek-V3.1", "--tool-call-parser", "deepseek_v31", "--reasoning-parser", "deepseek_v3"),
    ],
    ["R1 with its own parser", spawn("deepseek-ai/DeepSeek-R1", "--reasoning-parser", "deepseek_r1")],
    ["a distilled model", spawn("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "--reasoning-parser", "deepseek_r1")],
    ["another maker's model", spawn("Qwen/Qwen3-8B", "--reasoning-parser", "deepseek_r1", "--tag", "not-deepseek")],
    ["another parser", spawn("deepseek-ai/DeepSeek-V3.1", "--tool-call-parser", "hermes")],
    [
      "a choice of parsers",
      'const parsers = ["deepseek_v3", "deepseek_r1"];\nconst model = "deepseek-ai/DeepSeek-V3.1";\n',
    ],
  ])("leaves alone: %s", async (_, text) => {
    expect(await findingsOf(rule, "v3.1", text)).toEqual([]);
  });

  test("says nothing to users of the official API", async () => {
    expect(
      await findingsOf(rule, "current", spawn("deepseek-ai/DeepSeek-V3.1", "--tool-call-parser", "deepseek_v3")),
    ).toEqual([]);
  });
});
