import type { Example } from "../../../src/compat/rule.js";

/** Examples of languages whose readers are not there yet. */
export const examples: readonly Example[] = [
  {
    target: "current",
    language: "py",
    by: "none",
    before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
tools = [{"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}]
reply = client.chat.completions.create(model="deepseek-flash", messages=messages, tools=tools)
`,
    after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com/beta")
tools = [{"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}]
reply = client.chat.completions.create(model="deepseek-flash", messages=messages, tools=tools)
`,
  },
];
