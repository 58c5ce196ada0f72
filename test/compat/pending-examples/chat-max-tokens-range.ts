import type { Example } from "../../../src/compat/rule.js";

/** Examples of languages whose readers are not there yet. */
export const examples: readonly Example[] = [
  {
    target: "v3.1",
    language: "py",
    by: "suggested",
    before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-chat", messages=messages, max_tokens=16384)
`,
    after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-chat", messages=messages, max_tokens=8192)
`,
  },
];
