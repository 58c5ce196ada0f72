import { expect, test } from "@jest/globals";
import { finishReason } from "../../../src/compat/rules/finish-reason.js";
import { check } from "../check.js";

const ask = (url: string) => `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "${url}" });
const reply = await client.chat.completions.create({ model: "deepseek-flash", messages });
const reason = reply.choices[0].finish_reason;
`;
const official = ask("https://api.deepseek.com");
const over = (cases: string) => `switch (reason) { ${cases} }\n`;
const two = 'case "stop": done(); break; case "length": cut(); break;';

test("a switch without default says which reasons it misses, today only", async () => {
  const [finding] = await check(finishReason, official + over(two));
  expect(finding).toMatchObject({ severity: "info", line: 5 });
  expect(finding!.message).toContain("insufficient_system_resource and aborted");
  expect(await check(finishReason, official + over(two), "v3.1")).toEqual([]);
});

test("only what is missing is named", async () => {
  const cases = `${two} case "insufficient_system_resource": again(); break;`;
  const [finding] = await check(finishReason, official + over(cases));
  expect(finding!.message).not.toContain("insufficient");
});

test.each([
  ["with a default", official + over(`${two} default: fail();`)],
  ["that knows them all", official + over(`${two} case "insufficient_system_resource": case "aborted": again();`)],
  ["over other words", official + over('case "stop": halt(); break; case "start": go();')],
  ["over an answer of another host", ask("https://api.openai.com/v1") + over(two)],
  ["over an answer of an unknown host", ask("").replace('""', "url") + over(two)],
  [
    "over the AI SDK's own names",
    `import { deepseek } from "@ai-sdk/deepseek";\nimport { generateText } from "ai";\nconst { finishReason } = await generateText({ model: deepseek("deepseek-flash"), prompt });\nswitch (finishReason) { ${two} }\n`,
  ],
])("a switch %s is no finding", async (_, text) => {
  expect(await check(finishReason, text)).toEqual([]);
});
