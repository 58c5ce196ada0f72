import { expect, test } from "@jest/globals";
import { reasonerMaxTokens } from "../../../src/compat/rules/reasoner-max-tokens.js";
import { check, fixed } from "../check.js";

const anthropic = (limit: string) => `import Anthropic from "@anthropic-ai/sdk";
const client = new Anthropic({ baseURL: "https://api.deepseek.com/anthropic" });
client.messages.create({ model: "deepseek-reasoner", max_tokens: ${limit}, messages });
`;

test("Anthropic's protocol asks for a limit: it is raised, not removed", async () => {
  expect(await fixed(reasonerMaxTokens, anthropic("4000"), "suggested")).toBe(anthropic("32768"));
  const [finding] = await check(reasonerMaxTokens, `const limit = 4000;\n${anthropic("limit")}`);
  expect(finding).toBeDefined();
  expect(finding!.fix).toBeUndefined();
});
