import type { Example } from "../../../src/compat/rule.js";

export const examples: readonly Example[] = [
  {
    target: "v3.1",
    language: "py",
    by: "suggested",
    before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-chat", messages=messages, stop_sequence=["END"], chunk_size=4096)
`,
    after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-chat", messages=messages, stop=["END"])
`,
  },
  {
    target: "current",
    language: "py",
    by: "none",
    before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.generate(prompt="Sum up", summary_generation=True)
`,
    after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
client.chat.completions.create(model="deepseek-flash", messages=[{"role": "user", "content": "Sum up"}])
`,
  },
  {
    target: "current",
    language: "sh",
    by: "suggested",
    before: `curl https://api.deepseek.com/chat/completions -d '{"model": "deepseek-flash", "messages": [], "stop_sequence": "END"}'
`,
    after: `curl https://api.deepseek.com/chat/completions -d '{"model": "deepseek-flash", "messages": [], "stop": "END"}'
`,
  },
];
