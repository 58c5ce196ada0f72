import type { Example } from "../../../src/compat/rule.js";

export const examples: readonly Example[] = [
  {
    target: "current",
    language: "py",
    by: "safe",
    before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-flash", messages=[{"role": "developer", "content": "Be brief"}])
`,
    after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-flash", messages=[{"role": "system", "content": "Be brief"}])
`,
  },
  {
    target: "current",
    language: "py",
    by: "safe",
    before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-flash", messages=[{"role": "assistant", "content": [{"type": "text", "text": "Yes"}]}])
`,
    after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-flash", messages=[{"role": "assistant", "content": "Yes"}])
`,
  },
  {
    target: "current",
    language: "http",
    by: "safe",
    before: `POST https://api.deepseek.com/chat/completions
Authorization: Bearer {{key}}
Content-Type: application/json

{ "model": "deepseek-flash", "messages": [{ "role": "developer", "content": "Be brief" }] }
`,
    after: `POST https://api.deepseek.com/chat/completions
Authorization: Bearer {{key}}
Content-Type: application/json

{ "model": "deepseek-flash", "messages": [{ "role": "system", "content": "Be brief" }] }
`,
  },
];
