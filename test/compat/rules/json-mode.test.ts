import { describe, expect, test } from "@jest/globals";
import { jsonMode } from "../../../src/compat/rules/json-mode.js";
import { ask, client, fixed, found } from "./found.js";

const schema = 'response_format: { type: "json_schema", json_schema: schema }';
const flash = 'model: "deepseek-flash"';

describe("json-mode", () => {
  test.each(["v3.1", "current"] as const)("refuses json_schema for %s", async (target) => {
    const [one] = await found(jsonMode, client() + ask(`model: "deepseek-chat", messages, ${schema}`), target);
    expect(one).toMatchObject({ severity: "error", fix: { applicability: "suggested" } });
  });

  test("a format kept in a constant is reported without a fix", async () => {
    const code = `const response_format = { type: "json_schema", json_schema: schema } as const;\n${client()}${ask(`${flash}, messages, response_format`)}`;
    const [one] = await found(jsonMode, code);
    expect(one).toMatchObject({ rule: "json-mode", manual: expect.stringContaining("json_object") });
    expect(one!.fix).toBeUndefined();
  });

  test("zodResponseFormat and parse() send a schema", async () => {
    const zod = `${flash}, messages, response_format: zodResponseFormat(Answer, "answer")`;
    expect((await found(jsonMode, client() + ask(zod)))[0]!.message).toContain("zodResponseFormat()");
    const parse = (client() + ask(zod)).replace("chat.completions.create", "beta.chat.completions.parse");
    expect(await found(jsonMode, parse)).toHaveLength(1);
    // parse() for the arguments of tools needs no response format
    expect(await found(jsonMode, parse.replace(/, response_format.*\)/, ", tools"))).toEqual([]);
  });

  test("an unknown host counts only with DeepSeek's own names", async () => {
    const open = client()
      .replace('"https://api.deepseek.com"', "settings.url")
      .replace("process.env.KEY", "settings.key");
    const [one] = await found(jsonMode, open + ask(`model: "deepseek-chat", messages, ${schema}`));
    expect(one).toMatchObject({ severity: "warning" });
    expect(one!.fix).toBeUndefined();
    expect(await found(jsonMode, open + ask(`model: "deepseek-ai/DeepSeek-V3.1", messages, ${schema}`))).toEqual([]);
  });

  test.each([
    [
      "another host",
      client("https://openrouter.ai/api/v1") + ask(`model: "deepseek/deepseek-chat", messages, ${schema}`),
    ],
    [
      "another provider in a file that mentions DeepSeek",
      `const names = ["deepseek-chat"];\n${client("https://api.openai.com/v1")}${ask(`model: "gpt-5", messages, ${schema}`)}`,
    ],
    [
      "JSON mode",
      client() +
        ask(`${flash}, messages: [{ role: "user", content: "as JSON" }], response_format: { type: "json_object" }`),
    ],
    [
      "prompts that are not known",
      client() +
        ask(
          `${flash}, messages: [{ role: "system", content: "Be brief" }, ...history], response_format: { type: "json_object" }`,
        ),
    ],
    [
      "a prompt of which a part is not known",
      client() +
        ask(
          `${flash}, messages: [{ role: "user", content: \`List \${what}\` }], response_format: { type: "json_object" }`,
        ),
    ],
    [
      "a flag that is only compared",
      `${client()}const supportsStructuredOutputs = config.supportsStructuredOutputs === true;\n`,
    ],
    ["plain text", client() + ask(`${flash}, messages, response_format: { type: "text" }`)],
  ])("says nothing of %s", async (_, code) => {
    expect(await found(jsonMode, code)).toEqual([]);
  });
});

describe("LangChain's structured output", () => {
  const llm = (name: string, options: string) =>
    `import { ${name} } from "@langchain/${name === "ChatDeepSeek" ? "deepseek" : "openai"}";\nconst llm = new ${name}({ model: "deepseek-flash"${options} });\n`;
  const official = ', configuration: { baseURL: "https://api.deepseek.com" }';

  test("by schema, where the call asks for it", async () => {
    const code = `${llm("ChatDeepSeek", "")}const a = llm.withStructuredOutput(Answer, { name: "a", method: "jsonSchema" });\n`;
    expect(await found(jsonMode, code)).toHaveLength(1);
    expect(await fixed(jsonMode, code, "suggested")).toContain('{ name: "a", method: "jsonMode" }');
    expect(await fixed(jsonMode, code, "safe")).toBe(code);
  });

  test("by schema as the default of ChatOpenAI, not of ChatDeepSeek", async () => {
    const call = "const a = llm.withStructuredOutput(Answer);\n";
    expect(await fixed(jsonMode, llm("ChatOpenAI", official) + call, "suggested")).toContain(
      'withStructuredOutput(Answer, { method: "jsonMode" })',
    );
    const named = "const a = llm.withStructuredOutput(Answer, { name: 'a' });\n";
    expect(await fixed(jsonMode, llm("ChatOpenAI", official) + named, "suggested")).toContain(
      '{ method: "jsonMode", name',
    );
    expect(await found(jsonMode, llm("ChatDeepSeek", "") + call)).toEqual([]);
    expect(await found(jsonMode, `${llm("ChatOpenAI", official)}llm.withStructuredOutput(Answer, options);\n`)).toEqual(
      [],
    );
    expect(
      await found(
        jsonMode,
        `import { ChatOpenAI } from "@langchain/openai";\nconst deepseek = 1;\nconst llm = new ChatOpenAI({ model: "gpt-5" });\n${call}`,
      ),
    ).toEqual([]);
  });
});
