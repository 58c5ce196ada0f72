import { describe, expect, test } from "@jest/globals";
import { promptFormat as rule } from "../../../src/compat/rules/prompt-format.js";
import { findingsOf, fixedBy } from "./check.js";

const [user, assistant, end] = [
  "<\uFF5CUser\uFF5C>",
  "<\uFF5CAssistant\uFF5C>",
  "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
];
const head = 'const model = "deepseek-ai/DeepSeek-V3.1";\n';

describe("prompt-format", () => {
  test("stored turns and the turn to answer both get their token", async () => {
    const text = `${head}const p = \`${user}\${a}${assistant}\${b}${end}${user}\${c}${assistant}\`;\n`;
    expect(await fixedBy(rule, "v3.1", text, "suggested")).toBe(text.replaceAll(assistant, `${assistant}</think>`));
    expect(await fixedBy(rule, "v3.1", text)).toBe(text);
  });

  test("a token written with escapes is reported without a fix", async () => {
    const [finding, ...others] = await findingsOf(rule, "v3.1", `${head}const p = q + "<\\uff5cAssistant\\uff5c>";\n`);
    expect(others).toEqual([]);
    expect(finding!.fix).toBeUndefined();
  });

  test("a prompt of R1 needs a person", async () => {
    const [finding] = await findingsOf(
      rule,
      "v3.1",
      `const m = "deepseek-ai/DeepSeek-R1";\nconst p = \`${user}\${q}${assistant}\`;\n`,
    );
    expect(finding!.fix).toBeUndefined();
    expect(finding!.manual).toContain("<think>");
  });

  test("look-alikes in ASCII are a finding of their own, also in a half-right token", async () => {
    const text = `${head}const p = "<|begin\u2581of\u2581sentence|>" + system + "<|User|>" + q;\n`;
    const after = await fixedBy(rule, "v3.1", text, "suggested");
    expect(after).toBe(`${head}const p = "<\uFF5Cbegin\u2581of\u2581sentence\uFF5C>" + system + "${user}" + q;\n`);
    expect((await findingsOf(rule, "v3.1", text)).every(({ severity }) => severity === "warning")).toBe(true);
  });

  test.each([
    ["the mode is there", `const p = \`${user}\${q}${assistant}<think>\n\`;`],
    ["the mode is chosen by code", `const p = \`${user}\${q}${assistant}\${deep ? "<think>" : "</think>"}\`;`],
    ["the mode is added by code", `const p = q + "${assistant}" + (deep ? "<think>" : "</think>");`],
    ["a list of stop tokens", `const options = { stop: ["${user}", "${assistant}"] };`],
    ["a named token", `const ASSISTANT_TOKEN = "${assistant}";`],
    ["text that is taken apart", `const answer = text.split("${assistant}")[1];`],
    ["a test", `if (text.endsWith("${assistant}")) run();`],
    ["a pattern", `const last = /${assistant}(.*)$/s.exec(text);`],
    ["a chat template of some weights", `const t = "{% if add %}{{ '${assistant}' }}{% endif %}";`],
    ["another model's tokens", 'const p = "<|user|>" + q + "<|assistant|>";'],
    ["Kimi's tokens", 'const p = "<|tool_call_begin|>" + q + "<|tool_call_end|>";'],
    ["Llama's tokens", 'const p = "<|begin_of_text|><|start_header_id|>user";'],
  ])("leaves alone: %s", async (_, code) => {
    expect(await findingsOf(rule, "v3.1", `${head}${code}\n`)).toEqual([]);
  });
});
