import type { Example } from "../../../src/compat/rule.js";

export const examples: readonly Example[] = [
  {
    target: "current",
    language: "py",
    by: "none",
    before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(
    model="deepseek-flash",
    messages=[{"role": "user", "content": "Sort"}, {"role": "assistant", "content": "{", "prefix": True}],
)
`,
    after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com/beta")
reply = client.chat.completions.create(
    model="deepseek-flash",
    messages=[{"role": "user", "content": "Sort"}, {"role": "assistant", "content": "{", "prefix": True}],
)
`,
  },
  {
    target: "current",
    language: "py",
    by: "suggested",
    before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com/beta")
reply = client.completions.create(model="deepseek-chat", prompt="def fib(a):", suffix="    return x")
`,
    after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com/beta")
reply = client.completions.create(model="deepseek-v4-pro", prompt="def fib(a):", suffix="    return x")
`,
  },
  {
    target: "current",
    language: "sh",
    by: "suggested",
    before: `curl https://api.deepseek.com/beta/completions \\
  -H "Authorization: Bearer $DEEPSEEK_API_KEY" \\
  -d '{"model": "deepseek-chat", "prompt": "def", "suffix": "x"}'
`,
    after: `curl https://api.deepseek.com/beta/completions \\
  -H "Authorization: Bearer $DEEPSEEK_API_KEY" \\
  -d '{"model": "deepseek-v4-pro", "prompt": "def", "suffix": "x"}'
`,
  },
];
