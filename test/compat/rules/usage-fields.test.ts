import { describe, expect, test } from "@jest/globals";
import { usageFields } from "../../../src/compat/rules/usage-fields.js";
import { check, fixed } from "../check.js";

const open = (url = "https://api.deepseek.com") =>
  `import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "${url}" });\n`;
const stream = (body: string, url?: string) =>
  `${open(url)}const stream = await client.chat.completions.create({ model: "deepseek-flash", messages, stream: true });\nfor await (const chunk of stream) { ${body} }\n`;

describe("a guard of usage", () => {
  test.each([
    ["if (chunk.choices.length === 0) usage = chunk.usage;", "if (chunk.usage) usage = chunk.usage;"],
    ["if (chunk.choices.length === 0 && chunk.usage) log(chunk.usage);", "if (chunk.usage) log(chunk.usage);"],
    ["if (chunk.usage && chunk.choices.length === 0) log(chunk.usage);", "if (chunk.usage) log(chunk.usage);"],
    [
      "if (chunk.choices?.length == 0) { total += chunk.usage.total_tokens; }",
      "if (chunk.usage) { total += chunk.usage.total_tokens; }",
    ],
  ])("%s becomes %s", async (before, after) => {
    const text = stream(before);
    expect(await check(usageFields, text)).toMatchObject([{ severity: "warning", line: 4 }]);
    expect(await check(usageFields, text, "v3.1")).toMatchObject([{ severity: "info" }]);
    expect(await fixed(usageFields, text, "safe")).toBe(text);
    expect(await fixed(usageFields, text, "suggested")).toBe(stream(after));
  });

  test("with another branch for the content is left to a person", async () => {
    const text = stream("if (chunk.choices.length === 0) { usage = chunk.usage; } else { write(chunk.choices[0]); }");
    const [finding] = await check(usageFields, text);
    expect(finding!.fix).toBeUndefined();
  });

  test.each([
    ["a test of usage itself", stream("if (chunk.usage) log(chunk.usage);")],
    ["a guard that skips", stream("if (chunk.choices.length === 0) continue; if (chunk.usage) log(chunk.usage);")],
    ["a guard of something else", stream("if (chunk.choices.length === 0) { skip(); } log(chunk.usage);")],
    ["another host", stream("if (chunk.choices.length === 0) log(chunk.usage);", "https://api.openai.com/v1")],
    [
      "a check of the answer's choices",
      `${open()}if (reply.choices.length === 0) throw new Error("empty");\nlog(other.usage);\n`,
    ],
  ])("%s is no finding", async (_, text) => {
    expect(await check(usageFields, `// deepseek\n${text}`)).toEqual([]);
  });
});

describe("stream_options", () => {
  const ask = (body: string, call = "create") =>
    `${open()}client.chat.completions.${call}({ model: "deepseek-flash", messages, ${body} });\n`;
  const options = "stream_options: { include_usage: true }";

  test("without a stream are refused today; nothing is said of V3.1", async () => {
    for (const text of [ask(options), ask(`stream: false, ${options}`)]) {
      expect(await check(usageFields, text)).toMatchObject([{ severity: "error" }]);
      expect(await check(usageFields, text, "v3.1")).toEqual([]);
      expect(await fixed(usageFields, text, "suggested")).not.toContain("stream_options");
    }
  });

  test.each([
    ["with a stream", ask(`stream: true, ${options}`)],
    ["with a stream by choice", ask(`stream: wanted, ${options}`)],
    ["in stream()", ask(options, "stream")],
    ["beside an unknown spread", ask(`${options}, ...rest`)],
    ["under a condition", ask("...(streaming && { stream: true, stream_options: { include_usage: true } })")],
  ])("%s are no finding", async (_, text) => {
    expect(await check(usageFields, text)).toEqual([]);
  });
});
