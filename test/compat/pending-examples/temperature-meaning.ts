import type { Example } from "../../../src/compat/rule.js";

export const examples: readonly Example[] = [
  {
    target: "v3.1",
    language: "py",
    by: "none",
    before: `from openai import OpenAI
client = OpenAI(base_url="http://localhost:8000/v1")
client.chat.completions.create(model="deepseek-ai/DeepSeek-V3.1", messages=messages, temperature=1.3)
`,
    after: `from openai import OpenAI
client = OpenAI(base_url="http://localhost:8000/v1")
client.chat.completions.create(model="deepseek-ai/DeepSeek-V3.1", messages=messages, temperature=0.6)
`,
  },
];
