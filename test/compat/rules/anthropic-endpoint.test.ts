import { describe, expect, test } from "@jest/globals";
import { emptyFacts, type FileFacts, type Setting } from "../../../src/compat/facts.js";
import { applyEdits } from "../../../src/compat/fix/fix.js";
import { anthropicEndpoint } from "../../../src/compat/rules/anthropic-endpoint.js";
import { retiredModelAlias } from "../../../src/compat/rules/retired-model-alias.js";
import { check, fixed } from "../check.js";

const client = (url = '"https://api.deepseek.com/anthropic"') =>
  `import Anthropic from "@anthropic-ai/sdk";\nconst client = new Anthropic({ baseURL: ${url} });\n`;
const ask = (body: string, model = "deepseek-flash") =>
  `client.messages.create({ model: "${model}", max_tokens: 9, ${body} });\n`;

describe("requests of Anthropic's SDK", () => {
  test("with a retired name are mapped, and no other rule says refused", async () => {
    const text = client() + ask("messages", "deepseek-chat");
    expect(await check(anthropicEndpoint, text)).toMatchObject([{ severity: "warning" }]);
    expect(await fixed(anthropicEndpoint, text, "safe")).toBe(text);
    expect(await fixed(anthropicEndpoint, text, "suggested")).toContain('"deepseek-flash"');
    expect(await check(retiredModelAlias, text)).toEqual([]);
    expect(await check(anthropicEndpoint, text, "v3.1")).toEqual([]);
  });

  test("that share their name with a chat client leave it alone", async () => {
    const text = `${client()}import OpenAI from "openai";
const MODEL = "deepseek-chat";
const other = new OpenAI({ baseURL: "https://api.deepseek.com" });
other.chat.completions.create({ model: MODEL, messages });
client.messages.create({ model: MODEL, max_tokens: 9, messages });
`;
    for (const rule of [anthropicEndpoint, retiredModelAlias]) {
      const findings = await check(rule, text);
      expect(findings).toHaveLength(1);
      expect(findings[0]!.fix).toBeUndefined();
    }
  });

  test("with one of Claude's names say who answers", async () => {
    const [finding] = await check(anthropicEndpoint, client() + ask("messages", "claude-opus-4-1"));
    expect(finding).toMatchObject({ severity: "info", message: expect.stringContaining("deepseek-v4-pro") });
  });

  test("without /anthropic reach nobody, for both targets", async () => {
    for (const target of ["v3.1", "current"] as const) {
      const text = client('"https://api.deepseek.com/v1"') + ask("messages");
      expect(await check(anthropicEndpoint, text, target)).toMatchObject([{ severity: "error", line: 2 }]);
    }
  });

  test("that set a budget of thinking: ignored whole in V3.1, the budget alone today", async () => {
    const text = client() + ask('messages, thinking: { type: "enabled", budget_tokens: 1024 }');
    expect((await check(anthropicEndpoint, text, "v3.1"))[0]!.message).toContain("ignored thinking");
    expect((await check(anthropicEndpoint, text))[0]!.message).toContain("budget_tokens");
  });

  test.each([
    ["mcp_servers: []", "current", "warning"],
    ["top_k: 5", "current", "info"],
    ['messages: [{ role: "system", content: "x" }]', "current", "error"],
    ['messages: [{ role: "user", content: [{ type: "image", source }] }]', "v3.1", "error"],
  ] as const)("%s for %s is of severity %s", async (body, target, severity) => {
    expect(await check(anthropicEndpoint, client() + ask(body), target)).toMatchObject([{ severity }]);
  });

  test.each([
    [
      "the Anthropic API itself",
      'import Anthropic from "@anthropic-ai/sdk";\nconst client = new Anthropic();\n' +
        ask("messages, top_k: 3, thinking: { type: 'enabled', budget_tokens: 1 } /* deepseek */", "claude-sonnet-4-5"),
    ],
    ["images today", client() + ask('messages: [{ role: "user", content: [{ type: "image", source }] }]')],
    [
      "thinking by effort",
      client() + ask('messages, thinking: { type: "enabled" }, output_config: { effort: "high" }'),
    ],
    ["a base URL from the environment", client("process.env.DEEPSEEK_BASE_URL") + ask("messages")],
  ])("%s is no finding", async (_, text) => {
    expect(await check(anthropicEndpoint, text)).toEqual([]);
  });
});

