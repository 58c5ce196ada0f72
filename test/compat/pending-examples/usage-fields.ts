import type { Example } from "../../../src/compat/rule.js";

export const examples: readonly Example[] = [
  {
    target: "current",
    language: "py",
    by: "suggested",
    before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
stream = client.chat.completions.create(model="deepseek-flash", messages=messages, stream=True)
for chunk in stream:
    if len(chunk.choices) == 0 and chunk.usage:
        print(chunk.usage.total_tokens)
`,
    after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
stream = client.chat.completions.create(model="deepseek-flash", messages=messages, stream=True)
for chunk in stream:
    if chunk.usage:
        print(chunk.usage.total_tokens)
`,
  },
];
