import { describe, expect, test } from "@jest/globals";
import { emptyFacts, type FileFacts } from "../../../src/compat/facts.js";
import { hardCodedKey } from "../../../src/compat/rules/hard-coded-key.js";
import { check } from "../check.js";

const body = ["3b0c8e51d92f", "47a6a1c07e4f58d29b63"].join("");
const key = `sk-${body}`;

/** What the rule says of facts that no reader made. */
const say = (file: FileFacts) => [...hardCodedKey.check({ files: [file] }, "current", "v3.0")];

describe("a key", () => {
  test.each([
    ["in a client's options", `const c = new OpenAI({ baseURL: "https://api.deepseek.com", apiKey: "${key}" });`],
    ["behind a default", `const k = process.env.DEEPSEEK_API_KEY || "${key}";`],
    ["in a header", `const deepseek = { Authorization: \`Bearer ${key}\` };`],
    ["in a comment", `// deepseek: old key was ${key}\nexport {};`],
    ["of a project", `const deepseek = "sk-proj-${body}_${body}";`],
  ])("%s is found where it stands, and nothing repeats it", async (_, text) => {
    for (const target of ["v3.1", "current"] as const) {
      const findings = await check(hardCodedKey, `${text}\n`, target);
      expect(findings).toHaveLength(1);
      const [finding] = findings;
      expect(finding).toMatchObject({ severity: "error", code: "R61" });
      expect(text.slice(finding!.place.start, finding!.place.end)).toMatch(/^sk-/);
      expect(JSON.stringify(finding)).not.toContain(body.slice(0, 4));
    }
  });

  test.each([
    "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "sk-your-deepseek-api-key-goes-here-1",
    "sk-...",
    "sk-1234567890abcdef1234567890abcdef",
    "sk-00000000000000000000000000000000",
    "sk-test-9f8e7d6c5b4a39281706",
    "sk-onlylettersandnodigitsatall",
    "sk-estimator-doc-link-1-container",
    "task-3b0c8e51d92f47a6a1c07e4f58d29b63",
    "sk-3b0c8e51",
    "sk-<YOUR_KEY_3b0c8e51d92f47a6>",
  ])("%s is none", async (text) => {
    expect(await check(hardCodedKey, `const deepseek = "${text}";\n`)).toEqual([]);
  });

  test.each([
    [".env", "info"],
    ["config/.env.production", "info"],
    [".env.example", undefined],
    ["README.md", undefined],
    ["src/env.ts", undefined],
  ])("in %s has the severity %s", (file, severity) => {
    const [problem, ...others] = say(emptyFacts(file, "env", `DEEPSEEK_API_KEY=${key}\n`));
    expect(others).toEqual([]);
    expect(problem!.severity).toBe(severity);
    expect(JSON.stringify(problem)).not.toContain(body.slice(0, 4));
  });
});

describe("a secret setting", () => {
  const setting = (name: string, value: string): FileFacts => {
    const text = `${name}: "${value}"\n`;
    const at = (start: number, end: number) => ({ file: "app.yaml", start, end });
    const place = at(name.length + 3, name.length + 3 + value.length);
    const namePlace = at(0, name.length);
    return {
      ...emptyFacts("app.yaml", "yaml", text),
      settings: [{ name, path: [name], value: "", place, namePlace, isEnvironment: false, isSecret: true }],
    };
  };

  test("of another form is found once by its name", () => {
    expect(say(setting("DEEPSEEK_API_KEY", body))).toHaveLength(1);
    expect(say(setting("DEEPSEEK_API_KEY", key))).toHaveLength(1);
  });

  test.each([
    ["DEEPSEEK_API_KEY", "$" + "{DEEPSEEK_API_KEY}"],
    ["DEEPSEEK_API_KEY", "your-deepseek-api-key-2025"],
    ["DEEPSEEK_API_KEY", ""],
    ["GITHUB_SHA", body],
  ])("%s %s is none", (name, value) => {
    expect(say(setting(name, value))).toEqual([]);
  });
});
