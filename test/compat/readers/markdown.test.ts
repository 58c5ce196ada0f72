import { describe, expect, test } from "@jest/globals";
import { applyFixes } from "../../../src/compat/fix/fix.js";
import { scan } from "../../../src/compat/scan.js";
import { memorySources } from "../memory.js";
import { at, readText } from "./read.js";

const fence = (language: string, code: string, indent = "") =>
  `${indent}\`\`\`${language}\n${code.replace(/^(?=.)/gm, indent)}\n${indent}\`\`\`\n`;
const curl = `curl https://api.deepseek.com/chat/completions -d '{"model": "deepseek-chat", "messages": []}'`;
const modelsOf = async (text: string, file = "docs/a.md") => {
  const facts = await readText(file, text);
  expect(facts).toMatchObject({ language: "markdown", reportOnly: true, syntaxErrors: [] });
  return [
    ...facts.requests.map(
      ({ client, host, model }) => `${client} ${host.host} ${at(facts, model!.candidates[0]!.place)}`,
    ),
    ...facts.mentions.map((one) => `${one.kind} ${at(facts, one.place)}`),
  ];
};

describe("blocks of code are read by the readers of their languages", () => {
  test.each([
    ["a shell", fence("bash", curl), 'http official "deepseek-chat"'],
    ["indented in a list", `- a\n${fence("sh", `# why\n${curl}`, "   ")}`, 'http official "deepseek-chat"'],
    ["quoted", fence("sh", curl, "> "), 'http official "deepseek-chat"'],
    ["with tildes and attributes", `~~~{.bash title="x"}\n${curl}\n~~~\n`, 'http official "deepseek-chat"'],
    ["Windows line ends", fence("sh", curl).replaceAll("\n", "\r\n"), 'http official "deepseek-chat"'],
    ["YAML", fence("yaml", "model: deepseek-chat"), "setting deepseek-chat"],
    ["variables", fence("env", "MODEL='deepseek-chat'"), "setting 'deepseek-chat'"],
    [
      "TypeScript",
      fence(
        "ts",
        'import OpenAI from "openai";\nnew OpenAI({ baseURL: "https://api.deepseek.com" }).chat.completions.create({ model: "deepseek-chat" });',
      ),
      'openai-node official "deepseek-chat"',
    ],
    ["a session with a name before the prompt", fence("bash", `me@host:~$ ${curl}`), 'http official "deepseek-chat"'],
    [
      "a session",
      fence(
        "console",
        `$ curl https://api.deepseek.com/chat/completions -d '{\n  "model": "deepseek-chat",\n  "messages": []}'\n{"model": "deepseek-reasoner"}`,
      ),
      'http official "deepseek-chat"',
    ],
  ])("%s", async (_, text, expected) =>
    expect(await modelsOf(`# deepseek-chat\n\n${text}\nafter`)).toEqual([expected]),
  );

  test.each([
    ["prose", "Use `deepseek-chat` at https://api.deepseek.com\n\n    model: deepseek-chat\n"],
    ["no language", fence("", curl)],
    ["another language", fence("text", curl)],
    ["what a session prints", fence("console", "$ ls\nmodel=deepseek-chat")],
  ])("%s is no fact", async (_, text) => expect(await modelsOf(text)).toEqual([]));

  test("the lines that evidence names are those of the document", async () => {
    const text = `# x\n\n${fence("sh", `MODEL=deepseek-chat\n${curl.replace("deepseek-chat", "'$MODEL'")}`)}`;
    const { requests } = await readText("a.md", text);
    expect(requests[0]?.model?.candidates[0]?.path).toEqual(["MODEL, a.md:4"]);
  });
});

test("what is wrong in documentation is reported, and never rewritten", async () => {
  const sources = memorySources({ "a.md": fence("sh", curl) });
  const { findings, broken } = await scan(sources, { target: "current" });
  expect(findings.map(({ code, line, fix, manual }) => [code, line, fix, manual])).toEqual([
    ["R01", 2, undefined, "documentation is never rewritten"],
  ]);
  expect(broken).toEqual([]);
  expect((await applyFixes(sources, { target: "current" }, "suggested")).changed.size).toBe(0);
});
