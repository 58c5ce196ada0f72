import { describe, expect, test } from "@jest/globals";
import { toolCallWireFormat as rule } from "../../../src/compat/rules/tool-call-wire-format.js";
import { findingsOf } from "./check.js";

const [begin, sep, end] = [
  "<\uFF5Ctool\u2581call\u2581begin\uFF5C>",
  "<\uFF5Ctool\u2581sep\uFF5C>",
  "<\uFF5Ctool\u2581call\u2581end\uFF5C>",
];

describe("tool-call-wire-format", () => {
  test.each([
    ["a pattern", `const p = /${begin}(.*?)${sep}(.*?)\\n\`\`\`json\\n([\\s\\S]*?)\\n\`\`\`${end}/;`],
    ["a message written back", `const t = \`${begin}function${sep}\${name}\`;`],
    ["outputs in their wrapper", `const t = "<\uFF5Ctool\u2581outputs\u2581begin\uFF5C>" + out;`],
    ["fences taken apart", `const [name, args] = text.split("${begin}")[1].split("\`\`\`json");`],
  ])("finds %s and shows both patterns, with no fix", async (_, code) => {
    const findings = await findingsOf(rule, "v3.1", `// deepseek\n${code}`);
    expect(findings).toHaveLength(1);
    expect(findings[0]!.fix).toBeUndefined();
    expect(findings[0]!.manual).toContain("(?<args>");
  });

  test.each([
    ["the pattern of V3.1", `const p = /${begin}(.*?)${sep}([\\s\\S]*?)${end}/;`],
    [
      "both patterns",
      `const a = /${begin}(.*?)${sep}(.*?)\\n\`\`\`json\\n([\\s\\S]*?)\\n\`\`\`${end}/;\nconst b = /${begin}(.*?)${sep}([\\s\\S]*?)${end}/;`,
    ],
    ["JSON fences of answers", 'const m = "deepseek-ai/DeepSeek-V3.1";\nconst json = answer.split("```json")[1];'],
    ["one output on its own", 'const t = "<\uFF5Ctool\u2581output\u2581begin\uFF5C>" + out;'],
  ])("leaves alone: %s", async (_, code) => {
    expect(await findingsOf(rule, "v3.1", `// deepseek\n${code}`)).toEqual([]);
  });
});