describe("variables that name models", () => {
  const env = (text: string): FileFacts => {
    const settings = [...text.matchAll(/^(\w+)=(.*)$/gm)].map((match): Setting => {
      const [, name, value] = match as unknown as [string, string, string];
      const start = match.index;
      const file = ".env";
      return {
        name,
        path: [name],
        value,
        namePlace: { file, start, end: start + name.length },
        place: { file, start: start + name.length + 1, end: start + match[0].length },
        isEnvironment: true,
        isSecret: false,
      };
    });
    return { ...emptyFacts(".env", "env", text), settings };
  };
  const say = (text: string) => [...anthropicEndpoint.check({ files: [env(text)] }, "current", "v3.0")];
  const base = "ANTHROPIC_BASE_URL=https://api.deepseek.com/anthropic\n";

  test("are renamed with their variable where it has a new name", () => {
    const text = `${base}ANTHROPIC_MODEL=deepseek-chat\nANTHROPIC_SMALL_FAST_MODEL=deepseek-chat\n`;
    const edits = say(text).flatMap(({ fix }) => fix!.edits);
    expect(say(text).every(({ fix }) => fix!.applicability === "suggested")).toBe(true);
    expect(applyEdits(text, edits)).toBe(
      `${base}ANTHROPIC_MODEL=deepseek-flash\nANTHROPIC_DEFAULT_HAIKU_MODEL=deepseek-flash\n`,
    );
  });

  test("keep the old variable's name where the new one is set as well", () => {
    const text = `${base}ANTHROPIC_DEFAULT_HAIKU_MODEL=deepseek-flash\nANTHROPIC_SMALL_FAST_MODEL=deepseek-chat\n`;
    const edits = say(text).flatMap(({ fix }) => fix!.edits);
    expect(applyEdits(text, edits)).toContain("ANTHROPIC_SMALL_FAST_MODEL=deepseek-flash");
  });

  test("are told of without a fix where no base URL, or another's, stands beside them", () => {
    const [unknown] = say("ANTHROPIC_MODEL=deepseek-chat\n");
    expect(unknown!.fix).toBeUndefined();
    const [proxy] = say("ANTHROPIC_BASE_URL=http://localhost:3456\nANTHROPIC_MODEL=deepseek-chat\n");
    expect(proxy).toMatchObject({ severity: "info" });
    expect(proxy!.fix).toBeUndefined();
  });

  test("of several blocks go by the base URL that stands nearest", () => {
    const other =
      "ANTHROPIC_BASE_URL=https://dashscope.aliyuncs.com/apps/anthropic\nANTHROPIC_MODEL=qwen3-coder-plus\n";
    const [finding, ...others] = say(`${base}ANTHROPIC_MODEL=deepseek-chat\n${other}`);
    expect(others).toEqual([]);
    expect(finding!.fix).toBeDefined();
  });

  test("in the words of a command are found and renamed", () => {
    const text =
      "docker run -e ANTHROPIC_BASE_URL=https://api.deepseek.com/anthropic -e ANTHROPIC_SMALL_FAST_MODEL=deepseek-chat me";
    const words = [...text.matchAll(/\S+/g)].map(([word], index, all) => ({
      text: word,
      place: { file: "run.sh", start: all[index]!.index, end: all[index]!.index + word.length },
    }));
    const place = { file: "run.sh", start: 0, end: text.length };
    const file: FileFacts = { ...emptyFacts("run.sh", "shell", text), commands: [{ words, place, context: "shell" }] };
    const [problem] = [...anthropicEndpoint.check({ files: [file] }, "current", "v3.0")];
    expect(applyEdits(text, problem!.fix!.edits)).toContain("-e ANTHROPIC_DEFAULT_HAIKU_MODEL=deepseek-flash me");
  });

  test("in code that starts a program are found, and said to be mapped only here", async () => {
    const text = `spawn("claude", { env: { ANTHROPIC_BASE_URL: "https://api.deepseek.com/anthropic", ANTHROPIC_MODEL: "deepseek-reasoner" } });\n`;
    expect(await check(anthropicEndpoint, text)).toHaveLength(1);
    expect(await check(retiredModelAlias, text)).toEqual([]);
    expect(await fixed(anthropicEndpoint, text, "suggested")).toContain('ANTHROPIC_MODEL: "deepseek-flash"');
  });

  test("with today's names are none", () => {
    expect(say(`${base}ANTHROPIC_MODEL=deepseek-v4-pro[1m]\n`)).toEqual([]);
  });
});
